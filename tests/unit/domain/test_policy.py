"""The policy language as a whole: whom documents name, what is decided, and what never may be."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.policy import (
    AccessRequest,
    Grant,
    MalformedPolicy,
    Policies,
    Policy,
    PolicyKind,
    PolicySet,
    Value,
    Verdict,
    compile_policy,
    decide,
    say,
)
from lambent.domain.principal import (
    ANONYMOUS,
    Principal,
    PrincipalType,
    Session,
    root_of,
    service_principal,
    session_of_role,
)

A, X = "111122223333", "444455556666"
F = f"arn:aws:lambda:eu-west-1:{A}:function:f"
ALIAS = f"{F}:prod"
INVOKE = "lambda:InvokeFunction"
ROLE_ARN = f"arn:aws:iam::{A}:role/p/r"
SESSION_ARN = f"arn:aws:sts::{A}:assumed-role/r/s"
NEVER = 4_000_000_000.0


def user(account: str, name: str, unique_id: str) -> Principal:
    arn = f"arn:aws:iam::{account}:user/{name}"
    return Principal(PrincipalType.USER, account, arn, unique_id, arn, name=name)


U = user(A, "u", "AIDAUUUUUUUUUUUUUUUUU")
XU = user(X, "x", "AIDAXXXXXXXXXXXXXXXXX")
R = session_of_role(A, "r", "/p/", "AROARRRRRRRRRRRRRRRRR", Session("s", 0.0, NEVER))
R_ANEW = session_of_role(A, "r", "/p/", "AROANNNNNNNNNNNNNNNNN", Session("s", 0.0, NEVER))
EVENTS = service_principal("events.amazonaws.com")
S3 = service_principal("s3.amazonaws.com")

Statement = dict[str, Any]


def allow(action: Any = "*", resource: Any = "*", **members: Any) -> Statement:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **members}


def deny(action: Any = "*", resource: Any = "*", **members: Any) -> Statement:
    return {**allow(action, resource, **members), "Effect": "Deny"}


def grant(principal: Any, action: Any = INVOKE, resource: Any = F, **members: Any) -> Statement:
    """Return a statement of a resource policy."""
    return {**allow(action, resource), "Principal": principal, **members}


def aws(*names: str) -> dict[str, Any]:
    return {"AWS": list(names)}


def deny_others(*names: str) -> Statement:
    return {"Effect": "Deny", "NotPrincipal": aws(*names), "Action": "*", "Resource": "*"}


def trust(principal: Any) -> Statement:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}


class Setting(NamedTuple):
    """Statements of each kind; None: there is no such policy."""

    id: list[Statement] | None = None
    rp: list[Statement] | None = None
    pb: list[Statement] | None = None
    sp: list[Statement] | None = None
    version: str = "2012-10-17"
    ids: Mapping[str, str] = {}

    def compiled(self) -> PolicySet:
        return PolicySet(*(self._policies(one) for one in (self.id, self.pb, self.sp, self.rp)))

    def _policies(self, statements: list[Statement] | None) -> Policies | None:
        if statements is None:
            return None
        return Policies([compile_policy({"Version": self.version, "Statement": statements}, ids=self.ids)])


class Asked(NamedTuple):
    who: Principal
    action: str = INVOKE
    resource: str = F
    expected: bool | str = True
    """Whether it is allowed, or the end of the refusal."""
    context: Mapping[str, Value] = {}
    owner: str = A


def asked(setting: Setting, question: Asked) -> Verdict:
    who, action, resource, _, context, owner = question
    request = AccessRequest(who, action, resource, owner, context)
    return decide(request, setting.compiled(), is_trust=action.startswith("sts:Assume"))


NO_IDENTITY = "because no identity-based policy allows the {} action"
NO_RESOURCE = "because no resource-based policy allows the {} action"
NO_BOUNDARY = "because no permissions boundary allows the {} action"
NO_SESSION = "because no session policy allows the {} action"
NO_TRUST = "because no role trust policy allows the {} action"
DENIED = "with an explicit deny in an identity-based policy"
DENIED_BY_RESOURCE = "with an explicit deny in a resource-based policy"

EVENTS_GRANT = grant(
    {"Service": "events.amazonaws.com"},
    Condition={"ArnLike": {"AWS:SourceArn": f"arn:aws:events:eu-west-1:{A}:rule/r"}},
)
S3_GRANT = grant({"Service": "s3.amazonaws.com"}, Condition={"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"}})
MFA = "aws:MultiFactorAuthPresent"
TAGGED = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
ASSUME = "sts:AssumeRole"
LAMBDA = {"Service": "lambda.amazonaws.com"}
PASSES = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
LIST = "lambda:ListFunctions"
URL = {"lambda:functionurlauthtype": "NONE", "lambda:invokedviafunctionurl": "true"}
URL_GRANT = grant("*", "lambda:InvokeFunctionUrl", Condition={"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}})
LAMBDA_ALL = allow("lambda:*", F)

FIFTY: list[tuple[int, Setting, list[Asked]]] = [
    (1, Setting(), [Asked(U, expected=NO_IDENTITY)]),
    (2, Setting([LAMBDA_ALL]), [Asked(U, resource=ALIAS, expected=NO_IDENTITY), Asked(U)]),
    (3, Setting([allow("lambda:*", f"{F}:*")]), [Asked(U, expected=NO_IDENTITY), Asked(U, resource=ALIAS)]),
    (4, Setting([allow("lambda:*", f"{F}*")]), [Asked(U, resource=ALIAS), Asked(U, resource=f"{F}oo")]),
    (5, Setting([allow("LAMBDA:invokefunction", F)]), [Asked(U)]),
    (6, Setting([allow(INVOKE, F.replace(":f", ":F"))]), [Asked(U, expected=NO_IDENTITY)]),
    (7, Setting([allow(LIST, F)]), [Asked(U, LIST, "*", NO_IDENTITY)]),
    (8, Setting([allow(), deny(INVOKE, F)]), [Asked(U, expected=DENIED), Asked(U, resource=ALIAS)]),
    (9, Setting([deny()]), [Asked(U, "sts:GetCallerIdentity", "*"), Asked(U, expected=DENIED)]),
    (10, Setting(rp=[grant(aws(U.arn))]), [Asked(U)]),
    (11, Setting(rp=[grant(aws(A))]), [Asked(U, expected=NO_IDENTITY)]),
    (12, Setting(rp=[grant(aws(XU.arn))]), [Asked(XU, expected=NO_IDENTITY)]),
    (13, Setting([allow()]), [Asked(XU, expected=NO_RESOURCE)]),
    (14, Setting([allow()], [grant(aws(f"arn:aws:iam::{X}:root"))]), [Asked(XU)]),
    (15, Setting([allow()], pb=[]), [Asked(U, expected=NO_BOUNDARY)]),
    (16, Setting(rp=[grant(aws(U.arn))], pb=[]), [Asked(U)]),
    (17, Setting(rp=[grant(aws(ROLE_ARN))], pb=[]), [Asked(R, expected=NO_BOUNDARY)]),
    (18, Setting(rp=[grant(aws(ROLE_ARN))]), [Asked(R)]),
    (19, Setting(rp=[grant(aws(SESSION_ARN))], pb=[], sp=[]), [Asked(R)]),
    (20, Setting(pb=[allow()]), [Asked(U, expected=NO_IDENTITY)]),
    (21, Setting([allow()], sp=[allow("sqs:*")]), [Asked(R, expected=NO_SESSION)]),
    (22, Setting([allow("sqs:*")], sp=[allow()]), [Asked(R, expected=NO_IDENTITY)]),
    (
        23,
        Setting([allow()], [deny_others(A, U.arn)], [allow()]),
        [Asked(U, expected=DENIED_BY_RESOURCE)],
    ),
    (23, Setting([allow()], [deny_others(A, U.arn)]), [Asked(U), Asked(R, expected=DENIED_BY_RESOURCE)]),
    (
        24,
        Setting(rp=[{"Effect": "Allow", "NotPrincipal": aws(XU.arn), "Action": "*", "Resource": "*"}]),
        [Asked(ANONYMOUS), Asked(U), Asked(XU, expected=NO_IDENTITY)],
    ),
    (
        25,
        Setting(rp=[EVENTS_GRANT]),
        [
            Asked(EVENTS, context={"aws:sourcearn": f"arn:aws:events:eu-west-1:{A}:rule/r"}),
            Asked(EVENTS, expected=NO_RESOURCE, context={"aws:sourcearn": f"arn:aws:events:eu-west-1:{A}:rule/bus/r"}),
        ],
    ),
    (26, Setting(rp=[S3_GRANT]), [Asked(S3, context={"aws:sourcearn": "arn:aws:s3:::b", "aws:sourceaccount": X})]),
    (27, Setting(rp=[S3_GRANT]), [Asked(U, expected=NO_IDENTITY, context={"aws:sourcearn": "arn:aws:s3:::b"})]),
    (
        28,
        Setting(rp=[grant("*", Condition={"StringEquals": {"AWS:SourceAccount": A}})]),
        [Asked(U, expected=NO_IDENTITY), Asked(U, context={"aws:sourceaccount": A})],
    ),
    (29, Setting(rp=[grant("*", Condition={"StringNotEquals": {"AWS:SourceAccount": X}})]), [Asked(U)]),
    (
        30,
        Setting([allow(Condition={"Bool": {MFA: "true"}})]),
        [Asked(U, expected=NO_IDENTITY), Asked(U, context={MFA.lower(): "true"})],
    ),
    (
        31,
        Setting([allow(), deny(Condition={"Bool": {MFA: "false"}})]),
        [Asked(U), Asked(U, expected=DENIED, context={MFA.lower(): "false"})],
    ),
    (32, Setting([allow(), deny(Condition={"BoolIfExists": {MFA: "false"}})]), [Asked(U, expected=DENIED)]),
    (
        33,
        Setting([allow("lambda:CreateFunction", Condition=TAGGED)]),
        [
            Asked(U, "lambda:CreateFunction"),
            Asked(U, "lambda:CreateFunction", context={"aws:tagkeys": ("team",)}),
            Asked(U, "lambda:CreateFunction", expected=NO_IDENTITY, context={"aws:tagkeys": ("team", "cost")}),
        ],
    ),
    (
        34,
        Setting([allow(), deny(Condition={"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["team"]}})]),
        [Asked(U, expected=DENIED, context={"aws:tagkeys": ("team", "cost")}), Asked(U)],
    ),
    (
        35,
        Setting([allow(Condition={"StringEquals": {"aws:TagKeys": "team"}})]),
        [Asked(U, expected=NO_IDENTITY, context={"aws:tagkeys": ("team",)})],
    ),
    (
        36,
        Setting([allow(INVOKE, F.replace(":f", ":${aws:username}-*"))], version="2008-10-17"),
        [Asked(U, resource=F.replace(":f", ":u-a"), expected=NO_IDENTITY, context={"aws:username": "u"})],
    ),
    (
        37,
        Setting([allow(INVOKE, F.replace(":f", ":${aws:PrincipalTag/team}-*"))]),
        [
            Asked(U, resource=F.replace(":f", ":-a"), expected=NO_IDENTITY),
            Asked(U, resource=F.replace(":f", ":red-a"), context={"aws:principaltag/team": "red"}),
        ],
    ),
    (38, Setting(rp=[trust(aws(A))]), [Asked(U, ASSUME, ROLE_ARN, NO_IDENTITY)]),
    (38, Setting([allow(ASSUME)], [trust(aws(A))]), [Asked(U, ASSUME, ROLE_ARN)]),
    (39, Setting(rp=[trust(aws(U.arn))]), [Asked(U, ASSUME, ROLE_ARN)]),
    (40, Setting([allow(ASSUME)], [trust(LAMBDA)]), [Asked(U, ASSUME, ROLE_ARN, NO_TRUST)]),
    (41, Setting([LAMBDA_ALL]), [Asked(U, "lambda:CreateFunction"), Asked(U, "iam:PassRole", ROLE_ARN, NO_IDENTITY)]),
    (
        42,
        Setting([allow("iam:PassRole", Condition=PASSES)]),
        [
            Asked(U, "iam:PassRole", ROLE_ARN, NO_IDENTITY, {"iam:passedtoservice": "scheduler.amazonaws.com"}),
            Asked(U, "iam:PassRole", ROLE_ARN, context={"iam:passedtoservice": "lambda.amazonaws.com"}),
        ],
    ),
    (
        43,
        Setting(rp=[grant(aws(ROLE_ARN))], ids={ROLE_ARN: R.identity_id}),
        [Asked(R), Asked(R_ANEW, expected=NO_IDENTITY)],
    ),
    (44, Setting([allow()]), [Asked(XU, resource=ALIAS, expected=NO_RESOURCE)]),
    (44, Setting([allow()], [grant(aws(X))]), [Asked(XU), Asked(XU, resource=ALIAS, expected=NO_RESOURCE)]),
    (
        45,
        Setting(rp=[URL_GRANT]),
        [
            Asked(ANONYMOUS, "lambda:InvokeFunctionUrl", context=URL),
            Asked(ANONYMOUS, INVOKE, expected=NO_RESOURCE, context=URL),
        ],
    ),
    (
        46,
        Setting([allow(["lambda:InvokeFunctionUrl", INVOKE], F)]),
        [Asked(U, "lambda:InvokeFunctionUrl", context={"lambda:functionurlauthtype": "AWS_IAM"}), Asked(U)],
    ),
    (
        47,
        Setting([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]),
        [Asked(U), Asked(U, "sqs:SendMessage"), Asked(U, "iam:GetRole", ROLE_ARN, NO_IDENTITY)],
    ),
    (
        48,
        Setting([allow("lambda:*"), {"Effect": "Deny", "Action": "lambda:*", "NotResource": [F]}]),
        [Asked(U), Asked(U, LIST, "*", DENIED)],
    ),
    (
        49,
        Setting([allow(Condition={"Null": {"aws:TokenIssueTime": "true"}})]),
        [Asked(U), Asked(R, expected=NO_IDENTITY, context={"aws:tokenissuetime": "2026-01-01T00:00:00Z"})],
    ),
    (
        50,
        Setting([allow(Condition={"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}})]),
        [Asked(U), Asked(U, expected=NO_IDENTITY, context={"aws:sourceip": "10.1.1.1"})],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("number", "setting", "questions"), FIFTY, ids=[f"{number}" for number, *_ in FIFTY])
def test_the_fifty_cases(number: int, setting: Setting, questions: list[Asked]) -> None:
    """What is documented of evaluation, one case each; of roles passed and URLs what evaluation sees of them."""
    for question in questions:
        verdict = asked(setting, question)
        if question.expected is True:
            assert verdict.is_allowed, question
        else:
            assert not verdict.is_allowed, question
            assert verdict.why(question.action) == str(question.expected).format(question.action)


def test_all_fifty_are_there() -> None:
    """None got lost."""
    assert {number for number, *_ in FIFTY} == set(range(1, 51))


EVERYBODY = [U, XU, R, root_of(A), root_of(X), EVENTS, ANONYMOUS]


@pytest.mark.parametrize(
    ("principal", "grants"),
    [
        ("*", "DDDDDDD"),
        ({"AWS": "*"}, "DDDDDDD"),
        (aws(A), "A-AD---"),
        (aws(f"arn:aws:iam::{X}:root"), "-A--D--"),
        (aws(U.arn), "D------"),
        (aws(U.unique_id), "D------"),
        (aws(U.arn.replace("/u", "/U")), "-------"),
        (aws(ROLE_ARN), "--R----"),
        (aws(ROLE_ARN, A), "A-RD---"),
        (aws("AROARRRRRRRRRRRRRRRRR"), "--R----"),
        (aws(f"arn:aws:iam::{A}:role/r"), "-------"),
        (aws(SESSION_ARN), "--D----"),
        (aws(f"arn:aws:sts::{A}:assumed-role/p/r/s"), "-------"),
        (aws(f"arn:aws:iam::{A}:user/*", f"arn:aws:iam::{A}:group/g", ""), "-------"),
        ({"Service": "events.amazonaws.com"}, "-----D-"),
        ({"Service": ["s3.amazonaws.com"], "AWS": U.arn}, "D------"),
        ({"Federated": "accounts.example.com"}, "-------"),
        ({"CanonicalUser": "0123"}, "-------"),
        ({"AWS": ["anonymous", "events.amazonaws.com"]}, "-------"),
        ({"AWS": []}, "-------"),
    ],
)
def test_whom_a_principal_means(principal: Any, grants: str) -> None:
    """An account delegates, but to its root; a role is less than its session; nobody is meant by part of a name."""
    statement = compile_policy({"Statement": grant(principal)}).statements[0]
    letters = {Grant.NONE: "-", Grant.ACCOUNT: "A", Grant.ROLE: "R", Grant.DIRECT: "D"}
    assert "".join(letters[statement.grants_to(one)] for one in EVERYBODY) == grants


@pytest.mark.parametrize(
    ("principal", "allowed", "denied"),
    [
        ("*", "-------", "-------"),
        (aws(U.arn), "-DDDDDD", "DDDDDDD"),
        (aws(U.arn, A), "-D--DDD", "-DD-DDD"),
        (aws(U.unique_id, A), "-D--DDD", "-DD-DDD"),
        (aws(A), "-D--DDD", "DDD-DDD"),
        (aws(ROLE_ARN, A), "-D--DDD", "DDD-DDD"),
        (aws(ROLE_ARN, SESSION_ARN, A), "-D--DDD", "DD--DDD"),
        (aws(ROLE_ARN, SESSION_ARN), "DD-DDDD", "DDDDDDD"),
        ({"Service": "events.amazonaws.com"}, "DDDDD-D", "DDDDD-D"),
    ],
)
def test_whom_a_notprincipal_means(principal: Any, allowed: str, denied: str) -> None:
    """Everybody else. A Deny spares only who is listed with the account, and a session with its role."""
    for effect, grants in (("Allow", allowed), ("Deny", denied)):
        document = {"Statement": {"Effect": effect, "NotPrincipal": principal, "Action": "*", "Resource": "*"}}
        statement = compile_policy(document).statements[0]
        assert "".join("D" if statement.grants_to(one) else "-" for one in EVERYBODY) == grants
        for one in EVERYBODY:
            expected = Grant.DIRECT if effect == "Deny" else statement.grants_to(one)
            assert statement.grants_to(one, has_boundary=True) is expected


def test_nobody_is_named_by_who_has_no_name() -> None:
    """A principal that is known by its ARN alone has no id, which no policy can name."""
    bare = Principal(PrincipalType.ROLE, A, ROLE_ARN, "", ROLE_ARN)
    assert compile_policy({"Statement": grant(aws(""))}).statements[0].grants_to(bare) is Grant.NONE
    assert compile_policy({"Statement": grant(aws(ROLE_ARN))}).statements[0].grants_to(bare) is Grant.DIRECT


ROWS_OF_ONE_ACCOUNT = [
    # Who, whom the resource policy names, whether identity, boundary and session policies allow, what is decided.
    (U, aws(U.arn), False, False, None, True),
    (R, aws(ROLE_ARN), False, None, None, True),
    (R, aws(ROLE_ARN), False, True, True, True),
    (R, aws(ROLE_ARN), True, False, True, PolicyKind.BOUNDARY),
    (R, aws(ROLE_ARN), True, True, False, PolicyKind.SESSION),
    (R, aws(SESSION_ARN), False, False, False, True),
    (U, aws(A), False, None, None, PolicyKind.IDENTITY),
    (U, aws(A), True, None, None, True),
    (U, aws(A), True, False, None, PolicyKind.BOUNDARY),
    (R, "*", False, False, False, True),
    (root_of(A), aws(A), None, None, None, True),
    (root_of(A), None, None, None, None, True),
    (EVENTS, {"Service": "events.amazonaws.com"}, None, None, None, True),
    (EVENTS, None, None, None, None, PolicyKind.RESOURCE),
    (ANONYMOUS, aws(A), None, None, None, PolicyKind.RESOURCE),
    (XU, aws(XU.arn), True, None, None, True),
    (XU, aws(XU.arn), True, False, None, PolicyKind.BOUNDARY),
    (XU, aws(XU.arn), True, None, False, PolicyKind.SESSION),
    (XU, "*", False, None, None, PolicyKind.IDENTITY),
    (root_of(X), aws(X), None, None, None, True),
    (root_of(X), None, None, None, None, PolicyKind.RESOURCE),
]


@pytest.mark.parametrize(("who", "named", "identity", "boundary", "session", "expected"), ROWS_OF_ONE_ACCOUNT)
def test_what_a_grant_does(
    who: Principal,
    named: Any,
    identity: bool | None,
    boundary: bool | None,
    session: bool | None,
    expected: bool | PolicyKind,
) -> None:
    """Who is named how closely spares which of the other policies; of another account none."""
    says = {None: None, False: [], True: [allow()]}
    setting = Setting(says[identity], None if named is None else [grant(named)], says[boundary], says[session])
    verdict = asked(setting, Asked(who))
    assert verdict.is_allowed is (expected is True)
    assert expected is True or verdict.kind is expected
    assert verdict.is_lasting


@pytest.mark.parametrize("kind", ["id", "rp", "pb", "sp"])
def test_a_deny_of_any_kind_overrides(kind: str) -> None:
    """Nothing allows what one of them denies; the refusal names which."""
    everything: dict[str, Any] = {"id": [allow()], "rp": [grant("*")], "pb": [allow()], "sp": [allow()]}
    assert asked(Setting(**everything), Asked(R)).is_allowed
    denial = grant("*", Effect="Deny") if kind == "rp" else deny()
    verdict = asked(Setting(**{**everything, kind: [*everything[kind], denial]}), Asked(R))
    names = {
        "id": "an identity-based policy", "rp": "a resource-based policy",
        "pb": "a permissions boundary", "sp": "a session policy",
    }  # fmt: skip
    assert not verdict.is_allowed
    assert verdict.why(INVOKE) == f"with an explicit deny in {names[kind]}"


def test_a_root_is_subject_to_what_the_resource_denies() -> None:
    """Of its own account nothing else binds it."""
    assert not asked(Setting(rp=[grant(aws(A), Effect="Deny")]), Asked(root_of(A))).is_allowed
    assert asked(Setting(rp=[grant(aws(X), Effect="Deny")]), Asked(root_of(A))).is_allowed


def test_a_role_is_assumed_only_if_its_trust_policy_says_so() -> None:
    """Not even by root of its account; a Deny there is told as one of the trust policy's."""
    for who in (U, R, root_of(A), XU, root_of(X)):
        verdict = asked(Setting([allow()]), Asked(who, ASSUME, ROLE_ARN))
        assert (verdict.is_allowed, verdict.kind) == (False, PolicyKind.TRUST)
    assert asked(Setting(rp=[trust(aws(A))]), Asked(root_of(A), ASSUME, ROLE_ARN)).is_allowed
    assert asked(Setting(rp=[trust({"Service": "lambda.amazonaws.com"})]),
                 Asked(service_principal("lambda.amazonaws.com"), ASSUME, ROLE_ARN)).is_allowed  # fmt: skip
    denied = Setting([allow()], [trust("*"), {**trust(aws(U.arn)), "Effect": "Deny"}])
    verdict = asked(denied, Asked(U, ASSUME, ROLE_ARN))
    assert verdict.why(ASSUME) == "with an explicit deny in the role trust policy"
    assert asked(Setting(rp=[trust(aws(XU.arn))]), Asked(XU, ASSUME, ROLE_ARN)).kind is PolicyKind.IDENTITY
    assert asked(Setting([allow()], [trust(aws(XU.arn))]), Asked(XU, ASSUME, ROLE_ARN)).is_allowed


