"""Kinds of hosts as /proc shows them, and trees of control files to go with them."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Host:
    """What /proc/self/mountinfo and /proc/self/cgroup say, and the control files that matter, below /sys/fs/cgroup."""

    mounts: str
    own_cgroup: str
    files: dict[str, str] = field(default_factory=dict)
    has_cgroup2: bool = True
    """Whether the kernel knows cgroup2 at all."""


V1 = Host(
    # CentOS 7's layout, on a kernel built without cgroup2.
    mounts="""\
22 27 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:5 - proc proc rw
24 23 0:20 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:8 - tmpfs tmpfs ro,mode=755
25 24 0:21 / /sys/fs/cgroup/systemd rw,nosuid,nodev,noexec,relatime shared:9 - cgroup cgroup rw,xattr,name=systemd
28 24 0:24 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,nodev,noexec,relatime shared:12 - cgroup cgroup rw,cpuacct,cpu
29 24 0:25 / /sys/fs/cgroup/memory rw,nosuid,nodev,noexec,relatime shared:13 - cgroup cgroup rw,memory
30 24 0:26 / /sys/fs/cgroup/pids rw,nosuid,nodev,noexec,relatime shared:14 - cgroup cgroup rw,pids
31 24 0:27 / /sys/fs/cgroup/freezer rw,nosuid,nodev,noexec,relatime shared:15 - cgroup cgroup rw,freezer
""",
    own_cgroup="4:pids:/system.slice\n3:memory:/system.slice\n2:cpuacct,cpu:/\n1:name=systemd:/user.slice\n",
    files={f"{name}/cgroup.procs": "" for name in ("cpu,cpuacct", "memory", "pids", "freezer")},
    has_cgroup2=False,
)
HYBRID = Host(
    # systemd's hybrid layout: controllers in v1, cgroup2 beside them without any.
    mounts="""\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
""",
    own_cgroup="8:pids:/\n6:freezer:/\n4:memory:/session\n2:cpuacct:/\n1:cpu:/\n0::/\n",
    files={
        **{f"{name}/cgroup.procs": "" for name in ("cpu", "cpuacct", "memory", "pids", "freezer")},
        "unified/cgroup.controllers": "\n",
        "unified/cgroup.subtree_control": "\n",
        "unified/cgroup.procs": "",
    },
)
_UNIFIED_MOUNT = (
    "26 22 0:23 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4"
    " - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
)
_CONTROLLERS = "cpuset cpu io memory hugetlb pids rdma misc\n"
UNIFIED = Host(
    mounts=_UNIFIED_MOUNT,
    own_cgroup="0::/user.slice/user-0.slice/session-1.scope\n",
    files={
        "cgroup.controllers": _CONTROLLERS,
        "cgroup.subtree_control": "",
        "cgroup.procs": "",
        "user.slice/user-0.slice/session-1.scope/cgroup.procs": "1234\n",
    },
)
_UNIT = "system.slice/lambent.service"
DELEGATED = Host(
    # A systemd unit with Delegate=yes.
    mounts=_UNIFIED_MOUNT,
    own_cgroup=f"0::/{_UNIT}\n",
    files={
        "cgroup.controllers": _CONTROLLERS,
        f"{_UNIT}/cgroup.controllers": "cpu io memory pids\n",
        f"{_UNIT}/cgroup.subtree_control": "",
        f"{_UNIT}/cgroup.procs": "",
        f"{_UNIT}/cgroup.events": "populated 1\nfrozen 0\n",
    },
)
DOCKER_READ_ONLY = Host(
    # What Docker shows without --privileged on a unified host.
    mounts="1301 1300 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n",
    own_cgroup="0::/\n",
    files={"cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": "", "cgroup.procs": "1\n"},
)
NOTHING = Host(mounts="22 27 0:21 / /proc rw,relatime - proc proc rw\n", own_cgroup="0::/\n", has_cgroup2=False)


def build(root: Path, host: Host) -> None:
    """Make the tree of a host below a folder."""
    for name, text in host.files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "proc").mkdir(parents=True, exist_ok=True)
    systems = ["nodev\tproc", "nodev\ttmpfs", "nodev\tcgroup", *(["nodev\tcgroup2"] if host.has_cgroup2 else [])]
    (root / "proc/filesystems").write_text("\n".join([*systems, "\text4\n"]))
