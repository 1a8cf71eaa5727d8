"""
The probes of `lambent doctor`. Each looks at one thing, now, and changes nothing.

What was not looked at is UNKNOWN, never YES: a table that is green by assumption helps nobody.
"""

import enum
import http.client
import importlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lambent.cli.runtimes import probe as probe_runtimes
from lambent.errors.families import SettingsError
from lambent.function_user import FunctionUser, find_function_user
from lambent.neighbours.embedded import EmbeddedServer, describe
from lambent.neighbours.endpoints import load
from lambent.sandbox import DRIVERS
from lambent.sandbox.probe import Choice, Facts, Place, choose, gather, lacks_of, remedy_for
from lambent.sandbox.walls import Wall
from lambent.settings import NeighbourSettings, SandboxSettings, Settings, why_not_obeyed

if TYPE_CHECKING:
    from lambent.runtimes.contract import Availability

PROBE_TIMEOUT_S = 20
FREE_DISK_WANTED_BYTES = 1 << 30
FREE_DISK_NEEDED_BYTES = 64 << 20


class State(enum.Enum):
    """What a probe found."""

    YES = "yes"
    """Looked at, and it works."""
    NO = "no"
    """Looked at, and it is missing."""
    LIMITED = "limited"
    """It works, less well than it could, or than its name suggests."""
    UNKNOWN = "not checked"
    """Not looked at, since looking would change something or take long."""


@dataclass(frozen=True)
class Fact:
    """One line of the table."""

    what: str
    state: State
    detail: str
    remedy: str = ""
    is_needed: bool = False
    """Whether no function runs here without it."""


def probe_host(settings: Settings) -> list[Fact]:
    """Probe everything, in the order in which a reader wants to know it."""
    facts = [_python(), _platform()]
    try:
        user = find_function_user(settings.sandbox.function_user)
    except SettingsError as error:
        return [
            *facts,
            Fact("function user", State.NO, str(error), "lambent serve --function-user NAME", is_needed=True),
        ]
    facts += [
        *_data_folder(settings.data.data_dir, user),
        _port(settings.server.host, settings.server.port),
    ]
    facts += [_pip(), *_runtimes(probe_runtimes(settings))]
    found = gather()
    choice = choose(found)
    driver = choice.driver if settings.sandbox.sandbox == "auto" else settings.sandbox.sandbox
    facts += [
        *_place(found),
        *_sandbox(settings.sandbox.sandbox, found, choice),
        _user_of_functions(driver, user),
        _limits(driver, found),
        _tmp(driver, found),
        _egress(driver, found, settings.sandbox),
        _seccomp(driver, found),
        *_open_walls(driver),
        *_neighbours(settings.neighbours),
        _aws_cli(),
    ]
    return facts


def _python() -> Fact:
    return Fact("python of the server", State.YES, f"{platform.python_version()} ({sys.executable})")


def _platform() -> Fact:
    detail = f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} CPUs"
    # Asked of the machine and not of sys.platform, which a type checker takes for the one it runs on itself.
    if platform.system() == "Linux":
        return Fact("operating system", State.YES, detail)
    return Fact("operating system", State.LIMITED, detail, "Linux: memory limits are enforced only there")


def _function_user(user: FunctionUser) -> Fact:
    what = "function user"
    if user.is_other:
        if why := _why_not_as(user):
            detail = f"the server is root, but cannot run functions as {user.name} (uid {user.uid}): {why}"
            return Fact(what, State.NO, detail, "lambent serve --function-user root", is_needed=True)
        return Fact(what, State.YES, f"the server is root, functions run as {user.name} (uid {user.uid})")
    if user.uid == 0:
        return Fact(what, State.LIMITED, "functions run as root", "lambent serve --function-user nobody")
    detail = f"functions run as {user.name} like the server itself, and can read its files"
    return Fact(what, State.LIMITED, detail, "run the server as root: functions then run as another user")