def test_a_statement_without_principals_is_for_nobody_in_a_resource_policy() -> None:
    """It would be for everybody if it were read like one of an identity."""
    assert not asked(Setting(rp=[allow()]), Asked(U)).is_allowed
    assert not asked(Setting(rp=[allow()]), Asked(ANONYMOUS)).is_allowed
    assert asked(Setting([allow()], rp=[deny()]), Asked(U)).is_allowed


def test_what_lasts() -> None:
    """A verdict is remembered unless a condition or a variable was asked."""
    by_time = allow(Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01"}})
    by_name = allow(INVOKE, F.replace(":f", ":${aws:username}"))
    assert asked(Setting([allow()]), Asked(U)).is_lasting
    assert asked(Setting([allow(), by_time]), Asked(U)).is_lasting
    assert not asked(Setting([by_time]), Asked(U)).is_lasting
    assert not asked(Setting([by_name]), Asked(U, context={"aws:username": "f"})).is_lasting
    assert not asked(Setting([allow(), {**by_time, "Effect": "Deny"}]), Asked(U)).is_lasting
    # What is about something else was not asked.
    assert asked(Setting([allow(), {**by_time, "Effect": "Deny", "Action": "sqs:*"}]), Asked(U)).is_lasting
    assert asked(
        Setting([allow(INVOKE, F.replace(":f", ":${*}*"))]), Asked(U, resource=F.replace(":f", ":*x"))
    ).is_lasting


def test_the_context_is_looked_at_only_where_a_condition_asks() -> None:
    """It may be costly to make."""

    class Forbidden(dict[str, Value]):
        def get(self, key: str, default: Any = None) -> Any:
            raise AssertionError(key)

    assert asked(Setting([allow("lambda:*", [f"{F}*", "*"])]), Asked(U, context=Forbidden())).is_allowed
    with pytest.raises(AssertionError, match="aws:x"):
        asked(Setting([allow(Condition={"StringLike": {"aws:X": "a"}})]), Asked(U, context=Forbidden()))


def test_the_keys_of_policies() -> None:
    """All that their conditions and variables look at, in small letters, so that only these are looked up."""
    policy = compile_policy(
        {
            "Version": "2012-10-17",
            "Statement": [
                allow(resource="arn:aws:s3:::${aws:PrincipalTag/Team}/*"),
                allow(Condition={"StringLike": {"AWS:SourceArn": "${aws:username}"}, "Null": {"aws:X": "true"}}),
            ],
        }
    )
    keys = {"aws:principaltag/team", "aws:sourcearn", "aws:username", "aws:x"}
    assert policy.keys == keys
    assert Policies([policy, compile_policy({"Statement": []})]).keys == keys
    assert Policies([]).keys == frozenset()


_NAMES = ["f", "g", "f:prod"]
_RESOURCES = [F.replace(":f", f":{name}") for name in _NAMES]
_CONDITIONS = st.sampled_from(
    [
        {},
        {"StringEquals": {"aws:username": "u"}},
        {"StringNotEquals": {"aws:PrincipalTag/team": "red"}},
        {"ForAnyValue:StringLike": {"aws:TagKeys": ["t*"]}},
        {"IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}},
    ]
)
_CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "aws:username": st.sampled_from(["u", "v"]),
        "aws:principaltag/team": st.sampled_from(["red", "blue"]),
        "aws:tagkeys": st.sampled_from([("team",), ("cost", "team"), ()]),
        "aws:sourceip": st.sampled_from(["10.0.0.1", "11.0.0.1"]),
    },
)
_PRINCIPALS = st.sampled_from(
    ["*", aws(A), aws(X), aws(U.arn), aws(ROLE_ARN), aws(SESSION_ARN), {"Service": "events.amazonaws.com"}]
)


