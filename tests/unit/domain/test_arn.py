"""Names of functions, taken apart and put together. Cases NM-01 and NM-02."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.arn import (
    FunctionReference,
    RoleReference,
    function_arn,
    log_group_arn,
    log_stream_arn,
    parse_function_reference,
    parse_role_arn,
)
from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName

ACCOUNT, REGION = "111122223333", "eu-west-1"
SCOPE = Scope(account=ACCOUNT, region=REGION)


def reference(
    name: str, qualifier: str | None = None, account: str | None = None, region: str | None = None
) -> FunctionReference:
    return FunctionReference(name=FunctionName(name), qualifier=qualifier, account=account, region=region)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f", reference("f")),
        ("f:3", reference("f", "3")),
        ("f:live", reference("f", "live")),
        ("f:$LATEST", reference("f", "$LATEST")),
        ("f:$LATEST.PUBLISHED", reference("f", "$LATEST.PUBLISHED")),
        ("function:f", reference("f")),
        ("function:f:live", reference("f", "live")),
        (f"{ACCOUNT}:function:f", reference("f", None, ACCOUNT)),
        (f"{ACCOUNT}:function:f:live", reference("f", "live", ACCOUNT)),
        (f"{REGION}:{ACCOUNT}:function:f", reference("f", None, ACCOUNT, REGION)),
        (f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f", reference("f", None, ACCOUNT, REGION)),
        (f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f:1", reference("f", "1", ACCOUNT, REGION)),
        (f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f:$LATEST", reference("f", "$LATEST", ACCOUNT, REGION)),
        (f"arn:aws-cn:lambda:cn-north-1:{ACCOUNT}:function:f", reference("f", None, ACCOUNT, "cn-north-1")),
        (f"arn:aws-us-gov:lambda:us-gov-west-1:{ACCOUNT}:function:f", reference("f", None, ACCOUNT, "us-gov-west-1")),
        (f"arn:aws-iso-b:lambda:us-isob-east-1:{ACCOUNT}:function:f", reference("f", None, ACCOUNT, "us-isob-east-1")),
        (f"arn:aws-eusc:lambda:eusc-de-east-1:{ACCOUNT}:function:f", reference("f", None, ACCOUNT, "eusc-de-east-1")),
        (f"arn:aws:lambda:{REGION}:{ACCOUNT}:function", reference("function", None, ACCOUNT, REGION)),
        ("function", reference("function")),
        ("123456789012", reference("123456789012")),
        ("a_b-C.9", reference("a_b-C.9")),
    ],
)
def test_every_form_of_a_function_name_is_understood(text: str, expected: FunctionReference) -> None:
    """NM-01: a name, with or without qualifier, partial ARNs and full ARNs; none is split at the wrong colon."""
    assert parse_function_reference(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "f:",
        ":f",
        "a:b:c",
        "f:$latest",
        "f:live:1",
        "f g",
        "f\n",
        "f/g",
        "arn:aws:s3:::bucket",
        f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f:1:2",
        f"arn:aws:lambda:eu-west-11:{ACCOUNT}:function:f",
        f"arn:aws:lambda:{REGION}:1234:function:f",
        "fünktion",
    ],
)
def test_other_text_names_no_function(text: str) -> None:
    """NM-01: what the model's pattern does not let through is not guessed at."""
    with pytest.raises(ValueError, match="not a function name or ARN"):
        parse_function_reference(text)


def test_text_before_the_last_colon_may_be_a_name() -> None:
    """
    The model's pattern makes `function:` optional, so these pass it.

    Whoever takes ARNs of several kinds of resource has to look at the kind first.
    """
    assert parse_function_reference("layer:f") == reference("layer", "f")
    assert parse_function_reference(f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:f") == reference(
        "layer", "f", ACCOUNT, REGION
    )


