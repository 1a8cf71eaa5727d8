"""Machines of several kinds, as `probe.gather` would find them."""

from dataclasses import replace

from lambent.sandbox import probe
from lambent.sandbox.hierarchies import Missing
from lambent.sandbox.probe import Facts

EVERY_CAPABILITY = frozenset(probe._CAPABILITIES)
DOCKER_CAPABILITIES = frozenset({"CAP_CHOWN", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP"})
"""Docker's default set, as far as it is looked for."""

READ_ONLY = tuple(Missing(what, "/sys/fs/cgroup is mounted read-only") for what in ("memory", "pids", "cpu", "freeze"))
NOT_WRITABLE = tuple(entry._replace(why="not writable by this user") for entry in READ_ONLY)

ROOT = Facts(
    is_linux=True,
    is_root=True,
    kernel=(6, 1),
    capabilities=EVERY_CAPABILITY,
    capabilities_of_root=EVERY_CAPABILITY,
    user_namespaces_max=96_365,
    why_no_namespaces="",
    why_no_user_namespaces="",
    why_no_mounts="",
    why_no_user_mounts="",
    why_no_overlay="",
    cgroup_version="v2",
    cgroups_missing=(),
    has_seccomp=True,
    why_no_disk_tmp="",
    why_no_egress="",
)
USER = replace(
    ROOT,
    is_root=False,
    capabilities=frozenset(),
    why_no_namespaces="the server is not root",
    why_no_mounts="the server is not root",
    cgroups_missing=NOT_WRITABLE,
)
UBUNTU_24_04 = replace(
    USER, is_userns_restricted=True, why_no_user_namespaces="permission denied", why_no_user_mounts="was not tried"
)
CONTAINER = replace(
    ROOT,
    capabilities=DOCKER_CAPABILITIES,
    capabilities_of_root=DOCKER_CAPABILITIES,
    why_no_namespaces="operation not permitted",
    why_no_user_namespaces="operation not permitted",
    cgroups_missing=READ_ONLY,
)
