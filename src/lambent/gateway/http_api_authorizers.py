"""Who may use a route of an HTTP API: asked of tokens, and of functions."""

import logging
from collections import OrderedDict
from typing import Final

from lambent.access.tokens import InvalidToken, TokenVerifier, claims_as_text, scopes_of
from lambent.clock import Clock
from lambent.dispatch.http_apis import ServedRoute
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
"""Verdicts that are kept; the least recently used leaves."""


class NotAuthorized(Exception):
    """A request may not pass."""

    def __init__(self, status: int, message: str, challenge: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.challenge = challenge
        """What WWW-Authenticate says; nothing where it is empty."""


class ApiAuthorizers:
    """Asks authorizers, and remembers what functions decided for as long as they are to be believed."""

    def __init__(self, functions: ApiFunctions, verifier: TokenVerifier, clock: Clock) -> None:
        self._functions = functions
        self._verifier = verifier
        self._clock = clock
        self._verdicts: OrderedDict[tuple[object, ...], tuple[float, Verdict]] = OrderedDict()

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
        for key in [key for key in self._verdicts if key[:2] == (api_id, stage_name)]:
            del self._verdicts[key]

    async def _check_token(self, authorizer: Authorizer, served: ServedRoute, request: ApiRequest) -> None:
        identity = identity_of(authorizer.identity_source, request)
        # Assumed: what a request without a token is answered (test_http_api_authorizers).
        if identity is None or authorizer.jwt_configuration is None:
            raise NotAuthorized(401, "Unauthorized", "Bearer")
        token = identity[0]
        if token[:7].lower() == "bearer ":
            token = token[7:].strip()
        try:
            claims = await self._verifier.verify(token, authorizer.jwt_configuration)
        except InvalidToken as error:
            request.authorizer_error = str(error)
            raise NotAuthorized(
                401, "Unauthorized", f'Bearer scope="" error="invalid_token" error_description="{error}"'
            ) from None
        wanted = served.route.authorization_scopes
        given = scopes_of(claims)
        if wanted and not any(scope in given for scope in wanted):
            request.authorizer_error = "the token has none of the route's scopes"
            raise NotAuthorized(403, "Forbidden", f'Bearer scope="{" ".join(wanted)}" error="insufficient_scope"')
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
        keeps = authorizer.authorizer_result_ttl_in_seconds > 0 and bool(identity)
        # The authorizer itself is part of the key: one that was changed is asked anew.
        key = (request.api_id, request.stage.stage_name, authorizer.authorizer_id, authorizer.authorizer_uri, *identity)
        verdict = self._kept(key) if keeps else None
        if verdict is None:
            verdict = await self._verdict(authorizer, identity, request, wire, trace_header)
            if keeps:
                self._keep(key, verdict, authorizer.authorizer_result_ttl_in_seconds)
        request.principal_id = verdict.principal_id
        if not verdict.allows(request):
            request.authorizer_error = "the authorizer's function refused"
            raise NotAuthorized(403, "Forbidden")
        request.authorizer = {"lambda": verdict.context}

    async def _verdict(
        self,
        authorizer: Authorizer,
        identity: tuple[str, ...],
        request: ApiRequest,
        wire: WireRequest,
        trace_header: str,
    ) -> Verdict:
        try:
            outcome, _ = await self._functions.run(
                with_stage_variables(authorizer.authorizer_uri or "", request),
                authorizer_event(authorizer, identity, request, wire.pairs),
                source_arn=request.authorizer_arn(authorizer.authorizer_id),
                source_account=request.scope.account,
                has_role=authorizer.authorizer_credentials_arn is not None,
                timeout_s=_FUNCTION_TIMEOUT_S,
                trace_header=trace_header,
            )
            if outcome.error is not None:
                raise MalformedVerdict(f"it failed: {outcome.error.error_type or outcome.error.kind}")
            if len(outcome.payload) > _VERDICT_MAX_BYTES:
                raise MalformedVerdict(f"its answer has more than {_VERDICT_MAX_BYTES} bytes")
            return read_verdict(authorizer, outcome.payload)
        except (CannotInvoke, IntegrationTimedOut, MalformedVerdict) as error:
            request.authorizer_error = f"the authorizer's function: {error}"
            _log.warning("http_api.authorizer_failed request_id=%s reason=%s", request.request_id, error)
            raise NotAuthorized(500, "Internal Server Error") from None

    def _kept(self, key: tuple[object, ...]) -> Verdict | None:
        found = self._verdicts.get(key)
        if found is None:
            return None
        until, verdict = found
        if until <= self._clock.monotonic():
            del self._verdicts[key]
            return None
        self._verdicts.move_to_end(key)
        return verdict

    def _keep(self, key: tuple[object, ...], verdict: Verdict, ttl_s: int) -> None:
        self._verdicts[key] = (self._clock.monotonic() + ttl_s, verdict)
        self._verdicts.move_to_end(key)
        if len(self._verdicts) > _VERDICTS_MAX:
            self._verdicts.popitem(last=False)


def with_stage_variables(text: str, request: ApiRequest) -> str:
    """Return a text with `${stageVariables.x}` replaced. Documented: in URIs; one that is not there is empty."""
    if "${" not in text:
        return text
    for name, value in request.stage.stage_variables.items():
        text = text.replace(f"${{stageVariables.{name}}}", value)
    return text
