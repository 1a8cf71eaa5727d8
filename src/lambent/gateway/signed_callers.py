"""
Who signed a request to a function URL or to an HTTP API, where it has to be signed, and whether they may send it.

Here alone signatures of such requests are looked at: what is open to anybody never comes here.
"""

from collections.abc import Sequence

from lambent.access.authentication import Authenticator, Claim
from lambent.access.authorize import Authorizer, Demand, ResourceFacts
from lambent.access.credential import read_credential
from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import Principal, PrincipalType
from lambent.errors.families import FrameworkError, MissingAuthenticationToken
from lambent.protocol.wire import WireRequest


class WrongRegion(FrameworkError):
    """A request is signed for another region than the one where it arrives."""

    code = "InvalidSignatureException"
    status = 403


class SignedCallers:
    """
    Finds out who sends what has to be signed, and asks whether they may.

    Args:
        authenticator: of the API as well.
        authorizer: likewise.
    """

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer

    async def begin(self, request: WireRequest, service: str, region: str) -> Claim:
        """
        Look at a request's head. The claim has to be held against the body before anything is done.

        Args:
            service: the signing name that it has to be signed for.
            region: where what it is for is.

        Raises:
            ApiError: it is not signed, or not as it has to be.
        """
        claim = await self._authenticator.begin(request, service, allows_anonymous=True)
        credential = read_credential(request.headers.get("authorization", ""), request.query)
        # Also where any key is taken, and where it is known whose environment a request comes from.
        if credential is None or claim.principal.type is PrincipalType.ANONYMOUS:
            raise MissingAuthenticationToken("Missing Authentication Token")
        if credential.region != region:
            # The API takes any region, since a request is for the region that it names. What is asked for here is in
            # one. Documented: Signature Version 4, troubleshooting, credential scope.
            raise WrongRegion(f"Credential should be scoped to a valid region, not '{credential.region}'. ")
        return claim

    def caller(
        self, claim: Claim, request: WireRequest, request_id: str, region: str, endpoint: str, *, is_secure: bool
    ) -> Caller:
        """Return who sends a request whose claim holds."""
        return Caller(
            scope=Scope(claim.principal.account, region),
            principal=claim.principal,
            authenticated_by=claim.how,
            request_id=request_id,
            endpoint=endpoint,
            trace_header=request.headers.get("x-amzn-trace-id"),
            inside=request.inside,
            client=request.client,
            user_agent=request.headers.get("user-agent", ""),
            is_secure=is_secure,
        )

    async def authorize(self, caller: Caller, demands: Sequence[Demand], facts: ResourceFacts | None = None) -> None:
        """See `Authorizer`. Raises AccessDeniedException."""
        await self._authorizer.authorize(caller, demands, facts)


def iam_identity(principal: Principal) -> dict[str, str | None]:
    """
    Return what an event says of who signed, `requestContext.authorizer.iam` of payload format 2.0.

    Documented: Lambda developer guide, function URLs, request payload; API Gateway developer guide, HTTP APIs.
    """
    return {
        "accessKey": principal.access_key,
        "accountId": principal.account,
        "callerId": principal.unique_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": principal.arn,
        "userId": principal.unique_id,
    }


def without_signature(headers: dict[str, str]) -> None:
    """
    Take a signature out of headers that go on to a function or a server, which could send the request once more.

    Documented: API Gateway developer guide, REST APIs: Authorization goes where it holds one. Assumed: of HTTP APIs and
    function URLs, too (test_signed_callers).
    """
    if headers.get("authorization", "").startswith("AWS4-"):
        del headers["authorization"]