def _why_not_as(user: FunctionUser) -> str:
    """Return what keeps us from starting programs as another user, as in a container with a single one."""
    try:
        subprocess.run(["/bin/sh", "-c", ":"], cwd="/", timeout=PROBE_TIMEOUT_S, check=False, **user.popen_arguments())
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(getattr(error, "strerror", None) or error).lower()
    return ""


def _data_folder(data_dir: Path, user: FunctionUser) -> list[Fact]:
    what = "data folder"
    nearest = next(folder for folder in (data_dir.absolute(), *data_dir.absolute().parents) if folder.exists())
    if not nearest.is_dir():
        return [Fact(what, State.NO, f"{nearest} is not a folder", "lambent serve --data-dir DIR", is_needed=True)]
    if not os.access(nearest, os.W_OK | os.X_OK):
        return [Fact(what, State.NO, f"{nearest} is not writable", "lambent serve --data-dir DIR", is_needed=True)]
    # A folder that does not exist yet will be made passable by the server; those above it are not its own.
    closed_at = user.closed_at(data_dir / "packages")
    if closed_at is not None:
        remedy = f"chmod o+x {closed_at}, or lambent serve --data-dir DIR"
        return [Fact(what, State.NO, f"{user.name} cannot pass {closed_at} to the packages", remedy, is_needed=True)]
    exists = "exists" if data_dir.exists() else "will be made"
    free_bytes = shutil.disk_usage(nearest).free
    state, remedy = State.YES, ""
    if free_bytes < FREE_DISK_WANTED_BYTES:
        state, remedy = State.LIMITED, "make room: packages are unpacked there"
    if free_bytes < FREE_DISK_NEEDED_BYTES:
        state = State.NO
    return [
        Fact(what, State.YES, f"{data_dir} {exists}, writable", is_needed=True),
        Fact("disk space there", state, f"{free_bytes / (1 << 30):.1f} GiB free", remedy, is_needed=True),
    ]


def _port(host: str, port: int) -> Fact:
    what = f"port {port} on {host}"
    if port == 0:
        return Fact(what, State.YES, "a free one is picked", is_needed=True)
    # As the server will: of a name's addresses the old one; what is left of closed connections is not in use.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        version = _running_version(host, port)
        if version is not None:
            return Fact(
                what,
                State.LIMITED,
                f"Lambent {version} listens there already",
                "lambent serve --port PORT for a second one",
            )
        return Fact(what, State.NO, (error.strerror or str(error)).lower(), "lambent serve --port PORT", is_needed=True)
    return Fact(what, State.YES, "free", is_needed=True)


