"""
Which driver works on this machine, and why not a better one.

`gather` looks, in well under 300 ms, and leaves nothing behind; `choose` decides and touches nothing.
"""

import contextlib
import ctypes
import enum
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import lambent
from lambent.sandbox.hierarchies import LIMITS, Hierarchies, Missing

_TRIAL_TIMEOUT_S = 5
_TRIAL = """
import sys
sys.path[:0] = sys.argv[2:]
from lambent.sandbox.trials import main
main(sys.argv[1] == "root")
"""

_KERNEL_MIN = (5, 12)
"""mount_setattr(2)."""

_CAPABILITIES = {
    "CAP_CHOWN": 0, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SETPCAP": 8, "CAP_NET_ADMIN": 12,
    "CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24,
}  # fmt: skip
"""Their numbers, from linux/capability.h."""

_NEEDED_CAPABILITIES = tuple(name for name in _CAPABILITIES if name != "CAP_SYS_RESOURCE")
"""Without CAP_SYS_RESOURCE everything works but raising limits of files and processes."""

_USER_NUMBERS = range(1_900_000_000, 2_100_000_000)
"""Where `namespace` takes a user for each environment from."""


class Place(enum.Enum):
    """Where we run, as far as it changes what to do about something that is missing."""

    MACHINE = "a machine of its own"
    DOCKER = "Docker"
    PODMAN = "Podman"
    KUBERNETES = "Kubernetes"
    CONTAINER = "a container"
    """systemd-nspawn, LXC and the like."""
    GITHUB_ACTIONS = "GitHub Actions"
    WSL2 = "WSL2"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was found. A text that says why something does not work is empty where it does."""

    is_linux: bool
    is_root: bool
    place: Place = Place.MACHINE
    kernel: tuple[int, int] = (0, 0)
    capabilities: frozenset[str] = frozenset()
    """Those of `_CAPABILITIES` that are in effect."""
    capabilities_of_root: frozenset[str] = frozenset()
    """Those that a program started as root here would have: the bounding set."""
    has_all_users: bool = True
    """Whether processes may become any user: not so for root of a rootless container."""
    user_namespaces_max: int | None = None
    """user.max_user_namespaces; None: this kernel has no such setting."""
    is_userns_clone_allowed: bool | None = None
    """kernel.unprivileged_userns_clone, which Debian's kernels had."""
    is_userns_restricted: bool | None = None
    """kernel.apparmor_restrict_unprivileged_userns, Ubuntu's from 24.04 on."""
    why_no_namespaces: str = "was not tried"
    """As root."""
    why_no_user_namespaces: str = "was not tried"
    """As this user, in a user namespace."""
    why_no_mounts: str = "was not tried"
    why_no_user_mounts: str = "was not tried"
    why_no_overlay: str = "was not tried"
    """In whichever of the two works, root's first. Without it functions see the path of the data folder."""
    cgroup_version: str = "none"
    cgroups_missing: tuple[Missing, ...] = tuple(Missing(what, "was not looked for") for what in LIMITS)
    has_seccomp: bool = False
    why_no_disk_tmp: str = "was not looked for"
    why_no_egress: str = "was not looked for"


class Lack(NamedTuple):
    """One thing that a driver would need."""

    key: str
    """root, kernel, users, capabilities, namespaces, cgroups or seccomp."""
    what: str


class Better(NamedTuple):
    """A driver that holds more, and what it takes."""

    driver: str
    what: str
    """What it lacks here."""
    command: str
    """Empty where nothing on this machine would help."""


@dataclass(frozen=True)
class Choice:
    """What `--sandbox auto` takes."""

    driver: str
    why: str
    better: tuple[Better, ...] = ()


