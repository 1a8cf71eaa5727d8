"""Build tools: what is said of them, when, and that none outlives the command."""

import os
from pathlib import Path

import pytest

from lambent.cli import build_tool
from lambent.cli.build_tool import LAST_WORDS_LINES, Builder, Tool
from lambent.cli.failure import CommandFailed
from lambent.clock import SystemClock

SHELL = Tool("/bin/sh", "`apt install dash`")


def run(builder: Builder, script: str, folder: Path, *, has_answer: bool = False) -> bytes:
    return builder.run(SHELL, "-c", script, folder=folder, shown="make it", has_answer=has_answer)


def test_a_build_that_is_fine_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What runs and how long it took are said, what it printed is not; nothing of it gets to stdout."""
    run(Builder(SystemClock()), "echo compiling; echo warning >&2", tmp_path)
    captured = capfd.readouterr()
    assert captured.out == ""
    first, second = captured.err.splitlines()
    assert first == "deploy: running `make it`"
    assert second.startswith("deploy: done after ")


def test_verbose_shows_it_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Line by line on stderr; a failure does not repeat it."""
    with pytest.raises(CommandFailed):
        run(Builder(SystemClock(), verbose=True), "echo compiling; echo wrong >&2; exit 1", tmp_path)
    assert capfd.readouterr().err == "deploy: running `make it`\n    compiling\n    wrong\n"


def test_a_failure_has_the_last_words(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The last lines, those of both outputs in their order, and the exit code in one line."""
    script = 'i=0; while [ $i -lt 100 ]; do i=$((i + 1)); echo "line $i" >&$((i % 2 + 1)); done; exit 7'
    with pytest.raises(CommandFailed, match=r"^`make it` failed with exit code 7: nothing has been deployed$"):
        run(Builder(SystemClock()), script, tmp_path)
    assert capfd.readouterr().err.splitlines()[1:] == [f"    line {n}" for n in range(101 - LAST_WORDS_LINES, 101)]


def test_a_signal_is_named_as_one(tmp_path: Path) -> None:
    """A compiler that the kernel ended for its memory has no exit code."""
    with pytest.raises(CommandFailed, match="failed with signal 9"):
        run(Builder(SystemClock()), "kill -9 $$", tmp_path)


def test_a_tool_that_is_missing_comes_with_its_remedy(tmp_path: Path) -> None:
    """Nothing is started."""
    builder = Builder(SystemClock(), environ={"PATH": str(tmp_path)})
    with pytest.raises(CommandFailed, match=r"^go is not installed, .*: `apt install golang-go`$"):
        builder.run(Tool("go", "`apt install golang-go`"), folder=tmp_path, shown="go build")


def test_an_answer_is_given_and_not_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Where stdout is for a program, stderr alone has the last words."""
    builder = Builder(SystemClock())
    assert run(builder, "echo '{}'; echo built >&2", tmp_path, has_answer=True) == b"{}\n"
    with pytest.raises(CommandFailed):
        run(builder, "echo '{}'; echo wrong >&2; exit 1", tmp_path, has_answer=True)
    captured = capfd.readouterr()
    assert "{}" not in captured.out + captured.err
    assert captured.err.endswith("    wrong\n")


class _Watched(Builder):
    """Does something when it is said that a build goes on."""

    def say(self, line: str) -> None:
        super().say(line)
        if line.startswith("still running"):
            self.notice()

    def notice(self) -> None:
        (Path(self.environ["FOLDER"]) / "go-on").touch()


def test_a_long_build_is_said_to_go_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its newest line, so that one sees what it is at. It waits here until that has been said."""
    monkeypatch.setattr(build_tool, "HEARTBEAT_S", 0.3)
    builder = _Watched(SystemClock(), environ={**os.environ, "FOLDER": str(tmp_path)})
    run(builder, "echo linking; while [ ! -e go-on ]; do sleep 0.02; done", tmp_path)
    assert "deploy: still running after 0 s: linking\n" in capfd.readouterr().err


def test_a_build_that_is_interrupted_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C leaves no compiler behind."""

    class Interrupted(_Watched):
        def notice(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(build_tool, "HEARTBEAT_S", 0.3)
    with pytest.raises(KeyboardInterrupt):
        run(Interrupted(SystemClock()), "echo $$ > pid; exec sleep 600", tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_daemon_that_a_tool_leaves_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps the output open; the build is over all the same."""
    monkeypatch.setattr(build_tool, "_READER_GRACE_S", 0.1)
    run(Builder(SystemClock()), "while [ ! -e enough ]; do sleep 0.02; done & echo built", tmp_path)
    (tmp_path / "enough").touch()


def test_what_is_built_can_be_read_by_functions(tmp_path: Path) -> None:
    """Whatever the umask of who deploys: functions run as another user."""
    before = os.umask(0o077)
    try:
        run(Builder(SystemClock()), "touch made", tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o644
