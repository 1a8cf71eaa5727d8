"""Who may use a route of an HTTP API: asked of tokens, and of functions."""

import logging
import re
from collections import OrderedDict
from typing import Final, NamedTuple

from lambent.access.tokens import InvalidToken, TokenVerifier, claims_as_text, scopes_of
from lambent.clock import Clock
from lambent.dispatch.http_apis import ServedRoute
from lambent.domain.access_log import on_one_line
from lambent.domain.api_authorizer import (
    MalformedVerdict,
    Verdict,
    authorizer_event,
    identity_of,
    read_verdict,
)
from lambent.domain.api_request import ApiRequest
from lambent.domain.http_api import Authorizer
from lambent.gateway.http_api_functions import ApiFunctions, CannotInvoke, IntegrationTimedOut
from lambent.protocol.wire import WireRequest

_log = logging.getLogger("lambent.gateway")

_FUNCTION_TIMEOUT_S: Final = 10.0
"""Documented: API Gateway quotas, authorizer timeout."""

_VERDICT_MAX_BYTES = 65_536
"""Assumed: many times what a policy and its context need, of which many are kept (test_http_api_authorizers)."""

_VERDICTS_MAX = 10_000
_VERDICTS_MAX_BYTES = 33_554_432
"""Verdicts that are kept, and how long they and their identities may be together; the least recently used leaves."""

_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")
_NOT_IN_QUOTES = re.compile(r"[^ !#-\[\]-~]")


_RESPONSE_TYPES: Final = {401: "UNAUTHORIZED", 403: "ACCESS_DENIED", 500: "AUTHORIZER_FAILURE"}
"""Documented: API Gateway developer guide, gateway response types, of REST APIs. Assumed: HTTP APIs have the same."""


