"""Who signs, and what they may, as tests of what has to be signed need it: real signatures, and policies in memory."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambent.access.authentication import Claim
from lambent.access.authorize import Demand, ResourceFacts
from lambent.access.sigv4 import Incomplete, Signature, canonical_request, is_signed_by, read_signature, signing_key
from lambent.access.sigv4 import string_to_sign as text_of
from lambent.domain.caller import Caller
from lambent.domain.policy import AccessRequest, Policies, PolicySet, compile_policy, decide
from lambent.domain.principal import ANONYMOUS, Principal, PrincipalType, Session, session_of_role
from lambent.errors.families import AccessDeniedException, FrameworkError
from lambent.protocol.wire import WireRequest

OWNER, OTHER = "111122223333", "444455556666"


def user(account: str, name: str) -> Principal:
    arn = f"arn:aws:iam::{account}:user/{name}"
    return Principal(PrincipalType.USER, account, arn, f"AIDA{name.upper()}", arn, name, f"AKIA{name.upper()}")


U = user(OWNER, "u")
X = user(OTHER, "x")
R = session_of_role(OWNER, "r", "/p/", "AROAR", Session("s", 0.0, 9e9), "ASIAR")
SECRETS = {U.access_key: U, X.access_key: X, R.access_key: R}
"""Whose each key is; its secret is `secret of` and the key."""


class IncompleteSignature(FrameworkError):
    code, status = "IncompleteSignatureException", 403


class InvalidSignature(FrameworkError):
    code, status = "InvalidSignatureException", 403


class UnrecognizedClient(FrameworkError):
    code, status = "UnrecognizedClientException", 403


class _Signed:
    """A claim of somebody whose key is known."""

    how = "signature"
    needs_body = True

    def __init__(self, request: WireRequest, signature: Signature, principal: Principal) -> None:
        self._request, self._signature, self.principal = request, signature, principal

    def check_body(self, body: bytes) -> None:
        request, signature = self._request, self._signature
        canonical = canonical_request(
            signature, request.method, request.path, request.query, request.pairs, hashlib.sha256(body).hexdigest()
        )
        key = signing_key(f"secret of {signature.access_key}", signature.date, signature.region, signature.service)
        if not is_signed_by(key, text_of(signature, canonical), signature.signature):
            raise InvalidSignature("The request signature we calculated does not match the signature you provided.")

    def watch_body(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        raise AssertionError("the whole body is known")


class _Nobody:
    principal, how, needs_body = ANONYMOUS, "none", False

    def check_body(self, body: bytes) -> None:
        return

    def watch_body(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return body


class Signatures:
    """Verifies those of the three keys that there are."""

    async def begin(self, request: WireRequest, service: str, *, allows_anonymous: bool = False) -> Claim:
        try:
            signature = read_signature(request.headers, request.query)
        except Incomplete as incomplete:
            raise IncompleteSignature(str(incomplete)) from None
        if signature is None:
            assert allows_anonymous
            return _Nobody()
        if signature.service != service:
            raise InvalidSignature(f"Credential should be scoped to correct service: '{service}'. ")
        principal = SECRETS.get(signature.access_key)
        if principal is None:
            raise UnrecognizedClient("The security token included in the request is invalid.")
        return _Signed(request, signature, principal)


class Rules:
    """Decides by identity policies, by principal ARN, and by what the facts say of the resource's own."""

    def __init__(self, identity: Mapping[str, Sequence[Mapping[str, Any]]] | None = None) -> None:
        self._identity = {
            arn: Policies((compile_policy({"Version": "2012-10-17", "Statement": list(statements)}),))
            for arn, statements in (identity or {}).items()
        }
        self.asked: list[tuple[str, str]] = []

    async def authorize(self, caller: Caller, demands: Sequence[Demand], facts: ResourceFacts | None = None) -> None:
        for demand in demands:
            self.asked.append((demand.action, demand.resource))
            own = self._identity.get(caller.principal.arn)
            resource = None if facts is None else await facts.policy(demand)
            context = {"aws:sourceip": caller.client, **demand.context}
            asked = AccessRequest(caller.principal, demand.action, demand.resource, demand.account, context)
            verdict = decide(asked, PolicySet(identity=own, resource=resource))
            if not verdict.is_allowed:
                why = verdict.why(demand.action)
                raise AccessDeniedException(
                    f"User: {caller.principal.arn} is not authorized to perform: {demand.action} on resource: "
                    f"{demand.resource} {why}"
                )

    async def allows_role(self, role_arn: str, demand: Demand, facts: ResourceFacts | None = None) -> bool:
        asked = AccessRequest(R, demand.action, demand.resource, demand.account, demand.context)
        resource = None if facts is None else await facts.policy(demand)
        return decide(asked, PolicySet(identity=self._identity.get(role_arn), resource=resource)).is_allowed


class Facts:
    """One function's policy."""

    def __init__(self, policy: Policies | None) -> None:
        self._policy = policy

    async def policy(self, demand: Demand) -> Policies | None:
        return self._policy

    async def tags(self, demand: Demand) -> Mapping[str, str]:
        return {}


def allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def signed(
    url: str,
    method: str = "GET",
    body: bytes = b"",
    *,
    key: str = U.access_key,
    secret: str | None = None,
    service: str = "lambda",
    region: str = "eu-west-1",
) -> WireRequest:
    """Return a request as botocore signs it."""
    request = AWSRequest(method, url, data=body, headers={"Host": urlsplit(url).netloc})
    SigV4Auth(Credentials(key, secret or f"secret of {key}"), service, region).add_auth(request)
    parts = urlsplit(url)
    pairs = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    headers = {name.decode(): value.decode() for name, value in pairs}
    return WireRequest(method, parts.path or "/", parts.query, headers, pairs=pairs, client="192.0.2.9")