def _statements(**members: Any) -> st.SearchStrategy[list[Statement]]:
    one = st.fixed_dictionaries(
        {
            "Effect": st.sampled_from(["Allow", "Deny"]),
            "Action": st.sampled_from([INVOKE, "lambda:*", "*", "LAMBDA:invoke*", "sqs:*", ["sqs:*", INVOKE]]),
            "Resource": st.sampled_from([*_RESOURCES, "*", f"{F}*", [_RESOURCES[1], F], "arn:aws:lambda:*"]),
            "Condition": _CONDITIONS,
            **members,
        }
    )
    return st.lists(one, max_size=4)


_SETTINGS = st.builds(
    Setting,
    st.none() | _statements(),
    st.none() | _statements(Principal=_PRINCIPALS),
    st.none() | _statements(),
    st.none() | _statements(),
    version=st.just("2012-10-17"),
    ids=st.just({}),
)
_QUESTIONS = st.builds(
    Asked,
    st.sampled_from(EVERYBODY),
    st.sampled_from([INVOKE, "lambda:GetFunction", "sqs:SendMessage"]),
    st.sampled_from([*_RESOURCES, "*"]),
    expected=st.just(True),
    context=_CONTEXTS,
    owner=st.sampled_from([A, X]),
)


@given(_SETTINGS, _QUESTIONS, st.sampled_from(["id", "rp", "pb", "sp"]), _statements(Principal=_PRINCIPALS))
def test_denying_more_never_allows_more(setting: Setting, question: Asked, kind: str, more: list[Statement]) -> None:
    """In whatever policy that is there already."""
    before = getattr(setting, kind)
    if before is not None:
        denials = [{**one, "Effect": "Deny"} for one in more]
        after = setting._replace(**{kind: [*before, *denials]})
        assert asked(after, question).is_allowed <= asked(setting, question).is_allowed


