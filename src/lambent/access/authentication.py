"""
Who calls: a request's signature, in two steps.

`begin` looks at everything that is known before the body, so that a refusal is cheap; the claim that it returns checks
the body, whole or as it passes (`signed_request`).

Documented: AWS General Reference, Signature Version 4 signing process and common errors; Amazon S3 API reference,
authenticating requests and error responses. Observed: texts and statuses in field reports of SDKs' users.
"""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from time import gmtime, strftime
from typing import Protocol
from urllib.parse import parse_qs

import msgspec

from lambent.access.credential import read_credential
from lambent.access.keyring import Keyring
from lambent.access.secrets import BadToken
from lambent.access.signed_request import Note, SignedRequest
from lambent.access.sigv4 import OF_S3, Incomplete, Signature, read_signature, signing_key, time_of
from lambent.clock import Clock
from lambent.domain.access_key import SESSION_KEY, USER_KEY
from lambent.domain.caller import Inside
from lambent.domain.principal import ANONYMOUS, Principal, root_of
from lambent.errors.families import (
    ExpiredToken,
    HeadersNotSigned,
    IncompleteSignature,
    InvalidPresignedUrl,
    InvalidSessionToken,
    InvalidSignature,
    MissingAuthenticationToken,
    NotImplementedException,
    OutOfScope,
    OutOfTime,
    UnrecognizedClient,
    UnsupportedSignature,
    UrlExpired,
)
from lambent.protocol.wire import WireRequest

IsAlive = Callable[[str], bool]
"""Says of an execution environment's id whether it is still there."""
SessionOf = Callable[[Inside], Principal | None]
"""Returns the session of the function that runs in an environment; None: it has none."""

_OURS = frozenset({USER_KEY, SESSION_KEY})
_SIGNED_AS = {"apigatewayv2": "apigateway", "dynamodbstreams": "dynamodb", "s3control": "s3"}
"""Services that go by another name than the one that their requests are signed with."""

_WINDOW_S = 300
_WIDE_WINDOW_S = 900
_WITH_WIDE_WINDOW = OF_S3 | {"cloudformation", "elasticloadbalancing", "iam", "sns", "sts"}
"""How far a request's time may be from ours. Observed: five minutes, and fifteen of S3 and services of queries."""
_EXPIRES_MAX_S = 604_800
"""Documented: Amazon S3 user guide: seven days. Assumed of the others (test_authentication)."""

_REGION = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SERVICE = re.compile(r"[a-z][a-z0-9-]{0,39}")
"""Whatever a key is made for is remembered, so that it must not be long: nobody has to have a key for that."""
_MAY_BE_UNSIGNED = frozenset({"x-amz-content-sha256", "x-amz-date", "x-amz-security-token"})
"""Of the headers of S3: they are part of the signature by themselves. Observed: tokens that are added after signing."""


