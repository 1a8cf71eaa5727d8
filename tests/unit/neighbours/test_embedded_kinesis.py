"""Kinesis in the embedded server's process: what a kill leaves, what days leave, and where shards end."""

import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from lambent.neighbours import embedded_kinesis

NS = 1_000_000_000


class Streams:
    """Moto's Kinesis, put right, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from moto.kinesis.models import KinesisBackend

        self.now_ns = 1_795_000_000 * NS
        monkeypatch.setattr(time, "time_ns", lambda: self.now_ns)
        monkeypatch.setattr(time, "time", lambda: self.now_ns / NS)
        monkeypatch.setattr("moto.kinesis.models.unix_time", lambda _: self.now_ns / NS)
        self.backend: Any = KinesisBackend("us-east-1", "000000000000")
        self.make()

    def make(self) -> None:
        self.backend.create_stream("s", 1, None, None)

    @property
    def stream(self) -> Any:
        return self.backend.describe_stream(stream_arn=None, stream_name="s")

    def put(self, body: str) -> int:
        return int(self.backend.put_record(None, "s", body, None, b64encode(body.encode()).decode())[0])

    def read(self, shard: int = 0, after: int | None = None) -> tuple[list[str], bool]:
        """Return what is in a shard, and whether that is its end."""
        kind = "TRIM_HORIZON" if after is None else "AFTER_SEQUENCE_NUMBER"
        iterator = self.backend.get_shard_iterator(None, "s", f"shardId-{shard:012}", kind, after, None)
        following, records, _ = self.backend.get_records(None, iterator, 1000)
        return [b64decode(record.data).decode() for record in records], following is None


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[Streams]:
    from moto.kinesis.models import KinesisBackend, Shard, Stream

    for owner in (KinesisBackend, Shard, Stream):
        # As they are, to be put back.
        for name in ("put_record", "get_records", "get_shard_for_key", "split_shard", "merge_shards"):
            if hasattr(owner, name):
                monkeypatch.setattr(owner, name, getattr(owner, name))
    embedded_kinesis.put_right()
    yield Streams(monkeypatch)


def test_numbers_do_not_come_again(streams: Streams) -> None:
    """After a kill, which leaves a state of some seconds ago; in a stream made anew; with a clock set back."""
    streams.put("a")
    last = streams.put("lost")
    assert len(str(last)) == 56
    del streams.stream.shards["shardId-000000000000"].records[last]
    streams.now_ns += 30 * NS
    again = streams.put("b")
    assert streams.read(after=last) == (["b"], False)
    streams.now_ns -= 10 * NS
    assert streams.put("c") == again + 1
    streams.now_ns += 60 * NS
    streams.backend.delete_stream(None, "s")
    streams.make()
    streams.put("new")
    assert streams.read(after=again + 1) == (["new"], False)


def test_records_are_kept_for_the_retention_of_their_stream(streams: Streams) -> None:
    """A day, unless it was made longer."""
    streams.put("a")
    streams.now_ns += 12 * 3600 * NS
    streams.put("b")
    streams.now_ns += 12 * 3600 * NS + NS
    streams.put("c")
    assert streams.read() == (["b", "c"], False)


def test_shards_end_where_they_are_split_and_merged(streams: Streams) -> None:
    """With what is in them, which is nowhere else; what is put later is in the others."""
    first = streams.put("a")
    streams.backend.split_shard(None, "s", "shardId-000000000000", str(2**127))
    assert (streams.read(), streams.read(after=first)) == ((["a"], True), ([], True))
    for body in "bcdefgh":
        streams.put(body)
    (left, _), (right, _) = streams.read(1), streams.read(2)
    assert sorted(left + right) == list("bcdefgh")
    assert left and right
    streams.backend.merge_shards(None, "s", "shardId-000000000001", "shardId-000000000002")
    streams.put("i")
    assert (streams.read(1), streams.read(2), streams.read(3)) == ((left, True), (right, True), (["i"], False))
    streams.now_ns += 25 * 3600 * NS
    streams.put("j")
    assert [streams.read(shard) for shard in range(4)] == [([], True)] * 3 + [(["j"], False)]