def _running_version(host: str, port: int) -> str | None:
    """Return the version of the Lambent that listens there, None when it is something else."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/_lambent/health")
        return str(json.loads(connection.getresponse().read(65_536))["version"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


def _pip() -> Fact:
    answer = _first_line([sys.executable, "-m", "pip", "--version"])
    if answer is None:
        return Fact(
            "pip",
            State.NO,
            "the server's Python has no pip: it installs AWS's client for Python functions",
            "pip install lambent again",
        )
    return Fact("pip", State.YES, answer.partition(" from ")[0])


def _runtimes(found: Sequence["Availability"]) -> list[Fact]:
    """Sum up `lambent runtimes`: one line for what runs, one for each that could be added."""
    facts = []
    available = [entry for entry in found if entry.available]
    if available:
        facts.append(Fact("runtimes", State.YES, ", ".join(entry.runtime for entry in available), is_needed=True))
    else:
        facts.append(Fact("runtimes", State.NO, "none", "lambent runtimes", is_needed=True))
    # Those that no command adds are not offered by this version; `lambent runtimes` names them.
    missing = [entry for entry in found if not entry.available and entry.remedy]
    if missing:
        facts.append(
            Fact(
                "other runtimes",
                State.NO,
                ", ".join(entry.runtime for entry in missing),
                "lambent runtimes says what adds each",
            )
        )
    if any(entry.provider == "host" for entry in available):
        facts.append(
            Fact(
                "package index",
                State.UNKNOWN,
                "pip reaches for it at the first function of a runtime whose client is not here yet",
            )
        )
    return facts


# The sandbox ---------------------------------------------------------------------------------------------------------


def _place(found: Facts) -> list[Fact]:
    """Say where we are, where that says something about what may be missing."""
    if found.place is Place.MACHINE:
        return []
    return [Fact("place", State.YES, f"looks like {found.place.value}")]


def _sandbox(asked: str, found: Facts, choice: Choice) -> list[Fact]:
    """Say which driver is taken and why, and what each better one takes."""
    driver = choice.driver if asked == "auto" else asked
    what = f"sandbox `{driver}`"
    lacks = lacks_of(found, driver)
    if lacks:
        missing = "; ".join(lack.what for lack in lacks)
        remedy = "; or ".join(filter(None, [remedy_for(found, driver), "lambent serve --sandbox auto"]))
        return [Fact(what, State.NO, f"asked for, and lacks: {missing}", remedy, is_needed=True)]
    state = State.YES if driver == "namespace" else State.LIMITED
    if asked == "auto":
        facts = [Fact(what, state, f"auto takes it: {choice.why}")]
        facts += [
            Fact(
                f"sandbox `{better.driver}`", State.NO, f"it would hold more, and lacks: {better.what}", better.command
            )
            for better in choice.better
        ]
        return facts
    if driver in {choice.driver, "namespace"}:
        return [Fact(what, state, "asked for; auto would take it as well")]
    return [Fact(what, state, f"asked for; auto would take `{choice.driver}`", "lambent serve --sandbox auto")]


def _user_of_functions(driver: str, user: FunctionUser) -> Fact:
    if driver == "namespace":
        return Fact("function user", State.YES, "every environment has a user number of its own")
    if driver == "rootless":
        detail = f"functions run as uid {os.geteuid()} seen from outside, each in a user namespace of its own"
        return Fact("function user", State.LIMITED, detail)
    return _function_user(user)


def _limits(driver: str, found: Facts) -> Fact:
    if driver == "namespace":
        detail = f"memory, processes and processor by control groups ({found.cgroup_version}); freezing in microseconds"
        return Fact("limits of functions", State.YES, detail)
    return _memory_accounting()


def _tmp(driver: str, found: Facts) -> Fact:
    what = "/tmp of functions"
    if driver == "process":
        return Fact(what, State.LIMITED, "a folder on the disk, without a limit on its size")
    if driver == "namespace" and not found.why_no_disk_tmp:
        return Fact(what, State.YES, "ext4 of the exact size on the disk, by a loop device")
    why = found.why_no_disk_tmp if driver == "namespace" else "a user namespace can mount none from the disk"
    remedy = "apt install e2fsprogs" if why.startswith("mkfs.ext4") else ""
    return Fact(what, State.LIMITED, f"tmpfs of the exact size: what is in it counts as memory ({why})", remedy)


def _egress(driver: str, found: Facts, settings: SandboxSettings) -> Fact:
    what = "internet from functions"
    if reason := why_not_obeyed(settings, driver):
        remedy = _remedy_by_namespace(found) if driver != "namespace" else "lambent serve --egress auto"
        return Fact(what, State.NO, reason, remedy, is_needed=True)
    if driver == "process":
        return Fact(what, State.LIMITED, "the machine's own network, its ports and private networks included")
    if settings.egress == "none":
        return Fact(what, State.YES, "none, as --egress says")
    if driver == "rootless":
        detail = "none: a user namespace has no way out of the machine; the gateway is reached at 127.0.0.1:4566"
        return Fact(what, State.NO, detail, _remedy_by_namespace(found))
    if found.why_no_egress:
        is_needed = settings.egress == "nat"
        remedy = "lambent serve --egress auto, for functions without it" if is_needed else ""
        return Fact(what, State.NO, f"none: {found.why_no_egress}", remedy, is_needed=is_needed)
    return Fact(what, State.YES, "by NAT; neither the machine's ports nor private networks, unless --allow-host/-net")


def _remedy_by_namespace(found: Facts) -> str:
    """Return what it takes to have the driver that has a network of its own."""
    if not lacks_of(found, "namespace"):
        return "lambent serve --sandbox namespace"
    remedy = remedy_for(found, "namespace")
    return f"for `namespace`: {remedy}" if remedy else "a machine on which `namespace` works"


def _seccomp(driver: str, found: Facts) -> Fact:
    what = "system call filter"
    if driver == "process":
        return Fact(what, State.NO, "`process` has none")
    if not found.has_seccomp:
        return Fact(what, State.NO, "libseccomp.so.2 is not installed", "apt install libseccomp2", is_needed=True)
    return Fact(what, State.YES, "an allow-list by libseccomp")


def _open_walls(driver: str) -> list[Fact]:
    """List what the driver does not hold off, a line each."""
    module, _, attribute = DRIVERS[driver].partition(":")
    holds: frozenset[Wall] = getattr(importlib.import_module(module), attribute).holds
    open_walls = [wall.value for wall in Wall if wall not in holds]
    if not open_walls:
        detail = "the driver names every one as held; the tests try them, this table does not. The kernel is shared"
        return [Fact("walls", State.UNKNOWN, detail)]
    remedy = "run only code that you trust" if driver == "process" else ""
    return [Fact(f"not held by `{driver}`", State.LIMITED, "\n".join(open_walls), remedy)]


def _memory_accounting() -> Fact:
    what = "limits of functions"
    try:
        rollup = Path("/proc/self/smaps_rollup").read_text()
    except OSError as error:
        return Fact(
            what,
            State.NO,
            f"/proc/self/smaps_rollup: {error.strerror}",
            "a Linux kernel from 4.14 on, with /proc mounted",
        )
    if "Pss:" not in rollup:
        return Fact(what, State.NO, "/proc/self/smaps_rollup holds no Pss", "a kernel with CONFIG_PROC_PAGE_MONITOR")
    detail = "memory is read from /proc every 50 ms: it may be exceeded for that long; no processor share"
    return Fact(what, State.LIMITED, detail)


def _neighbours(settings: NeighbourSettings) -> list[Fact]:
    """Say what other services are answered by, and that the stand-in is one."""
    what = "other AWS services"
    try:
        table = load(settings.neighbour, settings.neighbour_credentials)
    except SettingsError as error:
        return [Fact(what, State.NO, str(error), "correct the file", is_needed=True)]
    facts = [Fact(f"{name} elsewhere", State.YES, told) for name, told in table.elsewhere().items()]
    embedded = table.embedded()
    if not embedded:
        return facts
    if EmbeddedServer.is_installed():
        return [*facts, Fact(what, State.LIMITED, describe(embedded))]
    remedy = "make serve, or pip install 'lambent[neighbours]', or --neighbour NAME=URL"
    return [*facts, Fact(what, State.NO, f"{', '.join(embedded)}: the stand-in is not installed", remedy)]


def _aws_cli() -> Fact:
    path = shutil.which("aws")
    version = _first_line([path, "--version"]) if path else None
    if path is None or version is None:
        return Fact(
            "AWS CLI",
            State.NO,
            "not on the path; any AWS SDK will do as well",
            "apt install awscli, or pip install awscli",
        )
    short = version.split()[0]
    if short.startswith("aws-cli/1"):
        return Fact(
            "AWS CLI", State.LIMITED, f"{short} ({path}): version 1 has no `aws logs tail`", "apt install awscli"
        )
    return Fact("AWS CLI", State.YES, f"{short} ({path})")


def _first_line(command: list[str]) -> str | None:
    """Run a command; return the first line that it prints, None when it fails."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = answer.stdout.splitlines()
    return lines[0] if answer.returncode == 0 and lines else None
