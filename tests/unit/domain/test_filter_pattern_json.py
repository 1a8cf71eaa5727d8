"""Filter patterns for JSON: the user guide's examples, what a suite run on AWS showed, and what is no pattern."""

import json
import time
from typing import Any

import pytest

from lambent.domain.filter_pattern import InvalidPattern, parse
from lambent.domain.filter_pattern_json import DEPTH_MAX, decoded_object, parse_path

TRAIL = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "ThisFlag": True,
    "cluster.name": "c",
}
USERS = {
    "user": {"id": 1, "email": "John.Stiles@example.com"},
    "users": [{"id": 2, "email": "John.Doe@example.com"}, {"id": 3, "email": "Jane.Doe@example.com"}],
    "actions": ["GET", "PUT", "DELETE"],
    "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
}
NUMBERS = {
    "bandwidth": 80,
    "latency": 30,
    "errorCode": 400,
    "number": [1e-3, 1000],
    "someInt": 123,
    "someFloat": 12.34,
    "someFloat2": 12.0,
    "someString": "111.111.111.111",
    "someObject": {},
    "someArray": [],
    "off": False,
    "text": "400",
}


def check(pattern: str, document: Any) -> bool:
    return parse(pattern).matches(json.dumps(document))


@pytest.mark.parametrize(
    ("pattern", "document", "expected"),
    [
        # Documented.
        ('{ $.eventType = "UpdateTrail" }', TRAIL, True),
        ("{$.eventType=UpdateTrail}", TRAIL, True),
        ('{ $.eventType = "updateTrail" }', TRAIL, False),
        ("{ $.sourceIPAddress != 123.123.* }", TRAIL, True),
        ("{ $.sourceIPAddress != 111.111.* }", TRAIL, False),
        ('{ $.arrayKey[0] = "value" }', TRAIL, True),
        ('{ $.arrayKey[1] = "value" }', TRAIL, False),
        ("{ $.eventType = %Trail% }", TRAIL, True),
        ("{ $.eventType != %Trail% }", TRAIL, False),
        ("{ $.arrayKey[*] = %val.{2}% }", TRAIL, True),
        ('{ $.arrayKey[*] = "another value" }', TRAIL, True),
        (r"{ $.* = %111\.111\.111\.1[0-9]{1,2}% }", TRAIL, True),
        (r"{ $.* = %222\.222% }", TRAIL, False),
        ("{ $.objectList[*].id = 2 }", TRAIL, True),
        ("{ $.objectList[*].id = 3 }", TRAIL, False),
        ("{ $.['cluster.name'] = \"c\" }", TRAIL, True),
        ("{ $['cluster.name'] = \"d\" }", TRAIL, False),
        ("{ $.SomeObject IS NULL }", TRAIL, True),
        ("{ $.eventType IS NULL }", TRAIL, False),
        ("{ $.SomeOtherObject IS NULL }", TRAIL, False),
        ("{ $.ThisFlag IS TRUE }", TRAIL, True),
        ("{ $.ThisFlag IS FALSE }", TRAIL, False),
        ("{ $.SomeOtherObject NOT EXISTS }", TRAIL, True),
        ("{ $.SomeObject NOT EXISTS }", TRAIL, False),
        ("{ $.SomeObject EXISTS }", TRAIL, True),
        ("{ $.SomeOtherObject EXISTS }", TRAIL, False),
        ('{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }', USERS, True),
        (
            '{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = "no" && $.actions[2] = "no" }',
            USERS,
            True,
        ),
        (
            '{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = "no") && $.actions[2] = "no" }',
            USERS,
            False,
        ),
        ('{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }', USERS, False),
        ("{ $.coordinates[1][2] = 6 }", USERS, True),
        ("{ $.coordinates[1][3] = 6 }", USERS, False),
        ("{ $.bandwidth > 75 }", NUMBERS, True),
        ("{ $.latency < 50 }", NUMBERS, True),
        ("{ $.bandwidth >= 80 && $.latency <= 30 }", NUMBERS, True),
        ("{ $.bandwidth > 80 || $.latency < 30 }", NUMBERS, False),
        ("{ $.errorCode = 400}", NUMBERS, True),
        ("{ $.errorCode != 500 }", NUMBERS, True),
        ("{ $.errorCode = 4* }", NUMBERS, True),
        ("{ $.number[1] = 1e+3 }", NUMBERS, True),
        ("{ $.number[0] != 1e-3 }", NUMBERS, False),
        ("{ $.number[*] > -5 }", NUMBERS, True),
        # Observed: a suite that somebody ran on AWS.
        ('{ $.someString = "*" }', NUMBERS, True),
        ("{ $.someString = 111* }", NUMBERS, True),
        ('{ $.someString = "*.111.111.111" }', NUMBERS, True),
        ('{ $.someString != "222*" }', NUMBERS, True),
        ('{ $.someInt = "123" }', NUMBERS, True),
        ('{ $.someInt != "123.0" }', NUMBERS, True),
        ("{ $.someInt = 123.0 }", NUMBERS, True),
        ("{ $.someInt = *23 }", NUMBERS, True),
        ("{ $.someInt != 123 }", NUMBERS, False),
        ('{ $.someFloat = "12.34" }', NUMBERS, True),
        ("{ $.someFloat = *.34 }", NUMBERS, True),
        ('{ $.someFloat2 != "12" }', NUMBERS, True),
        ("{ $.someFloat2 = 12 }", NUMBERS, True),
        ('{ $.notExisted = "UpdateTrail" }', NUMBERS, False),
        ('{ $.notExisted != "UpdateTrail" }', NUMBERS, False),
        ("{ $.someObject != someString }", NUMBERS, False),
        ("{ $.someArray = * }", NUMBERS, False),
        # Stars are matched whole, which on AWS they are not.
        ("{ $.someString = *111.111 }", NUMBERS, True),
        ("{ $.someString = 1*1*1 }", NUMBERS, True),
        ("{ $.someString = 1*2*1 }", NUMBERS, False),
        # Kinds of values.
        ("{ $.off = * }", NUMBERS, True),
        ("{ $.off != x }", NUMBERS, False),
        ("{ $.off < 1 }", NUMBERS, False),
        ("{ $.SomeObject = * }", TRAIL, False),
        ("{ $.text > 3 }", NUMBERS, False),
        ("{ $.text = 400 }", NUMBERS, True),
        ("{ $.text = 400.0 }", NUMBERS, False),
        ('{ $.user.email.x = "y" }', USERS, False),
        ("{ $.users.id = 2 }", USERS, False),
        ("{ $.user[0] = 2 }", USERS, False),
        # Nested by many: the deepest that may be.
        ("{" + "(" * DEPTH_MAX + "$.errorCode = 400" + ")" * DEPTH_MAX + "}", NUMBERS, True),
        (r'{ $.a = "say \"x\"" }', {"a": 'say "x"'}, True),
        ("{ $.détail-type = ü }", {"détail-type": "ü"}, True),
    ],
)
def test_matches(pattern: str, document: Any, expected: bool) -> None:
    """What is there, is compared; what is not there is neither equal nor unequal."""
    assert check(pattern, document) is expected


