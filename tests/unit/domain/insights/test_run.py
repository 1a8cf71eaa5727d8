"""Whole queries over events."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.domain.insights.asking import REPORT, ask, line_of

from lambent.domain.insights import steps as module
from lambent.domain.insights.fields import Line, pointer_to
from lambent.domain.insights.run import Query, match_glob
from lambent.domain.insights.steps import TooLarge

LETTERS = ["c", "a", "b"]
"""The newest first."""


def messages(query: str, said: list[str], limit: int | None = None) -> list[str]:
    return [row["@message"] for row in ask(query, said, limit)]


def test_without_fields_there_are_time_message_and_pointer() -> None:
    run = Query('filter @message != "a"').run(0)
    lines = [line_of(message, number) for number, message in enumerate(LETTERS)]
    run.take(lines)
    assert run.finish()[0] == (
        ("@timestamp", "2025-11-25 12:00:00.000"),
        ("@message", "c"),
        ("@ptr", pointer_to(lines[0])),
    )
    assert (run.scanned, run.matched, run.scanned_bytes) == (3, 2, 3)


def test_matched_counts_what_passed_the_filters_whatever_is_shown() -> None:
    run = Query("filter @message like /[ab]/ | limit 1").run(0)
    run.take([line_of(message) for message in LETTERS])
    assert (len(run.finish()), run.matched, run.scanned) == (1, 2, 3)


def test_fields_add_up_and_the_last_display_wins() -> None:
    said = ['{"a": 1, "b": 2}']
    assert ask("fields a | fields b, a + b as c", said) == [{"a": "1", "b": "2", "c": "3"}]
    assert ask("fields a | display b | display a, strlen(@message)", said) == [{"a": "1", "strlen(@message)": "16"}]
    assert ask("fields a, missing", said) == [{"a": "1"}]


def test_order_and_limit() -> None:
    """Newest first unless sorted; rows beyond the limit are not kept, however many there are."""
    assert messages("fields @message", LETTERS) == ["c", "a", "b"]
    assert messages("sort @message", LETTERS) == ["a", "b", "c"]
    assert messages("sort @message desc | limit 2", LETTERS) == ["c", "b"]
    assert messages("limit 2 | sort @message", LETTERS) == ["a", "c"]
    assert messages("fields @message", LETTERS, limit=1) == ["c"]
    assert messages("limit 2", LETTERS, limit=1) == ["c", "a"]
    assert messages("sort strlen(@message) desc, @message", ["x", "bb", "aa"]) == ["aa", "bb", "x"]
    assert messages("sort @message desc | sort @message", LETTERS) == ["a", "b", "c"]
    alike = [f'{{"n": {number % 2}, "m": {number}}}' for number in range(3_000)]
    assert [row["m"] for row in ask("sort n desc | limit 4 | display m", alike)] == ["1", "3", "5", "7"]
    assert [row["m"] for row in ask("filter n = 1 | display m | limit 3 | stats max(m) as m", alike)] == ["5"]
    many = [f"{number % 997:04}" for number in range(5_000)]
    assert messages("sort @message, @timestamp | limit 700", many) == sorted(many)[:700]


def test_only_the_first_of_what_is_alike() -> None:
    """In the order of sort, else the newest; what lacks a field is like nothing. Documented: dedup."""
    said = ['{"s": "x", "n": 1}', '{"s": "y", "n": 3}', '{"n": 9}', '{"s": "x", "n": 2}', '{"n": 9}']
    assert [row.get("n") for row in ask("fields s, n | dedup s", said)] == ["1", "3", "9", "9"]
    assert [row["n"] for row in ask("fields s, n | sort n desc | dedup s | limit 3", said)] == ["9", "9", "3"]
    assert [row["n"] for row in ask("fields s, n | filter ispresent(s) | sort n desc | dedup s", said)] == ["3", "2"]
    many = [f'{{"s": {number % 7}, "n": {number}}}' for number in range(20_000)]
    assert [row["n"] for row in ask("fields n | sort n desc | dedup s", many)] == [
        str(n) for n in range(19_999, 19_992, -1)
    ]


def test_a_sample_of_the_user_guide() -> None:
    """How far memory is provided beyond what is used: an alias in the next expression."""
    (row,) = ask(
        """
        filter @type = "REPORT"
        | stats max(@memorySize / 1000 / 1000) as provisioned,
            max(@maxMemoryUsed / 1000 / 1000) as used,
            provisioned - used as over,
            max(@memorySize / 1024 / 1024)
        """,
        ["START", REPORT, REPORT],
    )
    assert row == {"provisioned": "128", "used": "40", "over": "88", "max(@memorySize / 1024 / 1024)": "122.0703"}


def test_a_sample_with_parsed_fields() -> None:
    said = [
        "user=a, method:m, latency := 5\n",
        "user=b, method:m, latency := 7\n",
        "nothing",
        "user=a, method:m, latency := 6\n",
    ]
    expected = [
        {"@method": "m", "@user": "a", "avg(@latency)": "5.5"},
        {"@method": "m", "@user": "b", "avg(@latency)": "7"},
    ]
    glob = 'parse @message "user=*, method:*, latency := *" as @user, @method, @latency'
    regex = r"parse @message /user=(?<user>.*?), method:(?<method>.*?), latency := (?<latency>\d+)/"
    for parse in (glob, regex):
        query = f"{parse} | stats avg(@latency) by @method, @user | filter ispresent(@user)"
        assert ask(query, said) == expected
    assert [row.get("@user") for row in ask(glob, said)] == ["a", "b", None, "a"]


def test_groups_by_time() -> None:
    """Keys come first, then aggregates, under the names that they were written with."""
    run = Query("stats count(*) by bin(1m) | sort bin(1m)").run(0)
    run.take([line_of("x", number) for number in range(62)])
    assert run.finish() == [
        (("bin(1m)", "2025-11-25 11:58:00.000"), ("count(*)", "1")),
        (("bin(1m)", "2025-11-25 11:59:00.000"), ("count(*)", "60")),
        (("bin(1m)", "2025-11-25 12:00:00.000"), ("count(*)", "1")),
    ]


def test_groups_come_in_the_order_of_their_keys() -> None:
    """Those of times the newest first, as events do."""
    said = [f'{{"v": "{letter}"}}' for letter in "bacab"]
    assert [row["v"] for row in ask("stats count(*) by v", said)] == ["a", "b", "c"]
    times = [row["bin(1s)"] for row in ask("stats count(*) by bin(1s)", said)]
    assert times == sorted(times, reverse=True)


def test_what_shows_alike_is_one_group() -> None:
    rows = ask("stats count(*) as n by v", ['{"v": 1}', '{"v": "1"}', '{"v": true}', '{"v": null}', "{}"])
    assert rows == [{"n": "2"}, {"v": "1", "n": "3"}]


def test_nothing_is_one_row_or_none() -> None:
    assert ask("stats count(*) as n, sum(x) as s", []) == [{"n": "0"}]
    assert ask("stats count(*) by x", []) == []


def test_statistics_of_statistics() -> None:
    said = [f'{{"a": {number % 4}}}' for number in range(10)]
    assert ask("stats count(*) as n by a | stats max(n) as most, count(*) as groups", said) == [
        {"most": "3", "groups": "4"}
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('filter @message like "x"', ("x",)),
        ('filter @message like /x/ and (a = 1 and @message like "y")', ("x", "y")),
        ("filter @message like /x+/", ()),
        ("filter @message not like /x/", ()),
        ('filter @message like "x" or a = 1', ()),
        ('filter @message = "5"', ()),
        ('fields a as @message | filter @message like "x"', ()),
        ('parse "*=*" as a, @message | filter @message like "x"', ()),
        ('sort a | filter @message like "x"', ("x",)),
        ('limit 5 | filter @message like "x"', ()),
        ('stats count(*) as @message | filter @message like "x"', ()),
        ('filter @message like ""', ()),
    ],
)
def test_texts_that_a_search_can_begin_with(query: str, expected: tuple[str, ...]) -> None:
    assert Query(query).literals == expected


@given(st.lists(st.sampled_from("abx="), max_size=12).map("".join), st.sampled_from(["x", "a=", "b"]))
def test_dropping_what_lacks_the_literals_changes_nothing(message: str, literal: str) -> None:
    query = f'filter @message like "{literal}" | parse @message "*=*" as k, v | display k, v'
    kept = [message] if all(each in message for each in Query(query).literals) else []
    assert ask(query, [message]) == ask(query, kept)


@pytest.mark.parametrize(
    ("shown", "literals", "expected"),
    [
        ("user=a id=b\n", ("user=", " id=", ""), ["a", "b"]),
        ("x user=a id=", ("user=", " id=", ""), ["a", ""]),
        ("a,b,c", ("", ",", ""), ["a", "b,c"]),
        ("[x] tail", ("[", "]"), ["x"]),
        ("[x tail", ("[", "]"), None),
        ("nothing", ("user=", ""), None),
        ("\n", ("\n", ""), [""]),
    ],
)
def test_globs(shown: str, literals: tuple[str, ...], expected: list[str] | None) -> None:
    assert match_glob(shown, literals) == expected


def test_a_run_is_stopped_in_the_middle() -> None:
    run = Query("fields @message").run(0)

    def lines() -> Iterator[Line]:
        yield line_of("x")
        run.stop()
        yield line_of("y")

    run.take(lines())
    assert run.scanned == 1


def test_a_run_holds_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long rows and many groups end it; what a sort with a limit drops is given back."""
    monkeypatch.setattr(module, "BYTES_MAX", 1 << 20)
    monkeypatch.setattr(module, "GROUPS_MAX", 100)
    long = ["x" * 10_000] * 200
    for query in ("fields @message", "sort @message", "stats count(*) by concat(@message, @timestamp)"):
        with pytest.raises(TooLarge, match="more than 1 MiB"):
            ask(query, long)
    with pytest.raises(TooLarge, match="more than 100 groups"):
        ask("stats count(*) by @timestamp", ["x"] * 101)
    with pytest.raises(TooLarge, match="more than 1 MiB"):
        ask("stats max(@message) by @timestamp", long[:100])
    with pytest.raises(TooLarge, match="more than 1 MiB"):
        ask("stats count_distinct(@message) by substr(@message, 0, 1)", [f"{number}" for number in range(20_000)])
    assert len(ask("fields strlen(@message) as n | display n | limit 3", long * 5)) == 3
    assert len(messages("sort @timestamp | limit 2", ["x" * 500] * 5_000)) == 2
    assert len(ask("stats count(*) by @timestamp | limit 3", ["x"] * 100)) == 3
