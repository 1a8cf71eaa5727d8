"""
Which control groups this host has, and where: v1, v2, or both.

Looking changes nothing. `limits.py` makes groups there. Imports the standard library only, for the spawner.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

LIMITS = ("memory", "pids", "cpu", "freeze")
"""What a host may or may not be able to limit: three controllers, and to stop all processes at once."""

_CONTROLLERS = ("memory", "pids", "cpu")
_V1_WITHOUT_UNIFIED = ("freezer", "cpuacct")
"""What stands in for the core of cgroup2 where the kernel has none."""

SERVER_LEAF = "lambent-server"
"""Where processes go that stand beside groups with controllers, which cgroup2 allows nowhere but at its top."""


class Missing(NamedTuple):
    """Something of `LIMITS` that cannot be had, and the reason."""

    what: str
    why: str


class _Mount(NamedTuple):
    folder: Path
    root: str
    options: frozenset[str]
    is_unified: bool
    is_read_only: bool


@dataclass(frozen=True)
class Hierarchies:
    """Which controllers of this host are where, as far as this process may use them."""

    version: str
    """`v1`, `v2`, `hybrid` (controllers in v1 beside a cgroup2 without them), or `none`."""
    unified: Path | None
    """The folder of cgroup2 below which our group goes. None: not mounted, or not ours to write."""
    unified_controllers: frozenset[str]
    """Those of memory, pids and cpu that cgroup2 offers there."""
    v1: Mapping[str, Path]
    """Controller to the top of its v1 hierarchy; only those that can be written."""
    can_mount_unified: bool
    """Whether a private mount of cgroup2 is worth trying."""
    missing: tuple[Missing, ...]
    """In the order of `LIMITS`."""
    private: int = -1
    """Descriptor of a private mount of cgroup2."""

    @classmethod
    def detect(
        cls, mounts_text: str | None = None, own_cgroup_text: str | None = None, root: Path = Path("/")
    ) -> "Hierarchies":
        """
        Look at the host; change nothing.

        Args:
            mounts_text: /proc/self/mountinfo.
            own_cgroup_text: /proc/self/cgroup.
            root: what the paths in it are below, for tests.

        Raises:
            OSError: there is no /proc.
        """
        mounts_text = (root / "proc/self/mountinfo").read_text() if mounts_text is None else mounts_text
        own_text = (root / "proc/self/cgroup").read_text() if own_cgroup_text is None else own_cgroup_text
        mounts = list(_cgroup_mounts(mounts_text, root))
        reasons: dict[str, str] = {}
        v1: dict[str, Path] = {}
        for controller in (*_CONTROLLERS, *_V1_WITHOUT_UNIFIED):
            for mount in mounts:
                if not mount.is_unified and controller in mount.options:
                    why = _why_not_writable(mount, mount.folder)
                    if why is None:
                        v1.setdefault(controller, mount.folder)
                    else:
                        reasons.setdefault(controller, why)
        unified_mounts = [mount for mount in mounts if mount.is_unified]
        unified, why_not_unified = _unified_folder(unified_mounts, own_text)
        offered = words(unified / "cgroup.controllers") if unified is not None else frozenset()
        bound_to_v1 = v1.keys() | reasons.keys()
        found = cls(
            version=_version(bool(unified_mounts), bool(bound_to_v1 & set(_CONTROLLERS))),
            unified=unified,
            unified_controllers=frozenset(_CONTROLLERS) & offered,
            v1=v1,
            can_mount_unified=(unified is None and os.geteuid() == 0 and "cgroup2" in words(root / "proc/filesystems")),
            missing=(),
        )
        return replace(found, missing=tuple(_missing(found, reasons, why_not_unified)))

    def with_private_unified(self) -> "Hierarchies":
        """
        Mount cgroup2 where nobody sees it; it goes with its descriptor, `private`.

        Raises:
            OSError: the kernel refuses.
        """
        from lambent.sandbox.inside import system_calls

        attributes = system_calls.MOUNT_ATTR_NOSUID | system_calls.MOUNT_ATTR_NODEV
        descriptor = system_calls.make_mount("cgroup2", {}, attributes)
        unified = Path(f"/proc/self/fd/{descriptor}")
        offered = frozenset(_CONTROLLERS) & words(unified / "cgroup.controllers")
        there = {*offered, *self.v1, "freeze"}
        return replace(
            self,
            unified=unified,
            unified_controllers=offered,
            can_mount_unified=False,
            missing=tuple(entry for entry in self.missing if entry.what not in there),
            private=descriptor,
        )

    def from_unified(self) -> list[str]:
        """Return the controllers that are taken from cgroup2."""
        return [name for name in _CONTROLLERS if name not in self.v1 and name in self.unified_controllers]

    def v1_folders(self) -> list[Path]:
        """Return the tops of the v1 hierarchies that are used, each once, though controllers may share one."""
        names = _CONTROLLERS if self.unified is not None else (*_CONTROLLERS, *_V1_WITHOUT_UNIFIED)
        return list(dict.fromkeys(self.v1[name] for name in names if name in self.v1))


def words(file: Path) -> frozenset[str]:
    """Return the words in a control file, none where it cannot be read."""
    try:
        return frozenset(file.read_text().split())
    except OSError:
        return frozenset()


def _version(has_unified: bool, has_v1: bool) -> str:
    if has_v1:
        return "hybrid" if has_unified else "v1"
    return "v2" if has_unified else "none"


def _cgroup_mounts(text: str, root: Path) -> Iterator[_Mount]:
    """Yield the mounts of control groups, from /proc/self/mountinfo as proc(5) describes it."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        left, right = before.split(), after.split()
        if len(left) < 6 or len(right) < 3 or right[0] not in {"cgroup", "cgroup2"}:
            continue
        folder = left[4].replace("\\040", " ").lstrip("/")
        options = frozenset(right[2].split(","))
        is_read_only = "ro" in left[5].split(",") or "ro" in options
        yield _Mount(root / folder, left[3], options, right[0] == "cgroup2", is_read_only)