@given(_SETTINGS, _QUESTIONS, st.sampled_from(["id", "rp", "pb", "sp"]), _statements(Principal=_PRINCIPALS))
def test_allowing_more_never_allows_less(setting: Setting, question: Asked, kind: str, more: list[Statement]) -> None:
    """Neither in an identity's policies nor in any other."""
    before = getattr(setting, kind)
    if before is not None:
        grants = [{**one, "Effect": "Allow"} for one in more]
        after = setting._replace(**{kind: [*before, *grants]})
        assert asked(after, question).is_allowed >= asked(setting, question).is_allowed


@given(_SETTINGS, _QUESTIONS, _statements())
def test_boundaries_and_session_policies_only_shrink(
    setting: Setting, question: Asked, statements: list[Statement]
) -> None:
    """One that comes never allows what was not."""
    for kind in ("pb", "sp"):
        without = setting._replace(**{kind: None})
        with_one = setting._replace(**{kind: statements})
        assert asked(with_one, question).is_allowed <= asked(without, question).is_allowed


@given(_SETTINGS, _QUESTIONS, st.randoms(use_true_random=False))
def test_the_order_of_statements_is_irrelevant(setting: Setting, question: Asked, random: Any) -> None:
    """Within each policy; nor does it matter how they are spread over documents."""
    shuffled = []
    for statements in setting[:4]:
        again = None if statements is None else list(statements)
        if again is not None:
            random.shuffle(again)
        shuffled.append(again)
    expected = asked(setting, question)
    assert asked(Setting(*shuffled), question).is_allowed is expected.is_allowed
    spread = PolicySet(
        *(
            None if one is None else Policies(compile_policy({"Version": "2012-10-17", "Statement": [s]}) for s in one)
            for one in (setting.id, setting.pb, setting.sp, setting.rp)
        )
    )
    request = AccessRequest(question.who, question.action, question.resource, question.owner, question.context)
    found = decide(request, spread)
    assert (found.is_allowed, found.kind, found.is_explicit) == (
        expected.is_allowed, expected.kind, expected.is_explicit,
    )  # fmt: skip


