"""
One request to an HTTP API on its way: what `$context` and the other variables of API Gateway stand for. Pure.

Source: API Gateway developer guide, HTTP APIs: parameter mapping, Lambda authorizers, logging variables.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from lambent.domain.caller import Caller, Scope
from lambent.domain.http_api import Route, Stage
from lambent.domain.http_event import Addressed, HttpRequest, clf_time
from lambent.domain.traced import StageTracing

_ROUTE_OF_DEFAULT = "$default"


@dataclass(slots=True)
class ApiRequest:
    """A request that has found its route. What comes of it is written into it, for the access log."""

    scope: Scope
    api_id: str
    stage: Stage
    route: Route
    http: HttpRequest
    """As the integration is to see it; its path is decoded, and begins with the stage where one was named."""
    route_path: str
    """The path that was matched: decoded, without stage and base path."""
    parameters: Mapping[str, str]
    """What the route's variables stand for."""
    request_id: str
    domain_name: str
    now: float
    """Seconds since the epoch."""
    sent_path: str = ""
    """The path as it was sent, but for the stage; of a custom domain with the mapping's key."""
    is_own_domain: bool = False
    """Whether a custom domain was asked."""
    base_path: str = ""
    """The key of the custom domain's mapping that matched."""
    authorizer: Mapping[str, Any] | None = None
    """What the authorizer said, as `requestContext.authorizer` of payload 2.0 holds it: `jwt`, `lambda` or `iam`."""
    caller: Caller | None = None
    """Who signed it, where that was asked for; what they may do with the route is another thing."""
    principal_id: str | None = None
    query: list[tuple[str, str]] = field(default_factory=list)
    """Of the query string, decoded."""

    tracing: StageTracing | None = None
    """None: it is not sampled."""

    # What came of it, for the access log and the trace.
    status: int = 0
    response_bytes: int = 0
    latency_ms: int = 0
    integration_status: str | None = None
    integration_latency_ms: int | None = None
    integration_request_id: str | None = None
    integration_error: str | None = None
    authorizer_error: str | None = None
    error_message: str | None = None
    error_type: str | None = None
    called: tuple[float, float] | None = None
    """When a function was called, and had answered, in seconds since the epoch; of a sampled request alone."""

    @property
    def domain_prefix(self) -> str:
        return self.domain_name.partition(".")[0]

    @property
    def paths_1(self) -> tuple[str, str]:
        """
        What payload 1.0 has as `path` and as `requestContext.path`.

        Assumed: as REST APIs have them, with custom domains both alike (test_http_apis).
        """
        return self.sent_path, self.sent_path if self.is_own_domain else self.http.path

    @property
    def method_and_resource(self) -> str:
        """The last part of the ARN by which policies name the route: `GET/items/{id}`, `$default`."""
        if self.route.route_key == _ROUTE_OF_DEFAULT:
            return _ROUTE_OF_DEFAULT
        # Assumed: the request's own method where the route takes any (test_api_request).
        return f"{self.http.method}{self.route.route_key.partition(' ')[2]}"

    def source_arn(self) -> str:
        """Return the ARN by which a function's policy names the route. Documented: API Gateway, permissions."""
        return f"{self._arn_of_api()}/{self.stage.stage_name}/{self.method_and_resource}"

    def authorizer_arn(self, authorizer_id: str) -> str:
        """Return the ARN by which an authorizer's function names who calls it."""
        return f"{self._arn_of_api()}/authorizers/{authorizer_id}"

    def route_arn(self) -> str:
        """Return the ARN of what is asked for, with the path as it is."""
        return f"{self._arn_of_api()}/{self.stage.stage_name}/{self.http.method}{self.route_path}"

    def _arn_of_api(self) -> str:
        return f"arn:aws:execute-api:{self.scope.region}:{self.scope.account}:{self.api_id}"

    def addressed(self) -> Addressed:
        """Return what an event says of what was addressed."""
        return Addressed(
            account_id=self.scope.account,
            api_id=self.api_id,
            domain_name=self.domain_name,
            domain_prefix=self.domain_prefix,
            request_id=self.request_id,
            now=self.now,
            route_key=self.route.route_key,
            stage=self.stage.stage_name,
            path_parameters=self.parameters,
            stage_variables=self.stage.stage_variables,
            authorizer=self.authorizer,
        )

    def value_of(self, name: str) -> str | None:
        """
        Return what a variable stands for, without its `$`: `request.header.x`, `request.querystring.x`,
        `request.path[.x]`, `request.body[.path]`, `context.x`, `stageVariables.x`; None: nothing.
        """
        kind, _, rest = name.partition(".")
        if kind == "stageVariables":
            return self.stage.stage_variables.get(rest)
        if kind == "context":
            return self.context(rest)
        if kind != "request":
            return None
        place, _, key = rest.partition(".")
        if place == "header":
            # Documented: names of headers are compared without case, those of a query string with it.
            key = key.lower()
            if key == "cookie" and self.http.cookies:
                return "; ".join(self.http.cookies)
            return self.http.headers.get(key)
        if place == "querystring":
            values = [value for found, value in self.query if found == key]
            return ",".join(values) if values else None
        if place == "path":
            return self.parameters.get(key) if key else self.http.path
        if place == "body":
            return body_value(self.http.body, key)
        return None

    def context(self, name: str) -> str | None:
        """Return a variable of `$context`; None where it has no value, or is none."""
        plain = _CONTEXT.get(name)
        if plain is not None:
            value = plain(self)
            return None if value is None else str(value)
        if name.startswith("authorizer."):
            return self._of_authorizer(name.removeprefix("authorizer."))
        return None

    def _of_authorizer(self, name: str) -> str | None:
        if name == "principalId":
            return self.principal_id
        said = self.authorizer or {}
        if name.startswith("claims."):
            value = (said.get("jwt") or {}).get("claims", {}).get(name.removeprefix("claims."))
        else:
            value = (said.get("lambda") or {}).get(name)
        return None if value is None else text_of(value)

    def of_iam(self, name: str) -> str | None:
        """Return what `requestContext.authorizer.iam` holds; None where nobody signed, or had to."""
        value: str | None = ((self.authorizer or {}).get("iam") or {}).get(name)
        return value


