"""The fields that are found in events."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.domain.insights.asking import REPORT, REQUEST, ask, line_of

from lambent.domain.insights.fields import discover, lambda_fields, parse_pointer, pointer_to


def test_what_a_report_says() -> None:
    """Every amount, memory in bytes, and the trace."""
    (row,) = ask(
        "fields @type, @requestId, @duration, @billedDuration, @initDuration, @memorySize, @maxMemoryUsed, "
        "@xrayTraceId, @xraySegmentId",
        [REPORT],
    )
    assert row == {
        "@type": "REPORT",
        "@requestId": REQUEST,
        "@duration": "3.05",
        "@billedDuration": "103.0",
        "@initDuration": "99.1",
        "@memorySize": "128000000.0",
        "@maxMemoryUsed": "40000000.0",
        "@xrayTraceId": "1-5f84c7a6-1234567890abcdef12345678",
        "@xraySegmentId": "4aca30b315ce9d51",
    }


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f"START RequestId: {REQUEST} Version: $LATEST\n", {"@type": "START", "@requestId": REQUEST}),
        (f"END RequestId: {REQUEST}\n", {"@type": "END", "@requestId": REQUEST}),
        (f"2025-11-25T12:00:00.000Z\t{REQUEST}\tINFO\thi\n", {"@requestId": REQUEST}),
        (f"[ERROR]\t2025-11-25T12:00:00.000Z\t{REQUEST}\thi\n", {"@requestId": REQUEST}),
        (f"RequestId: {REQUEST} Error: Runtime exited\n", {"@requestId": REQUEST}),
        (f"2025-11-25T12:00:00.000Z {REQUEST} Task timed out after 3.00 seconds\n", {"@requestId": REQUEST}),
        ("START of something\n", {}),
        ("", {}),
    ],
)
def test_lines_of_a_functions_log(message: str, expected: dict[str, str]) -> None:
    assert lambda_fields(message) == expected


def read(message: str, field: str, log: str = "111122223333:mine") -> object:
    return discover(line_of(message, log=log)).get(field)


def test_json_is_found_whole_or_in_a_functions_log() -> None:
    """Documented: the first embedded fragment, in Lambda's logs only."""
    assert read('{"a": {"b": [1, {"c": "x"}]}}\n', "a.b.1.c") == "x"
    assert read('say {"a": 1} and {"a": 2}', "a") is None
    assert read('say {"a": 1} and {"a": 2}', "a", "111122223333:/aws/lambda/f") == 1
    assert read('{"a": 1} and more', "a") is None
    for nothing in ("[1]", "{", '{"a": ' + "[" * 100_000, "{" * 100_000, '{"a": ' + "9" * 5_000 + "}"):
        assert read(nothing, "a", "111122223333:/aws/lambda/f") in (None, "9" * 5_000)


def test_names_of_all_kinds() -> None:
    message = json.dumps(
        {"a.b": 1, "a": {"b.c": 2, "b": {"d": 3}}, "@id": 4, "with space": 5, "big": 12345678901234567890}
    )
    (row,) = ask("fields a.b, a.b.c, a.b.d, @@id, `with space`, big", [message])
    assert row == {
        "a.b": "1",
        "a.b.c": "2",
        "a.b.d": "3",
        "@@id": "4",
        "with space": "5",
        "big": "12345678901234567890",
    }
    assert {"a.b", "a.b.c", "a.b.d", "@@id", "with space", "@timestamp", "@log"} <= set(discover(line_of(message)))


def test_json_as_deep_as_it_can_be_read() -> None:
    """Is shown, or is not; it ends no query."""
    for depth in range(100, 1_100, 50):
        message = '{"a": ' + '{"a": ' * depth + '"\\ud83d"' + "}" * depth + "}"
        (row,) = ask(
            "fields a.a.a as it, jsonStringify(jsonParse(@message)) as again, strlen(@message) as n", [message]
        )
        assert row["n"] == str(len(message))
        assert len(discover(line_of(message))) >= 5


def test_no_more_fields_than_a_group_may_have() -> None:
    message = json.dumps({f"name{number}": number for number in range(5_000)})
    assert len(discover(line_of(message))) == 1_000


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner))
)
def test_what_is_discovered_can_be_shown(value: object) -> None:
    for name, found in discover(line_of(json.dumps({"it": value}))).items():
        assert name.encode()
        assert not isinstance(found, dict | list)


def test_a_pointer_leads_back() -> None:
    line = line_of("x", 7)
    assert parse_pointer(pointer_to(line)) == (line.log, line.timestamp_ms, line.ingestion_ms, 7)
    for wrong in ("", "x", "é", "AAAA", pointer_to(line)[:-4], "=" * 9):
        assert parse_pointer(wrong) is None
