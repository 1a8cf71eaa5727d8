"""Who calls: what a signature may be, how old, of whom, and over which body."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from msgspec.structs import replace

from lambent.access.authentication import AnyKey, Verifying
from lambent.access.keyring import Keyring
from lambent.access.secrets import Secrets
from lambent.access.sigv4 import signing_key
from lambent.clock import SystemClock
from lambent.domain.access_key import encode_id
from lambent.domain.caller import Inside, Scope
from lambent.domain.identity import AccessKey, Account, Role, User
from lambent.domain.principal import ANONYMOUS, Principal, PrincipalType, Session, root_of, session_of_role
from lambent.errors.families import (
    AccessError,
    ApiError,
    BodyNotAsSigned,
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
from lambent.testing.client_requests import ClientRequests, as_received
from lambent.testing.virtual_clock import VirtualClock

ACCOUNT = "111122223333"
NOW = 1_795_000_000.0
SECRETS = Secrets(b"s" * 32)
KEY = encode_id("AKIA", ACCOUNT, "0" * 20)
STRANGER = encode_id("AKIA", ACCOUNT, "1" * 20)
URL = "http://127.0.0.1:4566/2015-03-31/functions/f/invocations"


class Identities:
    """Implements what a keyring asks of an IdentityStore."""

    def __init__(self) -> None:
        self.key = AccessKey(account=ACCOUNT, access_key=KEY, owner_id="AIDA1", created_at=0)
        self.user = User(account=ACCOUNT, name="bob", unique_id="AIDA1", created_at=0, path="/team/")
        self.role = Role(account=ACCOUNT, name="r", unique_id="AROA1", created_at=0, trust_policy="{}")
        self.account: Account | None = None
        self.callbacks: list[Any] = []
        self.reads = 0

    def on_change(self, callback: Any) -> None:
        self.callbacks.append(callback)

    def changed(self) -> None:
        for callback in self.callbacks:
            callback(ACCOUNT)

    def snapshot(self, account: str) -> "Identities":
        assert account == ACCOUNT
        self.reads += 1
        return self

    async def __aenter__(self) -> "Identities":
        return self

    async def __aexit__(self, *_: Any) -> None:
        return

    async def get(self, kind: type[Any], name: str) -> Any:
        if kind is Account:
            return self.account
        return self.key if name == self.key.access_key else None

    async def by_id(self, kind: type[Any], unique_id: str) -> Any:
        return next((one for one in (self.user, self.role) if one.unique_id == unique_id), None)


class World:
    """A verifying authenticator, and a clock that botocore signs by, too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch | None = None, **settings: Any) -> None:
        self.clock: Any = VirtualClock(now=NOW) if monkeypatch is not None else SystemClock()
        self.identities: Any = Identities()
        self.alive = {"env-1"}
        self.keyring = Keyring(self.identities, SECRETS)
        self.authenticator = Verifying(self.keyring, self.clock, is_alive=self.alive.__contains__, **settings)
        if monkeypatch is not None:
            at = lambda: datetime.fromtimestamp(self.clock.now(), UTC)  # noqa: E731
            monkeypatch.setattr("botocore.auth.get_current_datetime", at)

    def who(self, request: WireRequest, service: str, **options: Any) -> Principal:
        """Return whose a request is, its body verified as well."""

        async def ask() -> Principal:
            claim = await self.authenticator.begin(request, service, **options)
            claim.check_body(request.body)
            return claim.principal

        return asyncio.run(ask())

    def refusal(self, request: WireRequest, service: str, **options: Any) -> ApiError:
        with pytest.raises(ApiError) as refused:
            self.who(request, service, **options)
        return refused.value


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def signed(
    service: str = "lambda",
    *,
    url: str = URL,
    method: str = "POST",
    body: bytes = b"{}",
    headers: dict[str, str] | None = None,
    key: str = KEY,
    secret: str | None = None,
    token: str | None = None,
    region: str = "eu-west-1",
    signer: Any = None,
) -> WireRequest:
    request = AWSRequest(method, url, headers or {}, data=body)
    if secret is None:
        secret = SECRETS.of_key(key) if token is None else SECRETS.of_session(key, token)
    (signer or (S3SigV4Auth if service == "s3" else SigV4Auth))(
        Credentials(key, secret, token), service, region
    ).add_auth(request)
    prepared = request.prepare()
    return as_received(method, prepared.url, dict(prepared.headers.items()), body)


