"""What one environment leaves in its log, and the tail that a caller gets of it."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, Code, Configuration, Deployment, FunctionName, Logging
from lambent.domain.invocation import Invocation
from lambent.domain.usage import UsageClass, UsageKey, UsageRecord
from lambent.execution.environment import LogEnd, LogInitReport
from lambent.execution.output import (
    FLOOD_BYTES_FREE,
    FLOOD_BYTES_PER_S,
    FLOOD_TOLD_EVERY_S,
    EnvironmentOutput,
    usage_class,
)
from lambent.store.contract import LogPosition
from lambent.telemetry.logs import FunctionLogs
from lambent.telemetry.segments import Segments
from lambent.testing.log_store import MemoryLogStore
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")
INVOCATION = Invocation("r1", "arn", b"{}", "Root=1")
TEXT = Logging()
END = LogEnd(duration_ms=3.0, init_ms=1.5, status="", error_type="")


class Runtimes:
    """Knows what INIT_START shows."""

    def version_label(self, runtime: str) -> str:
        return runtime


class Bench:
    """One environment's output, and the pipe that its process writes to."""

    def __init__(self, folder: Path, log_group: str, logging: Logging = TEXT) -> None:
        self.clock = clock = VirtualClock()
        self.segments = Segments(folder, clock)
        self.store = MemoryLogStore(clock)
        self.logs = FunctionLogs(self.segments, self.store, clock)
        deployment = Deployment(
            SCOPE,
            FunctionName("f"),
            LATEST,
            "f-1",
            Configuration("python3.13", "app.handler", "role", log_group=log_group, logging=logging),
            Code("0" * 64, 1),
        )
        runtimes: Any = Runtimes()
        self.output = EnvironmentOutput(deployment, self.logs, runtimes, clock)
        self.pipe, self.write_end = os.pipe()
        os.set_blocking(self.pipe, False)
        self.output.attach(self.pipe)

    @property
    def is_read(self) -> bool:
        """Whether the loop follows the pipe."""
        loop = asyncio.get_running_loop()
        return self.pipe in loop._selector.get_map()  # type: ignore[attr-defined]

    def print(self, text: str) -> None:
        os.write(self.write_end, text.encode())

    def messages(self) -> list[str]:
        self.logs.write_now()
        read = self.segments.read(LogPosition(0, 0), self.segments.end())
        return [message for record in read for message in msgspec.msgpack.decode(record.payload)[6]]

    async def close(self) -> None:
        self.output.detach()
        os.close(self.pipe)
        os.close(self.write_end)
        await self.logs.close()


def play(
    folder: Path, story: Callable[[Bench], None], log_group: str = "/aws/lambda/f", logging: Logging = TEXT
) -> None:
    async def whole() -> None:
        bench = Bench(folder, log_group, logging)
        try:
            story(bench)
        finally:
            await bench.close()

    asyncio.run(whole())


def test_a_tail_is_what_came_since_the_invocation_was_placed(tmp_path: Path) -> None:
    """The output of its init among it, INIT_START not; it is taken once."""

    def story(bench: Bench) -> None:
        output = bench.output
        output.write(["before\n"])
        output.begin_tail(is_wanted=True)
        output.init_start("on-demand")
        bench.print("loading\n")
        output.read()
        output.init_report(LogInitReport(1.0, "init", "error", "Runtime.ExitError"))
        output.start(INVOCATION)
        bench.print("working")
        output.read(flush=True)
        output.end(INVOCATION, END, memory_peak_mib=30, cpu_us=7)
        tail = output.take_tail()
        assert tail is not None
        assert tail.decode() == "".join(message for message in bench.messages()[1:] if "INIT_START" not in message)
        assert [line.split()[0] for line in bench.messages()] == [
            "before", "INIT_START", "loading", "INIT_REPORT", "START", "working", "END", "REPORT"
        ]  # fmt: skip
        assert output.take_tail() is None

    play(tmp_path, story)


