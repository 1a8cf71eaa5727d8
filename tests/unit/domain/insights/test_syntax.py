"""Queries taken apart, and what is said of texts that are none."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.insights.commands import (
    Call,
    Constant,
    Dedup,
    Field,
    Fields,
    Filter,
    Limit,
    MalformedQuery,
    Operation,
    ParseGlob,
    Period,
    Sort,
    Stats,
)
from lambent.domain.insights.run import Query
from lambent.domain.insights.syntax import parse_query


def condition_of(text: str) -> object:
    (command,) = parse_query(f"filter {text}")
    assert isinstance(command, Filter)
    return command.condition


def test_commands_comments_and_words_in_capitals() -> None:
    """Everything between pipes, over lines, with comments to the end of a line; but not within text."""
    source = """
    # What was slow
    FIELDS @timestamp, concat("#", 'it''s'[0:0]) as x
    """
    with pytest.raises(MalformedQuery):
        parse_query(source)
    commands = parse_query(
        """
        # What was slow
        FIELDS @timestamp, `odd-name`.b.0 as x, "# | not a comment"   # but this is one | limit 3
        | STATS COUNT(*) AS n BY bin(5 m)
        """.replace("5 m", "5mins")
        + "| sort n desc, x asc, y | dedup a, b | limit 20"
    )
    fields, stats, sort, dedup, limit = commands
    assert isinstance(fields, Fields)
    assert [(item.name, item.is_named) for item in fields.items] == [
        ("@timestamp", False),
        ("x", True),
        ('"# | not a comment"', False),
    ]
    assert fields.items[1].expression == Field("odd-name.b.0")
    assert isinstance(stats, Stats)
    (item,), (key,) = stats.items, stats.keys
    assert isinstance(item.expression, Call)
    assert (item.name, item.expression.name, item.expression.arguments) == ("n", "count", ())
    assert isinstance(key.expression, Call)
    assert (key.name, key.expression.arguments) == ("bin(5mins)", (Period(5, "m"),))
    assert isinstance(sort, Sort)
    assert [each.is_descending for each in sort.keys] == [True, False, False]
    assert dedup == Dedup((Field("a"), Field("b")))
    assert limit == Limit(20)


def test_what_binds_tighter() -> None:
    a, b, c, d = (Field(name) for name in "abcd")
    equal = Operation("=", (a, Constant(1)))
    assert condition_of("a = 1 or b and not c and d") == Operation(
        "or", (equal, Operation("and", (b, Operation("not", (c,)), d)))
    )
    assert condition_of("a + b * c ^ d ^ 2 - 1") == Operation(
        "-",
        (
            Operation(
                "+",
                (a, Operation("*", (b, Operation("^", (c, Operation("^", (d, Constant(2)))))))),
            ),
            Constant(1),
        ),
    )
    assert condition_of("-a ^ 2") == Operation("negative", (Operation("^", (a, Constant(2))),))
    assert condition_of("a not in [1, 'x']") == Operation("not", (Operation("in", (a, Constant(1), Constant("x"))),))
    assert condition_of('(a or b) and c not like "x"') == Operation(
        "and", (Operation("or", (a, b)), Operation("not", (Operation("like", (c, Constant("x"))),)))
    )


def test_an_exclamation_mark_denies_what_follows() -> None:
    """It binds tighter than `not`, and stands by itself."""
    assert condition_of("!a = b or c") == Operation(
        "or", (Operation("=", (Operation("not", (Field("a"),)), Field("b"))), Field("c"))
    )
    denial = condition_of("!ispresent(a)")
    assert isinstance(denial, Operation) and denial.operator == "not"
    assert [call.text for call in denial.operands if isinstance(call, Call)] == ["ispresent(a)"]
    assert condition_of("a != 1") == Operation("!=", (Field("a"), Constant(1)))
    with pytest.raises(MalformedQuery, match="unexpected symbol found !"):
        parse_query("filter a ! b")


def test_sort_by() -> None:
    """As in the samples of the console; `by` is no field then."""
    assert parse_query("sort by a desc, b") == parse_query("sort a desc, b")
    with pytest.raises(MalformedQuery, match="unexpected end"):
        parse_query("sort by")


def test_text_and_its_escapes() -> None:
    assert condition_of(r"""a = "x\"y\\z\n\d" """) == Operation("=", (Field("a"), Constant('x"y\\z\n\\d')))
    assert condition_of("a = 'say \"hi\"'") == Operation("=", (Field("a"), Constant('say "hi"')))


def test_a_glob_is_what_stands_between_its_wildcards() -> None:
    (command,) = parse_query(r"""parse "user=*, \*=*" as @u, v""")
    assert command == ParseGlob(Field("@message"), ("user=", ", *=", ""), ("@u", "v"))


def test_a_slash_divides_or_begins_a_pattern() -> None:
    """What stands there before it decides."""
    (command,) = parse_query(r"filter a / b / 2 > 1 and c like /x\/[/]\d/")
    assert isinstance(command, Filter)
    like = command.condition.operands[1]  # type: ignore[union-attr]
    assert like.operands[1].pattern == r"x/[/]\d"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("query", "start", "end", "said"),
    [
        ("", 0, 0, "unexpected end"),
        ("fields", 6, 6, "unexpected end"),
        ("fields @message |", 17, 17, "unexpected end"),
        ("fields @message\n| foo a", 18, 21, "unexpected symbol found foo at line 2 and position 3"),
        ("fields a b", 9, 10, "unexpected symbol found b at line 1 and position 10"),
        ("fields a as by", 12, 14, "unexpected symbol found by"),
        ("filter a == 1", 10, 11, "unexpected symbol found ="),
        ("filter (a = 1", 13, 13, "unexpected end"),
        ("filter a in 1", 12, 13, "unexpected symbol found 1"),
        ("filter a like /(?=x)/", 14, 21, "invalid regular expression"),
        ("filter a like /x", 14, 15, "unexpected symbol found /"),
        ("filter a = 'x", 11, 12, "unexpected symbol found '"),
        ("parse 'no wildcard' as a", 6, 19, "no wildcard"),
        ("parse '*' as a, b", 6, 17, "1 wildcards, and 2 names"),
        ("parse '**' as a, b", 6, 10, "nothing between"),
        ("parse @message /x(y)/", 15, 21, "names no group"),
        ("parse @message /(?<a>x)/ multi", 25, 30, "not offered"),
        ("stats x by y", 6, 7, "aggregate"),
        ("stats count(a, b)", 6, 17, "takes none or one value, not 2"),
        ("stats pct(a)", 6, 12, "takes 2 values, not 1"),
        ("stats pct(a, b)", 6, 15, "number of percent"),
        ("stats pct(a, 101)", 6, 17, "from 0 to 100"),
        ("stats sum(avg(a))", 10, 16, "belongs into stats"),
        ("stats count(*) | stats count(*) | stats count(*)", 0, 48, "at most 2"),
        ("fields nothing(a)", 7, 17, "no function nothing"),
        ("fields strlen()", 7, 15, "takes 1 values, not 0"),
        ("fields bin()", 7, 12, "takes a period"),
        ("fields bin(5)", 7, 13, "takes a period"),
        ("fields bin(5x)", 11, 13, "no period"),
        ("fields bin(0m)", 11, 13, "no period"),
        ("fields avg(a)", 7, 13, "belongs into stats"),
        ("limit 0", 6, 7, "from 1 to 100000"),
        ("limit 100001", 6, 12, "from 1 to 100000"),
        ("limit 1.5", 6, 9, "unexpected symbol"),
        ("filter " + "(" * 51 + "a" + ")" * 51, 57, 58, "too deeply"),
        ("filter " + "not " * 60 + "a", 207, 210, "too deeply"),
        ("filter 1" + " + 1" * 60, 7, 248, "too deeply"),
    ],
)
def test_where_and_what_is_wrong(query: str, start: int, end: int, said: str) -> None:
    with pytest.raises(MalformedQuery) as excinfo:
        Query(query)
    assert said in excinfo.value.message
    assert (excinfo.value.start, excinfo.value.end) == (start, end)


@pytest.mark.parametrize("command", ["pattern", "diff", "anomaly", "filterIndex", "SOURCE", "unmask", "unnest", "join"])
def test_commands_that_are_not_offered_are_named(command: str) -> None:
    with pytest.raises(MalformedQuery, match=f"the command {command} is not offered"):
        parse_query(f"fields @message | {command} @message")


def test_towers_of_towers_are_too_deep() -> None:
    """Each of them alone would not be."""
    tower = "1"
    for _ in range(40):
        tower = f"({tower}{' + 1' * 40})"
    with pytest.raises(MalformedQuery, match="too deeply"):
        Query(f"filter {tower} > 0")
    Query(f"filter {'(' * 20}1{' + 1)' * 20} > 0")


def test_conditions_may_be_many() -> None:
    """As many as fit in a query: in a row they are no tower."""
    Query("filter " + " or ".join(f"a = {number}" for number in range(800)))


_WORDS = """
    fields filter parse stats sort limit dedup display | , ( ) [ ] * + - / ^ % ! = != < >= =~ like not in and or as by
    asc desc @message a.b 5 1.5 5m true
"""
_PIECES = st.sampled_from(
    [
        *_WORDS.split(),
        *("`c d`", "'x'", '"y=*"', "/z/", "/(?<n>.)/", "count(", "bin(", "#", "\\", "?", "é"),
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=25).map(" ".join)))
def test_any_text_is_a_query_or_is_refused_with_a_place_in_it(text: str) -> None:
    try:
        Query(text)
    except MalformedQuery as error:
        assert 0 <= error.start <= error.end <= len(text)


def test_large_regular_expressions_are_refused_in_time() -> None:
    """Nobody else comes to their turn while one is compiled."""
    start = time.process_time()
    with pytest.raises(MalformedQuery, match="invalid regular expression"):
        parse_query("filter a like /" + "a{1,1000}" * 50 + "/")
    assert time.process_time() - start < 2
