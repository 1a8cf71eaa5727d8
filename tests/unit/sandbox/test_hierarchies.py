"""Which control groups a host has: recorded hosts, and what is found on each."""

from pathlib import Path

import pytest
from unit.sandbox import cgroup_hosts

from lambent.sandbox import hierarchies
from lambent.sandbox.hierarchies import Hierarchies


def detect(host: cgroup_hosts.Host, root: Path) -> Hierarchies:
    cgroup_hosts.build(root, host)
    return Hierarchies.detect(host.mounts, host.own_cgroup, root)


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("os.access", lambda _path, _mode: True)


@pytest.mark.parametrize(
    ("host", "version", "v1", "unified", "missing"),
    [
        (cgroup_hosts.V1, "v1", {"memory", "pids", "cpu", "freezer", "cpuacct"}, None, []),
        (cgroup_hosts.HYBRID, "hybrid", {"memory", "pids", "cpu", "freezer", "cpuacct"}, "unified", []),
        (cgroup_hosts.UNIFIED, "v2", set(), ".", []),
        (cgroup_hosts.NOTHING, "none", set(), None, ["memory", "pids", "cpu", "freeze"]),
    ],
    ids=["v1", "hybrid", "v2", "nothing"],
)
def test_each_kind_of_host(
    tmp_path: Path, host: cgroup_hosts.Host, version: str, v1: set[str], unified: str | None, missing: list[str]
) -> None:
    """Where each controller is, and what cannot be had."""
    found = detect(host, tmp_path)
    assert (found.version, set(found.v1)) == (version, v1)
    assert found.unified == (None if unified is None else tmp_path / "sys/fs/cgroup" / unified)
    assert [entry.what for entry in found.missing] == missing


def test_a_hybrid_host_takes_nothing_from_cgroup2(tmp_path: Path) -> None:
    """Controllers that are bound to v1 stay there; cgroup2 has its core alone."""
    found = detect(cgroup_hosts.HYBRID, tmp_path)
    assert found.from_unified() == []
    assert [folder.name for folder in found.v1_folders()] == ["memory", "pids", "cpu"]


def test_shared_hierarchies_count_once(tmp_path: Path) -> None:
    """cpu and cpuacct in one mount are one folder; without cgroup2 the freezer joins."""
    found = detect(cgroup_hosts.V1, tmp_path)
    assert [folder.name for folder in found.v1_folders()] == ["memory", "pids", "cpu,cpuacct", "freezer"]


def test_a_newer_kernel_on_a_v1_host_can_be_asked_for_cgroup2(tmp_path: Path) -> None:
    """Nothing is mounted while looking; that it could be is said."""
    mounts = cgroup_hosts.HYBRID.mounts.replace("41 31 0:38 / /sys/fs/cgroup/unified", "41 31 0:38 / /elsewhere")
    without = "\n".join(line for line in mounts.splitlines() if "cgroup2" not in line)
    cgroup_hosts.build(tmp_path, cgroup_hosts.HYBRID)
    found = Hierarchies.detect(without, cgroup_hosts.HYBRID.own_cgroup, tmp_path)
    assert (found.version, found.unified, found.can_mount_unified, found.missing) == ("v1", None, True, ())


def test_a_delegated_unit_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where systemd delegated our unit, our group goes into it, with the controllers that it got."""
    monkeypatch.setattr(hierarchies, "_is_delegated", lambda folder: folder.name == "lambent.service")
    found = detect(cgroup_hosts.DELEGATED, tmp_path)
    assert found.unified == tmp_path / "sys/fs/cgroup/system.slice/lambent.service"
    assert found.from_unified() == ["memory", "pids", "cpu"]


def test_the_second_server_of_a_unit_finds_the_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was started in the leaf that an earlier server moved to looks at the unit around it."""
    monkeypatch.setattr(hierarchies, "_is_delegated", lambda folder: folder.name == "lambent.service")
    cgroup_hosts.build(tmp_path, cgroup_hosts.DELEGATED)
    own = cgroup_hosts.DELEGATED.own_cgroup.replace("lambent.service", "lambent.service/lambent-server")
    found = Hierarchies.detect(cgroup_hosts.DELEGATED.mounts, own, tmp_path)
    assert found.unified is not None
    assert found.unified.name == "lambent.service"


def test_another_user_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root and without delegation there is no group, and the folder that would be needed is named."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    found = detect(cgroup_hosts.UNIFIED, tmp_path)
    assert (found.version, found.unified, found.can_mount_unified) == ("v2", None, False)
    assert [entry.what for entry in found.missing] == ["memory", "pids", "cpu", "freeze"]
    assert found.missing[0].why.endswith("session-1.scope is not writable by this user")


def test_a_read_only_mount_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container without privileges control groups can be seen and not used."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    found = detect(cgroup_hosts.DOCKER_READ_ONLY, tmp_path)
    assert found.unified is None
    assert found.missing[0].why.endswith("/sys/fs/cgroup is mounted read-only")


def test_a_controller_that_was_not_delegated_is_named(tmp_path: Path) -> None:
    """What the kernel's command line or the delegation leaves out is told apart from what is not mounted."""
    cgroup_hosts.build(tmp_path, cgroup_hosts.UNIFIED)
    (tmp_path / "sys/fs/cgroup/cgroup.controllers").write_text("cpu pids\n")
    found = Hierarchies.detect(cgroup_hosts.UNIFIED.mounts, cgroup_hosts.UNIFIED.own_cgroup, tmp_path)
    (missing,) = found.missing
    assert missing.what == "memory"
    assert missing.why.endswith("offers no memory controller")


def test_a_path_with_spaces_is_decoded(tmp_path: Path) -> None:
    """proc(5) writes a space in a mount point as an octal number."""
    (tmp_path / "my groups").mkdir()
    mounts = "30 24 0:26 / /my\\040groups rw - cgroup cgroup rw,pids\n"
    found = Hierarchies.detect(mounts, "", tmp_path)
    assert found.v1["pids"] == tmp_path / "my groups"