def presigned(service: str = "lambda", *, expires_s: int = 60, **settings: Any) -> WireRequest:
    kind = S3SigV4QueryAuth if service == "s3" else SigV4QueryAuth

    def signer(*arguments: Any) -> Any:
        return kind(*arguments, expires=expires_s)

    return signed(service, method="GET", body=b"", signer=signer, **settings)


def session(**settings: Any) -> tuple[str, str]:
    """Return a key and a token of a role's session."""
    made = Session("s", NOW, settings.pop("expires_at", NOW + 3600), **settings)
    given = SECRETS.issue(session_of_role(ACCOUNT, "r", "/", "AROA1", made), "2" * 20)
    return given.access_key, given.session_token


SERVICES = [
    "apigateway", "apigatewayv2", "dynamodb", "dynamodbstreams", "iam", "kinesis", "kms", "lambda", "logs", "s3",
    "secretsmanager", "sqs", "ssm", "sts",
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "endpoint"),
    # By TLS, the bodies of S3 are another matter.
    [*((service, "http://127.0.0.1:4566") for service in SERVICES), ("s3", "https://localhost:4566")],
)
def test_every_operation_as_botocore_signs_it(service: str, endpoint: str) -> None:
    """What a client sends is its user's; with another secret it is nobody's."""
    world = World()
    right = ClientRequests(service, (KEY, SECRETS.of_key(KEY), None), endpoint=endpoint)
    wrong = ClientRequests(service, (KEY, SECRETS.of_key(STRANGER), None), endpoint=endpoint)
    for operation in right.operations:
        request = right.request(operation)
        if "authorization" not in request.headers:
            # Of STS: what a token of somebody else's answers for. It has no signature at all.
            assert "WithWebIdentity" in operation or "WithSAML" in operation, operation
            assert isinstance(world.refusal(request, service), MissingAuthenticationToken)
            assert world.who(request, service, allows_anonymous=True) is ANONYMOUS
            continue
        assert world.who(request, service).arn == f"arn:aws:iam::{ACCOUNT}:user/team/bob", operation
        assert isinstance(world.refusal(wrong.request(operation), service), InvalidSignature), operation


def test_a_principal(world: World) -> None:
    """A key is its user's, or the account's; temporary credentials are their session's."""
    assert world.who(signed(), "lambda") == Principal(
        PrincipalType.USER,
        ACCOUNT,
        f"arn:aws:iam::{ACCOUNT}:user/team/bob",
        "AIDA1",
        f"arn:aws:iam::{ACCOUNT}:user/team/bob",
        name="bob",
        access_key=KEY,
    )
    key, token = session()
    assert world.who(signed(key=key, token=token), "lambda").arn.endswith(":assumed-role/r/s")
    world.identities.key = AccessKey(account=ACCOUNT, access_key=KEY, owner_id=ACCOUNT, created_at=0)
    world.identities.changed()
    assert world.who(signed(), "lambda") == root_of(ACCOUNT, KEY)


@pytest.mark.parametrize("place", ["method", "path", "query", "header", "body", "region"])
def test_what_is_changed_on_its_way(world: World, place: str) -> None:
    """Anything else than what was signed, and the answer shows what should have been."""
    request = signed(headers={"X-Own": "one"})
    if place == "method":
        request.method = "PUT"
    elif place == "path":
        request.path = request.path.replace("/f/", "/g/")
    elif place == "query":
        request.query = "Qualifier=2"
    elif place == "header":
        request.pairs = [(name, b"two" if name == b"x-own" else value) for name, value in request.pairs]
    elif place == "body":
        request.body = b"[]"
    else:
        moved = request.headers["authorization"].replace("eu-west-1", "eu-west-2")
        request.headers = {**request.headers, "authorization": moved}
    refused = world.refusal(request, "lambda")
    assert isinstance(refused, InvalidSignature)
    assert refused.message.startswith("The request signature we calculated does not match the signature you provided.")
    assert "The Canonical String for this request should have been\n'" in refused.message
    assert request.headers["authorization"] not in refused.message
    assert SECRETS.of_key(KEY) not in refused.message


