"""What callers ask of themselves: who they are, and temporary credentials that are still theirs."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.access.secrets import Secrets
from lambent.clock import Clock
from lambent.domain.access_key import account_of_key
from lambent.domain.caller import Caller
from lambent.domain.principal import Session
from lambent.protocol.shapes.sts import GetAccessKeyInfoRequest, GetCallerIdentityRequest, GetSessionTokenRequest
from lambent.services.operation import operation
from lambent.services.sts.credentials import refuse_token_size, shown
from lambent.services.sts.errors import AccessDenied, ValidationError, no_mfa

_DEFAULT_S = 43_200
_ROOT_MAX_S = 3_600
"""Documented: STS API reference, GetSessionToken: root gets an hour at most, whatever it asks for."""


class Callers:
    """Operations that nobody needs a policy for."""

    def __init__(self, secrets: Secrets, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock

    @operation("GetCallerIdentity")
    async def identity(self, caller: Caller, request: GetCallerIdentityRequest) -> Mapping[str, Any]:
        principal = caller.principal
        return {"UserId": principal.unique_id, "Account": principal.account, "Arn": principal.arn}

    @operation("GetAccessKeyInfo")
    async def key_info(self, caller: Caller, request: GetAccessKeyInfoRequest) -> Mapping[str, Any]:
        account = account_of_key(request["AccessKeyId"])
        if account is None:
            # Assumed: the text. AWS knows all keys, we read what they say (test_callers).
            raise ValidationError("Invalid AccessKeyId: no account can be read from it")
        return {"Account": account}

    @operation("GetSessionToken")
    async def session_token(self, caller: Caller, request: GetSessionTokenRequest) -> Mapping[str, Any]:
        principal = caller.principal
        if principal.session is not None:
            # Assumed: the text (test_callers).
            raise AccessDenied("Cannot call GetSessionToken with session credentials")
        if "SerialNumber" in request or "TokenCode" in request:
            raise no_mfa()
        refuse_token_size(request)
        lasts_s = request.get("DurationSeconds", _DEFAULT_S)
        if principal.is_root:
            lasts_s = min(lasts_s, _ROOT_MAX_S)
        now = math.floor(self._clock.now())
        session = Session(name="", issued_at=now, expires_at=now + lasts_s)
        issued = self._secrets.issue(msgspec.structs.replace(principal, session=session), self._clock.token_hex(10))
        return {"Credentials": shown(issued)}
