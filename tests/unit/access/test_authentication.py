"""Who calls: what a signature may be, how old, of whom, and over which body."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from unit.access.signing import ACCOUNT, KEY, NOW, SECRETS, STRANGER, Identities, World, presigned, session, signed

from lambent.access.authentication import AnyKey
from lambent.access.keyring import Keyring
from lambent.access.sigv4 import signing_key
from lambent.domain.access_key import encode_id
from lambent.domain.caller import Inside, Scope
from lambent.domain.identity import AccessKey, Account, User
from lambent.domain.principal import ANONYMOUS, Principal, PrincipalType, Session, root_of, session_of_role
from lambent.errors.families import (
    AccessError,
    ApiError,
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
from lambent.testing.client_requests import ClientRequests


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


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
