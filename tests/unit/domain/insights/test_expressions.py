"""Operators and names: what an expression gives for an event."""

import pytest
from unit.domain.insights.asking import ask, value_of

MESSAGE = '{"n": 5, "text": "Hello", "digits": "10", "yes": true, "none": null, "list": [1, {"id": "q"}]}'


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("n + 2 * 3", "11"),
        ("n / 2", "2.5"),
        ("2 ^ 3", "8"),
        ("10 % 3", "1"),
        ("-n + 1", "-4"),
        ("digits - 1", "9"),
        ("n / 0", None),
        ("n % 0", None),
        ("text + 1", None),
        ("missing + 1", None),
        ("10 ^ 400", None),
        ("9 ^ 9 ^ 9", None),
        ("n = 5", "1"),
        ('n = "5.0"', "1"),
        ("n > 10", "0"),
        ("digits > 9", "1"),
        ('digits > "9"', "1"),
        ('text > "Hallo"', "1"),
        ("n != 5", "0"),
        ("missing = 5", "0"),
        ("missing != 5", "1"),
        ("missing < 5", "0"),
        ('text in ["a", "Hello"]', "1"),
        ("n in (1, 2)", "0"),
        ("n not in [1, 2]", "1"),
        ('text like "ell"', "1"),
        ('text like "ELL"', "0"),
        ("text like /(?i)ELL/", "1"),
        ("text =~ /^H.l+o$/", "1"),
        ('text =~ "^e"', "0"),
        ("text not like /z/", "1"),
        ("missing like /./", "0"),
        ("missing not like /./", "1"),
        ("n like 5", "1"),
        ("text like list.1.id", "0"),
        ("yes", "1"),
        ("yes = true", "1"),
        ("not yes", "0"),
        ("yes and n > 1 and ispresent(text)", "1"),
        ("n > 9 or missing or text = 'Hello'", "1"),
        ("none", None),
        ("list.1.id", "q"),
        ("list.0", "1"),
        ("list", None),
        ("now()", "1764072000"),
        ("bin(1h)", "2025-11-25 12:00:00.000"),
        ("@timestamp", "2025-11-25 12:00:00.000"),
        ("@timestamp - 0", "1764072000000"),
    ],
)
def test_what_an_expression_gives(expression: str, expected: str | None) -> None:
    assert value_of(expression, MESSAGE) == expected


def test_names_that_a_query_gives_come_first() -> None:
    """And a field that parse made is read with an at sign as well; what it could not make is not there."""
    query = 'parse @message "*=*" as text, n | filter not ispresent(other) | fields concat(@text, "/", n) as it'
    (row,) = ask(query, ["a=b"])
    assert row["it"] == "a/b"
    (row,) = ask(query, ['{"n": 5}'])
    assert row == {"it": "/"}


def test_json_in_text_can_be_parsed_and_entered() -> None:
    query = "fields jsonParse(inner) as j | fields j.a.0 as first, jsonStringify(j.a) as all | display first, all"
    (row,) = ask(query, ['{"inner": "{\\"a\\": [7, 8]}"}'])
    assert row == {"first": "7", "all": "[7,8]"}


def test_after_stats_there_is_nothing_but_what_it_made() -> None:
    """Its columns go by the names that they show with, functions in them as well."""
    rows = ask(
        "stats count(*) by n | filter count(*) > 1 | fields count(*) * 10 as tens, @message | display n, tens, @log",
        ['{"n": 1}', '{"n": 2}', '{"n": 1}'],
    )
    assert rows == [{"n": "1", "tens": "20"}]
