"""Resource policies: what a document says, what is none, and who is let in. Case FN-02."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.principal import Principal, PrincipalType, root_of
from lambent.domain.resource_policy import (
    POLICY_MAX_BYTES,
    Decision,
    Requester,
    ResourcePolicy,
    allows,
    decide,
    parse_policy,
    principal_of,
    service_for,
    with_statement,
)
from lambent.errors.api.lambda_ import InvalidParameterValueException, PolicyLengthExceededException

ACCOUNT = "222222222222"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ARN = "arn:aws:lambda:eu-west-1:111122223333:function:f"
INVOKE = "lambda:InvokeFunction"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
THEM = Requester(Principal(PrincipalType.ROLE, ACCOUNT, ROLE, "", ROLE))
S3 = service_for("s3.amazonaws.com", "arn:aws:s3:::bkt", "111122223333")


def statement(effect: str = "Allow", principal: Any = "*", **members: Any) -> dict[str, Any]:
    return {"Sid": effect, "Effect": effect, "Principal": principal, "Action": INVOKE, "Resource": ARN, **members}


def policy(*statements: dict[str, Any]) -> ResourcePolicy:
    return ResourcePolicy(statements)


def lets(requester: Requester = THEM, *statements: dict[str, Any], action: str = INVOKE, resource: str = ARN) -> bool:
    return allows(policy(*statements), requester, action, resource)


@pytest.mark.parametrize(
    ("text", "principal"),
    [
        ("*", "*"),
        (ACCOUNT, {"AWS": ROOT}),
        (ROOT, {"AWS": ROOT}),
        ("arn:aws-us-gov:iam::222222222222:user/a/b", {"AWS": "arn:aws-us-gov:iam::222222222222:user/a/b"}),
        ("s3.amazonaws.com", {"Service": "s3.amazonaws.com"}),
        ("logs.cn-north-1.amazonaws.com.cn", {"Service": "logs.cn-north-1.amazonaws.com.cn"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
    ],
)
def test_fn02_principals_are_shown_as_policies_have_them(text: str, principal: Any) -> None:
    """FN-02: everybody, an account by its root, an ARN, a service."""
    assert principal_of(text) == principal


@pytest.mark.parametrize(
    "text", ["", "x", "12345678901", "1" * 13, "arn:aws:s3:::b", "s3.amazonaws.com.x.org", "amazonaws.com", "**"]
)
def test_other_principals_are_refused(text: str) -> None:
    """In the recorded words."""
    with pytest.raises(InvalidParameterValueException, match=r"^The provided principal was invalid\."):
        principal_of(text)


def test_without_a_policy_nobody_is_let_in() -> None:
    """No policy, and one that says nothing of the caller, allow nothing."""
    assert not allows(None, THEM, INVOKE, ARN)
    assert not lets(THEM)
    assert not lets(THEM, statement(principal={"AWS": "444444444444"}))


@pytest.mark.parametrize(
    ("principal", "them", "service"),
    [
        ("*", True, True),
        ({"AWS": "*"}, True, True),
        ({"AWS": ACCOUNT}, True, False),
        ({"AWS": ROOT}, True, False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/r"}, True, False),
        ({"AWS": ["444444444444", ROOT]}, True, False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/*"}, False, False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}, False, False),
        ({"Service": "s3.amazonaws.com"}, False, True),
        ({"Service": ["sns.amazonaws.com", "s3.amazonaws.com"]}, False, True),
        ({"Service": "sns.amazonaws.com", "AWS": ROOT}, True, False),
        ("s3.amazonaws.com", False, False),
    ],
)
def test_whom_a_principal_means(principal: Any, them: bool, service: bool) -> None:
    """Accounts by number, root, or the principal itself; services by name; patterns do not count here."""
    assert lets(THEM, statement(principal=principal)) is them
    assert lets(S3, statement(principal=principal)) is service


@pytest.mark.parametrize(
    ("action", "is_meant"),
    [
        (INVOKE, True),
        ("lambda:invokefunction", True),
        ("lambda:*", True),
        ("*", True),
        ("lambda:Invoke*", True),
        ("lambda:Invoke?unction", True),
        (["lambda:GetPolicy", INVOKE], True),
        ("lambda:GetPolicy", False),
        ("s3:*", False),
        ([], False),
    ],
)
def test_which_actions_are_meant(action: Any, is_meant: bool) -> None:
    """By pattern and without regard to case; one without any means none."""
    assert lets(THEM, statement(Action=action)) is is_meant


@pytest.mark.parametrize(
    ("resource", "of_function", "of_alias"),
    [
        (ARN, True, False),
        (f"{ARN}:live", False, True),
        (f"{ARN}:*", False, True),
        (f"{ARN}*", True, True),
        ("*", True, True),
        ([ARN, f"{ARN}:live"], True, True),
        (ARN.upper(), False, False),
        (ARN.replace("function:f", "function:[f]"), False, False),
    ],
)
def test_which_resources_are_meant(resource: Any, of_function: bool, of_alias: bool) -> None:
    """By pattern, with regard to case: a function's ARN does not mean its aliases. Brackets are no pattern."""
    assert lets(THEM, statement(Resource=resource)) is of_function
    assert lets(THEM, statement(Resource=resource), resource=f"{ARN}:live") is of_alias