@pytest.mark.parametrize(
    ("trick", "is_same"),
    [
        ("/2015-03-31/functions/f/invocations/", False),
        ("/2015-03-31/functions/f%2Finvocations", False),
        ("/2015-03-31/functions/%66/invocations", False),
        ("/2015-03-31/functions/F/invocations", False),
        ("/2015-03-31/functions/x/../f/invocations", True),
        ("/2015-03-31//functions/f/invocations", True),
    ],
)
def test_tricks_with_paths(world: World, trick: str, is_same: bool) -> None:
    """What AWS takes for the same path is signed as one, but S3; no operation of ours is at the other spelling."""
    request = signed()
    request.path = trick
    if is_same:
        assert world.who(request, "lambda").name == "bob"
    else:
        assert isinstance(world.refusal(request, "lambda"), InvalidSignature)
    of_s3 = signed("s3", url="http://127.0.0.1:4566/2015-03-31/functions/f/invocations")
    of_s3.path = trick
    if "%66" in trick:
        # Some clients send characters otherwise than they have signed them: it is the same key.
        assert world.who(of_s3, "s3").name == "bob"
    else:
        assert isinstance(world.refusal(of_s3, "s3"), InvalidSignature)


@pytest.mark.parametrize(
    ("service", "window_s"), [("lambda", 300), ("sqs", 300), ("sts", 900), ("iam", 900), ("s3", 900)]
)
def test_the_window(world: World, service: str, window_s: int) -> None:
    """To the second, on both sides; an identical request counts again within it."""
    request = signed(service)
    for moved in (window_s, -2 * window_s):
        world.clock.set_wall(moved)
        assert world.who(request, service).name == "bob"
        world.clock.set_wall(1 if moved > 0 else -1)
        refused = world.refusal(request, service)
        assert isinstance(refused, OutOfTime)
        if service == "s3":
            assert refused.fields["MaxAllowedSkewMilliseconds"] == "900000"
        else:
            assert f"{window_s // 60} min." in refused.message
        world.clock.set_wall(-1 if moved > 0 else 1)


def test_texts_of_the_clock(world: World) -> None:
    """As SDKs and people know them."""
    request = signed()
    world.clock.set_wall(301)
    assert world.refusal(request, "lambda").message == (
        "Signature expired: 20261118T110640Z is now earlier than 20261118T110641Z (20261118T111141Z - 5 min.)"
    )
    world.clock.set_wall(-602)
    assert world.refusal(request, "lambda").message == (
        "Signature not yet current: 20261118T110640Z is still later than 20261118T110639Z (20261118T110139Z + 5 min.)"
    )


def test_urls(world: World) -> None:
    """Until their end and not longer, however long; not before their time; and not for longer than a week."""
    for service in ("s3", "lambda"):
        request = presigned(service, expires_s=7200)
        assert world.who(request, service).name == "bob"
        world.clock.set_wall(7200)
        assert world.who(request, service).name == "bob"
        world.clock.set_wall(1)
        refused = world.refusal(request, service)
        assert isinstance(refused, UrlExpired)
        assert (refused.message == "Request has expired") is (service == "s3")
        world.clock.set_wall(-7201 - 901)
        assert isinstance(world.refusal(request, service), OutOfTime)
        world.clock.set_wall(901)
        for expires_s in (0, 604_801):
            assert isinstance(world.refusal(presigned(service, expires_s=expires_s), service), InvalidPresignedUrl)


