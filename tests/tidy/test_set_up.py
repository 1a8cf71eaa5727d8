"""The set-up scripts: which Python they take, and what they leave behind when it goes wrong."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the set-up scripts and an empty lock file: nothing is fetched."""
    shutil.copytree(ROOT / "tools", tmp_path / "checkout" / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    requirements = tmp_path / "checkout" / "requirements"
    requirements.mkdir()
    for lock in (ROOT / "requirements").glob("*.txt"):
        (requirements / lock.name).write_text("")
    return tmp_path / "checkout"


def set_up(checkout: Path, *names: str, python: str = "") -> "subprocess.CompletedProcess[str]":
    environ = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHON": python}
    return subprocess.run(
        ["sh", str(checkout / "tools" / "setup.sh"), *names], capture_output=True, text=True, env=environ, check=False
    )


def script(path: Path, text: str) -> str:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def test_an_interpreter_that_is_not_there_is_named(checkout: Path) -> None:
    """PYTHON= is obeyed, never replaced by another one."""
    done = set_up(checkout, "clients", python="no-such-python")
    assert (done.returncode, done.stderr) == (1, "PYTHON=no-such-python: there is no such command\n")


def test_an_interpreter_that_is_too_old_is_refused(checkout: Path, tmp_path: Path) -> None:
    """The line says what it is and what is needed."""
    old = script(tmp_path / "old", 'case "$1" in --version) echo Python 3.9.1;; *) exit 1;; esac\n')
    done = set_up(checkout, "clients", python=old)
    assert done.returncode == 1
    assert "Python 3.9.1 is not enough, Lambent needs Python 3.11 or newer" in done.stderr


def test_where_venv_fails_nothing_half_made_is_left(checkout: Path, tmp_path: Path) -> None:
    """Debian splits `venv` off: the line names the package, and the next attempt starts from nothing."""
    failing = '[ "$2" = venv ] && mkdir -p "$3" && echo "ensurepip is not available" && exit 1\n'
    broken = script(tmp_path / "broken", f'{failing}exec {sys.executable} "$@"\n')
    done = set_up(checkout, "clients", python=broken)
    assert done.returncode == 1
    assert f"Install the package python{sys.version_info.major}.{sys.version_info.minor}-venv" in done.stderr
    assert "ensurepip is not available" in done.stderr
    assert not (checkout / ".cache" / "clients").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs:root:run the tests as root")
def test_a_package_that_debian_does_not_have_keeps_no_other_out(checkout: Path, tmp_path: Path) -> None:
    """What cannot be installed with the others is asked for by itself, and named."""
    asked = tmp_path / "asked"
    script(tmp_path / "apt-get", f'echo "$@" >> {asked}\ncase " $* " in *" chromium "*) exit 100;; esac\n')
    done = subprocess.run(
        [sys.executable, str(checkout / "tools" / "setup.py"), "system"],
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0
    assert "chromium" in done.stdout.splitlines()[-1]
    assert "install -q --yes --no-install-recommends gcc libc6-dev" in asked.read_text().splitlines()


def test_the_stamp_decides_what_there_is_to_do(checkout: Path) -> None:
    """
    It is written last and holds what the environment was made from: where it fits there is nothing to do, where
    a lock file is another one by now that one is installed, and without it nothing is trusted.
    """
    folder = checkout / ".cache" / "clients"
    assert "complete" in set_up(checkout, "clients", python=sys.executable).stdout
    assert json.loads((folder / ".complete").read_text())["folder"] == str(folder)
    assert set_up(checkout, "clients").stdout == ""

    (checkout / "requirements" / "clients.txt").write_text("# changed\n")
    assert "installing 0 packages of requirements/clients.txt" in set_up(checkout, "clients").stdout
    assert set_up(checkout, "clients").stdout == ""

    (folder / ".complete").unlink()
    (folder / "left-behind").touch()
    assert "made anew" in set_up(checkout, "clients").stdout
    assert not (folder / "left-behind").exists()
