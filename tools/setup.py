"""
Build the environments that a checkout works in, each completely or not at all.

    core      .venv: what Lambent needs to run, and Lambent itself
    neighbours  .venv: core, the embedded stand-in for other AWS services, and what makes certificates
    dev       .venv: both, and what the checks and the tests of the project need
    clients   .cache/clients: boto3, Selenium and pytest, for the tests that speak to a server over HTTP
    awscli1   .cache/awscli1: AWS CLI v1
    ansible   .cache/ansible: Ansible with its collections, for tests/iac
    celery    .cache/celery: Celery with its SQS transport
    focus     .cache/focus: the validator of the FinOps Open Cost and Usage Specification
    javascript  .cache/javascript: AWS's SDK for JavaScript, where there is npm
    kinesis-local .cache/kinesis-local: a Kinesis server in JavaScript, where there is npm
    versitygw .cache/versitygw: an S3 server in Go, where there is Go
    elasticmq .cache/elasticmq: an SQS server on the JVM, where there is Maven
    peers     .cache/peers: what `make bench-peers` compares with
    dotnet    .cache/dotnet: a .NET and what calls its compiler, for tools/dotnet.py
    system    Debian packages that tests use, where this is root on Debian

A stamp, written last, says that an environment is complete and from what it was made. No stamp: an
earlier attempt was interrupted, or the folder was copied; it is made anew. A stamp of older lock
files: the environment is brought up to date in place. Only the standard library is used here.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
LOG = ROOT / ".cache" / "setup.log"

STAMP_FORMAT = 1
PROGRESS_INTERVAL_S = 3.0


class SetupError(Exception):
    """Something that the person at the terminal has to put right. The message says how."""


@dataclass(frozen=True)
class Environment:
    """
    One virtual environment: where it is, and the lock files that it is made from, in order.

    `compiles`: whether pip compiles all of it ahead, which costs minutes where most is never imported.
    """

    folder: Path
    locks: tuple[str, ...]
    holds_project: bool = False
    compiles: bool = True


ENVIRONMENTS = {
    "core": Environment(ROOT / ".venv", ("core.txt", "build.txt"), holds_project=True),
    "neighbours": Environment(ROOT / ".venv", ("core.txt", "build.txt", "neighbours.txt"), holds_project=True),
    "dev": Environment(ROOT / ".venv", ("core.txt", "build.txt", "neighbours.txt", "dev.txt"), holds_project=True),
    "clients": Environment(ROOT / ".cache" / "clients", ("clients.txt",)),
    "awscli1": Environment(ROOT / ".cache" / "awscli1", ("awscli.txt",)),
    # Half a hundred collections, of which the tests use one.
    "ansible": Environment(ROOT / ".cache" / "ansible", ("ansible.txt",), compiles=False),
    "celery": Environment(ROOT / ".cache" / "celery", ("celery.txt",)),
    # Pandas and pyarrow, of which it imports a part.
    "focus": Environment(ROOT / ".cache" / "focus", ("focus.txt",), compiles=False),
    "peers": Environment(ROOT / ".cache" / "peers", ("peers.txt",)),
    "dotnet": Environment(ROOT / ".cache" / "dotnet", ("dotnet.txt",)),
}

NPM = {name: ROOT / ".cache" / name for name in ("javascript", "kinesis-local")}
NPM_LOCKS = ("package.json", "package-lock.json")
"""Below requirements/<name>. The locks name no registry: npm takes the one that it is set to."""

VERSITYGW = ROOT / ".cache" / "versitygw"
VERSITYGW_MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
"""Go checks what it gets against its own database of checksums."""

ELASTICMQ = ROOT / ".cache" / "elasticmq"
ELASTICMQ_LOCK = REQUIREMENTS / "elasticmq" / "pom.xml"
"""Maven checks what it gets against the repository's checksums."""
MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies"

SYSTEM_COMMANDS = {
    "curl": ("curl",),
    "gcc": ("gcc", "libc6-dev"),
    "aws": ("awscli",),
    "nft": ("nftables",),
    "mkfs.ext4": ("e2fsprogs",),
    "ps": ("procps",),
    "go": ("golang-go",),
    "node": ("nodejs",),
    "npm": ("npm",),
    "javac": ("openjdk-17-jdk-headless",),
    "mvn": ("maven",),
    # The server's own programs are kept out of the path.
    "pg_lsclusters": ("postgresql",),
    "ruby": ("ruby",),
    "bundle": ("ruby-bundler",),
    "chromium": ("chromium",),
    "chromedriver": ("chromium-driver",),
}
"""Command that a test uses to the Debian packages that hold it."""