class Claim(Protocol):
    """Who a request is from, if its body is the one that was signed."""

    @property
    def principal(self) -> Principal: ...

    @property
    def how(self) -> str:
        """As `Caller.authenticated_by`."""
        ...

    def check_body(self, body: bytes) -> None:
        """
        Compare a whole body. Must be called before anything is done.

        Raises:
            ApiError: it is not what was signed.
        """
        ...

    def watch_body(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """
        Pass a body on, and keep its last piece back until it is known to be what was signed.

        Raises:
            ApiError: it is not what was signed; while it is read.
        """
        ...

    @property
    def needs_body(self) -> bool:
        """
        Whether nothing is known without the whole body: its hash is part of what is signed, and was not sent. Then
        `check_body` comes before anything is said, or written down, of who calls; `watch_body` must not be called. Once
        it was found to be the one that was signed, it is not needed any more.
        """
        ...


class Authenticator(Protocol):
    """Finds out who calls."""

    async def begin(self, request: WireRequest, service: str, *, allows_anonymous: bool = False) -> Claim:
        """
        Look at a request's head.

        Args:
            service: the signing name that it has to be signed for.
            allows_anonymous: whether one without a signature is from nobody, instead of refused.

        Raises:
            ApiError: it is not signed, or not as it has to be.
        """
        ...


class Settled(msgspec.Struct, frozen=True):
    """A claim of which there is nothing to verify, or nothing any more."""

    principal: Principal
    how: str = "none"

    def check_body(self, body: bytes) -> None:
        return

    def watch_body(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return body

    @property
    def needs_body(self) -> bool:
        return False


class AnyKey:
    """
    Takes any key for what it says: a key or a session of ours is whose it is, a key of twelve digits is the root of
    that account, and any other that of `account`, or of the function that calls.

    Args:
        keyring: knows our keys and sessions; None: any key is just that.
        session_of: returns the session of the function that calls, where policies count: a request from inside an
            environment that bears no credentials of ours is that function's, whatever it says.
    """

    def __init__(self, account: str, keyring: Keyring | None = None, session_of: SessionOf | None = None) -> None:
        self._account = account
        self._keyring = keyring
        self._session_of = session_of

    async def begin(self, request: WireRequest, service: str, *, allows_anonymous: bool = False) -> Claim:
        credential = read_credential(request.headers.get("authorization", ""), request.query)
        if credential is not None and self._keyring is not None and credential.access_key[:4] in _OURS:
            known = await self._known(credential.access_key, request)
            if known is not None:
                return Settled(known)
        if request.inside is not None and self._session_of is not None:
            session = self._session_of(request.inside)
            if session is not None:
                return Settled(session, "environment")
        if credential is None and allows_anonymous:
            return Settled(ANONYMOUS)
        account = self._account if request.inside is None else request.inside.scope.account
        key = "" if credential is None else credential.access_key
        if len(key) == 12 and key.isascii() and key.isdigit():
            account = key
        return Settled(root_of(account, key))

    async def _known(self, access_key: str, request: WireRequest) -> Principal | None:
        assert self._keyring is not None
        token = request.headers.get("x-amz-security-token")
        if token is None and "X-Amz-Security-Token=" in request.query:
            token = parse_qs(request.query).get("X-Amz-Security-Token", [""])[0]
        if token is None:
            return (await self._keyring.find(access_key))[1]
        try:
            return self._keyring.session(access_key, token)[1]
        except BadToken:
            return None


class Verifying:
    """
    Takes a request for whose it is once its signature says so.

    Within the window of its time an identical request counts again, as on AWS: nothing in a signature tells a second
    one. Whoever reads requests on their way can send them anew, so the way wants TLS.

    Args:
        public_hosts: what the Host header may have been before a proxy in between replaced it.
        is_alive: says of an execution environment's id whether it is still there: its credentials end with it.
        note: hears of every good signature.
    """

    def __init__(
        self,
        keyring: Keyring,
        clock: Clock,
        *,
        public_hosts: Sequence[str] = (),
        is_alive: IsAlive = lambda _: False,
        note: Note = lambda *_: None,
    ) -> None:
        self._keyring = keyring
        self._clock = clock
        self._public_hosts = tuple(public_hosts)
        self._is_alive = is_alive
        self._note = note

    async def begin(self, request: WireRequest, service: str, *, allows_anonymous: bool = False) -> Claim:
        try:
            signature = read_signature(request.headers, request.query)
        except Incomplete as error:
            raise _incomplete(request, str(error)) from None
        if signature is None:
            return _unsigned(request, service, allows_anonymous=allows_anonymous)
        _check_scope(signature, service)
        self._check_time(signature)
        _check_headers(signature, request)
        secret, principal = await self._find(signature)
        key = signing_key(secret, signature.date, signature.region, signature.service)
        claim = SignedRequest(request, signature, key, self._public_hosts, principal or ANONYMOUS, self._note)
        try:
            claim.begin()
        except InvalidSignature:
            if principal is not None:
                raise
        if principal is None:
            # Not before the signature was looked at: it took as long as that of a key that there is.
            raise _unrecognized(signature)
        await self._check_session(principal, signature, request)
        return claim

    async def _find(self, signature: Signature) -> tuple[str, Principal | None]:
        if signature.session_token is None:
            return await self._keyring.find(signature.access_key)
        try:
            return self._keyring.session(signature.access_key, signature.session_token)
        except BadToken:
            text = "The security token included in the request is invalid"
            if signature.service in OF_S3:
                text = "The provided token is malformed or otherwise invalid."
            raise InvalidSessionToken(text) from None

    async def _check_session(self, principal: Principal, signature: Signature, request: WireRequest) -> None:
        session = principal.session
        if session is None:
            return
        if not await self._keyring.is_open(principal.account) or not await self._keyring.is_there(principal):
            raise _unrecognized(signature)
        if session.environment:
            # Documented: nothing; a URL that was signed ahead is for whoever gets it, what is signed in a header is
            # the signer's own.
            is_elsewhere = request.inside is not None and request.inside.environment != session.environment
            if is_elsewhere and not signature.is_presigned:
                raise _unrecognized(signature)
        is_over = self._clock.now() >= session.expires_at
        if is_over or (session.environment and not self._is_alive(session.environment)):
            is_s3 = signature.service in OF_S3
            raise ExpiredToken(
                "The provided token has expired." if is_s3 else "The security token included in the request is expired"
            )

    def _check_time(self, signature: Signature) -> None:
        now, signed = int(self._clock.now()), time_of(signature.timestamp)
        window_s = _WIDE_WINDOW_S if signature.service in _WITH_WIDE_WINDOW else _WINDOW_S
        if signed is None:
            raise InvalidSignature("Date is no moment of any day.")
        if signature.timestamp[:8] != signature.date:
            raise OutOfScope(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                f"'{signature.date[:40]}' != '{signature.timestamp[:8]}', from '{signature.timestamp}'."
            )
        late_s = window_s
        if signature.expires_s is not None:
            late_s = signature.expires_s
            if not 1 <= late_s <= _EXPIRES_MAX_S:
                raise InvalidPresignedUrl(
                    "X-Amz-Expires must be between 1 and a week (in seconds); that is, the given X-Amz-Expires must be "
                    f"at most {_EXPIRES_MAX_S}"
                )
        if signed - window_s <= now <= signed + late_s:
            return
        is_late = now > signed
        if signature.service in OF_S3:
            if is_late and signature.is_presigned:
                raise UrlExpired("Request has expired", fields={"X-Amz-Expires": str(late_s)})
            raise OutOfTime(
                "The difference between the request time and the current time is too large.",
                fields={
                    "RequestTime": signature.timestamp,
                    "ServerTime": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(now)),
                    "MaxAllowedSkewMilliseconds": str(window_s * 1000),
                },
            )
        refused = UrlExpired if is_late and signature.is_presigned else OutOfTime
        minutes = f"{late_s // 60} min." if late_s % 60 == 0 else f"{late_s} s."
        if is_late:
            raise refused(
                f"Signature expired: {signature.timestamp} is now earlier than {_basic(now - late_s)} "
                f"({_basic(now)} - {minutes})"
            )
        raise refused(
            f"Signature not yet current: {signature.timestamp} is still later than {_basic(now + window_s)} "
            f"({_basic(now)} + {window_s // 60} min.)"
        )


def _unsigned(request: WireRequest, service: str, *, allows_anonymous: bool) -> Claim:
    authorization = request.headers.get("authorization")
    names = {part.partition("=")[0] for part in request.query.split("&")}
    is_of_version_2 = authorization is not None and authorization.startswith(("AWS ", "AWS3"))
    if is_of_version_2 or ("Signature" in names and "AWSAccessKeyId" in names):
        # Observed: S3 in regions that never knew version 2 (field reports).
        raise UnsupportedSignature(
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        )
    if service in OF_S3 and request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise NotImplementedException(
            "Forms that a browser posts are not offered by this version of Lambent where signatures are verified: "
            "send the object by PUT, with a presigned URL"
        )
    if authorization is None and allows_anonymous:
        return Settled(ANONYMOUS)
    raise MissingAuthenticationToken("Access Denied" if service in OF_S3 else "Missing Authentication Token")


def _check_scope(signature: Signature, service: str) -> None:
    expected = _SIGNED_AS.get(service, service)
    is_for = signature.service in (OF_S3 if expected == "s3" else (expected,))
    if not is_for or _SERVICE.fullmatch(signature.service) is None:
        raise OutOfScope(f"Credential should be scoped to correct service: '{expected[:40]}'. ")
    if signature.terminator != "aws4_request":
        raise OutOfScope(
            f"Credential should be scoped with a valid terminator: 'aws4_request', not '{signature.terminator[:40]}'. "
        )
    if _REGION.fullmatch(signature.region) is None:
        raise OutOfScope(f"Credential should be scoped to a valid region, not '{signature.region[:40]}'. ")


def _check_headers(signature: Signature, request: WireRequest) -> None:
    """Refuse headers that say what is asked for, and that anybody in between may have put there."""
    if signature.service in OF_S3:
        lacking = [
            name
            for name in request.headers
            if name.startswith("x-amz-") and name not in signature.signed_headers and name not in _MAY_BE_UNSIGNED
        ]
    else:
        is_lacking = "x-amz-target" in request.headers and "x-amz-target" not in signature.signed_headers
        lacking = ["x-amz-target"] if is_lacking else []
    if lacking:
        raise HeadersNotSigned(
            "There were headers present in the request which were not signed",
            fields={"HeadersNotSigned": ", ".join(lacking)} if signature.service in OF_S3 else None,
        )


def _incomplete(request: WireRequest, text: str) -> IncompleteSignature:
    if "X-Amz-Algorithm=" in request.query or "X-Amz-Signature=" in request.query:
        return InvalidPresignedUrl(text)
    return IncompleteSignature(text)


def _unrecognized(signature: Signature) -> UnrecognizedClient:
    if signature.service in OF_S3:
        return UnrecognizedClient(
            "The AWS Access Key Id you provided does not exist in our records.",
            fields={"AWSAccessKeyId": signature.access_key},
        )
    return UnrecognizedClient("The security token included in the request is invalid.")


def _basic(moment: int) -> str:
    return strftime("%Y%m%dT%H%M%SZ", gmtime(moment))