@given(_SETTINGS, _QUESTIONS)
def test_actions_are_without_case(setting: Setting, question: Asked) -> None:
    """Resources are not."""
    expected = asked(setting, question).is_allowed
    assert asked(setting, question._replace(action=question.action.upper())).is_allowed is expected
    statements = setting.id or []
    lower = setting._replace(
        id=[{**one, "Action": json.loads(json.dumps(one["Action"]).lower())} for one in statements]
    )
    assert asked(lower._replace(id=None if setting.id is None else lower.id), question).is_allowed is expected


@given(_SETTINGS, _QUESTIONS)
def test_a_lasting_verdict_is_the_same_whatever_the_context(setting: Setting, question: Asked) -> None:
    """So that it may be remembered by principal, action and resource."""
    verdict = asked(setting, question)
    if verdict.is_lasting:
        for context in ({}, {"aws:username": "u", "aws:tagkeys": ("team",), "aws:sourceip": "1.1.1.1"}):
            assert asked(setting, question._replace(context=context)) == verdict


def _say_naively(policies: Policies, request: AccessRequest) -> tuple[Grant, bool]:
    found, is_denied = Grant.NONE, False
    for policy in policies.policies:
        for statement in policy.statements:
            named = statement.grants_to(request.principal)
            if (
                named
                and statement.is_about_action(request.action.lower())
                and statement.is_about_resource(request.resource, request.context)
                and statement.holds(request.context)
            ):
                found = max(found, named) if statement.is_allow else found
                is_denied = is_denied or not statement.is_allow
    return found, is_denied


