"""What is folded is the same whether it is still in memory or read from the files, and a fold lets others work."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from lambent.domain.caller import Scope
from lambent.domain.usage import UsageClass
from lambent.store.contract import LogPosition
from lambent.telemetry import folding
from lambent.telemetry.folding import GIVE_WAY_EVENTS, GIVE_WAY_S, Batch, Reading, Recent, Stretch, decoded
from lambent.telemetry.ingestion import Ingestion
from lambent.telemetry.lambda_metrics import points_of
from lambent.telemetry.log_records import Allocated, AnyRecord, Ended, Output, Put, Started, encode
from lambent.telemetry.logs import HELD_BYTES_MAX, FunctionLogs
from lambent.telemetry.segments import Segments
from lambent.testing.log_store import MemoryLogStore
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("123456789012", "eu-west-1")
GROUP = "/aws/lambda/hello"
START = LogPosition(0, 0)
OF = UsageClass(1769, 1024, "arm64", "provisioned-concurrency", "python3.13", "green")


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def told() -> None:
        await asyncio.wait_for(story(), 60)

    asyncio.run(told())


def invocations(count: int, streams: int = 3) -> Iterator[AnyRecord]:
    """Yield the records of invocations, of which every fifth has not ended; and what the API wrote between them."""
    for number in range(count):
        named = (SCOPE.account, SCOPE.region, GROUP, f"stream-{number % streams}")
        request_id = f"00000000-0000-4000-8000-{number:012x}" if number % 7 else f"request {number}"
        at_ms = 1_000_000 + number * 700
        lines = [f"START {request_id}\n"]
        yield Started(*named, at_ms, lines, request_id, "3", 1769, 60, "INFO", "hello", "live", OF)
        yield Output(*named, at_ms + 1, [f"zeile größer {number}\n", "two\n"])
        if number % 5:
            yield Ended(
                *named, at_ms + 2, ["END\n", "REPORT\n"], request_id, 1.25 + number, 0.5, 3, 1_200, 34, "hello",
                "live" if number % 2 else "", "3", at_ms, "error" if number % 3 else "", False, number, False, OF,
            )  # fmt: skip
        if not number % 13:
            yield Allocated(SCOPE.account, SCOPE.region, "hello", "3", OF, at_ms, at_ms + 300_000, 2)
        if not number % 11:
            yield Put(
                SCOPE.account, SCOPE.region, "another", "stream-0", at_ms, ["put\n", "too\n"], [at_ms - 50, at_ms - 40]
            )


def told(batches: Sequence[Batch]) -> list[tuple[object, ...]]:
    return [
        (
            one.events,
            one.used,
            one.allocated,
            one.ended,
            one.derived.points,
            list(one.closed),
            one.opened,
            one.position,
            one.read_bytes,
        )
        for one in batches
    ]


def batches_of(stretches: Iterator[Stretch]) -> list[Batch]:
    reading = Reading(stretches, lambda: False)
    ingestion = Ingestion(points_of)
    return list(iter(lambda: reading.next_batch(ingestion), None))


def test_memory_and_files_are_folded_alike(tmp_path: Path) -> None:
    """Batch for batch and byte for byte: which of the two it is says nothing about what the store gets."""

    async def story() -> None:
        # Some segments, so that neither takes the one for the other at their seams.
        segments = Segments(tmp_path, VirtualClock(), segment_bytes_max=100_000)
        recent = Recent(segments.end())
        for record in invocations(4_000):
            payload = encode(record)
            size = segments.append(payload)
            recent.extend([record], segments.number, segments.offset - size, [payload])
        until = segments.end()
        assert until.segment > 5
        from_files = batches_of(map(decoded, segments.blocks(START, until)))
        from_memory = batches_of(recent.between(START, segments, until))
        assert len(from_files) > 3
        assert told(from_memory) == told(from_files)
        assert from_files[-1].position == until
        # What is behind a place in the middle, too: the store says where it stands.
        middle = from_files[1].position
        again = batches_of(recent.between(middle, segments, until))
        assert [event.message for one in again for event in one.events] == [
            event.message for one in from_files[2:] for event in one.events
        ]
        await segments.close()

    run(story)


def test_what_memory_has_forgotten_is_read_from_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded; a fold that comes late has what is there and reads the rest, each record once and in order."""
    monkeypatch.setattr(folding, "RECENT_MESSAGES", 10)
    monkeypatch.setattr(FunctionLogs, "_may_begin", lambda _: False)

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        store = MemoryLogStore(clock)
        segments = Segments(tmp_path, clock)
        logs = FunctionLogs(segments, store, clock)
        await logs.recover()
        log = logs.open_stream(SCOPE, GROUP, "stream")
        wanted = [f"{number}\n" for number in range(75)]
        read: list[int] = []
        read_blocks = segments.blocks

        def blocks(position: LogPosition, until: LogPosition):  # type: ignore[no-untyped-def]
            for block in read_blocks(position, until):
                read.append(len(block.payloads))
                yield block

        monkeypatch.setattr(segments, "blocks", blocks)
        for message in wanted:
            log.output([message])
            logs.write_now()
        await logs.fold()
        assert [event.message for event in await store.events(SCOPE, GROUP, limit=1000)] == wanted
        assert sum(read) == 60
        log.output(["later\n"])
        await logs.fold()
        assert sum(read) == 60
        assert [event.message for event in await store.events(SCOPE, GROUP, limit=1000)] == [*wanted, "later\n"]
        await logs.close()

    run(story)


