"""AssumeRole: who is let in, and what the session is."""

from typing import Any

import pytest
from unit.services.sts.sts_bench import ACCOUNT, OTHER, ROOT, USER, StsBench, allowing, role_of, trusting, user_of

from lambent.domain.identity import ManagedPolicy, PolicyVersion
from lambent.domain.principal import Principal
from lambent.errors.api.sts import MalformedPolicyDocumentException, PackedPolicyTooLargeException
from lambent.errors.families import ApiError
from lambent.services.sts.errors import AccessDenied, InvalidParameterValue, ValidationError

THEIRS = {"AWS": ACCOUNT}
MINE = {"AWS": USER.arn}


def denial(action: str, who: Principal = USER, name: str = "r") -> str:
    return f"User: {who.arn} is not authorized to perform: {action} on resource: arn:aws:iam::{ACCOUNT}:role/{name}"


def refused(sts: StsBench, role: Any, principal: Principal = USER, **request: Any) -> tuple[type[ApiError], str]:
    with pytest.raises(ApiError) as caught:
        sts.assume(role, principal, **request)
    return type(caught.value), caught.value.message


def test_credentials_of_a_role(sts: StsBench) -> None:
    """They last an hour, and are of a session whose ARN has the role's name without its path."""
    role = role_of("r", trusting(MINE), path="/p/")
    sts.stored = [role]
    answer = sts.assume(role)
    assert answer["AssumedRoleUser"] == {
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s1",
        "AssumedRoleId": f"{role.unique_id}:s1",
    }
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    assert "PackedPolicySize" not in answer and "SourceIdentity" not in answer
    got = sts.become(role)
    assert got.session is not None
    assert (got.identity_id, got.identity_arn) == (role.unique_id, f"arn:aws:iam::{ACCOUNT}:role/p/r")
    assert got.session.expires_at - got.session.issued_at == 3_600


@pytest.mark.parametrize(
    ("own", "trust", "is_let_in"),
    [
        ("", trusting(MINE), True),
        ("", trusting({"AWS": "*"}), True),
        ("", trusting(THEIRS), False),
        (allowing("sts:AssumeRole"), trusting(THEIRS), True),
        (allowing("sts:AssumeRole"), trusting({"Service": "lambda.amazonaws.com"}), False),
        (allowing("*"), trusting(MINE, effect="Deny"), False),
        (allowing("sts:AssumeRole", resource=f"arn:aws:iam::{ACCOUNT}:role/q"), trusting(THEIRS), False),
        (allowing("*"), "what is no policy", False),
    ],
)
def test_who_is_let_in(sts: StsBench, own: str, trust: str, is_let_in: bool) -> None:
    """Whoever the trust policy names, or whom their own policies let where it names the account."""
    role = role_of("r", trust)
    sts.stored = [role]
    sts.policies = {USER.identity_arn: own} if own else {}
    if is_let_in:
        sts.assume(role)
    else:
        assert refused(sts, role) == (AccessDenied, denial("sts:AssumeRole"))


def test_other_accounts_need_both(sts: StsBench) -> None:
    """A role of another account asks for the caller's own policies even where it names the caller."""
    stranger = user_of(OTHER)
    role = role_of("r", trusting({"AWS": stranger.arn}))
    sts.stored = [role]
    assert refused(sts, role, stranger)[0] is AccessDenied
    sts.policies[stranger.identity_arn] = allowing("sts:AssumeRole")
    assert sts.become(role, stranger).account == ACCOUNT


def test_a_role_that_is_not_there_is_no_secret(sts: StsBench) -> None:
    """Refused in every mode, with the words of a denial; an ARN has to be right to the letter."""
    role = role_of("r", trusting(MINE), path="/p/")
    sts.stored = [role]
    for mode in ("enforce", "audit", "off"):
        sts.mode = mode  # type: ignore[assignment]
        for name in ("gone", "r", "p/R"):
            assert refused(sts, role, RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}") == (
                AccessDenied, denial("sts:AssumeRole", name=name),
            )  # fmt: skip


def test_root_may_not(sts: StsBench) -> None:
    """Not where policies are in force."""
    role = role_of("r", trusting(THEIRS))
    sts.stored = [role]
    assert refused(sts, role, ROOT) == (AccessDenied, "Roles may not be assumed by root accounts.")


def test_without_policies_in_force(sts: StsBench) -> None:
    """Everybody of the account, root too, may have its roles; other accounts need the trust policy all the same."""
    closed, opened = role_of("r", trusting({"AWS": "999999999999"})), role_of("q", trusting({"AWS": OTHER}))
    sts.stored, sts.mode = [closed, opened], "off"
    for principal in (ROOT, USER):
        assert sts.become(closed, principal).name == "r"
    stranger = user_of(OTHER)
    assert sts.become(opened, stranger).name == "q"
    assert refused(sts, closed, stranger) == (AccessDenied, denial("sts:AssumeRole", stranger))


def test_audit_only_tells(sts: StsBench) -> None:
    """Who would be denied is told, and let in."""
    role = role_of("r", trusting({"AWS": OTHER}))
    sts.stored, sts.mode = [role], "audit"
    sts.assume(role)
    assert sts.told == [(USER.arn, "sts:AssumeRole")]


@pytest.mark.parametrize(
    ("condition", "right", "wrong"),
    [
        ({"StringEquals": {"sts:ExternalId": "x1"}}, {"ExternalId": "x1"}, {"ExternalId": "x2"}),
        ({"StringEquals": {"sts:ExternalId": "x1"}}, {"ExternalId": "x1"}, {}),
        ({"StringLike": {"sts:RoleSessionName": "s*"}}, {}, {"RoleSessionName": "other"}),
        ({"StringEquals": {"aws:ResourceTag/Team": "a"}}, {}, None),
    ],
)
def test_conditions(sts: StsBench, condition: Any, right: dict[str, Any], wrong: dict[str, Any] | None) -> None:
    """Trust policies may ask for the external id, the session's name and tags."""
    role = role_of("r", trusting(MINE, condition=condition), tags={"team": "a"})
    sts.stored = [role]
    sts.assume(role, **right)
    if wrong is not None:
        assert refused(sts, role, **wrong)[0] is AccessDenied