class NotAuthorized(Exception):
    """A request may not pass."""

    def __init__(self, status: int, message: str, challenge: str = "", *, error_type: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.challenge = challenge
        """What WWW-Authenticate says; nothing where it is empty."""
        self.error_type = error_type or _RESPONSE_TYPES[status]
        """As access logs have it."""


class _Kept(NamedTuple):
    """A verdict that is believed until a moment."""

    until: float
    verdict: Verdict
    size_bytes: int


class ApiAuthorizers:
    """Asks authorizers, and remembers what functions decided for as long as they are to be believed."""

    def __init__(self, functions: ApiFunctions, verifier: TokenVerifier, clock: Clock) -> None:
        self._functions = functions
        self._verifier = verifier
        self._clock = clock
        self._verdicts: OrderedDict[tuple[object, ...], _Kept] = OrderedDict()
        self._verdicts_bytes = 0
        self._forgotten = 0
        """How often verdicts were forgotten on demand."""

    async def check(self, served: ServedRoute, request: ApiRequest, wire: WireRequest, trace_header: str) -> None:
        """
        Return where a request may pass; what is known of who sent it is then in `request`.

        Raises:
            NotAuthorized: it may not, or nobody can tell.
        """
        authorizer = served.authorizer
        if authorizer is None:
            # What was to be asked is gone: nobody passes.
            request.authorizer_error = "the route's authorizer is not there"
            raise NotAuthorized(500, "Internal Server Error")
        if authorizer.authorizer_type == "JWT":
            await self._check_token(authorizer, served, request)
        else:
            await self._ask_function(authorizer, request, wire, trace_header)

    def forget(self, api_id: str, stage_name: str) -> None:
        """Believe nothing that functions have decided for a stage."""
        self._forgotten += 1
        for key in [key for key in self._verdicts if key[:2] == (api_id, stage_name)]:
            self._drop(key)

    async def _check_token(self, authorizer: Authorizer, served: ServedRoute, request: ApiRequest) -> None:
        identity = identity_of(authorizer.identity_source, request)
        # Assumed: what a request without a token is answered (test_http_api_authorizers).
        if not identity or authorizer.jwt_configuration is None:
            raise NotAuthorized(401, "Unauthorized", "Bearer")
        token = identity[0]
        if token[:7].lower() == "bearer ":
            token = token[7:].strip()
        try:
            claims = await self._verifier.verify(token, authorizer.jwt_configuration)
        except InvalidToken as error:
            request.authorizer_error = str(error)
            challenge = f'Bearer scope="" error="invalid_token" error_description="{_quotable(str(error))}"'
            raise NotAuthorized(401, "Unauthorized", challenge) from None
        wanted = served.route.authorization_scopes
        given = scopes_of(claims)
        if wanted and not any(scope in given for scope in wanted):
            request.authorizer_error = "the token has none of the route's scopes"
            challenge = f'Bearer scope="{_quotable(" ".join(wanted))}" error="insufficient_scope"'
            raise NotAuthorized(403, "Forbidden", challenge)
        # Assumed: the route's scopes that the token has (test_http_api_authorizers).
        scopes = [scope for scope in given if scope in wanted] if wanted else None
        request.authorizer = {"jwt": {"claims": claims_as_text(claims), "scopes": scopes}}
        request.principal_id = str(claims.get("sub", "")) or None

    async def _ask_function(
        self, authorizer: Authorizer, request: ApiRequest, wire: WireRequest, trace_header: str
    ) -> None:
        identity = identity_of(authorizer.identity_source, request)
        if identity is None:
            # Documented: the function is not asked.
            raise NotAuthorized(401, "Unauthorized")
        uri = with_stage_variables(authorizer.authorizer_uri or "", request)
        keeps = authorizer.authorizer_result_ttl_in_seconds > 0 and bool(identity)
        # The authorizer itself is part of the key, and whom it asks: one that was changed, or that takes its identities
        # from elsewhere now, is asked anew.
        key = (request.api_id, request.stage.stage_name, authorizer, uri, *identity)
        verdict = self._kept(key) if keeps else None
        if verdict is None:
            forgotten = self._forgotten
            verdict, size_bytes = await self._verdict(authorizer, uri, identity, request, wire, trace_header)
            # What was asked before somebody said to forget is not to be believed behind it.
            if keeps and forgotten == self._forgotten:
                size_bytes += sum(map(len, identity))
                until = self._clock.monotonic() + authorizer.authorizer_result_ttl_in_seconds
                self._keep(key, _Kept(until, verdict, size_bytes))
        request.principal_id = verdict.principal_id
        if not verdict.allows(request):
            request.authorizer_error = "the authorizer's function refused"
            raise NotAuthorized(403, "Forbidden")
        request.authorizer = {"lambda": verdict.context}

    async def _verdict(
        self,
        authorizer: Authorizer,
        uri: str,
        identity: tuple[str, ...],
        request: ApiRequest,
        wire: WireRequest,
        trace_header: str,
    ) -> tuple[Verdict, int]:
        """Return what a function decides, and how many bytes say so."""
        try:
            outcome, _ = await self._functions.run(
                uri,
                authorizer_event(authorizer, identity, request, wire.pairs),
                source_arn=request.authorizer_arn(authorizer.authorizer_id),
                source_account=request.scope.account,
                credentials=authorizer.authorizer_credentials_arn,
                timeout_s=_FUNCTION_TIMEOUT_S,
                trace_header=trace_header,
            )
            if outcome.error is not None:
                raise MalformedVerdict(f"it failed: {outcome.error.error_type or outcome.error.kind}")
            if len(outcome.payload) > _VERDICT_MAX_BYTES:
                raise MalformedVerdict(f"its answer has more than {_VERDICT_MAX_BYTES} bytes")
            return read_verdict(authorizer, outcome.payload), len(outcome.payload)
        except (CannotInvoke, IntegrationTimedOut, MalformedVerdict) as error:
            request.authorizer_error = f"the authorizer's function: {error}"
            reason = on_one_line(str(error))
            _log.warning("http_api.authorizer_failed request_id=%s reason=%s", request.request_id, reason)
            raise NotAuthorized(500, "Internal Server Error") from None

    def _kept(self, key: tuple[object, ...]) -> Verdict | None:
        found = self._verdicts.get(key)
        if found is None:
            return None
        if found.until <= self._clock.monotonic():
            self._drop(key)
            return None
        self._verdicts.move_to_end(key)
        return found.verdict

    def _keep(self, key: tuple[object, ...], kept: _Kept) -> None:
        if key in self._verdicts:
            # Of two who asked at once.
            self._drop(key)
        self._verdicts[key] = kept
        self._verdicts_bytes += kept.size_bytes
        while len(self._verdicts) > _VERDICTS_MAX or self._verdicts_bytes > _VERDICTS_MAX_BYTES:
            self._drop(next(iter(self._verdicts)))

    def _drop(self, key: tuple[object, ...]) -> None:
        self._verdicts_bytes -= self._verdicts.pop(key).size_bytes


def _quotable(text: str) -> str:
    """Return a text as it can stand in quotes within a header."""
    return _NOT_IN_QUOTES.sub("?", text)


def with_stage_variables(text: str, request: ApiRequest) -> str:
    """Return a text with `${stageVariables.x}` replaced. Documented: in URIs. Assumed: one that is missing is empty."""
    if "${" not in text:
        return text
    variables = request.stage.stage_variables
    return _STAGE_VARIABLE.sub(lambda found: variables.get(found[1], ""), text)
