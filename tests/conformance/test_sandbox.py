"""Every sandbox driver passes the shared suite."""

import asyncio
import errno
import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from lambent.errors.families import DependencyError
from lambent.sandbox import DRIVERS, namespace
from lambent.sandbox.contract import Exit, ParkedKind
from lambent.sandbox.filesystem import directory_mount
from lambent.sandbox.probe import gather, lacks_of
from lambent.testing.conformance.sandbox import (
    DirectoryConformance,
    SandboxConformance,
    Stage,
    read_line,
    until,
    within_patience,
)

_OWNER = 54_321
"""A user that no machine has."""


def _needs(driver: str) -> None:
    if lacks := lacks_of(gather(), driver):
        pytest.skip(f"needs:{driver}:{lacks[0].what}")


class TestProcess(SandboxConformance):
    """The driver `process`."""

    driver_path = DRIVERS["process"]


class TestNamespace(DirectoryConformance):
    """The driver `namespace`."""

    driver_path = DRIVERS["namespace"]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _possible(cls) -> None:
        _needs("namespace")

    def test_others_files_stay_theirs(self) -> None:
        """In a shared directory functions are its owner, and nobody else: neither root nor root's group."""

        async def play(stage: Stage) -> None:
            with self.shared(stage, _OWNER, 0o755) as folder:
                os.chown(folder, _OWNER, 0)
                for name, mode in {"secret": 0o600, "of-group": 0o660, "readable": 0o644, "open": 0o666}.items():
                    (folder / name).write_text(f"{name}\n")
                    (folder / name).chmod(mode)
                os.mknod(folder / "device", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
                (folder / "device").chmod(0o666)
                script = "cd /mnt/data; id -u; for f in *; do\n"
                script += "  echo $f $(stat -c %u $f) $(head -c 1 $f >/dev/null 2>&1; echo $?)"
                script += " $( (echo more >> $f) 2>/dev/null; echo $?) $(chmod 777 $f 2>/dev/null; echo $?)\n"
                script += "done; touch mine; chgrp 0 mine 2>/dev/null; echo $?; grep /mnt/data /proc/self/mountinfo"
                _, output = await stage.run(script, file_systems=(("/mnt/data", str(folder)),))
                lines = output.splitlines()
                assert lines[0] not in {"0", str(_OWNER)}
                assert lines[1:7] == [
                    "device 0 1 2 1",
                    "of-group 0 1 2 1",
                    "open 0 0 0 1",
                    "readable 0 0 2 1",
                    "secret 0 1 2 1",
                    "1",
                ]
                assert "nosuid,nodev" in lines[7]
                mine = (folder / "mine").stat()
                assert (mine.st_uid, mine.st_gid) == (_OWNER, int(lines[0]))

        self.on_stage(play)

    def test_nobody_is_asked_in_the_place_of_one_that_is_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Numbers of processes are given out again: process 1 ended while its runtime was looked for."""

        async def play(stage: Stage) -> None:
            environment = await stage.start("echo up; exec sleep 600")
            await read_line(environment, "up")
            bystander = await asyncio.create_subprocess_exec("sleep", "600")
            looks = iter([os.getpid()])
            monkeypatch.setattr(namespace, "pid_of", lambda descriptor: next(looks, None))
            monkeypatch.setattr(namespace, "child_numbered", lambda pid, number: bystander.pid)
            stage.driver.terminate(environment)
            bystander.kill()
            assert await within_patience(bystander.wait()) == -signal.SIGKILL

        self.on_stage(play)

    def test_functions_are_never_root_in_a_directory(self, caplog: pytest.LogCaptureFixture) -> None:
        """In a directory of root's each environment is its own user; the log says so, once."""

        async def play(stage: Stage) -> None:
            with self.shared(stage, 0, 0o1777) as folder:
                file_systems = (("/mnt/data", str(folder)),)
                for name in ("one", "two"):
                    script = f"id -u; echo {name} > /mnt/data/{name}; cat /mnt/data/*"
                    _, output = await stage.run(script, file_systems=file_systems)
                    assert (folder / name).stat().st_uid == int(output.split()[0]) != 0
                assert output.split()[1:] == ["one", "two"]
                assert len({path.stat().st_uid for path in folder.iterdir()}) == 2

        self.on_stage(play)
        assert [message.split(" meaning=")[0].split(" directory=")[0] for message in caplog.messages] == [
            "file_system.owner_not_mapped"
        ]
        assert "chown it to another user" in caplog.text

    def test_a_file_system_that_maps_nobody_works_all_the_same(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """NFS refuses: what everybody may do is possible still, and the log says what is not, once."""

        def refuse(host: str, mapping: int = -1) -> int:
            if mapping >= 0:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            return directory_mount(host)

        monkeypatch.setattr(namespace, "directory_mount", refuse)

        async def play(stage: Stage) -> None:
            with self.shared(stage, _OWNER, 0o777) as folder:
                for _ in range(2):
                    script = "id -u; echo x > /mnt/data/$(id -u)"
                    how, output = await stage.run(script, file_systems=(("/mnt/data", str(folder)),))
                    assert how.status == 0
                    assert (folder / output.strip()).stat().st_uid == int(output)

        self.on_stage(play)
        assert caplog.text.count("file_system.owner_not_mapped") == 1
        assert "its file system refuses: Invalid argument" in caplog.text

    def test_a_directory_that_does_not_answer_holds_up_nobody_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on a machine that is down: other environments start, and what waits can be ended or given up."""
        answers = threading.Event()
        blocked: list[str] = []

        def block(host: str, mapping: int = -1) -> int:
            if host.endswith("dead"):
                blocked.append(host)
                assert answers.wait(60)
            return directory_mount(host, mapping)

        monkeypatch.setattr(namespace, "directory_mount", block)

        async def play(stage: Stage) -> None:
            (stage.folder / "dead").mkdir()
            os.chown(stage.folder / "dead", _OWNER, _OWNER)
            with self.shared(stage, _OWNER, 0o700) as folder:
                await stage.run("true", file_systems=(("/mnt/data", str(folder)),))
                before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count
                starting = []
                for _ in range(2):
                    environment = await stage.driver.park(ParkedKind())
                    dead = (("/mnt/data", str(stage.folder / "dead")),)
                    assigning = asyncio.create_task(stage.assign(environment, "script", file_systems=dead))
                    starting.append((environment, assigning))
                await until(lambda: len(blocked) == 2)
                assert (await stage.run("true", file_systems=(("/mnt/data", str(folder)),)))[0] == Exit(status=0)
                (killed, failing), (given_up, cancelled) = starting
                stage.driver.kill(killed)
                with pytest.raises(DependencyError, match="has not answered"):
                    await within_patience(failing)
                cancelled.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await cancelled
                stage.driver.kill(given_up)
                for environment in (killed, given_up):
                    await within_patience(stage.driver.wait(environment))
                    stage.driver.release(environment)
                answers.set()
                await until(lambda: len(os.listdir("/proc/self/fd")) <= before)  # noqa: PTH208 - a count

        self.on_stage(play)

    def test_a_mapping_leaves_nothing_behind(self) -> None:
        """The process that a mapping takes is gone, and so is every descriptor."""

        async def play(stage: Stage) -> None:
            with self.shared(stage, _OWNER, 0o700) as folder:
                file_systems = (("/mnt/data", str(folder)),)
                await stage.run("true", file_systems=file_systems)
                spawner = stage.driver._spawner._process.pid  # type: ignore[attr-defined]

                def seen() -> tuple[int, int, str]:
                    children = Path(f"/proc/{spawner}/task/{spawner}/children").read_text()
                    ours, theirs = (list(Path(f"/proc/{one}/fd").iterdir()) for one in ("self", spawner))
                    return len(ours), len(theirs), children

                before = seen()
                for _ in range(5):
                    await stage.run("true", file_systems=file_systems)
                assert seen() == before

        self.on_stage(play)


class TestRootless(DirectoryConformance):
    """The driver `rootless`, here with root's own processes in a user namespace."""

    driver_path = DRIVERS["rootless"]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _possible(cls) -> None:
        _needs("rootless")
