"""Documents that somebody may write: what is refused, in whose words, and which refusal comes first."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.policy import compile_policy
from lambent.domain.policy_document import (
    MANAGED_MAX,
    TRUST_MAX,
    RefusedDocument,
    check_boundary,
    check_identity_policy,
    check_managed_policy,
    check_trust_policy,
    counted_size,
)

A = "111122223333"
SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
VERSION = "Policy document must be version 2012-10-17 or greater."
UNIQUE = "Statement IDs (SID) in a single policy must be unique."
ACTIONS = "Policy statement must contain actions."
RESOURCES = "Policy statement must contain resources."
VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
PRINCIPAL = "Policy document should not specify a principal."


def statement(**members: Any) -> dict[str, Any]:
    found = {"Effect": "Allow", "Action": "lambda:GetFunction", "Resource": "*", **members}
    return {name: value for name, value in found.items() if value is not None}


def document(*statements: Any, **members: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements) or [statement()], **members})


def trust(**members: Any) -> str:
    found = {
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole", **members,
    }  # fmt: skip
    return document({name: value for name, value in found.items() if value is not None})


def refusal(check: Callable[[str], None], text: str) -> str:
    with pytest.raises(RefusedDocument) as caught:
        check(text)
    assert caught.value.code == "MalformedPolicyDocument"
    assert str(caught.value) == caught.value.text
    return caught.value.text


@pytest.mark.parametrize(
    "text",
    [
        document(),
        document(statement(), statement(Sid="a"), statement(Sid="B1"), Id="x"),
        json.dumps({"Version": "2012-10-17", "Statement": statement()}),
        document(statement(Sid=""), statement(Sid="")),
        document(statement(Action="*", Effect="Deny")),
        document(statement(Action=None, NotAction=["iam:*", "a.b-c:G?t"], Resource=None, NotResource="*")),
        # Neither actions nor keys have to be there. Observed: localstack (recorded).
        document(statement(Action="apigatway:PUT", Condition={"StringEquals": {"x:no": "${aws:username}"}})),
        document(statement(Condition={"DateLessThan": {"aws:CurrentTime": ["2026-01-01T00:00:00Z", 1767323045]}})),
        document(statement(Condition={})),
        # Observed: localstack (recorded 2026-02), to the end.
        document(statement(Condition={"whatever": {}, "DateGreaterThan": {}})),
        document(statement(Condition={"DateGreaterThan": {"a": []}, "StringEqualsIfExists": {"a": "x"}})),
        *(
            document(statement(Condition={"DateLessThan": {"a": date}}))
            for date in ("01T", "-292275054", "2016-12-13t2:00:00.593194+23", "2016-12-13T21:20:37.593194+00:00")
        ),
        document(statement(Action="iam: two words ", Resource="arn:aws:iam:::user/x")),
        document(statement(Action="a-b.c:List", Resource="arn:aws:nothing")),
        *(
            document(statement(Resource=resource))
            for resource in (
                "arn:aws:lambda:*",
                "arn:*",
                "arn:aws:*",
                "arn:aws-cn:sqs:cn-north-1:*:q",
                "arn:*:s3:::b/*",
                "arn:aws:iam::*:role/x",
                "arn:aws:iam::111122223333:*",
                "arn:aws:iam::111122223333:root",
                f"arn:aws:s3:eu-west-1:{A}:accesspoint/x",
                "arn:aws:logs:*:*:log-group:/aws/lambda/*:*",
            )
        ),
    ],
)  # fmt: skip
def test_what_is_a_policy(text: str) -> None:
    """It is kept, and can be evaluated; as a boundary too."""
    check_identity_policy(text)
    check_boundary(text)
    compile_policy(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", SYNTAX),
        ("{", SYNTAX),
        ("[]", SYNTAX),
        ("[" * 100_000, SYNTAX),
        ('{"Version":"2012-10-17","Statement":[],"Statement":[]}', SYNTAX),
        ('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:b","Action":"a:b"}}', SYNTAX),
        (document(statement(Condition={"StringEquals": {"a:b": float("nan")}})), SYNTAX),
        (document(Statement=[]), SYNTAX),
        (document(Statement="x"), SYNTAX),
        (document(Statement=["x"]), SYNTAX),
        (document(More="x"), SYNTAX),
        (document(Id=7), SYNTAX),
        (document(Version="2020-01-01"), SYNTAX),
        (document(Version=2012), SYNTAX),
        (document(statement(Because="x")), SYNTAX),
        (document(statement(Effect=None)), SYNTAX),
        (document(statement(Effect="Perhaps")), SYNTAX),
        (document(statement(Effect=["Allow"])), SYNTAX),
        (document(statement(Sid=7)), SYNTAX),
        (document(statement(Action=7)), SYNTAX),
        (document(statement(Action=["a:b", 7])), SYNTAX),
        (document(statement(Resource={})), SYNTAX),
        (document(statement(NotAction="a:b")), SYNTAX),
        (document(statement(NotResource="*")), SYNTAX),
        (document(statement(Principal="*", NotPrincipal="*")), SYNTAX),
        (document(statement(Principal={"Who": "x"})), SYNTAX),
        (document(statement(Condition=[])), SYNTAX),
        (document({**statement(), "Condition": None}), SYNTAX),
        (document(statement(Condition={"StringMatches": {"a:b": "x"}})), SYNTAX),
        (document(statement(Condition={"StringEquals": {"a:b": {}}})), SYNTAX),
        (json.dumps({"Statement": statement()}), VERSION),
        (document(Version="2008-10-17"), VERSION),
        (document(statement(Effect="allow")), LEGACY),
        *(
            (document(statement(**{member: resource, **({} if member == "Resource" else {"Resource": None})})), LEGACY)
            for member in ("Resource", "NotResource")
            for resource in ("arn:aws:s3::b", "arn:aws::b", "arn:aws::::b", ["*", "arn:aws:s3:::b", "arn:aws:"])
        ),
        *(
            (document(statement(Condition={"ForAnyValue:DateEqualsIfExists": {"a": ["2026", date]}})), LEGACY)
            for date in (
                "soon", "234-13", "2016-12-13t2:00:00.5+1", "2016-12-13t2:00:00.1999999999+10:59",
                "9223372036854775808", "", "1" * 30,
            )
        ),
        (document(statement(Sid="a"), statement(Sid="a")), UNIQUE),
        (
            document(statement(Sid="a b")),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
            "[0-9A-Za-z]*",
        ),
        (document(statement(Action=None)), ACTIONS),
        (document(statement(Action=[])), ACTIONS),
        (document(statement(Resource="b")), 'Resource b must be in ARN format or "*".'),
        (document(statement(Resource="arn")), 'Resource arn must be in ARN format or "*".'),
        (document(statement(Resource=["*", ""])), 'Resource  must be in ARN format or "*".'),
        *(
            (document(statement(Resource=resource)),
             f'Partition "{whole.split(":")[1]}" is not valid for resource "{whole}".')
            for resource, whole in (
                ("arn:my:s3:::b", "arn:my:s3:::b"),
                ("arn:my:s3::b", "arn:my:s3::b:*"),
                ("a:my", "arn:my:*:*:*:*"),
                ("a:b:c:d:e:f:g:h", "arn:b:c:d:e:f:g:h"),
                ("aws:s3:::b", "arn:s3:::b:*"),
            )
        ),
        (document(statement(Resource="x:aws:s3:::b")), 'Resource x:aws:s3:::b must be in ARN format or "*".'),
        (document(statement(Resource="arn:aws")),
         "Resource vendor must be fully qualified and cannot contain regexes."),
        *(
            (document(statement(Resource=f"arn:aws:{vendor}:::b")),
             "Resource vendor must be fully qualified and cannot contain regexes.")
            for vendor in ("*", "s?", "lamb*")
        ),
        (
            document(statement(Resource=f"arn:aws:iam:eu-west-1:{A}:role/x")),
            f"IAM resource arn:aws:iam:eu-west-1:{A}:role/x cannot contain region information.",
        ),
        (
            document(statement(Resource="arn:aws:s3:eu-west-1::b")),
            "Resource arn:aws:s3:eu-west-1::b can not contain region information.",
        ),
        (
            document(statement(Resource=f"arn:aws:iam::{A}:roles/x")),
            'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, '
            "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, "
            "access-report/.",
        ),
        (document(statement(Action="GetFunction")), VENDOR),
        (document(statement(Action=None, NotAction="")), VENDOR),
        (document(statement(Action="lambda:Get:Function")), "Actions/Condition can contain only one colon."),
        (document(statement(Action="lamb*:Get")), "Vendor lamb* is not valid"),
        (document(statement(Action=":Get")), "Vendor  is not valid"),
        (document(statement(Resource=None)), RESOURCES),
        (document(statement(Resource=[])), RESOURCES),
        (document(statement(Principal="*")), PRINCIPAL),
        (document(statement(NotPrincipal={"AWS": A})), PRINCIPAL),
    ],
)  # fmt: skip
def test_what_is_no_policy_of_an_identity(text: str, expected: str) -> None:
    """Each with the words of the service."""
    assert refusal(check_identity_policy, text) == expected
    assert refusal(check_managed_policy, text) == expected


# From the last that is looked at to the first.
WRONGS: list[tuple[dict[str, Any], str]] = [
    ({"Principal": "*"}, PRINCIPAL),
    ({"Action": "x"}, VENDOR),
    ({"Resource": []}, RESOURCES),
    ({"Resource": "b"}, 'Resource b must be in ARN format or "*".'),
    ({"Action": []}, ACTIONS),
    ({"Sid": "a"}, UNIQUE),
    ({"Effect": "allow"}, LEGACY),
]


def test_the_order_of_refusals() -> None:
    """What comes first is told, wherever it stands."""
    wrong: dict[str, Any] = {}
    for more, expected in WRONGS:
        wrong |= more
        second = statement(Sid="a") if "Sid" in wrong else statement()
        assert refusal(check_identity_policy, document(second, statement(**wrong))) == expected
    assert refusal(check_identity_policy, document(statement(**wrong), Version="2008-10-17")) == VERSION
    assert refusal(check_identity_policy, document(statement(**wrong, X=1), Version="2008-10-17")) == SYNTAX


@pytest.mark.parametrize(
    "text",
    [
        trust(),
        trust(Principal="*"),
        trust(Principal={"AWS": [A, "*"], "Federated": "accounts.example.com"}),
        trust(Action=["sts:AssumeRole", "STS:TagSession", "sts:SetSourceIdentity", "sts:AssumeRoleWithSAML"]),
        trust(Effect="Deny", Condition={"StringNotEquals": {"sts:ExternalId": "x"}}),
        json.dumps({"Statement": json.loads(trust())["Statement"]}),
        trust().replace("2012-10-17", "2008-10-17"),
    ],
)
def test_what_is_a_trust_policy(text: str) -> None:
    """Of either version; what it names need not be there."""
    check_trust_policy(text)
    compile_policy(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no JSON", "This policy contains invalid Json"),
        ("[]", "This policy contains invalid Json"),
        ('{"Statement":[],"Statement":[]}', "This policy contains invalid Json"),
        (document(Statement=[]), SYNTAX),
        (trust(Principal={"Who": "x"}), SYNTAX),
        (trust(Effect="allow"), LEGACY),
        (trust(Resource="*"), "Has prohibited field Resource"),
        (trust(NotResource="*"), "AssumeRole policy must not contain resources."),
        (trust(Principal=None, NotPrincipal="*"), "AssumeRole policy must not contain NotPrincipal field."),
        (trust(Action=[]), "Missing required field Action"),
        (trust(Action=None, NotAction="sts:Get*"), "AssumeRole policy may only specify STS AssumeRole actions."),
        *(
            (trust(Action=action), "AssumeRole policy may only specify STS AssumeRole actions.")
            for action in ("lambda:*", "sts:GetCallerIdentity", ["sts:AssumeRole", "sts:TagSessions"], "*", "sts:*")
        ),
        *(
            (
                trust(Principal=principal),
                "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in policy has "
                "a statement with no principals!",
            )
            for principal in (None, {}, {"AWS": []})
        ),
        (document(*json.loads(trust(Sid="a"))["Statement"] * 2), UNIQUE),
    ],
)  # fmt: skip
def test_what_is_no_trust_policy(text: str, expected: str) -> None:
    """Only `sts` actions, no resources, and always somebody."""
    assert refusal(check_trust_policy, text) == expected


@pytest.mark.parametrize(
    ("check", "most", "text", "quota"),
    [
        (check_managed_policy, MANAGED_MAX, document(statement(Sid="@")), "PolicySize: 6144"),
        (check_boundary, MANAGED_MAX, document(statement(Sid="@")), "PolicySize: 6144"),
        (check_trust_policy, TRUST_MAX, trust(Sid="@"), "ACLSizePerRole: 2048"),
    ],
)
def test_sizes(check: Callable[[str], None], most: int, text: str, quota: str) -> None:
    """White space does not count; one character more is one too many."""
    room = most - counted_size(text) + 1
    check(text.replace("@", "a" * room) + " \r\n\t" * 9_000)
    with pytest.raises(RefusedDocument) as caught:
        check(text.replace("@", "a" * (room + 1)))
    assert (caught.value.code, caught.value.text) == ("LimitExceeded", f"Cannot exceed quota for {quota}")


_PARTS = st.sampled_from(["*", "arn:aws:s3:::b", "arn:*", "lambda:Get*", "sts:AssumeRole", "Allow", "x", "", A])
_VALUES = _PARTS | st.lists(_PARTS, max_size=2) | st.none() | st.integers()
_STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.just("Allow"), "Action": st.just("sts:AssumeRole") | _VALUES},
    optional={
        "Resource": _VALUES,
        "NotResource": _VALUES,
        "NotAction": _VALUES,
        "Sid": _PARTS,
        "Principal": _VALUES | st.dictionaries(st.sampled_from(["AWS", "Service", "x"]), _VALUES, max_size=2),
        "Condition": st.dictionaries(
            st.sampled_from(["StringLike", "DateEquals", "Null", "x"]),
            _VALUES | st.dictionaries(st.sampled_from(["aws:a", "b"]), _VALUES, max_size=2),
            max_size=2,
        ),
    },
)


@given(st.lists(_STATEMENTS, max_size=2))
def test_what_may_be_written_can_be_evaluated(statements: list[dict[str, Any]]) -> None:
    """What any check lets through compiles; what it does not is refused, and nothing else is raised."""
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    for check in (check_identity_policy, check_trust_policy):
        try:
            check(text)
        except RefusedDocument as refused:
            assert refused.text
        else:
            assert compile_policy(text).statements


@given(st.text(max_size=60))
def test_any_text_is_refused_in_words(text: str) -> None:
    """Nothing else is raised."""
    for check in (check_identity_policy, check_trust_policy):
        with pytest.raises(RefusedDocument):
            check(text)
