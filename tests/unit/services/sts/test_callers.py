"""Who calls, and credentials that are still theirs."""

import msgspec
import pytest
from unit.services.sts.sts_bench import ACCOUNT, ROOT, SECRETS, USER, StsBench

from lambent.domain.access_key import USER_KEY, encode_id
from lambent.domain.principal import Principal, Session, session_of_role
from lambent.services.sts.errors import AccessDenied, ValidationError


def test_who_calls(sts: StsBench) -> None:
    """Root's id is its account; the ARN of a role's session is without the role's path."""
    session = session_of_role(ACCOUNT, "r", "/p/", "AROA1", Session("s1", 0, 1))

    def identity(principal: Principal) -> tuple[str, str, str]:
        found = sts.call("GetCallerIdentity", principal)
        return found["UserId"], found["Account"], found["Arn"]

    assert identity(ROOT) == (ACCOUNT, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
    assert identity(USER) == (USER.unique_id, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/u")
    assert identity(session) == ("AROA1:s1", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s1")


def test_the_account_of_a_key(sts: StsBench) -> None:
    """It is read from the key, whoever's it is."""
    key = encode_id(USER_KEY, "444455556666", "2" * 20)
    assert sts.call("GetAccessKeyInfo", AccessKeyId=key) == {"Account": "444455556666"}
    with pytest.raises(ValidationError):
        sts.call("GetAccessKeyInfo", AccessKeyId="A" * 20)


def test_session_tokens_are_still_the_users(sts: StsBench) -> None:
    """Twelve hours unless it says otherwise; an hour at most for root."""

    def lasts_s(principal: Principal, **request: int) -> float:
        found = sts.call("GetSessionToken", principal, **request)["Credentials"]
        opened = SECRETS.open(found["AccessKeyId"], found["SessionToken"])
        assert opened.session is not None
        bare = msgspec.structs.replace(opened, session=None, access_key="")
        assert bare == principal
        assert opened.session.expires_at == found["Expiration"].timestamp()
        return opened.session.expires_at - opened.session.issued_at

    assert lasts_s(USER) == 43_200
    assert lasts_s(USER, DurationSeconds=129_600) == 129_600
    assert lasts_s(ROOT) == 3_600
    assert lasts_s(ROOT, DurationSeconds=900) == 900


def test_a_session_gets_none(sts: StsBench) -> None:
    """Nor does whoever names an MFA device: nobody has one."""
    in_session = msgspec.structs.replace(USER, session=Session("", 0, 1))
    with pytest.raises(AccessDenied, match="Cannot call GetSessionToken with session credentials"):
        sts.call("GetSessionToken", in_session)
    with pytest.raises(AccessDenied, match="MultiFactorAuthentication failed, unable to validate MFA code"):
        sts.call("GetSessionToken", SerialNumber="arn:aws:iam::111122223333:mfa/u", TokenCode="123456")


def test_a_least_size_of_the_token_is_refused(sts: StsBench) -> None:
    """0 says nothing."""
    assert "Credentials" in sts.call("GetSessionToken", MinimumSessionTokenSize=0)
    with pytest.raises(ValidationError, match="MinimumSessionTokenSize is not offered"):
        sts.call("GetSessionToken", MinimumSessionTokenSize=2_000)