def test_the_region_of_an_arn_is_kept_apart() -> None:
    """NM-02: an ARN of another region is recognised as such, so that nobody looks it up here."""
    assert parse_function_reference(f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f").region == "us-east-1"


NAME_CHARACTERS = string.ascii_letters + string.digits + "-_"
names = st.text(NAME_CHARACTERS, min_size=1, max_size=64)
qualifiers = st.one_of(st.none(), st.just("$LATEST"), st.text(NAME_CHARACTERS, min_size=1, max_size=128))
accounts = st.text(string.digits, min_size=12, max_size=12)
REGION_PATTERN = r"(eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-[0-9]"
regions = st.from_regex(REGION_PATTERN, fullmatch=True)
scopes = st.builds(Scope, account=accounts, region=regions)


@given(scopes, names, qualifiers)
def test_an_arn_comes_apart_into_what_it_was_made_of(scope: Scope, name: str, qualifier: str | None) -> None:
    """Making an ARN and parsing it is a round trip."""
    arn = function_arn(scope, name, qualifier)

    assert parse_function_reference(arn) == reference(name, qualifier, scope.account, scope.region)


@given(scopes, names, qualifiers)
def test_the_shorter_forms_say_the_same(scope: Scope, name: str, qualifier: str | None) -> None:
    """Without its front, an ARN still names the same function."""
    suffix = "" if qualifier is None else f":{qualifier}"

    # Alone, these words and numbers could as well be the front of a partial ARN.
    if name != "function" and re.fullmatch(f"[0-9]{{12}}|{REGION_PATTERN}", name) is None:
        assert parse_function_reference(f"{name}{suffix}") == reference(name, qualifier)
    assert parse_function_reference(f"function:{name}{suffix}") == reference(name, qualifier)
    assert parse_function_reference(f"{scope.account}:function:{name}{suffix}") == reference(
        name, qualifier, scope.account
    )


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Whatever arrives, there is a reference with a well-formed name, or a ValueError."""
    try:
        found = parse_function_reference(text)
    except ValueError:
        return
    assert text.endswith(found.name if found.qualifier is None else f"{found.name}:{found.qualifier}")
    assert set(found.name) <= set(NAME_CHARACTERS + ".")


def test_arns_of_functions_and_logs_are_spelled_as_aws_does() -> None:
    """The resources that answers and log streams name."""
    assert function_arn(SCOPE, "f") == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
    assert function_arn(SCOPE, "f", "live") == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f:live"
    assert log_group_arn(SCOPE, "/aws/lambda/f") == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/f"
    assert log_stream_arn(SCOPE, "/aws/lambda/f", "2026/01/01/[$LATEST]0") == (
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/f:log-stream:2026/01/01/[$LATEST]0"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/r", RoleReference(ACCOUNT, "/", "r")),
        (f"arn:aws:iam::{ACCOUNT}:role/team/a:b/r+=,.@-_1", RoleReference(ACCOUNT, "/team/a:b/", "r+=,.@-_1")),
        (f"arn:aws-us-gov:iam::{ACCOUNT}:role/r", RoleReference(ACCOUNT, "/", "r")),
        (f"arn:aws:iam::{ACCOUNT}:role/{'p' * 510}/{'n' * 64}", RoleReference(ACCOUNT, f"/{'p' * 510}/", "n" * 64)),
        (f"arn:aws:iam::{ACCOUNT}:role/{'p' * 511}/n", None),
        (f"arn:aws:iam::{ACCOUNT}:role/{'n' * 65}", None),
        (f"arn:aws:iam::{ACCOUNT}:role/", None),
        (f"arn:aws:iam::{ACCOUNT}:role/team/", None),
        (f"arn:aws:iam::{ACCOUNT}:role//r", None),
        (f"arn:aws:iam::{ACCOUNT}:role", None),
        (f"arn:aws:iam::{ACCOUNT}:roler", None),
        (f"arn:aws:iam::{ACCOUNT}:user/r", None),
        (f"arn:aws:iam::{ACCOUNT}:role/ä", None),
        (f"arn:aws:iam::{ACCOUNT}:role/r\n", None),
        (f"arn:aws:iam::{ACCOUNT}:role/a b/r", None),
        (f"arn:aws:iam:{REGION}:{ACCOUNT}:role/r", None),
        (f"arn:aws:sts::{ACCOUNT}:role/r", None),
        ("arn:aws:iam::1234:role/r", None),
        ("arn:aws:iam::aws:role/r", None),
        ("arn:aws:iam::" + "\u0661" * 12 + ":role/r", None),
        ("r", None),
        ("", None),
    ],
)
def test_a_roles_arn(text: str, expected: RoleReference | None) -> None:
    """Its account, its path and its name, as IAM takes them; nothing else passes for one."""
    assert parse_role_arn(text) == expected