def test_urls_of_clients() -> None:
    """As boto3 makes them."""
    world = World()
    requests = ClientRequests("s3", (KEY, SECRETS.of_key(KEY), None))
    request = requests.presigned("PutObject", {"Bucket": "media", "Key": "a b/c+d~é"})
    request.body = b"whatever it is"
    # A client that signs as version 2 is another matter.
    if "X-Amz-Signature" in request.query:
        assert world.who(request, "s3").name == "bob"
    identity = ClientRequests("sts", (KEY, SECRETS.of_key(KEY), None)).presigned("GetCallerIdentity", {})
    assert world.who(identity, "sts").name == "bob"


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        ("/lambda/aws4_request", "/sqs/aws4_request", OutOfScope),
        ("/aws4_request", "/aws5_request", OutOfScope),
        ("/eu-west-1/", "/EU*/", OutOfScope),
        ("/20261118/", "/20261117/", OutOfScope),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", IncompleteSignature),
        ("Signature=", "Signatur=", IncompleteSignature),
        ("host;x-amz-date", "x-amz-date;host", IncompleteSignature),
        ("host;x-amz-date", "host", InvalidSignature),
        (KEY, STRANGER, UnrecognizedClient),
        (KEY, "AKIAIOSFODNN7EXAMPLE", UnrecognizedClient),
        (KEY, "test", UnrecognizedClient),
        (KEY, ACCOUNT, UnrecognizedClient),
    ],
)
def test_another_header(world: World, old: str, new: str, refused: type[AccessError]) -> None:
    """Each part of the header has to be what it should."""
    request = signed()
    assert old in request.headers["authorization"]
    request.headers = {**request.headers, "authorization": request.headers["authorization"].replace(old, new)}
    found = world.refusal(request, "lambda")
    assert type(found) is refused
    assert request.headers["authorization"] not in found.message


def test_a_key_that_does_not_count_any_more(world: World) -> None:
    """From the change on: inactive, deleted, its user gone, its account closed; and back."""
    request = signed()
    key, identities = world.identities.key, world.identities
    for change in ("inactive", "deleted", "user", "account"):
        assert world.who(request, "lambda").name == "bob"
        before = (identities.key, identities.user, identities.account)
        if change == "inactive":
            identities.key = AccessKey(account=ACCOUNT, access_key=KEY, owner_id="AIDA1", created_at=0, is_active=False)
        elif change == "deleted":
            identities.key = AccessKey(account=ACCOUNT, access_key=STRANGER, owner_id="AIDA1", created_at=0)
        elif change == "user":
            identities.user = User(account=ACCOUNT, name="bob", unique_id="AIDA2", created_at=0)
        else:
            identities.account = Account(account=ACCOUNT, name="a", created_at=0, is_open=False)
        identities.changed()
        assert type(world.refusal(request, "lambda")) is UnrecognizedClient, change
        identities.key, identities.user, identities.account = before
        identities.changed()
    assert key is identities.key


def test_a_wrong_signature_says_no_more_of_a_key_than_a_right_one(world: World) -> None:
    """A key that there is not is unknown, whatever it signs with: also what its secret would be."""
    for service in ("lambda", "s3"):
        for secret in ("x" * 40, SECRETS.of_key(STRANGER)):
            refused = world.refusal(signed(service, key=STRANGER, secret=secret), service)
            assert type(refused) is UnrecognizedClient
    right = world.refusal(signed(key=STRANGER), "lambda")
    assert right.message == "The security token included in the request is invalid."


def test_sessions(world: World) -> None:
    """A token is for its own key, holds until its end, and ends with its environment or account."""
    key, token = session()
    assert type(world.refusal(signed(key=key, secret="x"), "lambda")) is UnrecognizedClient
    for bad in (token[:-4] + "AAAA", "x", "A" * 5000):
        refused = world.refusal(signed(key=key, token=bad), "lambda")
        assert type(refused) is InvalidSessionToken
        assert refused.message == "The security token included in the request is invalid"
    assert type(world.refusal(signed(key=KEY, token=token), "lambda")) is InvalidSessionToken
    world.clock.set_wall(3600)
    assert type(world.refusal(signed(key=key, token=token), "lambda")) is ExpiredToken
    world.clock.set_wall(-3600)
    world.identities.account = Account(account=ACCOUNT, name="a", created_at=0, is_open=False)
    world.identities.changed()
    assert type(world.refusal(signed(key=key, token=token), "lambda")) is UnrecognizedClient