def choose(facts: Facts) -> Choice:
    """Pick the best driver that works: namespace, else rootless, else process."""
    if not facts.is_linux:
        better = Better("namespace", "this is not Linux", remedy_for(facts, "namespace"))
        return Choice("process", "only Linux has namespaces and control groups", (better,))
    for_namespace = lacks_of(facts, "namespace")
    if not for_namespace:
        return Choice(
            "namespace", f"root, namespaces, control groups ({facts.cgroup_version}) and seccomp are all there"
        )
    namespace = Better("namespace", _listed(for_namespace), remedy_for(facts, "namespace"))
    for_rootless = lacks_of(facts, "rootless")
    if not for_rootless:
        return Choice("rootless", f"user namespaces work; for `namespace`: {namespace.what}", (namespace,))
    rootless = Better("rootless", _listed(for_rootless), remedy_for(facts, "rootless"))
    if rootless.command == namespace.command:
        # One remedy for both: it is said once, with what it is worth most for.
        return Choice("process", "neither `namespace` nor `rootless` works here", (namespace,))
    return Choice("process", "neither `namespace` nor `rootless` works here", (namespace, rootless))


def lacks_of(facts: Facts, driver: str) -> list[Lack]:
    """Return what a driver lacks on this machine; nothing: it works."""
    if driver == "process":
        return []
    if not facts.is_linux:
        return [Lack("kernel", "this is not Linux")]
    lacks = []
    if facts.kernel < _KERNEL_MIN:
        lacks.append(Lack("kernel", "Linux {}.{} is older than {}.{}".format(*facts.kernel, *_KERNEL_MIN)))
    if driver == "namespace":
        missing = [name for name in _NEEDED_CAPABILITIES if name not in facts.capabilities]
        if not facts.is_root:
            lacks.append(Lack("root", "the server is not root"))
        elif not facts.has_all_users:
            lacks.append(Lack("users", "root is root of a user namespace, without users to give to environments"))
        elif missing:
            lacks.append(Lack("capabilities", f"root lacks {', '.join(missing)}"))
        else:
            # Without privileges these two fail for that reason, which has been told.
            if facts.why_no_namespaces:
                lacks.append(Lack("namespaces", f"namespaces: {facts.why_no_namespaces}"))
            elif facts.why_no_mounts:
                lacks.append(Lack("namespaces", f"mounts: {facts.why_no_mounts}"))
            if facts.cgroups_missing:
                lacks.append(Lack("cgroups", f"control groups: {_missing_words(facts.cgroups_missing)}"))
    elif facts.why_no_user_namespaces:
        lacks.append(Lack("namespaces", f"user namespaces: {_why_no_user_namespaces(facts)}"))
    elif facts.why_no_user_mounts:
        lacks.append(Lack("namespaces", f"mounts in a user namespace: {facts.why_no_user_mounts}"))
    if not facts.has_seccomp:
        lacks.append(Lack("seccomp", "libseccomp.so.2 is not installed"))
    return lacks


def remedy_for(facts: Facts, driver: str) -> str:
    """Return what makes a driver work here; empty where it works, or where nothing on this machine would help."""
    if not facts.is_linux:
        return "" if driver == "process" else "run Lambent in a Linux machine, virtual or not"
    lacks = lacks_of(facts, driver)
    return _remedy_for_namespace(facts, lacks) if driver == "namespace" else _remedy_for_rootless(facts, lacks)


def _listed(lacks: list[Lack]) -> str:
    return "; ".join(lack.what for lack in lacks)


def _missing_words(missing: tuple[Missing, ...]) -> str:
    reasons: dict[str, list[str]] = {}
    for entry in missing:
        reasons.setdefault(entry.why, []).append(entry.what)
    return "; ".join(f"no {', '.join(names)} ({why})" for why, names in reasons.items())


def _why_no_user_namespaces(facts: Facts) -> str:
    if facts.user_namespaces_max == 0:
        return "user.max_user_namespaces is 0"
    if facts.is_userns_clone_allowed is False:
        return "kernel.unprivileged_userns_clone is 0"
    if facts.is_userns_restricted:
        return "AppArmor restricts them (kernel.apparmor_restrict_unprivileged_userns is 1)"
    return facts.why_no_user_namespaces