def _why_not_writable(mount: _Mount, folder: Path) -> str | None:
    if mount.is_read_only:
        return f"{mount.folder} is mounted read-only"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} is not writable by this user"
    return None


def _unified_folder(mounts: Sequence[_Mount], own_cgroup_text: str) -> tuple[Path | None, str]:
    """Return the cgroup2 folder below which our group may go, or None and why."""
    why = "cgroup2 is not mounted"
    for mount in mounts:
        own = _own_folder(mount, own_cgroup_text)
        # What systemd delegated to our unit is ours to divide; elsewhere only root may make a group, and does so at the
        # top, where it is found again whichever session or unit the next server is started from.
        folder = own if _is_delegated(own) or os.geteuid() != 0 else mount.folder
        why_not = _why_not_writable(mount, folder)
        if why_not is None:
            return folder, ""
        why = why_not
    return None, why


def _own_folder(mount: _Mount, own_cgroup_text: str) -> Path:
    path = next((line[3:] for line in own_cgroup_text.splitlines() if line.startswith("0::")), "/")
    if mount.root not in {"/", ""}:
        path = path.removeprefix(mount.root)
    # A path that leads out of our own cgroup namespace is none of ours.
    folder = mount.folder if path.startswith("/..") else mount.folder / path.lstrip("/")
    return folder.parent if folder.name == SERVER_LEAF else folder


def _is_delegated(folder: Path) -> bool:
    """
    Return whether systemd marked a folder as its unit's own.

    Source: systemd, Control Group APIs and Delegation.
    """
    for attribute in ("trusted.delegate", "user.delegate"):
        # AttributeError: only Linux has extended attributes in os.
        with contextlib.suppress(OSError, AttributeError):
            if os.getxattr(folder, attribute) == b"1":
                return True
    return False


def _missing(found: Hierarchies, reasons: Mapping[str, str], why_not_unified: str) -> Iterator[Missing]:
    for controller in _CONTROLLERS:
        if controller in found.v1 or controller in found.unified_controllers:
            continue
        if controller in reasons:
            yield Missing(controller, reasons[controller])
        elif found.unified is not None:
            yield Missing(
                controller, f"the kernel, or who delegated {found.unified}, offers no {controller} controller"
            )
        else:
            yield Missing(controller, why_not_unified)
    if found.unified is None and not found.can_mount_unified and "freezer" not in found.v1:
        yield Missing("freeze", why_not_unified)