@pytest.mark.parametrize(
    "message",
    [
        "",
        "x",
        '["a"]',
        '"a"',
        '{"a":1',
        'x {"a":1}',
        '{"a":1} x',
        '{"a":1}{"a":1}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "\ud800",
    ],
)
def test_what_is_not_one_object_never_matches(message: str) -> None:
    """However it looks, and however deep it is."""
    assert not parse("{ $.a = 1 || $.a NOT EXISTS }").matches(message)


def test_blanks_around_an_object_do_not_matter() -> None:
    """A function's line ends with one."""
    assert parse("{ $.a = 1 }").matches(' {"a": 1}\n')


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{}", "Invalid filter pattern"),
        ("{ $ = 1 }", "Invalid filter pattern"),
        ("{ $.a }", "Invalid filter pattern"),
        ("{ $.a = }", "Invalid filter pattern"),
        ("{ $.a. = 1 }", "Invalid character(s) in term '$.a. '"),
        ("{ a = 1 }", "Invalid filter pattern"),
        ("{ $.a = 1 && }", "Invalid filter pattern"),
        ("{ $.a = 1 $.b = 2 }", "Invalid filter pattern"),
        ("{ ($.a = 1 }", "Invalid filter pattern"),
        ("{ $.a IS NOT NULL }", "Invalid filter pattern"),
        ("{ $.a IS 5 }", "Invalid filter pattern"),
        ("{ $.a[ = 1 }", "Invalid filter pattern"),
        ("{ $.a[-1] = 1 }", "Invalid filter pattern"),
        ("{ $.a[9999999999] = 1 }", "Invalid filter pattern"),
        ("{ $.a[*].b[*] = 1 }", "Invalid filter pattern"),
        ("{ $.a.* = 1 && $.b.* = 1 && $.c[*] = 1 && $.* = 1 }", "Invalid filter pattern"),
        ("{ $.a = %a% && $.b = %b% && $.c = %c% }", "Invalid filter pattern"),
        ("{" + "(" * (DEPTH_MAX + 1) + "$.a = 1" + ")" * (DEPTH_MAX + 1) + "}", "Invalid filter pattern"),
        ("{" + "(" * 400 + "}", "Invalid filter pattern"),
        ('{ $."sc-status" = 5* }', "Invalid character(s) in term '$.\"'"),
        ("{ $.a = a/b }", "Invalid filter pattern"),
        ("{ $.a = (x) }", "Invalid character(s) in term '('"),
        ('{ $.a >= "someString" }', "Invalid character(s) in term '\"someString\"'"),
        ('{ $.a < "123" }', "Invalid character(s) in term '\"123\"'"),
        ("{ $.a > 4* }", "Invalid character(s) in term '\"4*\"'"),
        ("{ $.a > %4% }", "Invalid character(s) in term '%'"),
    ],
)
def test_what_is_no_pattern(pattern: str, message: str) -> None:
    """It is refused in AWS's words."""
    with pytest.raises(InvalidPattern) as refused:
        parse(pattern)
    assert str(refused.value) == message


