"""
Functions that decide who may use a route of an HTTP API: what they are asked, and what their answers mean. Pure.

Documented: API Gateway developer guide, controlling access to HTTP APIs with AWS Lambda authorizers.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from lambent.domain.api_request import ApiRequest
from lambent.domain.http_api import Authorizer
from lambent.domain.http_event import request_event, request_event_1
from lambent.domain.policy import MalformedPolicy, Policies, Value, compile_policy
from lambent.domain.principal import ANONYMOUS
from lambent.domain.resource_policy import Requester, allows

_encode = msgspec.json.Encoder().encode


class MalformedVerdict(Exception):
    """What an authorizer's function answered is no decision."""


class Verdict(msgspec.Struct, frozen=True):
    """What a function decided; where it is a policy, it is put to each request anew."""

    is_authorized: bool
    policy: Policies | None = None
    principal_id: str | None = None
    context: Mapping[str, Any] | None = None

    def allows(self, request: ApiRequest) -> bool:
        """Say whether a request may go on."""
        if self.policy is None:
            return self.is_authorized
        context = _circumstances(request) if self.policy.keys else {}
        return allows(self.policy, Requester(ANONYMOUS, context), "execute-api:Invoke", request.route_arn())


def _circumstances(request: ApiRequest) -> dict[str, Value]:
    """
    Return the condition keys that a policy may ask for.

    Documented: API Gateway developer guide, AWS condition keys that can be used in API Gateway resource policies: those
    that authorizers support. Assumed: HTTP APIs have them as REST APIs do (test_api_authorizer).
    """
    headers = request.http.headers
    context: dict[str, Value] = {
        "aws:currenttime": datetime.fromtimestamp(request.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(request.now)),
        "aws:securetransport": "true" if headers.get("x-forwarded-proto") == "https" else "false",
        "aws:sourceip": request.http.source_ip,
    }
    for key, name in (("aws:useragent", "user-agent"), ("aws:referer", "referer")):
        if name in headers:
            context[key] = headers[name]
    return context


def identity_of(sources: Sequence[str], request: ApiRequest) -> tuple[str, ...] | None:
    """Return the values by which a client is known; None where one is missing. Documented: an empty one is."""
    values = []
    for source in sources:
        value = request.value_of(source.removeprefix("$"))
        if not value:
            return None
        values.append(value)
    return tuple(values)


def authorizer_event(
    authorizer: Authorizer,
    identity: Sequence[str],
    request: ApiRequest,
    pairs: Sequence[tuple[bytes, bytes]],
) -> bytes:
    """
    Return what a function is asked, as JSON.

    Args:
        pairs: the headers as they were sent.
    """
    addressed = request.addressed()
    if authorizer.authorizer_payload_format_version == "2.0":
        event = request_event(request.http, addressed)
        return _encode(
            {
                "version": "2.0",
                "type": "REQUEST",
                "routeArn": request.route_arn(),
                "identitySource": list(identity) or None,
                **{name: value for name, value in event.items() if name != "version"},
            }
        )
    event = request_event_1(request.http, addressed, *request.paths_1, pairs)
    del event["requestContext"]["authorizer"]
    joined = ",".join(identity)
    return _encode(
        {
            "version": "1.0",
            "type": "REQUEST",
            "methodArn": request.route_arn(),
            "identitySource": joined,
            "authorizationToken": joined,
            **{name: value for name, value in event.items() if name != "version"},
        }
    )


def read_verdict(authorizer: Authorizer, payload: bytes) -> Verdict:
    """
    Read a function's answer.

    Raises:
        MalformedVerdict: it is none of the two forms.
    """
    try:
        answer = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise MalformedVerdict("it is not JSON") from None
    if not isinstance(answer, dict):
        raise MalformedVerdict("it is no object")
    context = answer.get("context")
    if context is not None and not isinstance(context, dict):
        raise MalformedVerdict("context is no object")
    if authorizer.enable_simple_responses:
        if not isinstance(answer.get("isAuthorized"), bool):
            raise MalformedVerdict("isAuthorized is neither true nor false")
        return Verdict(answer["isAuthorized"], context=context)
    if context and "claims" in context and authorizer.authorizer_payload_format_version == "1.0":
        raise MalformedVerdict("claims is no key that a context may have")
    principal = answer.get("principalId")
    if not isinstance(principal, str) or not principal:
        raise MalformedVerdict("principalId is missing")
    return Verdict(False, _policy(answer.get("policyDocument")), principal, context)


def _policy(document: Any) -> Policies:
    statements = document.get("Statement") if isinstance(document, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list):
        raise MalformedVerdict("policyDocument is no policy")
    read = []
    for statement in statements:
        is_sound = (
            isinstance(statement, dict)
            and statement.get("Effect") in ("Allow", "Deny")
            and _is_texts(statement.get("Action"))
            and _is_texts(statement.get("Resource"))
            and isinstance(statement.get("Condition", {}), dict)
        )
        if not is_sound:
            raise MalformedVerdict("a statement of policyDocument has no Effect, Action or Resource that is one")
        # It is a policy for one who is known already.
        read.append({**statement, "Principal": "*"})
    try:
        return Policies([compile_policy({"Version": document.get("Version"), "Statement": read})])
    except MalformedPolicy as error:
        raise MalformedVerdict(f"policyDocument is no policy: {error}") from None


def _is_texts(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(item, str) for item in items)
