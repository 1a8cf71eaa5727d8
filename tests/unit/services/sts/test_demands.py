"""What operations of STS ask leave for before they decide themselves."""

from unit.access.people import A, as_user, calling, user

from lambent.services.sts.demands import DEMANDS

CALLER = calling(as_user(user()))


def test_who_one_is_and_whom_one_may_become_need_no_leave_here() -> None:
    """Trust policies decide of roles; the others cannot be denied."""
    free = [name for name, demands in DEMANDS.items() if not demands(CALLER, {"Name": "n"})]
    assert sorted(free) == [
        "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetCallerIdentity", "GetSessionToken",
    ]  # fmt: skip


def test_a_federated_user_is_named() -> None:
    (demand,) = DEMANDS["GetFederationToken"](CALLER, {"Name": "n"})
    assert (demand.action, demand.resource) == ("sts:GetFederationToken", f"arn:aws:sts::{A}:federated-user/n")
    (other,) = DEMANDS["GetAccessKeyInfo"](CALLER, {})
    assert other.resource == "*"