def test_a_tail_is_bounded_and_only_kept_where_it_is_wanted(tmp_path: Path) -> None:
    """The last 4 KB, in bytes."""

    def story(bench: Bench) -> None:
        bench.output.begin_tail(is_wanted=True)
        bench.output.write(["\u00e4" * 3000, "x" * 100])
        assert bench.output.take_tail() == ("\u00e4" * 1998 + "x" * 100).encode()
        bench.output.begin_tail(is_wanted=False)
        bench.output.write(["more"])
        assert bench.output.take_tail() is None

    play(tmp_path, story)


def test_what_was_printed_stands_before_the_line_about_the_time(tmp_path: Path) -> None:
    """Lines that nobody has read yet, and one that is not complete: the process is ended by then."""

    def story(bench: Bench) -> None:
        bench.output.start(INVOCATION)
        bench.print("waits\nfor")
        bench.output.timeout(INVOCATION)
        _, *printed, told = bench.messages()
        assert printed == ["waits\n", "for"]
        assert "Task timed out after 3.00 seconds" in told

    play(tmp_path, story)


def test_a_pipe_that_was_left_is_not_read(tmp_path: Path) -> None:
    """Its number may be another's by then."""

    def story(bench: Bench) -> None:
        bench.print("too late\n")
        bench.output.detach()
        bench.output.read(flush=True)
        bench.output.detach()
        assert bench.messages() == []

    play(tmp_path, story)


def test_the_stream_names_the_function_where_the_group_does_not(tmp_path: Path) -> None:
    """Several functions may share a group of the user's choice."""

    def is_named(name: str) -> Callable[[Bench], None]:
        def story(bench: Bench) -> None:
            stream = bench.output.stream_name
            assert stream.split("/")[3].startswith(f"{name}[$LATEST]")

        return story

    play(tmp_path / "own", is_named(""))
    play(tmp_path / "shared", is_named("f"), "shared")


def test_what_an_environment_costs() -> None:
    """Its memory, /tmp, architecture and runtime, how it was initialised, and for whom it runs."""
    configuration = Configuration("java21", "app", "role", memory_mib=1_769, tmp_mib=2_048, architectures=("arm64",))
    deployment = Deployment(SCOPE, FunctionName("f"), "3", "f-3", configuration, Code("0" * 64, 1))
    assert usage_class(deployment, "snap-start") == UsageClass(1_769, 2_048, "arm64", "snap-start", "java21", "")
    of_tenant = msgspec.structs.replace(deployment, tenant="blue")
    assert usage_class(of_tenant, "on-demand") == UsageClass(1_769, 2_048, "arm64", "on-demand", "java21", "blue")


def test_an_invocation_says_what_it_used(tmp_path: Path) -> None:
    """As REPORT says it, under the time of its start and by the address that the caller gave; restores are told."""

    async def whole() -> None:
        bench = Bench(tmp_path, "/aws/lambda/f")
        output = bench.output
        output.init_start("snap-start")
        arn = "arn:aws:lambda:us-east-1:000000000000:function:f:live"
        invocation = Invocation("r1", arn, b"{}", "Root=1")
        started_ms = int(bench.clock.now() * 1000)
        output.start(invocation)
        bench.clock.advance(2)
        end = LogEnd(duration_ms=3.004, init_ms=None, restore_ms=7.25, status="", error_type="", is_error=True)
        output.end(invocation, end, memory_peak_mib=30, cpu_us=7, streamed_bytes=9)
        await bench.close()
        key = UsageKey(SCOPE, "f", LATEST, "live", UsageClass(128, 512, "x86_64", "snap-start", "python3.13"))
        assert bench.store.usage == [UsageRecord(key, "r1", started_ms, 3_004, 0, 11, 7, 30, 9, "error", True)]

    asyncio.run(whole())


# Floods ----------------------------------------------------------------------------------------------------------