def test_a_deny_wins_wherever_it_stands() -> None:
    """Before or after what allows; a deny of something else does not count."""
    allow, deny = statement(), statement("Deny")
    assert not lets(THEM, allow, deny)
    assert not lets(THEM, deny, allow)
    assert decide(policy(allow, deny), THEM, INVOKE, ARN) is Decision.DENIED
    assert decide(policy(deny), THEM, "lambda:GetPolicy", ARN) is Decision.UNMENTIONED
    assert lets(THEM, allow, statement("Deny", Action="lambda:GetPolicy"))
    assert lets(THEM, allow, statement("Deny", principal={"AWS": "444444444444"}))


@pytest.mark.parametrize(
    ("operator", "key", "value", "holds"),
    [
        ("ArnLike", "AWS:SourceArn", "arn:aws:s3:::bkt", True),
        ("ArnLike", "AWS:SourceArn", "arn:aws:s3:::b*", True),
        ("ArnLike", "aws:sourceArn", "arn:*:s3:*:*:bkt", True),
        ("ArnLike", "AWS:SourceArn", "arn:aws:s3:*", False),
        ("ArnLike", "AWS:SourceArn", "arn:aws:s3:::other", False),
        ("ArnEquals", "AWS:SourceArn", ["arn:aws:s3:::other", "arn:aws:s3:::bkt"], True),
        ("ArnNotLike", "AWS:SourceArn", "arn:aws:s3:::b*", False),
        ("ArnNotEquals", "AWS:SourceArn", "arn:aws:s3:::other", True),
        ("StringEquals", "AWS:SourceAccount", "111122223333", True),
        ("StringEquals", "AWS:SourceAccount", "11112222333*", False),
        ("StringEquals", "AWS:SourceAccount", ["1", "2"], False),
        ("StringNotEquals", "AWS:SourceAccount", ["1", "2"], True),
        ("StringNotEquals", "AWS:SourceAccount", ["1", "111122223333"], False),
        ("StringLike", "AWS:SourceAccount", "1111*", True),
        ("StringNotLike", "AWS:SourceAccount", "1111*", False),
        ("StringEqualsIgnoreCase", "AWS:SourceArn", "ARN:AWS:S3:::BKT", True),
        # What the request does not say.
        ("StringEquals", "aws:PrincipalOrgID", "o-1", False),
        ("StringEqualsIfExists", "aws:PrincipalOrgID", "o-1", True),
        ("StringEqualsIfExists", "AWS:SourceAccount", "1", False),
        ("StringNotEquals", "aws:PrincipalOrgID", "o-1", True),
        ("Bool", "aws:SecureTransport", "true", False),
        ("BoolIfExists", "aws:SecureTransport", "true", True),
    ],
)
def test_conditions(operator: str, key: str, value: Any, holds: bool) -> None:
    """Each operator as IAM defines it, for an Allow and for a Deny; keys are without regard to case."""
    condition = {operator: {key: value}}
    assert lets(S3, statement(Condition=condition)) is holds
    assert lets(S3, statement(), statement("Deny", Condition=condition)) is not holds


