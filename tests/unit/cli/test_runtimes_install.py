"""`lambent runtimes install`: what is run and what is left behind, with installers that are scripts."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

NODE = """#!/bin/sh
if [ "$1" = --version ]; then echo v24.1.0; else echo '["node","24.1.0"]'; fi
"""
"""What the search asks for; a script is never taken for an interpreter, so that what is here stays what is found."""

BRINGS_NODE = f"""for last; do :; done
bin="node_modules/${{last%@*}}/bin"; mkdir -p "$bin"; cat > "$bin/node" <<'END'
{NODE}END
chmod 755 "$bin/node"
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """Give a folder that the functions' user can pass."""
    made = Path(tempfile.mkdtemp(prefix="lambent-install-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def tool(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Put a script on a PATH that has else but the system's own; return where it writes its arguments."""
    programs = place / "programs"
    programs.mkdir()
    for program in ("sh", "cat", "mkdir", "chmod", "sleep", "touch", "env"):
        (programs / program).symlink_to(shutil.which(program) or "")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HOME", str(place))
    # What the machine itself has is not looked at: neither is a Node.js of its /usr, nor a version manager's.
    monkeypatch.setattr("lambent.runtimes.nodejs_interpreters._folders", lambda *_: [])

    def make(name: str, script: str) -> Path:
        noted = programs / f"{name}.arguments"
        (programs / name).write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {noted}\n{script}\n")
        (programs / name).chmod(0o755)
        return noted

    return make


@pytest.fixture
def install(lambent: Run, place: Path) -> Run:
    """Run the command with a runtimes folder of its own, without walls."""

    def run(*runtimes: str) -> Any:
        return lambent("runtimes", "install", *runtimes, "--runtimes-dir", str(place / "r"), "--sandbox", "process")

    return run


def left(place: Path) -> list[str]:
    folder = place / "r"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_what_is_unknown_is_wrong_use(install: Run) -> None:
    """Nothing is installed, not even what stands before it."""
    finished = install("python3.12", "cobol")
    assert (finished.code, finished.err) == (2, "lambent: cobol is not a runtime of Lambda; see `lambent runtimes`\n")


def test_what_needs_nothing(install: Run, tool: Any) -> None:
    """Packages bring their own program; runtimes that are not offered are refused, the others done all the same."""
    finished = install("nodejs4.3", "provided.al2023", "provided.al2023")
    assert finished.code == 1
    first, second = finished.err.splitlines()
    assert first.startswith("runtimes: provided.al2023: nothing to install, the package brings")
    assert second == "lambent: nodejs4.3: not offered by this version of Lambent"


def test_a_machine_without_installers(install: Run, tool: Any, place: Path) -> None:
    """It is said what to do, in a line for each."""
    finished = install("nodejs24.x", "nodejs22.x")
    assert finished.code == 1
    assert finished.err.splitlines() == [
        f"lambent: {runtime}: this machine has nothing to install it with: "
        "install npm (`apt install npm`) and repeat this command"
        for runtime in ("nodejs24.x", "nodejs22.x")
    ]
    assert left(place) == []


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("mkdir node_modules; echo no such version; exit 3", "failed with exit code 3: nothing has been installed"),
        ("mkdir node_modules", "brought does not run on this machine"),
    ],
    ids=["fails", "brings-nothing"],
)
def test_an_installer_that_fails_leaves_nothing(
    install: Run, tool: Callable[[str, str], Path], place: Path, script: str, told: str
) -> None:
    """Its last words and one line; no folder has the version's name."""
    noted = tool("npm", script)
    finished = install("nodejs24.x")
    assert finished.code == 1
    assert told in finished.err.splitlines()[-1]
    assert ("    no such version\n" in finished.err) == ("exit" in script)
    assert noted.read_text().splitlines()[-1].endswith("@24")
    assert left(place) == []


POLICY = """nodejs:
  Installed: (none)
  Candidate: {}
  Version table:
     24.9.0 500
"""


def test_debians_packages(
    install: Run, tool: Callable[[str, str], Path], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What apt would install is asked for in English; installing is root's."""
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    noted = tool("apt-get", 'echo "$DEBIAN_FRONTEND"; exit 100')
    tool("apt-cache", f'[ "$LC_ALL" = C ] && cat <<END\n{POLICY.format("24.1.0+dfsg-1")}END')
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert install("nodejs24.x").err.endswith(": run `apt-get install nodejs` as root\n")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    refused = "lambent: nodejs24.x: `apt-get install nodejs` failed with exit code 100: nothing has been installed\n"
    assert install("nodejs24.x").err.endswith(f"    noninteractive\n{refused}")
    assert noted.read_text().split() == ["install", "--yes", "--no-install-recommends", "nodejs"]
    tool("apt-cache", f"cat <<END\n{POLICY.format('(none)')}END")
    assert "install npm" in install("nodejs24.x").err


def test_an_installation_gets_its_name_when_it_works(
    install: Run, tool: Callable[[str, str], Path], place: Path
) -> None:
    """What an interrupted one left under that name makes way; what works is not installed twice."""
    noted = tool("npm", BRINGS_NODE)
    (place / "r/nodejs24/node_modules").mkdir(parents=True)
    for _ in range(2):
        finished = install("nodejs24.x")
        # A script is no interpreter: the search tells whether functions can have what was installed.
        assert (finished.code, "there is no Node.js 24" in finished.err) == (1, True)
        (node,) = (place / "r/nodejs24").glob("node_modules/node-*/bin/node")
        assert node.read_text() == NODE
        assert left(place) == ["nodejs24"]
        assert noted.exists()
        noted.unlink()
        tool("npm", "exit 9")
        noted.touch()


ON_A_MACHINE_WITHOUT_NODEJS = """
import sys
from lambent.cli.main import run
from lambent.runtimes import nodejs_interpreters
nodejs_interpreters._folders = lambda *_: []
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_installation_has_no_name(
    tool: Callable[[str, str], Path], place: Path, number: signal.Signals
) -> None:
    """Ctrl-C takes all of it along; after a kill, what is left has a name that nothing looks at."""
    # It ends with the test, if not before.
    tool("npm", "mkdir node_modules; touch ../../started; while [ -e ../../started ]; do sleep 0.02; done")
    arguments = ("runtimes", "install", "nodejs24.x", "--sandbox", "process", "--runtimes-dir", str(place / "r"))
    process = subprocess.Popen([sys.executable, "-c", ON_A_MACHINE_WITHOUT_NODEJS, *arguments])
    try:
        while not (place / "started").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        process.wait(30)
    finally:
        process.kill()
        process.wait()
    assert [name for name in left(place) if not name.startswith(".unfinished-")] == []
    if number is signal.SIGINT:
        assert left(place) == []
        assert process.returncode == 130


def test_what_is_there_already(lambent: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said with what, and the exit code is 0."""
    # The system's own alone: each interpreter that is found is started.
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    if (node := shutil.which("node")) is None:
        pytest.skip("needs:nodejs:apt install nodejs")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()[1:]
    runtime = f"nodejs{version.partition('.')[0]}.x"
    finished = lambent("runtimes", "install", runtime, "--runtimes-dir", str(place / "r"))
    assert (finished.code, finished.out) == (0, "")
    assert finished.err.startswith(f"runtimes: {runtime}: already there, Node.js {version} at ")