def say(line: str) -> None:
    print(line, flush=True)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Build the environments of this checkout.")
    parser.add_argument("names", nargs="+", choices=[*ENVIRONMENTS, *NPM, "elasticmq", "system", "versitygw"])
    parser.add_argument("--python", default=str(Path(sys.executable).resolve()), help="interpreter to build with")
    parser.add_argument("--chosen", action="store_true", help="the interpreter was asked for by name")
    given = parser.parse_args(arguments)
    try:
        with _alone():
            for name in given.names:
                if name == "system":
                    install_system_packages()
                elif name in NPM:
                    complete_npm(name)
                elif name == "versitygw":
                    complete_versitygw()
                elif name == "elasticmq":
                    complete_elasticmq()
                else:
                    complete(ENVIRONMENTS[name], given.python, is_chosen=given.chosen)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


@contextmanager
def _alone() -> Iterator[None]:
    """Let one set-up at a time work on this checkout: two would delete each other's half."""
    LOG.parent.mkdir(exist_ok=True)
    with (LOG.parent / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another set-up of this checkout to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def complete(environment: Environment, python: str, *, is_chosen: bool) -> None:
    """
    Make an environment complete: create it, bring it up to date, or leave it as it is.

    Args:
        environment: what to build.
        python: the interpreter to create it with.
        is_chosen: whether the interpreter was asked for, so that an environment of another one is replaced.

    Raises:
        SetupError: it cannot be created or filled. Nothing half-made is left.
    """
    wanted = _stamp_of(environment)
    found = _read_stamp(environment.folder)
    if found is not None and is_chosen and found["interpreter"] != _interpreter(python):
        say(f"{_name(environment.folder)}: it has {found['interpreter']['version']}; made anew with {python}")
        found = None
    elif found is None and environment.folder.exists():
        say(f"{_name(environment.folder)}: it has no stamp that fits, so it is not complete; made anew")
    if found is None:
        _create(environment.folder, python)
        found = {
            "format": STAMP_FORMAT,
            "folder": str(environment.folder),
            "interpreter": _interpreter(python),
            "locks": {},
            "project": "",
        }
    stale = [lock for lock in environment.locks if found["locks"].get(lock) != wanted["locks"][lock]]
    is_project_stale = environment.holds_project and found["project"] != wanted["project"]
    if not stale and not is_project_stale:
        return
    stamp = environment.folder / ".complete"
    stamp.unlink(missing_ok=True)
    for lock in stale:
        _install_locked(environment, lock)
        found["locks"][lock] = wanted["locks"][lock]
    if is_project_stale or (stale and environment.holds_project):
        _install_project(environment.folder)
        found["project"] = wanted["project"]
    partial = environment.folder / ".complete.partial"
    partial.write_text(json.dumps(found, indent=1) + "\n")
    partial.replace(stamp)
    say(f"{_name(environment.folder)}: complete")


def complete_npm(name: str) -> None:
    """
    Install what requirements/<name> locks, unless it is there.

    Raises:
        SetupError: there is no npm, or it failed. Nothing half-made is left.
    """
    folder, requirements = NPM[name], REQUIREMENTS / name
    locks = {lock: _sha256(requirements / lock) for lock in NPM_LOCKS}
    stamp = folder / ".complete"
    if stamp.is_file() and stamp.read_text() == json.dumps(locks):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError("there is no npm: apt install npm")
    _remove(folder)
    folder.mkdir(parents=True)
    for lock in NPM_LOCKS:
        shutil.copyfile(requirements / lock, folder / lock)
    say(f"{_name(folder)}: npm ci")
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    with LOG.open("w") as log:
        done = subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=False)
    if done.returncode != 0:
        _remove(folder)
        last = LOG.read_text(errors="replace").splitlines()[-15:]
        raise SetupError("\n".join(["npm failed; its last words:", *("    " + line for line in last)]))
    stamp.write_text(json.dumps(locks))
    say(f"{_name(folder)}: complete")