_CONTEXT: dict[str, Callable[[ApiRequest], Any]] = {
    "accountId": lambda request: request.scope.account,
    "apiId": lambda request: request.api_id,
    "authorizer.error": lambda request: request.authorizer_error,
    "customDomain.basePathMatched": lambda request: request.base_path or None,
    "dataProcessed": lambda request: len(request.http.body) + request.response_bytes,
    "domainName": lambda request: request.domain_name,
    "domainPrefix": lambda request: request.domain_prefix,
    "error.message": lambda request: request.error_message,
    "error.messageString": lambda request: (
        None if request.error_message is None else msgspec.json.encode(request.error_message).decode()
    ),
    "error.responseType": lambda request: request.error_type,
    "extendedRequestId": lambda request: request.request_id,
    "httpMethod": lambda request: request.http.method,
    "identity.accountId": lambda request: request.of_iam("accountId"),
    "identity.caller": lambda request: request.of_iam("callerId"),
    "identity.sourceIp": lambda request: request.http.source_ip,
    "identity.user": lambda request: request.of_iam("userId"),
    "identity.userArn": lambda request: request.of_iam("userArn"),
    "identity.userAgent": lambda request: request.http.headers.get("user-agent"),
    "integration.error": lambda request: request.integration_error,
    "integration.integrationStatus": lambda request: request.integration_status,
    "integration.latency": lambda request: request.integration_latency_ms,
    "integration.requestId": lambda request: request.integration_request_id,
    "integration.status": lambda request: request.integration_status,
    "integrationErrorMessage": lambda request: request.integration_error,
    "integrationLatency": lambda request: request.integration_latency_ms,
    "integrationStatus": lambda request: request.integration_status,
    "path": lambda request: request.http.path,
    "protocol": lambda request: request.http.protocol,
    "requestId": lambda request: request.request_id,
    "requestTime": lambda request: clf_time(request.now),
    "requestTimeEpoch": lambda request: int(request.now * 1000),
    "responseLatency": lambda request: request.latency_ms,
    "responseLength": lambda request: request.response_bytes,
    "routeKey": lambda request: request.route.route_key,
    "stage": lambda request: request.stage.stage_name,
    "status": lambda request: request.status,
}

BODY_MAX_BYTES = 102_400
"""Documented: API Gateway developer guide, parameter mapping: of a body the first 100 KB are looked at."""


def body_value(body: bytes, path: str) -> str | None:
    """
    Return what a path leads to in a JSON body: a text as it is, anything else as JSON; with no path, the body.

    Args:
        path: names and `[number]`s, e.g. `orders[0].id`. Documented: no `..` and no filters.
    """
    if len(body) > BODY_MAX_BYTES:
        # Assumed: what is cut off is no JSON any more, and stands for nothing (test_api_request).
        return None
    if not path:
        return body.decode("utf-8", "replace")
    value = _decoded(body)
    for step in path.replace("[", ".[").split("."):
        if not step:
            continue
        name = step[1:-1].strip("'\"") if step.startswith("[") and step.endswith("]") else step
        if isinstance(value, list) and name != step and name.isascii() and name.isdigit():
            value = value[int(name[:9])] if int(name[:9]) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return None if value is None else text_of(value)


# A mapping may look into one body two hundred times, one after the other.
@functools.lru_cache(maxsize=1)
def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def text_of(value: Any) -> str:
    """Return a JSON value as a header holds it: a text without its quotes."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Return a query string's parameters, decoded, in order."""
    return parse_qsl(query, keep_blank_values=True)