def test_values_are_taken_out() -> None:
    """Those of the paths that the pattern names, as text; and those of others that a metric filter names."""
    pattern = parse("{ $.latency > 10 && $.user.name = * && $.tags[*] = x }")
    message = json.dumps({"latency": 50, "user": {"name": "n"}, "tags": ["y", "x"], "ok": True, "no": None, "o": {}})
    assert pattern.extract(message) == {"$.latency": "50", "$.user.name": "n", "$.tags[*]": "y"}
    read = pattern.reader(["$.ok", "$.user.name", "$.no", "$.o", "$.missing"])
    assert read(message) == {"$.ok": "true", "$.user.name": "n"}
    assert read("{}") is None


@pytest.mark.parametrize("reference", ["latency", "$latency", "$.", "$.a b", "$.*.*", "$.a[x]", ""])
def test_what_is_no_reference(reference: str) -> None:
    """A path is read to its end."""
    with pytest.raises(InvalidPattern):
        parse_path(reference)
    with pytest.raises(InvalidPattern):
        parse("{ $.a = 1 }").reader([reference])


def test_a_decoded_object() -> None:
    """Of all that is JSON, one object."""
    assert decoded_object('{"a":[1]}') == {"a": [1]}
    assert decoded_object("[1]") is None


def test_long_messages_are_passed_once() -> None:
    """Three stars over a hundred thousand members: seconds would mean that it is gone over for each."""
    message = json.dumps({"a": [{"b": index} for index in range(100_000)]})
    pattern = parse("{ $.a[*].b = -1 || $.a[*].b = -2 || $.a[*].c = x }")
    start = time.process_time()
    assert not pattern.matches(message)
    assert time.process_time() - start < 5