def complete_versitygw() -> None:
    """
    Build the S3 server, unless this very version is there.

    Raises:
        SetupError: there is no Go, or it failed. Nothing half-made is left.
    """
    stamp = VERSITYGW / ".complete"
    if stamp.is_file() and stamp.read_text() == VERSITYGW_MODULE:
        return
    go = shutil.which("go")
    if go is None:
        raise SetupError("there is no go: apt install golang-go")
    _remove(VERSITYGW)
    VERSITYGW.mkdir(parents=True)
    say(f"{_name(VERSITYGW)}: go install {VERSITYGW_MODULE} (some minutes)")
    environ = {**os.environ, "GOBIN": str(VERSITYGW), "GOFLAGS": "-mod=mod"}
    with LOG.open("w") as log:
        done = subprocess.run(
            [go, "install", VERSITYGW_MODULE], cwd=VERSITYGW, env=environ, stdout=log, stderr=log, check=False
        )
    if done.returncode != 0:
        _remove(VERSITYGW)
        last = LOG.read_text(errors="replace").splitlines()[-15:]
        raise SetupError("\n".join(["go install failed; its last words:", *("    " + line for line in last)]))
    stamp.write_text(VERSITYGW_MODULE)
    say(f"{_name(VERSITYGW)}: complete")


