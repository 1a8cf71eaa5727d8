"""
Rows about function logs, without HTTP: lines on their way into the store, what they take on disk, and looking for some.

What is measured runs in this process and in its threads; the store lies in a file on the disk of the data folders.
"""

import asyncio
import os
import random
import statistics
import subprocess
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from bench.processes import memory_bytes
from bench.table import Line, mebibytes, milliseconds
from bench.targets import scratch_folder
from lambent.clock import SystemClock
from lambent.domain.caller import Scope
from lambent.domain.filter_pattern import parse
from lambent.store.data_folder import DataFolder
from lambent.store.database import Database
from lambent.store.logs import LogRepository
from lambent.telemetry.logs import FunctionLogs
from lambent.telemetry.segments import Segments

if TYPE_CHECKING:
    from bench.rows import Plan

_SCOPE = Scope("000000000000", "us-east-1")
_GROUP = "/aws/lambda/bench"
_STREAMS = 16
_LINES_OF_INVOCATION = 20
_LINES_A_SECOND = 20_000
_PROCESSOR_MAX = 0.5
"""Of one processor, for so many lines a second."""
_MEMORY_MAX_BYTES = 48 << 20
"""How much more memory folding may take at its most; what flat memory means."""
_APPEND_MAX_S = 50e-6
_APPENDS = 5_000
_SEARCH_MAX_S = 2.0
"""For a million lines."""


def measure_logs(plan: "Plan") -> list[Line]:
    """Write lines, fold them while more come, then look for some of them."""
    count = plan.log_lines
    text = _lines(20_000)
    with scratch_folder() as folder:
        return asyncio.run(_measure(plan, folder, text, count))