@pytest.mark.parametrize("limit", ["RECENT_MESSAGES", "RECENT_BYTES"])
def test_much_that_is_written_is_folded_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """Without waiting for the timer: so memory is not outgrown, and little is left for whoever asks."""
    monkeypatch.setattr(folding, limit, 20)

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        store = MemoryLogStore(clock)
        logs = FunctionLogs(Segments(tmp_path, clock), store, clock)
        await logs.recover()
        for number in range(21):
            logs.open_stream(SCOPE, GROUP, "stream").output([f"{number}\n"])
        while len(await store.events(SCOPE, GROUP, limit=100)) < 20:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.001)
        await logs.close()

    run(story)


def test_memory_is_bounded_where_messages_are_short(tmp_path: Path) -> None:
    """A message takes some sixty bytes in memory however few it has in the file: messages count, not records."""

    async def story() -> None:
        segments = Segments(tmp_path, VirtualClock())
        recent = Recent(segments.end())
        written = 0
        while not recent.is_full:
            record = Output(SCOPE.account, SCOPE.region, GROUP, "stream", 1_000_000, ["a\n"] * 2_000)
            payload = encode(record)
            size = segments.append(payload)
            recent.extend([record], segments.number, segments.offset - size, [payload])
            written += len(record.messages)
            assert written <= 100_000
        assert recent.is_due
        await segments.close()

    run(story)


def test_a_long_fold_gives_way_where_others_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that folds thousands of records pauses while more are written, and only then; of few it never does."""
    pauses: list[float] = []
    monkeypatch.setattr(folding.time, "sleep", pauses.append)

    def fold(lines: int, *, is_contended: bool) -> list[float]:
        pauses.clear()
        records: list[AnyRecord | None] = [
            Output(SCOPE.account, SCOPE.region, GROUP, "stream", 1, ["line\n"]) for _ in range(lines)
        ]
        reading = Reading(iter([Stretch(1, 0, records, list(range(1, lines + 1)))]), lambda: is_contended)
        assert reading.next_batch(Ingestion()) is not None
        assert reading.next_batch(Ingestion()) is None
        return list(pauses)

    assert fold(GIVE_WAY_EVENTS - 1, is_contended=True) == []
    assert fold(5 * GIVE_WAY_EVENTS, is_contended=True) == [GIVE_WAY_S] * 5
    assert fold(5 * GIVE_WAY_EVENTS, is_contended=False) == []


def test_a_fold_knows_whether_others_write(tmp_path: Path) -> None:
    """It asks the log itself: what is written meanwhile comes from invocations, which want the interpreter."""

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        logs = FunctionLogs(Segments(tmp_path, clock), MemoryLogStore(clock), clock)
        await logs.recover()
        is_written_to = logs._is_written_to()
        assert not is_written_to()
        logs.open_stream(SCOPE, GROUP, "stream").output(["one\n"])
        logs.write_now()
        assert is_written_to()
        assert not is_written_to()
        await logs.close()

    run(story)


def test_what_one_turn_of_the_loop_writes_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is on disk before whoever is answered in that turn goes on; what is long is not held back."""

    async def story() -> None:
        clock = VirtualClock(now=1_000.0)
        segments = Segments(tmp_path, clock)
        logs = FunctionLogs(segments, MemoryLogStore(clock), clock)
        await logs.recover()
        writes: list[int] = []
        append = segments.append
        monkeypatch.setattr(segments, "append", lambda *payloads: writes.append(len(payloads)) or append(*payloads))
        one, two = (logs.open_stream(SCOPE, GROUP, name) for name in ("one", "two"))
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def caller() -> list[int]:
            await answered
            return list(writes)

        waiting = asyncio.ensure_future(caller())
        await asyncio.sleep(0)
        one.started("id-1", "1", 128, 3, ["START\n"])
        two.output(["line\n"])
        one.ended("id-1", ["END\n"])
        answered.set_result(None)
        assert writes == []
        assert await waiting == [3]
        two.output(["x" * HELD_BYTES_MAX])
        assert writes == [3, 1]
        await logs.close()

    run(story)


def test_invocations_without_events_fill_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that logs in JSON, and nothing below WARN, leaves none: what it used makes commits of bounded size."""
    monkeypatch.setattr(folding, "BATCH_EVENTS_MAX", 10)
    ended: list[AnyRecord | None] = [
        Ended(SCOPE.account, SCOPE.region, GROUP, "stream", 1, [], f"{number}", function="hello", of=OF)
        for number in range(35)
    ]
    stretches = [
        Stretch(1, start, ended[start : start + 7], list(range(start + 1, start + 8))) for start in range(0, 35, 7)
    ]
    assert [len(one.used) for one in batches_of(iter(stretches))] == [14, 14, 7]