class Flood:
    """A process that prints without end, as far as its pipe takes it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        os.set_blocking(bench.write_end, False)
        self.written = 0

    def go_on(self, most: int) -> None:
        """Print until so much has left the pipe, or the pipe is full and nobody reads it."""
        begin = self.written
        while self.written - begin < most:
            try:
                self.written += os.write(self.bench.write_end, b"y" * 999 + b"\n")
            except BlockingIOError:
                if not self.bench.is_read:
                    return
                self.bench.output.read()

    def stop(self) -> None:
        self.bench.output.read(flush=True)


def test_a_flood_is_slowed_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is free passes at once, then no more than so much a second; log and operator hear of it once a minute."""
    # Nothing is folded in this story.
    monkeypatch.setattr("lambent.telemetry.logs.BEHIND_BYTES", 1 << 40)

    def story(bench: Bench) -> None:
        flood = Flood(bench)
        flood.go_on(10 * FLOOD_BYTES_FREE)
        assert FLOOD_BYTES_FREE <= flood.written < FLOOD_BYTES_FREE + 4 * 2**20
        assert not bench.is_read
        for _ in range(20):
            before = flood.written
            bench.clock.advance(0.25)
            assert bench.is_read
            flood.go_on(10 * FLOOD_BYTES_FREE)
            assert flood.written - before <= FLOOD_BYTES_PER_S / 4 + 2 * 2**20
        assert flood.written - FLOOD_BYTES_FREE >= 19 * FLOOD_BYTES_PER_S / 4
        assert bench.logs.counts().throttles >= 19
        flood.stop()
        told = [message for message in bench.messages() if "throttled" in message]
        assert len(told) == 1
        assert told[0].endswith(
            "LAMBENT Output throttled: this environment has written 32 MiB and waits whenever it prints more than "
            "is stored\n"
        )
        assert caplog.text.count("logs.throttled function=f version=$LATEST") == 1
        bench.clock.advance(FLOOD_TOLD_EVERY_S)
        flood.go_on(10 * FLOOD_BYTES_FREE)
        flood.stop()
        assert caplog.text.count("logs.throttled function=f version=$LATEST") == 2
        lines = [message for message in bench.messages() if message.startswith("y")]
        assert sum(map(len, lines)) == flood.written

    play(tmp_path, story)


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARN"])
def test_a_flood_is_told_of_in_json(tmp_path: Path, level: str) -> None:
    """Where a function logs in JSON it is a record like the platform's others, a warning."""

    def story(bench: Bench) -> None:
        bench.output.init_start("on-demand")
        Flood(bench).go_on(2 * FLOOD_BYTES_FREE)
        (told,) = [message for message in bench.messages() if "logsThrottled" in message]
        assert msgspec.json.decode(told) == {
            "time": "2026-11-18T11:06:40.000Z",
            "type": "platform.logsThrottled",
            "record": {"writtenBytes": 33_728_000},
        }

    play(tmp_path, story, logging=Logging(is_json=True, application_level="INFO", system_level=level))


def test_an_environment_waits_while_folding_is_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that prints much waits until what there is has been folded."""
    monkeypatch.setattr("lambent.telemetry.logs.BEHIND_BYTES", 4 * 2**20)

    async def whole() -> None:
        bench = Bench(tmp_path, "/aws/lambda/f")
        flood = Flood(bench)
        flood.go_on(8 * 2**20)
        assert flood.written < 6 * 2**20
        assert not bench.is_read
        await bench.logs.fold()
        while not bench.is_read:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.001)
        before = flood.written
        flood.go_on(2**20)
        assert flood.written > before
        await bench.close()

    asyncio.run(asyncio.wait_for(whole(), 30))


def test_a_pause_ends_with_the_process(tmp_path: Path) -> None:
    """The next process is read, and the timer of a pause before does not begin a second reader."""

    def story(bench: Bench) -> None:
        flood = Flood(bench)
        flood.go_on(10 * FLOOD_BYTES_FREE)
        assert not bench.is_read
        bench.output.detach()
        bench.clock.advance(10.0)
        assert not bench.is_read
        bench.output.attach(bench.pipe)
        assert bench.is_read

    play(tmp_path, story)