@given(_statements(Principal=_PRINCIPALS), st.lists(_QUESTIONS, min_size=1, max_size=5))
def test_what_is_remembered_changes_nothing(statements: list[Statement], questions: list[Asked]) -> None:
    """Statements found by action and resource are those that a look at all of them finds."""
    policies = Policies([compile_policy({"Version": "2012-10-17", "Statement": statements})])
    for question in questions * 2:
        request = AccessRequest(question.who, question.action, question.resource, A, question.context)
        said = say(request, policies, names_principals=True)
        assert (said.grant, said.is_denied) == _say_naively(policies, request)


def test_thousands_of_policies_cost_what_the_few_do_that_matter() -> None:
    """Statements that name other resources, or are about other actions, are not looked at again."""
    policies = Policies(
        compile_policy(
            {"Statement": [allow(INVOKE, [F.replace(":f", f":f{n}{end}") for end in ("", ":*")]), allow("sqs:*")]}
        )
        for n in range(2_000)
    )
    for name in ("f7", "f7:prod"):
        found = list(policies.about(INVOKE.lower(), F.replace(":f", f":{name}")))
        assert set(found) <= {policies.policies[7].statements[0]}
        assert found
    assert list(policies.about(INVOKE.lower(), F)) == []


def test_what_is_remembered_is_bounded() -> None:
    """Names of actions are what callers say."""
    policies = Policies([compile_policy({"Statement": [allow()]})])
    for number in range(1_000):
        assert say(AccessRequest(U, f"x:{number}", F, A), policies).grant
    assert len(policies._about) <= 128


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["*", F, "Allow"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Statement", "Effect", "Action", "Resource", "Condition", "AWS", "StringLike", "Bool", "k"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
_NEARLY = st.fixed_dictionaries(
    {"Effect": st.just("Deny") | _JSON, "Action": st.just("*") | _JSON},
    optional={"Resource": _JSON, "NotResource": _JSON, "Condition": _JSON, "Principal": _JSON, "NotPrincipal": _JSON,
              "Sid": _JSON, "NotAction": _JSON},
)  # fmt: skip


@given(st.text(max_size=30) | _JSON | st.fixed_dictionaries({"Statement": _NEARLY | st.lists(_NEARLY, max_size=2)}))
def test_nothing_but_malformed_is_ever_raised(document: Any) -> None:
    """Whatever is given, as a text and read; and what is a policy can be asked."""
    for given_as in (document, json.dumps(document)):
        try:
            policy = compile_policy(given_as)
        except MalformedPolicy as error:
            assert str(error)
            continue
        assert isinstance(policy, Policy)
        assert isinstance(asked_all(policy), Verdict)


def asked_all(policy: Policy) -> Verdict:
    context = {"k": ("a", "b"), "aws:username": "x"}
    policies = Policies([policy])
    return decide(AccessRequest(U, INVOKE, F, A, context), PolicySet(policies, policies, policies, policies))


@pytest.mark.parametrize(
    "document",
    [
        "",
        "null",
        "7",
        "[]",
        "{",
        "\ud800",
        '"\\ud800"',
        "[" * 100_000,
        '{"Statement":' * 50_000,
        '{"Statement": [{"Effect": "Allow", "Action": "*", "Condition": {"NumericEquals": {"k": '
        + "9" * 10_000
        + "}}}]}",
        "{}",
        {"Statement": None},
        {"Statement": "x"},
        {"Statement": [[]]},
        {"Statement": allow(Effect="allow")},
        {"Statement": allow(Effect=["Allow"])},
        {"Statement": allow(7)},
        {"Statement": allow([["*"]])},
        {"Statement": allow(None)},
        {"Statement": allow(resource={"a": "b"})},
        {"Statement": {**allow(), "NotAction": "*"}},
        {"Statement": {**allow(), "NotResource": "*"}},
        {"Statement": {"Effect": "Allow", "Resource": "*"}},
        {"Statement": {**allow(), "Principal": "*", "NotPrincipal": "*"}},
        {"Statement": {**allow(), "Principal": "ann"}},
        {"Statement": {**allow(), "Principal": {}}},
        {"Statement": {**allow(), "Principal": {"AWS": {}}}},
        {"Statement": {**allow(), "Principal": {"AWS": [7]}}},
        {"Statement": allow(Condition=[])},
        {"Statement": allow(Condition={"StringMatches": {"k": "x"}})},
    ],
    ids=lambda document: str(document)[:50].encode("ascii", "replace").decode(),
)
def test_what_is_no_policy(document: Any) -> None:
    """It is said in words; nothing else is raised, however deep or long it is."""
    with pytest.raises(MalformedPolicy):
        compile_policy(document)


def test_a_policy_as_large_as_can_be_stored_is_read_once_per_statement() -> None:
    """Neither compiling nor asking looks at a statement more often for there being more of them."""

    class Counting(dict[str, Any]):
        looks = 0

        def get(self, key: str, default: Any = None) -> Any:
            type(self).looks += 1
            return super().get(key, default)

    for count in (100, 1_000):
        Counting.looks = 0
        statements = [Counting(allow(f"lambda:a{number}*", f"{F}{'*a' * 50}{number}")) for number in range(count)]
        policy = compile_policy({"Statement": statements})
        assert Counting.looks <= 10 * count
        assert len(policy.statements) == count
        assert not asked_all(policy).is_allowed


def test_the_old_version_is_the_default() -> None:
    """Without a Version, `${` is text."""
    for version in ({}, {"Version": "2008-10-17"}):
        policy = compile_policy({**version, "Statement": [allow(resource="arn:aws:s3:::${aws:username}")]})
        assert policy.keys == frozenset()
        assert policy.statements[0].is_about_resource("arn:aws:s3:::${aws:username}", {})


def test_statements_know_their_place() -> None:
    """By number and Sid, which need not be there; a policy has the name that it was given."""
    policy = compile_policy({"Statement": [allow(Sid="a"), allow(), allow(Sid=7)]}, name="n")
    assert [(one.number, one.sid) for one in policy.statements] == [(0, "a"), (1, ""), (2, "")]
    assert policy.name == "n"
    assert compile_policy(json.dumps({"Statement": allow()})).statements[0].is_allow
    assert msgspec.structs.replace(policy, name="m").name == "m"
