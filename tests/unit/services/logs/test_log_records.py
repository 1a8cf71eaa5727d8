"""GetLogRecord and GetLogGroupFields."""

import asyncio
from typing import Any

import pytest
from unit.services.logs.reading import DAY_S, Reading

from lambent.domain.insights.fields import Line, pointer_to
from lambent.errors.families import ApiError
from lambent.services.logs.log_records import LogRecords
from lambent.store.contract import NewLogEvent


@pytest.fixture
def reading() -> Reading:
    reading = Reading()
    reading.clock.advance(DAY_S - reading.clock.now())
    reading.has(LogRecords(reading.store, reading.fold, reading.clock))
    return reading


def call(reading: Reading, operation: str, **request: Any) -> Any:
    return asyncio.run(reading.call(operation, **request))


def pointer_of(message: str, event: NewLogEvent, sequence: int, account: str = "111122223333") -> str:
    log = f"{account}:{event.group}"
    return pointer_to(Line(event.timestamp_ms, event.ingestion_ms, event.stream, log, message, sequence))


def test_an_event_by_its_pointer(reading: Reading) -> None:
    """All of its fields as text, times as numbers; another place has none."""
    reading.write('{"a": {"b": 1.5}, "ok": true}', 7)
    (event,) = reading._unfolded
    record = call(reading, "GetLogRecord", logRecordPointer=pointer_of(event.message, event, 1))["logRecord"]
    assert record == {
        "@timestamp": f"{DAY_S + 7}000",
        "@ingestionTime": f"{DAY_S + 7}005",
        "@message": event.message,
        "@logStream": "s",
        "@log": "111122223333:g",
        "a.b": "1.5",
        "ok": "1",
    }
    for sequence, account in ((2, "111122223333"), (0, "111122223333"), (1, "444455556666")):
        with pytest.raises(ApiError) as caught:
            call(reading, "GetLogRecord", logRecordPointer=pointer_of("", event, sequence, account))
        assert caught.value.code == "ResourceNotFoundException"
    with pytest.raises(ApiError) as caught:
        call(reading, "GetLogRecord", logRecordPointer="nonsense")
    assert caught.value.code == "InvalidParameterException"


def test_fields_of_a_group_and_how_many_events_have_them(reading: Reading) -> None:
    """Of the last quarter of an hour, or around a time."""
    reading.write('{"a": 1, "b": 2}', -100)
    reading.write('{"a": 1}', -50)
    reading.write("text", -10)
    reading.write('{"old": 1}', -2_000)
    fields = call(reading, "GetLogGroupFields", logGroupName="g")["logGroupFields"]
    own = [
        {"name": name, "percent": 100} for name in ("@ingestionTime", "@log", "@logStream", "@message", "@timestamp")
    ]
    assert fields == [*own, {"name": "a", "percent": 66}, {"name": "b", "percent": 33}]
    around = call(reading, "GetLogGroupFields", logGroupIdentifier="g", time=DAY_S - 2_000)["logGroupFields"]
    assert around == [*own, {"name": "old", "percent": 100}]
    assert call(reading, "GetLogGroupFields", logGroupName="g", time=5) == {"logGroupFields": []}
    with pytest.raises(ApiError) as caught:
        call(reading, "GetLogGroupFields", logGroupName="none")
    assert caught.value.code == "ResourceNotFoundException"
