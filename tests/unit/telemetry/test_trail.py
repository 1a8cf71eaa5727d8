"""The files of the audit trail: whole lines, private, bounded, and read from their end."""

import errno
import itertools
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import root_of
from lambent.protocol.wire import WireRequest
from lambent.telemetry import trail as module
from lambent.telemetry.trail import Call, Position, Trail
from lambent.testing.virtual_clock import VirtualClock

SCOPE = Scope("000000000000", "us-east-1")


def opened(
    folder: Path, clock: VirtualClock | None = None, *, max_bytes: int = 1 << 30, has_data: bool = False
) -> Trail:
    return Trail(
        folder / "trail",
        clock or VirtualClock(),
        max_bytes=max_bytes,
        has_data=has_data,
        account=SCOPE.account,
        region=SCOPE.region,
    )


def call(operation: str = "ListFunctions", *, is_known: bool = True, parameters: Any = None) -> Call:
    made = Call(WireRequest("GET", "/", headers={"user-agent": "a"}), "the-id", "http://x")
    made.service, made.operation, made.parameters = "lambda", operation, parameters
    if is_known:
        made.caller = Caller(SCOPE, root_of(SCOPE.account), "signature", "the-id", "http://x")
    return made


def names(trail: Trail, position: Position | None = None) -> list[str]:
    return [json.loads(line)["eventName"] for _, line in trail.read_back(position)]


def test_what_was_noted_is_read_newest_first(tmp_path: Path) -> None:
    """From where another reading ended as well; folder and files are for their owner alone."""
    trail = opened(tmp_path)
    operations = [f"ListX{number}" for number in range(300)]
    for operation in operations:
        trail.note(call(operation))
    operations.reverse()
    assert names(trail) == operations
    (position, _), *_ = itertools.islice(trail.read_back(), 99, None)
    assert names(trail, position) == operations[100:]
    assert stat.S_IMODE((tmp_path / "trail").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "trail").iterdir()} == {0o600}
    trail.close()


def test_invocations_are_left_out_unless_all_is_asked_for(tmp_path: Path) -> None:
    """Not even looked at: nothing is made of them."""
    trail = opened(tmp_path)
    trail.note(call("Invoke"))
    assert names(trail) == [] and not (tmp_path / "trail").exists()
    trail = opened(tmp_path, has_data=True)
    trail.note(call("Invoke"))
    assert names(trail) == ["Invoke"]
    trail.close()


def test_the_oldest_files_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All together stay within the bound; what is left is the newest, without a gap."""
    monkeypatch.setattr(module, "RECORD_MAX_BYTES", 1_024)
    trail = opened(tmp_path, max_bytes=32_768)
    for number in range(400):
        trail.note(call(f"ListX{number}"))
        sizes = [path.stat().st_size for path in (tmp_path / "trail").iterdir()]
        assert sum(sizes) <= 32_768
    found = names(trail)
    assert 20 < len(found) < 400
    assert found == [f"ListX{number}" for number in range(399, 399 - len(found), -1)]
    trail.close()


def test_a_start_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """A line that was cut off, by a machine that went down, stays by itself."""
    trail = opened(tmp_path)
    trail.note(call("ListA"))
    trail.close()
    (path,) = (tmp_path / "trail").iterdir()
    with path.open("ab") as stream:
        stream.write(b'{"eventName": "half')
    trail = opened(tmp_path)
    trail.note(call("ListB"))
    lines = [line for _, line in trail.read_back()]
    assert json.loads(lines[0])["eventName"] == "ListB"
    assert lines[1] == b'{"eventName": "half'
    assert len(list((tmp_path / "trail").iterdir())) == 1
    trail.close()


def test_a_full_disk_loses_records_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a minute; half a line is taken back, and what comes after it is whole."""
    clock = VirtualClock()
    trail = opened(tmp_path, clock)
    trail.note(call("ListA"))
    real = os.write
    room = iter([10])

    def write(descriptor: int, data: bytes) -> int:
        left = next(room, 0)
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:left])

    monkeypatch.setattr(os, "write", write)
    for _ in range(5):
        trail.note(call("ListLost"))
    assert len([one for one in caplog.records if "trail.lost" in one.message]) == 1
    clock._elapsed += 61
    trail.note(call("ListLost"))
    assert "records=5" in caplog.records[-1].message
    monkeypatch.setattr(os, "write", real)
    trail.note(call("ListB"))
    assert names(trail) == ["ListB", "ListA"]
    trail.close()


def test_strangers_do_not_push_others_out(tmp_path: Path) -> None:
    """Of calls that nobody proved to have made so many are recorded a second; the others are counted."""
    clock = VirtualClock()
    trail = opened(tmp_path, clock)
    for _ in range(1_000):
        trail.note(call("ListStranger", is_known=False))
    assert len(names(trail)) == 200
    trail.note(call("ListKnown"))
    (_, line), *_ = trail.read_back()
    assert json.loads(line)["additionalEventData"] == {"suppressedEvents": 800}
    clock._elapsed += 1
    for _ in range(100):
        trail.note(call("ListStranger", is_known=False))
    assert len(names(trail)) == 211
    trail.close()


def test_what_cannot_be_recorded_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A defect is logged; the call was answered long ago."""

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    trail = opened(tmp_path)
    broken = call("ListA")
    broken.request = Broken()  # type: ignore[assignment]
    trail.note(broken)
    assert "trail.failed" in caplog.text
    trail.close()


def test_a_folder_that_is_somebody_elses_link_is_not_followed(tmp_path: Path) -> None:
    """A link where a file should be is refused, and the record is lost."""
    (tmp_path / "trail").mkdir()
    target = tmp_path / "target"
    target.touch()
    (tmp_path / "trail" / "trail-000000000001.jsonl").symlink_to(target)
    trail = opened(tmp_path)
    trail.note(call("ListA"))
    assert target.read_bytes() == b""
    trail.close()


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=40), st.integers(1, 50))
def test_lines_are_found_from_the_end_in_pieces_of_any_size(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], chunk: int
) -> None:
    """Each with where it begins, in order, none twice."""
    path = tmp_path_factory.getbasetemp() / "lines"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    with pytest.MonkeyPatch.context() as patch, path.open("rb") as stream:
        patch.setattr(module, "_CHUNK_BYTES", chunk)
        found: Iterator[tuple[int, bytes]] = module._lines_back(stream, path.stat().st_size)
        body = path.read_bytes()
        seen = list(found)
        assert [line for _, line in reversed(seen)] == [line for line in lines if line]
        assert all(body[offset : offset + len(line)] == line for offset, line in seen)