@pytest.mark.parametrize("owner", ["role", "user"])
def test_a_session_ends_with_whose_it_is(world: World, owner: str) -> None:
    """Though a resource's policy names it, and another one has its name by now."""
    principal = session_of_role(ACCOUNT, "r", "/", "AROA1", Session("s", NOW, NOW + 3600))
    if owner == "user":
        arn = f"arn:aws:iam::{ACCOUNT}:user/team/bob"
        principal = Principal(
            PrincipalType.USER, ACCOUNT, arn, "AIDA1", arn, "bob", session=Session("", NOW, NOW + 3600)
        )
    given = SECRETS.issue(principal, "2" * 20)
    request = signed(key=given.access_key, token=given.session_token)
    for _ in range(2):
        assert world.who(request, "lambda").arn == principal.arn
    setattr(world.identities, owner, replace(getattr(world.identities, owner), unique_id="anew"))
    world.identities.changed()
    assert type(world.refusal(request, "lambda")) is UnrecognizedClient


def test_what_nobody_has_a_key_for_leaves_nothing_long_behind(world: World) -> None:
    """Neither as a service, of which a key is made and kept, nor in the answer."""
    long = "s" * 10_000
    kept = signing_key.cache_info().currsize
    refused = world.refusal(signed(long, key=STRANGER), long)
    assert type(refused) is OutOfScope
    assert len(refused.message) < 200
    assert signing_key.cache_info().currsize == kept


def test_sessions_of_environments(world: World) -> None:
    """They end with it; from inside another one they are nobody's, but a URL is for whoever has it."""
    key, token = session(environment="env-1", function_arn="arn:f")
    inside = [Inside(Scope(ACCOUNT, "eu-west-1"), "arn:f", environment=name) for name in ("env-1", "env-2")]
    request, url = signed(key=key, token=token), presigned(key=key, token=token)
    for place in (None, inside[0]):
        request.inside = place
        assert world.who(request, "lambda").name == "r"
    request.inside = url.inside = inside[1]
    assert type(world.refusal(request, "lambda")) is UnrecognizedClient
    assert world.who(url, "lambda").name == "r"
    world.alive.clear()
    request.inside = None
    for one in (request, url):
        assert type(world.refusal(one, "lambda")) is ExpiredToken


@pytest.mark.parametrize(
    ("service", "headers", "query", "refused"),
    [
        ("lambda", {}, "", MissingAuthenticationToken),
        ("lambda", {"authorization": "Bearer x"}, "", MissingAuthenticationToken),
        ("lambda", {"authorization": "Basic eDp5"}, "", MissingAuthenticationToken),
        ("s3", {"authorization": f"AWS {KEY}:eA=="}, "", UnsupportedSignature),
        ("s3", {}, f"AWSAccessKeyId={KEY}&Signature=x&Expires=9999999999", UnsupportedSignature),
        ("s3", {"content-type": "multipart/form-data; boundary=x"}, "", NotImplementedException),
        ("s3", {}, "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Region-Set=*", InvalidPresignedUrl),
    ],
)
def test_what_is_not_signed_so(
    world: World, service: str, headers: dict[str, str], query: str, refused: type[ApiError]
) -> None:
    """Nobody's, and what is signed in a way that is not verified here is told so."""
    request = WireRequest("POST", "/media", query, headers)
    assert type(world.refusal(request, service)) is refused


def test_headers_that_nobody_signed(world: World) -> None:
    """What says what is asked for has to be signed; of S3 all of its own headers."""
    request = signed("sqs", headers={"Content-Type": "application/x-amz-json-1.0"})
    request.headers = {**request.headers, "x-amz-target": "AmazonSQS.DeleteQueue"}
    assert type(world.refusal(request, "sqs")) is HeadersNotSigned
    request = signed("s3")
    request.headers = {**request.headers, "x-amz-acl": "public-read"}
    refused = world.refusal(request, "s3")
    assert type(refused) is HeadersNotSigned
    assert refused.fields == {"HeadersNotSigned": "x-amz-acl"}


def test_repeated_headers(world: World) -> None:
    """One that comes twice is not what was signed."""
    for name, value in ((b"host", b"127.0.0.1:4566"), (b"x-own", b"one")):
        request = signed(headers={"X-Own": "one"})
        request.pairs = [*request.pairs, (name, value)]
        assert type(world.refusal(request, "lambda")) is InvalidSignature
    request = signed()
    request.headers = {**request.headers, "authorization": ", ".join([request.headers["authorization"]] * 2)}
    assert type(world.refusal(request, "lambda")) is IncompleteSignature


