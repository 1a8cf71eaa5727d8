"""Requests of a real AWS client, caught before they are sent, as a server gets them: for every operation of a model."""

import contextlib
import io
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from lambent.protocol.wire import WireRequest

_AWKWARD = "arn:aws:x:eu-west-1:111122223333:a/b c+d~é"
_DEPTH_MAX = 4


class _Caught(Exception):
    """Ends a call whose request is known."""


class ClientRequests:
    """
    Makes requests for one service.

    Args:
        credentials: access key, secret and session token; None: nothing is signed.
    """

    def __init__(
        self,
        service: str,
        credentials: tuple[str, str, str | None] | None,
        *,
        endpoint: str = "http://127.0.0.1:4566",
        region: str = "eu-west-1",
    ) -> None:
        session = botocore.session.Session()
        given: dict[str, Any] = {}
        if credentials is not None:
            key, secret, token = credentials
            given = {"aws_access_key_id": key, "aws_secret_access_key": secret, "aws_session_token": token}
        self._endpoint = endpoint
        self.client = session.create_client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            config=Config(
                parameter_validation=False,
                inject_host_prefix=False,
                signature_version=UNSIGNED if credentials is None else None,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
            ),
            **given,
        )
        self.client.meta.events.register("before-send.*", self._catch)
        self._caught: WireRequest | None = None
        self.operations: list[str] = list(self.client.meta.service_model.operation_names)

    def request(self, operation: str, parameters: dict[str, Any] | None = None) -> WireRequest:
        """Return what a client sends for an operation; with values that are hard to write where none are given."""
        shape = self.client.meta.service_model.operation_model(operation).input_shape
        if parameters is None:
            parameters = {} if shape is None else _structure(shape, 0)
        names = {name: method for method, name in self.client.meta.method_to_api_mapping.items()}
        with contextlib.suppress(_Caught):
            getattr(self.client, names[operation])(**parameters)
        assert self._caught is not None
        return self._caught

    def presigned(self, operation: str, parameters: dict[str, Any], *, expires_s: int = 60) -> WireRequest:
        """Return what whoever has a presigned URL sends."""
        names = {name: method for method, name in self.client.meta.method_to_api_mapping.items()}
        url = self.client.generate_presigned_url(names[operation], parameters, expires_s)
        method = self.client.meta.service_model.operation_model(operation).http["method"]
        return as_received(method, url, {}, b"")

    def _catch(self, request: Any, **_: Any) -> AWSResponse:
        body = request.body
        if hasattr(body, "read"):
            body = body.read()
        content = body.encode() if isinstance(body, str) else bytes(body or b"")
        self._caught = as_received(request.method, request.url, dict(request.headers.items()), content)
        raise _Caught


def as_received(method: str, url: str, headers: dict[str, Any], body: bytes) -> WireRequest:
    """Return a request as a server gets it."""
    parts = urlsplit(url)
    target = url[url.index(parts.netloc) + len(parts.netloc) :]
    path, _, query = target.partition("?")
    pairs = [(b"host", parts.netloc.encode())]
    for name, value in headers.items():
        if name.lower() != "host":
            pairs.append((name.lower().encode(), value if isinstance(value, bytes) else str(value).encode()))
    joined: dict[str, str] = {}
    for key, text in pairs:
        name = key.decode()
        joined[name] = f"{joined[name]}, {text.decode('latin-1')}" if name in joined else text.decode("latin-1")

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    return WireRequest(method, path or "/", query, joined, body, pairs=pairs, stream=stream)


def _structure(shape: Any, depth: int) -> dict[str, Any]:
    names = list(shape.members)[:1] if shape.is_tagged_union else shape.required_members
    return {name: _value(shape.members[name], name, depth + 1) for name in names}


def _value(shape: Any, name: str, depth: int) -> Any:
    if shape.type_name == "structure":
        return _structure(shape, depth)
    if shape.type_name == "list":
        return [] if depth > _DEPTH_MAX else [_value(shape.member, name, depth + 1)]
    if shape.type_name == "map":
        return {} if depth > _DEPTH_MAX else {"k": _value(shape.value, name, depth + 1)}
    if shape.type_name == "string" and shape.enum:
        return shape.enum[0]
    if shape.type_name == "string" and name in {"AccountId", "Bucket", "RequestRoute"}:
        return "111122223333" if name == "AccountId" else "media"
    if shape.type_name == "string" and shape.serialization.get("location") == "header":
        return "a  b"
    plain: dict[str, Callable[[], Any]] = {
        "string": lambda: _AWKWARD,
        "blob": lambda: io.BytesIO(b"hello") if shape.serialization.get("streaming") else b"hello",
        "boolean": lambda: True,
        "timestamp": lambda: 1_767_225_600,
        "double": lambda: 1.5,
        "float": lambda: 1.5,
    }
    return plain.get(shape.type_name, lambda: 1)()
