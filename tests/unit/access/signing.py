"""An authenticator that verifies, keys for it, and requests as botocore signs them."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambent.access.authentication import Verifying
from lambent.access.keyring import Keyring
from lambent.access.secrets import Secrets
from lambent.clock import SystemClock
from lambent.domain.access_key import encode_id
from lambent.domain.identity import AccessKey, Account, Role, User
from lambent.domain.principal import Principal, Session, session_of_role
from lambent.errors.families import (
    ApiError,
)
from lambent.protocol.wire import WireRequest
from lambent.testing.client_requests import as_received
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
