"""What is the `process` driver's alone: the gate, and its warning. All else is in the shared suite."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from lambent.clock import SystemClock
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