def complete_elasticmq() -> None:
    """
    Fetch the SQS server and what it needs, unless just that is there.

    Raises:
        SetupError: there is no Maven, or it failed. Nothing half-made is left.
    """
    stamp = ELASTICMQ / ".complete"
    wanted = _sha256(ELASTICMQ_LOCK)
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    maven = shutil.which("mvn")
    if maven is None:
        raise SetupError("there is no mvn: apt install maven")
    _remove(ELASTICMQ)
    ELASTICMQ.mkdir(parents=True)
    say(f"{_name(ELASTICMQ)}: mvn dependency:copy-dependencies")
    command = [maven, "--batch-mode", "--quiet", "--strict-checksums", "-f", str(ELASTICMQ_LOCK), MAVEN_COPY]
    with LOG.open("w") as log:
        done = subprocess.run(
            [*command, "-DincludeScope=runtime", f"-DoutputDirectory={ELASTICMQ / 'jars'}"],
            cwd=ELASTICMQ, stdout=log, stderr=log, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        _remove(ELASTICMQ)
        last = LOG.read_text(errors="replace").splitlines()[-15:]
        raise SetupError("\n".join(["mvn failed; its last words:", *("    " + line for line in last)]))
    stamp.write_text(wanted)
    say(f"{_name(ELASTICMQ)}: complete")


def _stamp_of(environment: Environment) -> dict[str, Any]:
    """Return what the stamp holds when the environment fits the checkout."""
    return {
        "locks": {lock: _sha256(REQUIREMENTS / lock) for lock in environment.locks},
        "project": _sha256(ROOT / "pyproject.toml") if environment.holds_project else "",
    }


def _read_stamp(folder: Path) -> dict[str, Any] | None:
    """Return the stamp of a complete environment, None where there is none that can be trusted."""
    try:
        stamp: dict[str, Any] = json.loads((folder / ".complete").read_text())
    except (OSError, ValueError):
        return None
    # A virtual environment holds its own path in its scripts: one that was moved or copied does not work.
    if stamp.get("format") != STAMP_FORMAT or stamp.get("folder") != str(folder):
        return None
    # The interpreter that it was made from may have gone, or be another version by now.
    if _interpreter(str(folder / "bin" / "python")) != stamp.get("interpreter"):
        return None
    return stamp


def _interpreter(python: str) -> dict[str, str] | None:
    """Return an interpreter's own word on where and what it is; None when it does not run."""
    code = (
        "import json, os, platform, sys;"
        "print(json.dumps([os.path.realpath(sys.executable), platform.python_version()]))"
    )
    try:
        answer = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    path, version = json.loads(answer.stdout)
    return {"path": path, "version": version}


def _create(folder: Path, python: str) -> None:
    interpreter = _interpreter(python)
    if interpreter is None:
        raise SetupError(f"{python} does not run")
    say(f"{_name(folder)}: creating it with Python {interpreter['version']} ({python})")
    _remove(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # The interpreter is called by the name it was given, never by the path that it reports: the two can differ in
    # whether their `venv` module works.
    made = subprocess.run(
        [python, "-m", "venv", str(folder)], capture_output=True, text=True, check=False, env=_environ()
    )
    has_pip = made.returncode == 0 and _succeeds([str(folder / "bin" / "python"), "-m", "pip", "--version"])
    if not has_pip:
        _remove(folder)
        said = (made.stderr.strip() or made.stdout.strip()).splitlines()[:3]
        short = ".".join(interpreter["version"].split(".")[:2])
        raise SetupError(
            "\n".join(
                [
                    f"`{python} -m venv` failed" + (":" if said else "."),
                    *("    " + line for line in said),
                    f"Install the package python{short}-venv (Debian, Ubuntu: apt install python{short}-venv), "
                    "or pick another interpreter: make PYTHON=/path/to/python3",
                ]
            )
        )


def _install_locked(environment: Environment, lock: str) -> None:
    folder, path = environment.folder, REQUIREMENTS / lock
    count = sum(1 for line in path.read_text().splitlines() if "==" in line and not line.startswith((" ", "#")))
    say(f"{_name(folder)}: installing {count} packages of requirements/{lock}")
    compiling = [] if environment.compiles else ["--no-compile"]
    _pip(folder, ["install", *compiling, "--require-hashes", "--requirement", str(path)], count)


def _install_project(folder: Path) -> None:
    say(f"{_name(folder)}: installing lambent from this checkout")
    # The build backend was installed from its lock file just before; without isolation pip fetches no other one.
    _pip(folder, ["install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)], 0)


def _pip(folder: Path, arguments: Sequence[str], count: int) -> None:
    """Run pip, say every few seconds how far it is, and show the end of its output when it fails."""
    command = [str(folder / "bin" / "python"), "-m", "pip", *arguments, "--no-input", "--progress-bar", "off"]
    collected, said_at = 0, time.monotonic()
    with LOG.open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=_environ(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            # One line per requirement, whichever of the two it is.
            collected += line.startswith(("Collecting ", "Requirement already satisfied: "))
            if line.startswith("Installing collected packages"):
                say("    all are here, unpacking them")
                count = 0
            elif count and time.monotonic() - said_at > PROGRESS_INTERVAL_S:
                said_at = time.monotonic()
                say(f"    {min(collected, count)} of {count}")
        process.wait()
    if process.returncode != 0:
        last = LOG.read_text(errors="replace").splitlines()[-15:]
        raise SetupError(
            "\n".join(
                [f"{_name(folder)}: pip failed; its last words ({_name(LOG)}):", *("    " + line for line in last)]
            )
        )


def _environ() -> dict[str, str]:
    # PIP_USER and PIP_TARGET would install somewhere else, PYTHONPATH and PYTHONHOME would mix in other packages.
    dropped = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONPATH", "PYTHONHOME"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def install_system_packages() -> None:
    """
    Install the Debian packages that tests use, where that is possible without asking.

    A machine where it is not possible gets no error from here: the tests that need them say so.
    """
    missing = [name for name in SYSTEM_COMMANDS if not _has_command(name)]
    if not missing or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    packages = [package for name in missing for package in SYSTEM_COMMANDS[name]]
    say(f"system: apt-get install {' '.join(packages)}")
    with LOG.open("w") as log:
        _apt_get(log, "update")
        if not _apt_get(log, "install", "--yes", "--no-install-recommends", *packages):
            # One that this release does not have, Ubuntu's chromium for instance, keeps all others out.
            for name in missing:
                _apt_get(log, "install", "--yes", "--no-install-recommends", *SYSTEM_COMMANDS[name])
    still_missing = [name for name in missing if not _has_command(name)]
    if still_missing:
        say(f"system: {', '.join(still_missing)} could not be installed ({_name(LOG)})")


def _apt_get(log: IO[str], command: str, *arguments: str) -> bool:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", command, "-q", *arguments],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        check=False,
    )
    return done.returncode == 0


def _has_command(name: str) -> bool:
    return aws_cli_2() is not None if name == "aws" else shutil.which(name) is not None


def aws_cli_2() -> str | None:
    """Return the path of an AWS CLI v2; `aws` on the path may well be version 1."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/local/bin", "/usr/bin"]
    for candidate in dict.fromkeys(Path(folder) / "aws" for folder in folders if folder):
        if os.access(candidate, os.X_OK):
            try:
                version = subprocess.run(
                    [candidate, "--version"], capture_output=True, text=True, timeout=60, check=False
                ).stdout
            except (OSError, subprocess.TimeoutExpired):
                continue
            if version.startswith("aws-cli/2"):
                return str(candidate)
    return None


def _succeeds(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, env=_environ()).returncode == 0
    except OSError:
        return False


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
