"""Who may ask the gateway's own paths what."""

import hmac

from lambent.access.authentication import Authenticator
from lambent.access.authorize import Authorizer, Demand
from lambent.access.credential import read_credential
from lambent.domain.caller import Caller, Scope
from lambent.errors.families import AccessDeniedException, RequestEntityTooLargeException
from lambent.protocol.wire import WireRequest

SERVICE = "lambent"
"""What requests are signed for, and what the actions begin with."""

_BODY_MAX_BYTES = 65_536
"""Assumed: no path of ours takes a document of its own (test_own_access)."""


class OwnAccess:
    """
    Lets requests in.

    Args:
        account: whose principals may come; None: anybody's, where any key is taken.
        metrics_token: whoever has it may read metrics, too.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        authorizer: Authorizer,
        region: str,
        *,
        account: str | None = None,
        metrics_token: str | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._region = region
        self._account = account
        self._metrics_token = metrics_token

    def is_scraper(self, request: WireRequest) -> bool:
        """Say whether a request bears the token for metrics."""
        given = request.headers.get("authorization", "")
        if self._metrics_token is None or not given.startswith("Bearer "):
            return False
        token = given.removeprefix("Bearer ").strip()
        return hmac.compare_digest(token.encode(), self._metrics_token.encode())

    async def admit(self, request: WireRequest, verb: str, request_id: str) -> Caller:
        """
        Return who asks, if they may; the request's body is read by then, and the one that was signed.

        Args:
            verb: what is asked for: `GetQueues` needs leave for `lambent:GetQueues`.

        Raises:
            ApiError: they may not, or it is not known who they are.
        """
        caller = await self.identify(request, request_id)
        await self.check(caller, verb)
        return caller

    async def identify(self, request: WireRequest, request_id: str) -> Caller:
        """
        Return who asks; the request's body is read by then, and the one that was signed.

        Raises:
            ApiError: it is not known who they are.
        """
        claim = await self._authenticator.begin(request, SERVICE)
        request.body = await _read(request)
        claim.check_body(request.body)
        principal = claim.principal
        credential = read_credential(request.headers.get("authorization", ""), request.query)
        return Caller(
            scope=Scope(principal.account, self._region if credential is None else credential.region),
            principal=principal,
            authenticated_by=claim.how,
            request_id=request_id,
            endpoint="",
            inside=request.inside,
            client=request.client,
            user_agent=request.headers.get("user-agent", ""),
        )

    async def check(self, caller: Caller, verb: str) -> None:
        """
        Refuse who may not.

        Raises:
            AccessDeniedException: they may not.
        """
        principal = caller.principal
        if self._account is not None and principal.account != self._account:
            raise AccessDeniedException(
                f"User: {principal.arn} is not authorized to perform: {SERVICE}:{verb}: only account {self._account}, "
                "which --account names, has a say in what is all accounts'"
            )
        await self.check_own(caller, verb)

    async def check_own(self, caller: Caller, verb: str) -> None:
        """
        Refuse who may not do in their own account what concerns that alone.

        Raises:
            AccessDeniedException: they may not.
        """
        demand = Demand(f"{SERVICE}:{verb}", account=caller.principal.account)
        await self._authorizer.authorize(caller, (demand,))

    def is_operator(self, caller: Caller) -> bool:
        """Say whether a caller has a say in what is all accounts'."""
        return self._account is None or caller.principal.account == self._account


def is_function(caller: Caller) -> bool:
    """Say whether a caller is a function, by where it calls from or, where no sandbox tells, by its credentials."""
    session = caller.principal.session
    return caller.inside is not None or (session is not None and bool(session.environment))


async def _read(request: WireRequest) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > _BODY_MAX_BYTES:
            raise RequestEntityTooLargeException(f"Request must be smaller than {_BODY_MAX_BYTES} bytes")
        pieces.append(piece)
    return b"".join(pieces)