def test_all_conditions_must_hold() -> None:
    """Operators and keys are joined by and; the values of one key by or."""
    met = {"AWS:SourceAccount": ["1", "111122223333"]}
    source = {"AWS:SourceArn": "arn:aws:s3:::bkt"}
    assert lets(S3, statement(Condition={"StringEquals": met, "ArnLike": source}))
    assert not lets(S3, statement(Condition={"StringEquals": {**met, "aws:other": "x"}, "ArnLike": source}))
    assert not lets(S3, statement(Condition={"StringEquals": met, "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::x"}}))


@pytest.mark.parametrize("wanted", [True, "true", "True"])
def test_booleans(wanted: Any) -> None:
    """Written as JSON or as a string, in any case."""
    condition = {"Bool": {"lambda:InvokedViaFunctionUrl": wanted}}
    for given_text, holds in (("true", True), ("false", False)):
        requester = Requester(root_of(ACCOUNT), {"lambda:invokedviafunctionurl": given_text})
        assert lets(requester, statement(Condition=condition)) is holds


def test_what_is_not_understood_never_opens() -> None:
    """What a later version wrote denies everything, whatever else is allowed."""
    later = statement(Sid="later", Condition={"LunarPhase": {"aws:Moon": "full"}})
    assert not lets(THEM, later)
    assert decide(policy(statement(), later), THEM, "lambda:GetPolicy", "x") is Decision.DENIED


