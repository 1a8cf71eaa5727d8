"""What is the `process` driver's alone: the gate, and its warning. All else is in the shared suite."""

import asyncio
import errno
import os
import signal
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from lambent.clock import SystemClock
from lambent.errors.families import DependencyError
from lambent.sandbox import process
from lambent.sandbox.contract import Assignment, DriverSettings, Exit, ParkedKind
from lambent.sandbox.process import ProcessSandbox


def gate(line: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run the gate with a command that prints, and give it `line` before its input ends."""
    command = ["/bin/sh", "-c", process._GATE, "gate", "1024", "/bin/echo", "it ran"]
    return subprocess.run(command, input=line, capture_output=True, check=False)


def test_the_gate_opens_for_a_line() -> None:
    """Then it becomes the runtime's command."""
    passed = gate(b"\n")
    assert (passed.returncode, passed.stdout) == (0, b"it ran\n")


def test_the_gate_ends_when_the_server_does() -> None:
    """A server that died before it had written the environment down leaves nothing that runs."""
    ended = gate(b"")
    assert (ended.returncode, ended.stdout) == (1, b"")


def test_it_says_that_it_isolates_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One warning, when the driver is made."""
    ProcessSandbox(DriverSettings(run_folder=tmp_path / "run"), SystemClock())
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "isolates_nothing" in record.message


def test_the_task_root_is_the_packages_real_path(tmp_path: Path) -> None:
    """There are no mounts: a function sees its package where it is."""
    (tmp_path / "package").mkdir()
    (tmp_path / "link").symlink_to("package")
    driver = ProcessSandbox(DriverSettings(run_folder=tmp_path / "run"), SystemClock())
    assert driver.task_root(tmp_path / "link") == str((tmp_path / "package").resolve())


def test_an_end_is_seen_without_process_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has none: a thread waits instead."""
    monkeypatch.setattr(process, "_open_exit_descriptor", lambda pid: None)

    async def play() -> Exit:
        driver = ProcessSandbox(DriverSettings(run_folder=tmp_path / "run"), SystemClock())
        environment = await driver.park(ParkedKind())
        await driver.assign(environment, Assignment(["/bin/sh", "-c", "exit 5"], {}, "/", tmp_path, 128))
        how = await driver.wait(environment)
        await driver.close()
        return how

    assert asyncio.run(play()) == Exit(status=5)


def _full_disk(*_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "no space left on device")


def test_a_disk_that_is_full_hides_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits is told, though the list of environments cannot be written anew."""

    async def play() -> Exit:
        driver = ProcessSandbox(DriverSettings(run_folder=tmp_path / "run"), SystemClock())
        environment = await driver.park(ParkedKind())
        with monkeypatch.context() as context:
            context.setattr(driver._written_down, "remove", _full_disk)
            await driver.assign(environment, Assignment(["/bin/sh", "-c", "exit 5"], {}, "/", tmp_path, 128))
            how = await asyncio.wait_for(driver.wait(environment), 60)
        await driver.close()
        return how

    assert asyncio.run(play()) == Exit(status=5)


def test_a_gate_that_is_killed_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever ends processes for lack of memory, say, between the list and the line: no descriptor, no entry."""

    async def play() -> None:
        driver = ProcessSandbox(DriverSettings(run_folder=tmp_path / "run"), SystemClock())
        add = driver._written_down.add

        def add_and_kill(leader: int, address: str) -> None:
            add(leader, address)
            os.kill(leader, signal.SIGKILL)
            os.waitid(os.P_PID, leader, os.WEXITED | os.WNOWAIT)

        monkeypatch.setattr(driver._written_down, "add", add_and_kill)
        environment = await driver.park(ParkedKind())
        before = len(os.listdir("/dev/fd"))  # noqa: PTH208
        with pytest.raises(DependencyError):
            await driver.assign(environment, Assignment(["/bin/sh", "-c", "exit 5"], {}, "/", tmp_path, 128))
        driver.kill(environment)
        await driver.wait(environment)
        # The listener and the other end of the pipe are closed.
        assert len(os.listdir("/dev/fd")) == before - 2  # noqa: PTH208
        assert driver._written_down._alive == {}
        await driver.close()

    asyncio.run(play())


def _not_permitted(*_: object) -> NoReturn:
    raise PermissionError(errno.EPERM, "operation not permitted")


def test_a_runtime_that_changed_its_user_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is not root may not signal it. That holds up nobody who ends environments."""

    async def play() -> Exit:
        driver = ProcessSandbox(DriverSettings(run_folder=tmp_path / "run"), SystemClock())
        environment = await driver.park(ParkedKind())
        await driver.assign(environment, Assignment(["/bin/sleep", "600"], {}, "/", tmp_path, 128))
        with monkeypatch.context() as context:
            context.setattr(os, "kill", _not_permitted)
            driver.terminate(environment)
        driver.kill(environment)
        how = await asyncio.wait_for(driver.wait(environment), 60)
        await driver.close()
        return how

    assert asyncio.run(play()) == Exit(signal=signal.SIGKILL)