# What to do about it --------------------------------------------------------------------------------------------------

_SECCOMP_REMEDY = "apt install libseccomp2 (dnf install libseccomp)"
_KERNEL_REMEDY = "a Linux kernel from {}.{} on".format(*_KERNEL_MIN)

_PRIVILEGED = {
    # The smaller set is what the calls need that a privileged container may make: mount and setns, links and addresses,
    # and no AppArmor profile that forbids to mount. It lacks loop devices, so /tmp is in memory then, and it needs a
    # host with cgroup2 alone, since v1 hierarchies are shown read-only.
    Place.DOCKER: (
        "docker run --privileged, or on a host with cgroup v2 only: "
        "--cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt apparmor=unconfined"
    ),
    Place.PODMAN: "sudo podman run --privileged",
    Place.KUBERNETES: "securityContext: {privileged: true, runAsUser: 0}",
    Place.CONTAINER: "a privileged container (LXC: security.privileged=true and security.nesting=true)",
}

_AS_ROOT = {
    # Images seldom have sudo.
    Place.DOCKER: "docker run --user root",
    Place.PODMAN: "podman run --user root",
    Place.KUBERNETES: "securityContext: {runAsUser: 0}",
}

_CONTAINER_USER_NAMESPACES = {
    Place.DOCKER: (
        "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
        "--security-opt systempaths=unconfined"
    ),
    Place.PODMAN: "podman run --security-opt seccomp=unconfined --security-opt unmask=ALL",
    Place.KUBERNETES: _PRIVILEGED[Place.KUBERNETES],
    Place.CONTAINER: _PRIVILEGED[Place.CONTAINER],
}


def _remedy_for_namespace(facts: Facts, lacks: list[Lack]) -> str:
    keys = {lack.key for lack in lacks}
    steps = [_KERNEL_REMEDY] if "kernel" in keys else []
    if "root" in keys and facts.capabilities_of_root.issuperset(_NEEDED_CAPABILITIES):
        # Wherever we are, it is not what keeps privileges from us.
        steps.append(_AS_ROOT.get(facts.place, "sudo lambent serve"))
    elif facts.place in _PRIVILEGED and keys & {"root", "users", "capabilities", "namespaces", "cgroups"}:
        privileged = _PRIVILEGED[facts.place]
        steps.append(privileged.replace(" run ", " run --user root ") if "root" in keys else privileged)
    elif keys & {"root", "users", "capabilities"}:
        steps.append("sudo lambent serve")
    if "cgroups" in keys and facts.place not in _PRIVILEGED:
        steps.append(_cgroups_remedy(facts))
    if "seccomp" in keys:
        steps.append(_SECCOMP_REMEDY)
    return "; and ".join(steps)


def _cgroups_remedy(facts: Facts) -> str:
    if facts.place is Place.WSL2:
        return "in .wslconfig, below [wsl2]: kernelCommandLine = cgroup_no_v1=all; then wsl --shutdown"
    if facts.cgroup_version == "none":
        return "mount -t cgroup2 none /sys/fs/cgroup"
    names = {entry.what for entry in facts.cgroups_missing}
    if any("offers no" in entry.why for entry in facts.cgroups_missing):
        on_command_line = " cgroup_enable=memory on the kernel's command line" if "memory" in names else ""
        return f"Delegate=yes in the server's systemd unit, or{on_command_line or ' a kernel with these controllers'}"
    return "make /sys/fs/cgroup writable for the server"


def _remedy_for_rootless(facts: Facts, lacks: list[Lack]) -> str:
    keys = {lack.key for lack in lacks}
    steps = [_KERNEL_REMEDY] if "kernel" in keys else []
    if "namespaces" in keys:
        steps.append(_user_namespaces_remedy(facts))
    if "seccomp" in keys:
        steps.append(_SECCOMP_REMEDY)
    return "; and ".join(step for step in steps if step)


