"""
Parameter mapping of HTTP APIs: what an integration changes of a request on its way in, and of a response. Pure.

Documented: API Gateway developer guide, transforming API requests and responses for HTTP APIs.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from lambent.domain.api_request import ApiRequest, body_value
from lambent.domain.cors import HttpHeaders
from lambent.domain.http_event import HttpRequest, cookies_of

_REQUEST_KEY = re.compile(r"(append|overwrite|remove):(header|querystring)\.(.+)|(overwrite):(path)")
_RESPONSE_KEY = re.compile(r"(append|overwrite|remove):(header)\.(.+)|(overwrite):(statuscode)")
_STATUS = re.compile(r"[1-5]\d\d")
_FINAL_STATUS = re.compile(r"[2-5][0-9][0-9]")

_REFERENCE = r"request\.(?:header|querystring)\.[^{}]+|request\.path(?:\.[^{}]+)?|request\.body(?:[.\[][^{}]+)?"
_SHARED = r"context\.[A-Za-z0-9_.-]+|stageVariables\.[A-Za-z0-9_]+"
_IN_REQUEST = re.compile(rf"{_REFERENCE}|{_SHARED}")
_IN_RESPONSE = re.compile(rf"response\.header\.[^{{}}]+|response\.body(?:[.\[][^{{}}]+)?|{_SHARED}")
_BODIES = ("request.body", "response.body")
_PLACE = re.compile(r"\$\{([^{}]+)\}")

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_RESERVED = re.compile(
    r"access-control-.*|apigw-.*|x-amz-.*|x-amzn-.*|authorization|connection|content-encoding|content-length|"
    r"content-location|forwarded|keep-alive|origin|proxy-authenticate|proxy-authorization|te|trailers|"
    r"transfer-encoding|upgrade|x-forwarded-for|x-forwarded-host|x-forwarded-proto|via"
)
"""Documented: API Gateway developer guide, reserved headers of parameter mapping."""

_MOST = 200
"""Entries of one mapping. Assumed: many times what anybody needs (test_parameter_mapping)."""


class MalformedMapping(Exception):
    """A mapping that nobody could carry out; says what is wrong with it."""


class Step(NamedTuple):
    """One thing to do."""

    action: str
    """`append`, `overwrite` or `remove`."""
    place: str
    """`header`, `querystring`, `path` or `statuscode`."""
    name: str
    value: str


def check_request_parameters(mapping: Mapping[str, str]) -> None:
    """
    Refuse what cannot be mapped of a request.

    Raises:
        MalformedMapping: a key or a value is none, or names a reserved header.
    """
    _check(mapping, _REQUEST_KEY, _IN_REQUEST)


def check_response_parameters(mapping: Mapping[str, Mapping[str, str]]) -> None:
    """
    Refuse what cannot be mapped of responses.

    Args:
        mapping: by status.

    Raises:
        MalformedMapping: a status, a key or a value is none, or names a reserved header.
    """
    for status, steps in mapping.items():
        if _STATUS.fullmatch(status) is None:
            raise MalformedMapping(f"{status!r} is no status")
        _check(steps, _RESPONSE_KEY, _IN_RESPONSE)


def _check(mapping: Mapping[str, str], keys: "re.Pattern[str]", references: "re.Pattern[str]") -> None:
    if len(mapping) > _MOST:
        raise MalformedMapping(f"it has more than {_MOST} entries")
    for step in _steps(mapping, keys):
        if step.place == "header":
            if _HEADER_NAME.fullmatch(step.name) is None:
                raise MalformedMapping(f"{step.name!r} is no name of a header")
            if _RESERVED.fullmatch(step.name.lower()):
                raise MalformedMapping(f"the header {step.name} is reserved")
        if step.action == "remove":
            continue
        if _NOT_IN_HEADER.search(step.value):
            raise MalformedMapping(f"{step.value!r} has characters that no header can hold")
        for name in _references(step.value):
            if references.fullmatch(name) is None:
                raise MalformedMapping(f"${name} is no variable that may stand there")
            # Documented: API Gateway developer guide, parameter mapping: neither is supported in a body's path.
            if name.startswith(_BODIES) and (".." in name or "[?" in name):
                raise MalformedMapping(f"${name}: a path into a body has no .. and no filter")
        if step.place == "statuscode" and "$" not in step.value and _FINAL_STATUS.fullmatch(step.value) is None:
            raise MalformedMapping(f"{step.value!r} is no status that a response can have")


def _steps(mapping: Mapping[str, str], keys: "re.Pattern[str]") -> list[Step]:
    found = []
    for key, value in mapping.items():
        match = keys.fullmatch(key)
        if match is None:
            raise MalformedMapping(f"{key!r} is none of append|overwrite|remove:header.name and the others there are")
        groups = match.groups()
        found.append(Step(groups[0] or groups[3], groups[1] or groups[4], groups[2] or "", value))
    return found


def _references(value: str) -> list[str]:
    if value.startswith("$") and not value.startswith("${"):
        return [value[1:]]
    return _PLACE.findall(value)


def _rendered(value: str, value_of: Callable[[str], str | None]) -> str:
    """Return a value with its variables replaced; what a variable has no value for is empty."""
    if value.startswith("$") and not value.startswith("${"):
        return value_of(value[1:]) or ""
    return _PLACE.sub(lambda found: value_of(found[1]) or "", value)


def mapped_request(mapping: Mapping[str, str], request: ApiRequest) -> HttpRequest:
    """
    Return the request as an integration is to see it.

    Args:
        mapping: passed `check_request_parameters`.

    Assumed: all values are those of the request as it came, whatever the order (test_parameter_mapping).
    """
    http = request.http
    headers, query, path = dict(http.headers), list(request.query), http.path
    cookies = http.cookies
    for step in _steps(mapping, _REQUEST_KEY):
        value = "" if step.action == "remove" else _rendered(step.value, request.value_of)
        if step.place == "path":
            path = value if value.startswith("/") else f"/{value}"
        elif step.place == "header":
            name, sent = step.name.lower(), _NOT_IN_HEADER.sub(" ", value)
            if name == "cookie":
                # They are kept apart from the other headers.
                kept_cookies = cookies if step.action == "append" else []
                cookies = [*kept_cookies, *cookies_of(sent)]
            elif step.action == "remove":
                headers.pop(name, None)
            elif step.action == "append" and name in headers:
                headers[name] = f"{headers[name]},{sent}"
            else:
                headers[name] = sent
        else:
            if step.action != "append":
                query = [(name, kept) for name, kept in query if name != step.name]
            if step.action != "remove":
                query.append((step.name, value))
    text = http.query if query == request.query else urlencode(query, quote_via=quote)
    return msgspec.structs.replace(http, headers=headers, cookies=cookies, query=text, path=path)


def needs_body(mapping: Mapping[str, Mapping[str, str]] | None) -> bool:
    """Say whether a mapping of responses looks into bodies."""
    return any(
        name.startswith("response.body")
        for steps in (mapping or {}).values()
        for value in steps.values()
        for name in _references(value)
    )


def mapped_response(
    mapping: Mapping[str, str], request: ApiRequest, status: int, headers: HttpHeaders, body: bytes
) -> tuple[int, HttpHeaders]:
    """
    Return status and headers of a response as its client is to see them.

    Args:
        mapping: of the response's status; passed `check_response_parameters`.
        body: empty where the mapping does not look into it.
    """
    given = list(headers)

    def value_of(name: str) -> str | None:
        if name.startswith("response.header."):
            wanted = name.removeprefix("response.header.").lower().encode("latin-1", "replace")
            values = [value.decode("latin-1") for found, value in given if found == wanted]
            return ",".join(values) if values else None
        if name.startswith("response.body"):
            return body_value(body, name.removeprefix("response.body").removeprefix("."))
        return request.value_of(name)

    for step in _steps(mapping, _RESPONSE_KEY):
        value = "" if step.action == "remove" else _rendered(step.value, value_of)
        if step.place == "statuscode":
            # One of 1xx would not be the last word; what is no status leaves the response its own.
            if _FINAL_STATUS.fullmatch(value):
                status = int(value)
            continue
        name = step.name.lower().encode("latin-1")
        if step.action != "append":
            headers = [(found, kept) for found, kept in headers if found != name]
        if step.action != "remove":
            headers = [*headers, (name, _NOT_IN_HEADER.sub(" ", value).encode())]
    return status, headers
