"""Tumbling windows."""

import json

import msgspec
import pytest

from lambent.domain.stream_position import Window
from lambent.event_sources.tumbling import payload_in, state_of, window_of


def test_the_window_of_a_record() -> None:
    """ST-02-tumbling-window: fixed, next to each other, none twice."""
    assert window_of(1_795_000_003.9, 10) == Window(1_795_000_000.0, 1_795_000_010.0)
    assert window_of(1_795_000_010.0, 10).start_s == 1_795_000_010.0


def test_what_the_function_gets() -> None:
    """ST-02-tumbling-window: its state byte for byte."""
    window = Window(1_795_000_000.0, 1_795_000_120.0, msgspec.Raw(b'{"n": 1e2}'))
    payload = payload_in(window, [b'{"a":1}', b"2"], "shard-1", "arn:s", is_final=True)
    assert b'"state":{"n": 1e2}' in payload
    assert json.loads(payload) == {
        "Records": [{"a": 1}, 2],
        "window": {"start": "2026-11-18T11:06:40Z", "end": "2026-11-18T11:08:40Z"},
        "state": {"n": 100.0},
        "shardId": "shard-1",
        "eventSourceARN": "arn:s",
        "isFinalInvokeForWindow": True,
        "isWindowTerminatedEarly": False,
    }


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b'"state"',
        b'{"state": null}',
        b'{"state": 1}',
        b'{"state": ',
        b"[" * 9999,
        b'{"state": {"a": "\xff"}}',
    ],
)
def test_answers_without_a_state(payload: bytes) -> None:
    assert state_of(payload) is None


def test_a_state() -> None:
    assert state_of(b'{"batchItemFailures": [], "state": {"a": [1]}}') == msgspec.Raw(b'{"a": [1]}')