def test_a_proxy_that_renames_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public host is tried where the one that came does not fit; any other is not."""
    world = World(monkeypatch, public_hosts=("other.example.com", "api.example.com"))
    request = signed(url="https://api.example.com/2015-03-31/functions/")
    request.pairs = [(name, b"inner:4566" if name == b"host" else value) for name, value in request.pairs]
    assert world.who(request, "lambda").name == "bob"
    without = World(monkeypatch, public_hosts=("other.example.com",))
    assert type(without.refusal(request, "lambda")) is InvalidSignature


def test_a_query_with_a_plus(world: World) -> None:
    """A client that writes a blank so has signed it as one."""
    request = signed(url=URL + "?Marker=a%20b")
    request.query = "Marker=a+b"
    assert world.who(request, "lambda").name == "bob"


@pytest.mark.parametrize("name", ["X-Amz-Credential", "X-Amz-Expires", "X-Amz-SignedHeaders"])
def test_names_in_a_query_are_as_they_are(world: World, name: str) -> None:
    """An encoded one was read by one and not by another: the region of a presigned URL was its holder's to choose."""
    request = presigned()
    request.query = request.query.replace(name, name.replace("e", "%65"))
    assert type(world.refusal(request, "lambda")) is InvalidPresignedUrl


def test_hashes_that_were_sent(world: World) -> None:
    """Where the hash of the body is in a header, the signature is known before the body, and the body has to fit."""
    digest = hashlib.sha256(b"{}").hexdigest()
    request = signed(headers={"X-Amz-Content-SHA256": digest})
    claim = asyncio.run(world.authenticator.begin(request, "lambda"))
    assert not claim.needs_body
    claim.check_body(b"{}")
    with pytest.raises(BodyNotAsSigned):
        claim.check_body(b"[]")
    assert asyncio.run(world.authenticator.begin(signed(), "lambda")).needs_body
    unsigned = signed(headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    unsigned.body = b"anything"
    assert world.who(unsigned, "lambda").name == "bob"
    for bad in ("x", digest.upper(), f"{digest}, {digest}", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
        assert type(world.refusal(signed(headers={"X-Amz-Content-SHA256": bad}), "lambda")) is UnsupportedSignature


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


def passed_on(world: World, request: WireRequest, *given: bytes) -> tuple[list[bytes], ApiError | None]:
    """Return what of a body passes, and what is said at its end."""

    async def watch() -> tuple[list[bytes], ApiError | None]:
        claim = await world.authenticator.begin(request, "s3")
        passed = []
        try:
            async for piece in claim.watch_body(pieces(*given)):
                passed.append(piece)
        except ApiError as error:
            return passed, error
        return passed, None

    return asyncio.run(watch())


def test_a_body_that_passes(world: World) -> None:
    """Its last piece is kept back until its hash is known to be the one that was signed."""
    request = signed("s3", method="PUT", url="http://127.0.0.1:4566/media/key", body=b"onetwothree")
    assert passed_on(world, request, b"one", b"", b"two", b"three") == ([b"one", b"two", b"three"], None)
    for other in ((b"one", b"two", b"thref"), (b"one", b"two"), (b"one", b"two", b"three", b"x"), ()):
        passed, error = passed_on(world, request, *other)
        assert passed == list(other[:-1])
        assert isinstance(error, BodyNotAsSigned)
    empty = signed("s3", method="PUT", url="http://127.0.0.1:4566/media/key", body=b"")
    assert passed_on(world, empty) == ([], None)
    assert isinstance(passed_on(world, empty, b"x")[1], BodyNotAsSigned)


def in_chunks(world: World, *data: bytes) -> tuple[WireRequest, bytes]:
    """Return a request with a body of signed chunks, and the body."""
    kind = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

    class Streaming(S3SigV4Auth):  # type: ignore[misc]
        def payload(self, _: AWSRequest) -> str:
            return kind

    length = str(sum(map(len, data)))
    request = signed(
        "s3",
        method="PUT",
        url="http://127.0.0.1:4566/media/key",
        body=b"",
        headers={"x-amz-decoded-content-length": length, "content-encoding": "aws-chunked"},
        signer=Streaming,
    )
    signer = SigV4Auth(Credentials(KEY, SECRETS.of_key(KEY)), "s3", "eu-west-1")
    before, body = request.headers["authorization"].rpartition("=")[2], b""
    scope = "20261118/eu-west-1/s3/aws4_request"
    for chunk in (*data, b""):
        text = "\n".join(
            [
                "AWS4-HMAC-SHA256-PAYLOAD", request.headers["x-amz-date"], scope, before,
                hashlib.sha256(b"").hexdigest(), hashlib.sha256(chunk).hexdigest(),
            ]
        )  # fmt: skip
        awaited = AWSRequest("PUT", "http://x")
        awaited.context["timestamp"] = request.headers["x-amz-date"]
        before = signer.signature(text, awaited)
        body += b"%x;chunk-signature=%b\r\n%b" % (len(chunk), before.encode(), chunk + b"\r\n" if chunk else b"")
    return request, body + b"\r\n"


def test_a_body_of_signed_chunks(world: World) -> None:
    """As botocore's own keys sign them; nothing from the last of the data on passes before its end was verified."""
    request, body = in_chunks(world, b"a" * 100, b"b" * 50)
    cut = body.index(b"\r\n0;") + 2
    passed, error = passed_on(world, request, body[:60], body[60:cut], body[cut:-2], body[-2:])
    assert error is None and b"".join(passed) == body
    tampered = body.replace(b"bbbb", b"bcbb", 1)
    passed, error = passed_on(world, request, tampered[:60], tampered[60:cut], tampered[cut:])
    assert isinstance(error, InvalidSignature) and passed == []
    forged = body[:-10] + b"00000000\r\n"
    passed, error = passed_on(world, request, forged[:60], forged[60:cut], forged[cut:])
    assert isinstance(error, InvalidSignature) and passed == [forged[:60]]
    request.body = body
    assert world.who(request, "s3").name == "bob"
    request.body = tampered
    assert type(world.refusal(request, "s3")) is InvalidSignature


def test_what_is_remembered(world: World) -> None:
    """A second request reads nothing; keys that are made up drop none that there is."""
    world.who(signed(), "lambda")
    reads = world.identities.reads
    for number in (1, 2):
        world.who(signed(), "lambda")
        world.refusal(signed(key=encode_id("AKIA", ACCOUNT, f"{number:020x}")), "lambda")
    assert world.identities.reads == reads + 2
    world.refusal(signed(key=encode_id("AKIA", ACCOUNT, f"{1:020x}")), "lambda")
    assert world.identities.reads == reads + 2


def open_mode(request: WireRequest, **settings: Any) -> tuple[Principal, str]:
    identities: Any = Identities()
    authenticator = AnyKey("000000000000", Keyring(identities, SECRETS), **settings)
    claim = asyncio.run(authenticator.begin(request, "lambda"))
    return claim.principal, claim.how


def test_where_any_key_is_taken() -> None:
    """A key or session of ours is whose it is, unverified; any other is root's, and inside the function's."""
    assert open_mode(signed(secret="x"))[0].name == "bob"
    key, token = session()
    assert open_mode(signed(key=key, token=token, secret="x"))[0].name == "r"
    assert open_mode(signed(key=STRANGER))[0] == root_of("000000000000", STRANGER)
    assert open_mode(signed(key="test", secret="x")) == (root_of("000000000000", "test"), "none")
    assert open_mode(WireRequest("GET", "/"))[0] == root_of("000000000000")
    function = session_of_role(ACCOUNT, "f", "/", "AROA2", Session("f", 0, 1))
    request = signed(key=ACCOUNT, secret="x")
    assert open_mode(request, session_of=lambda _: function)[0] == root_of(ACCOUNT, ACCOUNT)
    request.inside = Inside(Scope(ACCOUNT, "eu-west-1"), "arn:f")
    assert open_mode(request, session_of=lambda _: function) == (function, "environment")
    assert open_mode(request, session_of=lambda _: None)[0] == root_of(ACCOUNT, ACCOUNT)
