"""The keys that a policy asks for."""

import json

from lambent.services.iam.context_keys import context_keys


def policy(version: str = "2012-10-17", **statement: object) -> str:
    return json.dumps({"Version": version, "Statement": [{"Effect": "Allow", "Action": "s3:*", **statement}]})


def test_conditions_and_variables() -> None:
    """Each once whatever its case, as it is written first; signs in braces are no keys."""
    document = policy(
        Resource=["arn:aws:s3:::${aws:username}/*", "arn:aws:s3:::${*}${?}${$}/${aws:PrincipalTag/team, 'none'}"],
        Condition={
            "StringLike": {"aws:SourceVpc": "${aws:UserName}", "s3:prefix": ["a", "${aws:userid}"]},
            "Bool": {"AWS:sourcevpc": True},
        },
    )
    assert context_keys(document) == [
        "aws:SourceVpc",
        "s3:prefix",
        "aws:username",
        "aws:PrincipalTag/team",
        "aws:userid",
    ]


def test_old_policies_have_no_variables() -> None:
    """In them the text is only text."""
    assert context_keys(policy("2008-10-17", Resource="arn:aws:s3:::${aws:username}/*")) == []


def test_a_single_statement_is_one() -> None:
    """As the grammar has it."""
    statement = {
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": {"Null": {"aws:TokenIssueTime": "true"}},
    }
    assert context_keys(json.dumps({"Version": "2012-10-17", "Statement": statement})) == ["aws:TokenIssueTime"]