async def _measure(plan: "Plan", folder: Path, text: list[str], count: int) -> list[Line]:
    clock = SystemClock()
    with DataFolder.open(folder / "data") as data:
        async with Database(data.database) as database:
            store = LogRepository(database, clock)
            logs = FunctionLogs(Segments(data.segments, clock), store, clock)
            await logs.recover()
            await _write(logs, text, count // 10)
            before = memory_bytes(os.getpid())[0]
            begin = time.process_time()
            most = await _write(logs, text, count)
            processor_s = time.process_time() - begin
            begin = time.process_time()
            for start in range(0, len(text), 5_000):
                zlib.compress("".join(text[start : start + 5_000]).encode(), 3)
            compressing_s = (time.process_time() - begin) / len(text)
            total = count + count // 10
            append_s, write_s = _append(logs), _write_plainly(folder / "plain.segment")
            searches = [await _search(store, pattern, total) for pattern in _PATTERNS]
            await logs.close()
        disk_bytes = data.database.stat().st_size
        raw_bytes = sum(len(line.encode()) for line in text) / len(text)
        grep_s = _grep(folder / "plain.log", text, total)
    share = processor_s / count * _LINES_A_SECOND
    plan.say(f"  {count} lines: {processor_s:.2f} s of processor time, {mebibytes(disk_bytes)} on disk")
    return [
        Line(
            f"log line from its environment into the store, {count} lines",
            f"{processor_s / count * 1e6:.1f} us of processor time",
            f"{compressing_s * 1e6:.1f} us, its compression alone",
            processor_s / count / compressing_s,
            is_met=share <= _PROCESSOR_MAX,
            required_text=f"{_LINES_A_SECOND} lines/s in half a processor ({share:.0%})",
        ),
        Line(
            "memory beyond the first tenth of these lines, at its most",
            f"PSS {mebibytes(most - before)}",
            mebibytes(before),
            most / before,
            is_met=most - before <= _MEMORY_MAX_BYTES,
            required_text="at most 48 MiB more",
        ),
        Line(
            "log line on disk",
            f"{disk_bytes / total:.1f} bytes",
            f"{raw_bytes:.1f} bytes, as written",
            disk_bytes / total / raw_bytes,
        ),
        Line(
            "log of an invocation, on its way: START, a line, END and REPORT",
            f"{append_s * 1e6:.1f} us",
            f"{write_s * 1e6:.1f} us, three writes of as many bytes",
            append_s / write_s,
            is_met=append_s < _APPEND_MAX_S,
            required_text="under 50 us, what all telemetry may cost",
        ),
        *(
            Line(
                f"search `{pattern}` through {total} lines, {found} found",
                f"{milliseconds(search_s)}, {milliseconds(processor_s)} of processor time",
                f"{milliseconds(grep_s)}, grep ERROR in a plain file",
                search_s / grep_s,
                is_met=search_s <= _SEARCH_MAX_S * total / 1e6,
                required_text="under 2 s a million",
            )
            for pattern, (search_s, processor_s, found) in zip(_PATTERNS, searches, strict=True)
        ),
    ]


_PATTERNS = ("ERROR", '{ $.level = "ERROR" }', "{ $.latency > 995 }")


def _lines(count: int) -> list[str]:
    """Return lines as functions write them, a third of them JSON."""
    chance = random.Random(1)
    lines = []
    for number in range(count):
        request_id = f"{chance.getrandbits(128):032x}"
        level = "ERROR" if chance.random() < 0.02 else "INFO"
        if number % 3:
            lines.append(
                f"2026-11-25T02:10:{number // 1000 % 60:02d}.{number % 1000:03d}Z {request_id} {level} "
                f"item {number} of order {chance.randrange(10**6)} took {chance.randrange(500)} ms\n"
            )
        else:
            lines.append(
                f'{{"level": "{level}", "latency": {chance.randrange(1000)}, "requestId": "{request_id}", '
                f'"message": "handled a request of user {chance.randrange(10_000)}"}}\n'
            )
    return lines


async def _write(logs: FunctionLogs, text: list[str], count: int) -> int:
    """Write so many lines by several environments and fold them along the way; return the most memory that took."""
    streams = [logs.open_stream(_SCOPE, _GROUP, f"2026/11/25/[$LATEST]{number:032x}") for number in range(_STREAMS)]
    most = 0
    for number in range(count // _LINES_OF_INVOCATION):
        start = number * _LINES_OF_INVOCATION % len(text)
        streams[number % _STREAMS].output(text[start : start + _LINES_OF_INVOCATION])
        if number % (_LINES_A_SECOND // _LINES_OF_INVOCATION) == 0:
            # A second's worth, as a timer would fold it.
            await logs.fold()
            most = max(most, memory_bytes(os.getpid())[0])
    await logs.fold()
    return most


def _append(logs: FunctionLogs) -> float:
    """Return the seconds that an invocation spends on its log, the median; nothing is folded meanwhile."""
    stream = logs.open_stream(_SCOPE, _GROUP, "2026/11/25/[$LATEST]appended")
    samples = []
    for number in range(_APPENDS):
        request_id = f"{number:036x}"
        begin = time.perf_counter()
        stream.started(request_id, "$LATEST", 128, 3, [f"START RequestId: {request_id} Version: $LATEST\n"])
        stream.output(["handled one request\n"])
        stream.ended(request_id, [f"END RequestId: {request_id}\n", f"REPORT RequestId: {request_id}{'x' * 90}\n"])
        samples.append(time.perf_counter() - begin)
    return statistics.median(samples)


def _write_plainly(path: Path) -> float:
    samples = []
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for _ in range(_APPENDS):
        begin = time.perf_counter()
        for size in (220, 140, 330):
            os.write(descriptor, b"x" * size)
        samples.append(time.perf_counter() - begin)
    os.close(descriptor)
    return statistics.median(samples)


async def _search(store: LogRepository, pattern: str, count: int) -> tuple[float, float, int]:
    """Look page by page, as FilterLogEvents does; return the seconds, those of the processor, and how many it found."""
    begin, began = time.perf_counter(), time.process_time()
    found, place = 0, None
    while True:
        page = await store.page(
            _SCOPE, _GROUP, pattern=parse(pattern), after=place, limit=10_000, bytes_max=1_048_576, seconds_max=1.0
        )
        found += len(page.events)
        if (place := page.next) is None:
            break
    assert found > count / 1000
    return time.perf_counter() - begin, time.process_time() - began, found


def _grep(path: Path, text: list[str], count: int) -> float:
    with path.open("w") as file:
        file.writelines(text[number % len(text)] for number in range(count))
    begin = time.perf_counter()
    subprocess.run(["grep", "-c", "ERROR", str(path)], check=True, capture_output=True)
    return time.perf_counter() - begin