def test_tags_and_a_source_identity_need_leave_of_their_own(sts: StsBench) -> None:
    """The trust policy has to allow both actions as well."""
    plain, open_ = role_of("r", trusting(MINE)), role_of("q", trusting(MINE, Action="sts:*"))
    sts.stored = [plain, open_]
    tags = [{"Key": "Team", "Value": "a"}]
    assert refused(sts, plain, Tags=tags)[1] == denial("sts:TagSession")
    assert refused(sts, plain, SourceIdentity="bob")[1] == denial("sts:SetSourceIdentity")
    got = sts.become(open_, Tags=tags, TransitiveTagKeys=["Team"], SourceIdentity="bob").session
    assert got is not None
    assert (dict(got.tags), got.transitive_tag_keys, got.source_identity) == ({"Team": "a"}, ("Team",), "bob")
    answer = sts.assume(open_, Tags=tags, SourceIdentity="bob")
    assert answer["SourceIdentity"] == "bob" and 0 < answer["PackedPolicySize"] <= 100


def test_chains(sts: StsBench) -> None:
    """An hour at most; transitive tags and the source identity ride along, and stay what they are."""
    first = role_of("r", trusting(MINE, Action="sts:*"))
    second = role_of("q", trusting({"AWS": first.arn}, Action="sts:*"), session_max_s=43_200)
    sts.stored = [first, second]
    tags = [{"Key": "Team", "Value": "a"}, {"Key": "own", "Value": "b"}]
    session = sts.become(first, Tags=tags, TransitiveTagKeys=["Team"], SourceIdentity="bob")
    chained = sts.become(second, session).session
    assert chained is not None
    assert (dict(chained.tags), chained.transitive_tag_keys) == ({"Team": "a"}, ("Team",))
    assert chained.source_identity == "bob"
    assert refused(sts, second, session, DurationSeconds=3_601) == (
        ValidationError,
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )
    assert refused(sts, second, session, SourceIdentity="alice")[0] is ValidationError
    assert refused(sts, second, session, Tags=[{"Key": "team", "Value": "z"}])[0] is InvalidParameterValue


def test_durations(sts: StsBench) -> None:
    """A role says how long its sessions may last."""
    role = role_of("r", trusting(MINE), session_max_s=7_200)
    sts.stored = [role]
    got = sts.become(role, DurationSeconds=7_200).session
    assert got is not None and got.expires_at - got.issued_at == 7_200
    assert refused(sts, role, DurationSeconds=7_201) == (
        ValidationError, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )  # fmt: skip


def test_session_policies(sts: StsBench) -> None:
    """They are in the session; managed ones have to be the account's, or AWS's own."""
    role = role_of("r", trusting(MINE))
    version = PolicyVersion(1, allowing("sqs:*"), 1)
    managed = ManagedPolicy(
        account=ACCOUNT, name="m", unique_id="ANPA1", created_at=1, versions=(version,), default_number=1,
        next_number=2, updated_at=1,
    )  # fmt: skip
    sts.stored = [role, managed]
    arns = [managed.arn, "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"]
    got = sts.become(role, Policy=allowing("sqs:*"), PolicyArns=[{"arn": arn} for arn in arns]).session
    assert got is not None and got.policies == (allowing("sqs:*"),) and got.policy_arns == tuple(arns)
    assert refused(sts, role, PolicyArns=[{"arn": managed.arn + "x"}]) == (
        ValidationError, f"Policy {managed.arn}x does not exist or is not attachable.",
    )  # fmt: skip
    assert refused(sts, role, Policy="{")[0] is MalformedPolicyDocumentException


def test_what_does_not_fit_into_a_token(sts: StsBench) -> None:
    """How much too large it is, is said."""
    role = role_of("r", trusting(MINE, Action="sts:*"))
    sts.stored = [role]
    tags = [{"Key": f"k{n}{sts.clock.token_hex(40)}", "Value": sts.clock.token_hex(100)} for n in range(50)]
    kind, text = refused(sts, role, Tags=tags)
    assert kind is PackedPolicyTooLargeException
    assert text.startswith("Packed size of session tags consumes ") and text.endswith("% of allotted space.")


@pytest.mark.parametrize("arn", ["nothing-valid-in-here", "arn::b:::something/test-role", "arn:a:a::aaaaaaaaaa:"])
def test_what_is_no_arn(sts: StsBench, arn: str) -> None:
    """Named as it was sent."""
    with pytest.raises(ValidationError, match=f"^{arn} is invalid$"):
        sts.call("AssumeRole", RoleArn=arn, RoleSessionName="s1")


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"TokenCode": "123456"}, "MultiFactorAuthentication failed"),
        ({"ProvidedContexts": [{"ProviderArn": "a", "ContextAssertion": "b"}]}, "ProvidedContexts is not offered"),
        ({"MinimumSessionTokenSize": 9}, "MinimumSessionTokenSize is not offered"),
        ({"SourceIdentity": "aws:x"}, "SourceIdentity must not begin with aws:"),
    ],
)
def test_what_is_not_offered_is_refused(sts: StsBench, request_: dict[str, Any], text: str) -> None:
    """By name, before anything is looked up."""
    assert text in refused(sts, role_of("r", trusting(MINE)), **request_)[1]