def _user_namespaces_remedy(facts: Facts) -> str:
    flags = _CONTAINER_USER_NAMESPACES.get(facts.place, "")
    forbidding = _forbidding_setting(facts)
    if forbidding is None or flags == _PRIVILEGED.get(facts.place):
        return flags
    command = f"sudo sysctl -w {forbidding[0]}={forbidding[1]}"
    # A container has its machine's settings and cannot change them; and its own filter forbids them besides.
    return f"{flags}; and on its machine: {command}" if flags else command


def _forbidding_setting(facts: Facts) -> tuple[str, int] | None:
    """Return the kernel's setting that keeps users from making namespaces, and what it would have to be."""
    if facts.user_namespaces_max == 0:
        return "user.max_user_namespaces", 15_000
    if facts.is_userns_clone_allowed is False:
        return "kernel.unprivileged_userns_clone", 1
    if facts.is_userns_restricted:
        return "kernel.apparmor_restrict_unprivileged_userns", 0
    return None


# Looking --------------------------------------------------------------------------------------------------------------


def gather(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> Facts:
    """
    Look at this machine. Never raises: what cannot be looked at counts as missing, with the reason.

    Args:
        environ: the server's environment, which tells some places.
        root: what files are looked for below, for tests.
    """
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    # Asked of the machine and not of sys.platform, which a type checker takes for the one it runs on itself.
    if os.uname().sysname != "Linux":
        return Facts(is_linux=False, is_root=is_root)
    # The two run beside each other and beside what follows.
    trials = {name: _start_trial(name) for name in (("root", "user") if is_root else ("user",))}
    groups = _control_groups()
    place = recognise(environ, root)
    capabilities, capabilities_of_root = _capabilities(root, "CapEff:"), _capabilities(root, "CapBnd:")
    why_no_disk_tmp = _why_no_disk_tmp(is_root)
    why_no_egress = _why_no_egress() if is_root else "only root can make a way out of the machine"
    has_seccomp = _has_seccomp()
    as_root = _finish_trial(trials["root"]) if is_root else _not_tried("the server is not root")
    as_user = _finish_trial(trials["user"])
    version, missing = _with_own_mount(groups, as_root.get("cgroup2"))
    return Facts(
        is_linux=True,
        is_root=is_root,
        place=place,
        kernel=_kernel(),
        capabilities=capabilities,
        capabilities_of_root=capabilities_of_root,
        has_all_users=_has_all_users(root),
        user_namespaces_max=_number(root / "proc/sys/user/max_user_namespaces"),
        is_userns_clone_allowed=_switch(root / "proc/sys/kernel/unprivileged_userns_clone"),
        is_userns_restricted=_switch(root / "proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        why_no_namespaces=str(as_root["namespaces"]),
        why_no_user_namespaces=str(as_user["namespaces"]),
        why_no_mounts=str(as_root["mounts"]),
        why_no_user_mounts=str(as_user["mounts"]),
        why_no_overlay=str((as_user if as_root["namespaces"] else as_root)["overlay"]),
        cgroup_version=version,
        cgroups_missing=missing,
        has_seccomp=has_seccomp,
        why_no_disk_tmp=why_no_disk_tmp,
        why_no_egress=why_no_egress,
    )


def recognise(environ: Mapping[str, str], root: Path = Path("/")) -> Place:
    """Tell where we run from what each place leaves lying about."""
    # The innermost first; but Kubernetes starts containers of the others, and is what the reader can change.
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return Place.KUBERNETES
    if (root / "run/.containerenv").exists():
        return Place.PODMAN
    if (root / ".dockerenv").exists():
        return Place.DOCKER
    with contextlib.suppress(OSError):
        # Observed: starship/starship#4593, WSL2 with systemd writes "wsl" there.
        if (root / "run/systemd/container").read_text().strip() != "wsl":
            return Place.CONTAINER
    if environ.get("GITHUB_ACTIONS") == "true":
        return Place.GITHUB_ACTIONS
    with contextlib.suppress(OSError):
        if "microsoft" in (root / "proc/version").read_text().lower():
            return Place.WSL2
    return Place.MACHINE


def _start_trial(name: str) -> "subprocess.Popen[bytes] | str":
    sources = str(Path(lambent.__file__).parents[1])
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _TRIAL, name, sources],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        return str(error)


def _finish_trial(trial: "subprocess.Popen[bytes] | str") -> dict[str, str | list[str] | None]:
    if isinstance(trial, str):
        return _not_tried(trial)
    try:
        answer = trial.communicate(timeout=_TRIAL_TIMEOUT_S)[0]
    except subprocess.TimeoutExpired:
        trial.kill()
        trial.communicate()
        return _not_tried(f"no answer within {_TRIAL_TIMEOUT_S} s")
    try:
        found: dict[str, str | list[str] | None] = json.loads(answer)
    except ValueError:
        return _not_tried(f"trying it ended with {trial.returncode}")
    return found


def _not_tried(why: str) -> dict[str, str | list[str] | None]:
    return dict.fromkeys(("namespaces", "mounts", "overlay"), why)


def _control_groups() -> Hierarchies | str:
    try:
        return Hierarchies.detect()
    except OSError as error:
        return str(error)


def _with_own_mount(groups: Hierarchies | str, own_mount: str | list[str] | None) -> tuple[str, tuple[Missing, ...]]:
    """Return the version and what is missing, once the spawner has mounted cgroup2 itself where that is needed."""
    if isinstance(groups, str):
        return "none", tuple(Missing(what, groups) for what in LIMITS)
    if not groups.can_mount_unified:
        return groups.version, groups.missing
    if not isinstance(own_mount, list):
        missing = groups.missing
        if "freezer" not in groups.v1:
            missing = (*missing, Missing("freeze", "cgroup2 cannot be mounted"))
        return groups.version, missing
    there = {*own_mount, "freeze"}
    version = "v2" if groups.version == "none" else groups.version
    return version, tuple(entry for entry in groups.missing if entry.what not in there)


def _kernel() -> tuple[int, int]:
    parts = os.uname().release.split("-")[0].split(".")
    try:
        return int(parts[0]), int(parts[1])
    except (ValueError, IndexError):
        return 0, 0


def _capabilities(root: Path, which: str) -> frozenset[str]:
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = (root / "proc/self/status").read_text()
        mask = int(status.partition(which)[2].split()[0], 16)
        return frozenset(name for name, number in _CAPABILITIES.items() if mask >> number & 1)
    return frozenset()


def _has_all_users(root: Path) -> bool:
    """Return whether our user namespace knows the users that environments get."""
    with contextlib.suppress(OSError, ValueError):
        for line in (root / "proc/self/uid_map").read_text().splitlines():
            first, _, count = (int(word) for word in line.split())
            if first <= _USER_NUMBERS.start and first + count >= _USER_NUMBERS.stop:
                return True
    return False


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _switch(file: Path) -> bool | None:
    value = _number(file)
    return None if value is None else value != 0


def _has_seccomp() -> bool:
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    return True


def _why_no_disk_tmp(is_root: bool) -> str:
    if not is_root:
        return "only root can mount one"
    if shutil.which("mkfs.ext4", path="/usr/sbin:/sbin:/usr/bin:/bin") is None:
        return "mkfs.ext4 is not installed"
    try:
        os.close(os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"/dev/loop-control: {str(error.strerror).lower()}"
    return ""


def _why_no_egress() -> str:
    try:
        from lambent.sandbox.network import probe_egress
    except ImportError as error:
        return str(error)
    return probe_egress() or ""
