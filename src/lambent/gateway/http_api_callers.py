"""Who may use a route of AWS_IAM of an HTTP API: whoever signs, and may invoke the API."""

from collections.abc import Awaitable, Callable

import msgspec

from lambent.access.authorize import Demand
from lambent.domain.api_request import ApiRequest
from lambent.errors.families import ApiError, MissingAuthenticationToken
from lambent.gateway.http_api_authorizers import NotAuthorized
from lambent.gateway.signed_callers import SignedCallers, iam_identity, without_signature
from lambent.protocol.wire import WireRequest

_RESPONSE_TYPES = {
    "MissingAuthenticationTokenException": "MISSING_AUTHENTICATION_TOKEN",
    "ExpiredTokenException": "EXPIRED_TOKEN",
    "AccessDeniedException": "ACCESS_DENIED",
}
"""What access logs call a refusal by; else it is INVALID_SIGNATURE. Documented: API Gateway, gateway response types."""


class ApiCallers:
    """
    Lets in whoever signed for `execute-api` and may invoke the route.

    Documented: API Gateway developer guide, controlling access to HTTP APIs with IAM authorization:
    `execute-api:Invoke` on the stage, method and path; HTTP APIs have no policies of their own, so that nobody of
    another account gets in.
    """

    def __init__(self, callers: SignedCallers) -> None:
        self._callers = callers

    async def check(
        self, request: ApiRequest, wire: WireRequest, read: Callable[[], Awaitable[bytes]], *, is_https: bool
    ) -> None:
        """
        Return where a request may pass; its body and who signed it are then in `request`.

        Args:
            read: reads the body.

        Raises:
            NotAuthorized: it may not.
            BodyTooLarge, ClientGone: the body is not to be had.
        """
        try:
            claim = await self._callers.begin(wire, "execute-api", request.scope.region)
        except ApiError as error:
            raise _refused(request, error) from None
        body = await read()
        try:
            claim.check_body(body)
        except ApiError as error:
            raise _refused(request, error) from None
        principal = claim.principal
        is_secure = is_https and wire.inside is None
        endpoint = f"{'https' if is_https else 'http'}://{request.domain_name}"
        caller = self._callers.caller(
            claim, wire, request.request_id, request.scope.region, endpoint, is_secure=is_secure
        )
        request.authorizer, request.caller = {"iam": iam_identity(principal)}, caller
        if principal.account != request.scope.account:
            request.authorizer_error = f"{principal.arn} is of another account than the API"
            raise NotAuthorized(403, "Forbidden", error_type="ACCESS_DENIED")
        demand = Demand("execute-api:Invoke", request.route_arn(), request.scope.account)
        try:
            await self._callers.authorize(caller, [demand])
        except ApiError as error:
            raise _refused(request, error) from None
        headers = dict(request.http.headers)
        without_signature(headers)
        request.http = msgspec.structs.replace(request.http, headers=headers, body=body)


def _refused(request: ApiRequest, error: ApiError) -> NotAuthorized:
    """
    Return what a client gets that may not pass; why, the access log says.

    Assumed: the same for whatever the reason, as users of HTTP APIs report (test_http_api_iam).
    """
    if error.status >= 500:
        raise error
    request.authorizer_error = (
        "nobody signed the request" if isinstance(error, MissingAuthenticationToken) else error.message
    )
    return NotAuthorized(403, "Forbidden", error_type=_RESPONSE_TYPES.get(error.code, "INVALID_SIGNATURE"))