@pytest.mark.parametrize(
    "further",
    [
        {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
        {"Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}},
        {"Condition": {"NumericLessThan": {"a": 7}}},
        {"Condition": {"StringEquals": {"a": "${aws:username}"}}},
        {"Resource": "arn:aws:lambda:*:*:function:${aws:username}"},
        {"NotPrincipal": {"AWS": ROLE}},
        {"NotAction": "lambda:Get*"},
        {"NotResource": f"{ARN}:*"},
    ],
)
def test_the_whole_language_is_offered(further: dict[str, Any]) -> None:
    """What a document may say is kept as it was written."""
    members = {name: value for name, value in statement().items() if f"Not{name}" not in further}
    written = {"Version": "2012-10-17", "Statement": [{**members, **further}]}
    assert json.loads(parse_policy(json.dumps(written)).text()) == written


def test_a_statement_that_names_nobody_is_for_nobody() -> None:
    """Only the policies of identities are without principals."""
    nobody = {name: value for name, value in statement().items() if name != "Principal"}
    assert not lets(THEM, nobody)
    assert not lets(S3, nobody)


def wildcard(pattern: str) -> "re.Pattern[str]":
    """Return `*` and `?` as a regular expression: the other way to say it."""
    return re.compile("".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern), re.DOTALL)


@given(st.text("ab*?[]!-.:\n", max_size=8), st.text("ab[]!-.:\n", max_size=8))
def test_patterns_know_two_signs(pattern: str, text: str) -> None:
    """`*` is any text and `?` any character; brackets, which Python's matcher knows as well, are themselves."""
    expected = wildcard(pattern).fullmatch(text) is not None
    assert lets(THEM, statement(Resource=pattern), resource=text) is expected


_NAMES = st.text('abcé-"\\ ', min_size=1, max_size=5)
_STATEMENTS = st.builds(
    statement,
    effect=st.sampled_from(["Allow", "Deny"]),
    principal=st.sampled_from(["*", {"AWS": ACCOUNT}, {"AWS": ["1", ROOT]}, {"Service": "s3.amazonaws.com"}]),
    Action=st.sampled_from([INVOKE, ["lambda:*"], "*"]),
    Resource=st.sampled_from([ARN, "*", [f"{ARN}:*", ARN]]),
    Condition=st.dictionaries(
        st.sampled_from(["StringEquals", "ArnLikeIfExists", "Bool"]),
        st.dictionaries(_NAMES, st.one_of(_NAMES, st.lists(_NAMES), st.booleans()), max_size=2),
        max_size=2,
    ),
)


@given(st.lists(_STATEMENTS, min_size=1, max_size=4))
def test_a_document_is_read_as_it_was_written(statements: list[dict[str, Any]]) -> None:
    """Its text parses to the same policy and is JSON without blanks; what it allows is the same."""
    numbered = [{**one, "Sid": str(number)} for number, one in enumerate(statements)]
    written = policy(*numbered)
    read = parse_policy(written.text())
    assert read == written
    assert json.loads(read.text()) == {"Version": "2012-10-17", "Id": "default", "Statement": numbered}
    for requester in (THEM, S3):
        assert allows(read, requester, INVOKE, ARN) is allows(written, requester, INVOKE, ARN)


@given(st.lists(_STATEMENTS, max_size=4), _STATEMENTS)
def test_more_denial_never_lets_more_in(statements: list[dict[str, Any]], more: dict[str, Any]) -> None:
    """A statement that denies takes away or changes nothing; one that allows adds or changes nothing."""
    before = lets(THEM, *statements)
    after = lets(THEM, *statements, more)
    assert after <= before if more["Effect"] == "Deny" else after >= before


def test_one_statement_may_stand_without_a_list() -> None:
    """A lone statement, an absent Id and the old Version are policies."""
    read = parse_policy(json.dumps({"Version": "2008-10-17", "Statement": statement()}))
    assert read == ResourcePolicy((statement(),), version="2008-10-17", id=None)
    assert "Id" not in json.loads(read.text())
    assert parse_policy(json.dumps({"Statement": statement()})).version == "2008-10-17"


@pytest.mark.parametrize(
    "document",
    [
        "",
        "null",
        '"x"',
        "[" * 5000,
        {},
        {"Statement": []},
        {"Statement": "x"},
        {"Statement": ["x"]},
        {"Statement": statement(), "Version": "2012-10-18"},
        {"Statement": statement(), "Id": 7},
        {"Statement": [statement(), statement()]},
        {"Statement": statement("allow")},
        {"Statement": statement(Action=7)},
        {"Statement": statement(Action=[])},
        {"Statement": statement(Resource=[ARN, 7])},
        {"Statement": statement(principal={})},
        {"Statement": statement(principal="s3.amazonaws.com")},
        {"Statement": statement(principal={"Federated": "x"})},
        {"Statement": statement(principal={"AWS": 7})},
        {"Statement": statement(Condition=[])},
        {"Statement": statement(Condition={"StringEquals": "x"})},
        {"Statement": statement(Condition={"IfExists": {"a": "b"}})},
        {"Statement": statement(Condition={"StringEquals": {"a": None}})},
        {"Statement": statement(Condition={"StringEquals": {"a": {}}})},
        {"Statement": statement(Condition={"NullIfExists": {"a": "true"}})},
        {"Statement": statement(Action=None)},
        {"Statement": statement(Resource=None)},
        {"Statement": {**statement(), "NotPrincipal": "*"}},
        {"Statement": {**statement(), "NotAction": "*"}},
        {"Statement": {**statement(), "NotResource": "*"}},
        {"Statement": {**statement(), "Because": "x"}},
        {"Statement": {key: value for key, value in statement().items() if key != "Principal"}},
    ],
)
def test_what_is_no_policy_is_refused(document: Any) -> None:
    """What cannot be read, or would not act, is never stored."""
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(InvalidParameterValueException, match=r"^The policy document is malformed: "):
        parse_policy(text)


def test_statements_come_and_go() -> None:
    """One more stands at the end; the last one takes the policy along."""
    one = with_statement(None, statement(Sid="a"))
    two = with_statement(one, statement(Sid="b"))
    assert [item["Sid"] for item in two.statements] == ["a", "b"]
    assert two.has("a")
    assert not two.has("c")
    assert two.without("a") == policy(statement(Sid="b"))
    assert one.without("a") is None
    assert one.without("c") == one


def test_the_length_is_counted_in_bytes() -> None:
    """20,480 bytes of UTF-8 are a policy, one more is none; by statement and as a document."""
    empty = len(with_statement(None, statement(Sid="")).text().encode())
    room = POLICY_MAX_BYTES - empty
    full = with_statement(None, statement(Sid="é" * (room // 2) + "x" * (room % 2)))
    assert len(full.text().encode()) == POLICY_MAX_BYTES
    assert parse_policy(full.text()) == full
    with pytest.raises(PolicyLengthExceededException, match=r"\(20481\) is bigger than the limit \(20480\)\.$"):
        with_statement(None, statement(Sid="é" * (room // 2) + "x" * (room % 2 + 1)))
    with pytest.raises(PolicyLengthExceededException):
        parse_policy(full.text() + " ")
