"""Streams of tables in the embedded server's process: what is told over days, which no test over HTTP has."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from lambent.neighbours import embedded_streams

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-11-20T08:00:00.000"
DAY_NS = 86_400 * 1_000_000_000


class Item:
    """An item as moto keeps it, with one number."""

    def __init__(self, key: str, **attributes: Any) -> None:
        self.hash_key = SimpleNamespace(to_json=lambda: {"S": key})
        self.attributes = {"id": {"S": key}, **attributes}

    def to_json(self) -> dict[str, Any]:
        return {"Attributes": self.attributes}


class Stream:
    """A table of moto's with its stream, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 1_795_000_000 * 1_000_000_000
        monkeypatch.setattr(time, "time_ns", lambda: self.now_ns)
        table = SimpleNamespace(
            name="t",
            hash_key_attr="id",
            range_key_attr=None,
            region_name="us-east-1",
            latest_stream_label=ARN.rpartition("/")[2],
            stream_specification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.shard = table.stream_shard = SimpleNamespace(id="s", table=table, items=[])
        self.backend = SimpleNamespace(dynamodb=SimpleNamespace(tables={"t": table}))

    def put(self, key: str, old: Item | None = None, **attributes: Any) -> Item:
        new = Item(key, **attributes)
        embedded_streams._add(self.shard, old, new)
        return new

    def iterator(self, kind: str, sequence: int | None = None) -> str:
        return embedded_streams._get_shard_iterator(self.backend, ARN, "s", kind, sequence).arn

    def read(self, iterator: str) -> list[str]:
        page = embedded_streams._get_records(self.backend, iterator, 1000)
        return [record["dynamodb"]["Keys"]["id"]["S"] for record in page["Records"]]

    def sequences(self) -> list[int]:
        return [int(item.record["dynamodb"]["SequenceNumber"]) for item in self.shard.items]


def test_changes_are_kept_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stands before what is left is told so; the oldest is what is left."""
    stream = Stream(monkeypatch)
    stream.put("a")
    (first,) = stream.sequences()
    stale = stream.iterator("AT_SEQUENCE_NUMBER", first)
    stream.now_ns += DAY_NS // 2
    stream.put("b")
    assert stream.read(stale) == ["a", "b"]
    stream.now_ns += DAY_NS // 2 + 1
    stream.put("c")
    assert stream.read(stream.iterator("TRIM_HORIZON")) == ["b", "c"]
    assert stream.read(stream.iterator("AFTER_SEQUENCE_NUMBER", first)) == ["b", "c"]
    for call in (lambda: stream.read(stale), lambda: stream.iterator("AT_SEQUENCE_NUMBER", first)):
        with pytest.raises(Exception, match="past the oldest stream record"):
            call()


def test_numbers_grow_whatever_the_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one moment, and when it jumps back."""
    stream = Stream(monkeypatch)
    for _ in range(2):
        stream.put("a")
    stream.now_ns -= DAY_NS
    stream.put("b")
    assert stream.sequences() == sorted(set(stream.sequences()))
    assert stream.read(stream.iterator("TRIM_HORIZON")) == ["a", "a", "b"]


def test_a_change_of_nothing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets have no order, lists do, wherever they stand."""
    stream = Stream(monkeypatch)

    def value(names: list[str], kind: str) -> dict[str, Any]:
        inner = names if kind == "SS" else [{"S": name} for name in names]
        return {"M": {"inner": {"L": [{kind: inner}]}}}

    old = stream.put("a", v=value(["x", "y"], "SS"))
    stream.put("a", old, v=value(["y", "x"], "SS"))
    assert len(stream.sequences()) == 1
    old = stream.put("b", v=value(["x", "y"], "L"))
    stream.put("b", old, v=value(["y", "x"], "L"))
    assert len(stream.sequences()) == 3


@pytest.mark.parametrize(
    ("value", "has_expired"),
    [
        (("N", "1795000000"), True),
        (("N", "1794999999.5"), True),
        (("N", "1795000001"), False),
        (("N", "1"), False),
        (("N", "soon"), False),
        (("S", "1795000000"), False),
        (None, False),
    ],
)
def test_when_an_item_has_expired(value: tuple[str, str] | None, has_expired: bool) -> None:
    """By a number of seconds that has passed, and is no error of five years."""
    attribute = None if value is None else SimpleNamespace(type=value[0], value=value[1])
    assert embedded_streams._has_expired(attribute, 1_795_000_000.0) is has_expired
