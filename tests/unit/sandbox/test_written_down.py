"""What a server writes down about its environments, and what the next one makes of it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.sandbox.process_table import ProcessEntry, boot_id, process_entry
from lambent.sandbox.written_down import (
    WrittenDown,
    WrittenEnvironment,
    end_processes,
    processes_to_end,
    still_running,
)

ADDRESS = "127.0.0.1:4"


@pytest.fixture
def group() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process group of two, as an environment of an earlier server would be."""
    environ = {"AWS_LAMBDA_RUNTIME_API": ADDRESS, "PATH": "/usr/bin:/bin"}
    command = ["/bin/sh", "-c", "sleep 600 & echo $!; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ, start_new_session=True) as leader:
        yield leader
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader.pid, signal.SIGKILL)


def child_of(leader: subprocess.Popen[bytes]) -> int:
    """Return the child once it is what it will be: while a process executes a program, nobody reads its environment."""
    assert leader.stdout is not None
    child = Path("/proc") / leader.stdout.readline().decode().strip()
    until = time.monotonic() + 120
    while not ((child / "cmdline").read_bytes().startswith(b"sleep\0") and (child / "environ").read_bytes()):
        assert time.monotonic() < until
        time.sleep(0.002)
    return int(child.name)


def wait_until_ended(found: dict[int, list[ProcessEntry]]) -> None:
    """Killed processes are gone within milliseconds, and not before."""
    until = time.monotonic() + 120
    while still_running(found):
        assert time.monotonic() < until
        time.sleep(0.002)


def written(leader: int, **different: str) -> WrittenEnvironment:
    entry = process_entry(leader)
    assert entry is not None
    values = {"boot": boot_id(), "started": entry.started, "address": ADDRESS, **different}
    return WrittenEnvironment(values["boot"], leader, values["started"], values["address"])


def test_lines_outlive_the_server(tmp_path: Path, group: subprocess.Popen[bytes]) -> None:
    """Another instance reads what the first one wrote."""
    WrittenDown(tmp_path).add(group.pid, ADDRESS)
    assert WrittenDown(tmp_path).leftovers() == [written(group.pid)]


def test_what_cannot_be_read_is_skipped(tmp_path: Path) -> None:
    """A torn or foreign line does no harm; group 0 and 1 are never ours."""
    (tmp_path / "environments").write_text("torn 12\n\nb 0 1 a\nb 1 1 a\nb x 1 a\nb 77 5 a:1\nb 7")
    assert WrittenDown(tmp_path).leftovers() == [WrittenEnvironment("b", 77, "5", "a:1")]


def test_the_file_stays_small(tmp_path: Path) -> None:
    """Lines of dead environments go in bulk; living ones stay."""
    under_test = WrittenDown(tmp_path)
    under_test.add(os.getpid(), ADDRESS)
    for pid in range(1_000_000, 1_000_500):
        under_test.add(pid, ADDRESS)
        under_test.remove(pid)
    lines = (tmp_path / "environments").read_text().splitlines()
    assert len(lines) < 100
    assert lines[0].split()[1] == str(os.getpid())
    under_test.keep_living()
    assert len((tmp_path / "environments").read_text().splitlines()) == 1


def test_a_group_that_is_still_the_one_is_ended(group: subprocess.Popen[bytes]) -> None:
    """Leader and child are found by the leader's start."""
    child = child_of(group)
    found = processes_to_end([written(group.pid)])
    assert {entry.pid for entry in found[group.pid]} >= {group.pid, child}
    assert still_running(found)
    end_processes(found)
    group.wait()
    wait_until_ended(found)


def test_a_group_whose_leader_is_gone_is_ended(group: subprocess.Popen[bytes]) -> None:
    """Then the child is known by the address of our Runtime API."""
    child = child_of(group)
    line = written(group.pid)
    group.kill()
    group.wait()
    found = processes_to_end([line])
    assert [entry.pid for entry in found[group.pid]] == [child]
    assert processes_to_end([written_like(line, address="127.0.0.1:5")]) == {}
    end_processes(found)
    wait_until_ended(found)


def test_a_pid_that_belongs_to_another_is_left_alone(group: subprocess.Popen[bytes]) -> None:
    """Another start, or another boot: the number was given to somebody else."""
    child_of(group)
    assert processes_to_end([written(group.pid, started="1", address="127.0.0.1:5")]) == {}
    assert processes_to_end([written(group.pid, boot="another")]) == {}


def written_like(line: WrittenEnvironment, address: str) -> WrittenEnvironment:
    return WrittenEnvironment(line.boot, line.group, line.started, address)
