"""Control groups: what is done on each kind of host, and that the kernel of this one does it."""

import errno
import mmap
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from unit.sandbox import cgroup_hosts

from lambent.sandbox import limits
from lambent.sandbox.hierarchies import Hierarchies
from lambent.sandbox.inside import system_calls
from lambent.sandbox.limits import GroupHandles, Groups, cpu_quota_us

NEW_V2 = {
    "cgroup.freeze": "0\n", "cgroup.kill": "", "cgroup.procs": "", "cgroup.events": "populated 0\nfrozen 0\n",
    "cgroup.subtree_control": "", "cpu.stat": "usage_usec 1234\nuser_usec 1000\n",
}  # fmt: skip
NEW_V2_LIMITS = {
    "memory.max": "max\n", "memory.swap.max": "max\n", "memory.oom.group": "0\n", "memory.peak": "4096\n",
    "memory.events": "low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\noom_group_kill 1\n", "pids.max": "max\n",
    "cpu.max": "max 100000\n",
}  # fmt: skip
NEW_V1 = {
    "memory": {
        "cgroup.procs": "", "memory.limit_in_bytes": "9223372036854771712\n",
        "memory.memsw.limit_in_bytes": "9223372036854771712\n", "memory.swappiness": "60\n",
        "memory.kmem.tcp.limit_in_bytes": "9223372036854771712\n",
        "memory.max_usage_in_bytes": "8192\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    },
    "pids": {"cgroup.procs": "", "pids.max": "max\n"},
    "cpu": {"cgroup.procs": "", "cpu.cfs_period_us": "100000\n", "cpu.cfs_quota_us": "-1\n"},
    "freezer": {"cgroup.procs": "", "freezer.state": "THAWED\n"},
    "cpuacct": {"cgroup.procs": "", "cpuacct.usage": "5000000\n"},
}  # fmt: skip


class FakeKernel:
    """Fills new groups in a fake tree with control files, and moves processes when they are written somewhere."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.written: list[tuple[str, str]] = []
        monkeypatch.setattr(limits, "_make_folder", self.make)
        monkeypatch.setattr(limits, "_remove_folder", self.remove)
        monkeypatch.setattr(limits, "_write", self.write)

    def make(self, folder: Path) -> None:
        folder.mkdir()
        controllers = folder.relative_to(self.root / "sys/fs/cgroup").parts[0]
        if controllers in {*NEW_V1, "cpu,cpuacct"}:
            files = {name: text for one in controllers.split(",") for name, text in NEW_V1[one].items()}
        else:
            enabled = (folder.parent / "cgroup.subtree_control").read_text()
            files = NEW_V2 | {name: text for name, text in NEW_V2_LIMITS.items() if name.split(".")[0] in enabled}
        for name, text in files.items():
            (folder / name).write_text(text)

    def remove(self, folder: Path) -> None:
        for entry in folder.iterdir():
            entry.unlink()
        folder.rmdir()

    def write(self, file: Path, text: str) -> None:
        self.written.append((str(file.relative_to(self.root / "sys/fs/cgroup")), text))
        if file.name == "cgroup.procs":
            for other in self.root.rglob("cgroup.procs"):
                other.write_text("".join(f"{pid}\n" for pid in other.read_text().split() if pid != text))
        if file.name == "cgroup.subtree_control":
            text = file.read_text() + text.lstrip("+") + " "
        file.write_text(text)


def groups_on(host: cgroup_hosts.Host, root: Path) -> Groups:
    return Groups(Hierarchies.detect(host.mounts, host.own_cgroup, root), "0badcafe")


def close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)


@pytest.mark.parametrize(
    ("memory_mib", "quota_us"), [(128, 1447), (64, 1000), (1769, 20_000), (3538, 40_000), (10_240, 115_772)]
)
def test_the_processor_share_follows_memory(memory_mib: int, quota_us: int) -> None:
    """1,769 MB are one core, and the kernel's least is one millisecond."""
    assert cpu_quota_us(memory_mib) == quota_us


@pytest.mark.usefixtures("as_root")
def test_on_a_unified_host_one_folder_has_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """v2: controllers are enabled on the way down, one folder per environment, nothing to attach to."""
    cgroup_hosts.build(tmp_path, cgroup_hosts.UNIFIED)
    kernel = FakeKernel(tmp_path, monkeypatch)
    groups = groups_on(cgroup_hosts.UNIFIED, tmp_path)
    assert groups.open() == 0
    handles = GroupHandles(groups.make("a", 128, 1024))
    assert groups.attach_descriptors("a") == []
    group = tmp_path / "sys/fs/cgroup/lambent-0badcafe/a"
    found = {name: (group / name).read_text() for name in ("memory.max", "memory.swap.max", "memory.oom.group")}
    assert found == {"memory.max": str(128 << 20), "memory.swap.max": "0", "memory.oom.group": "1"}
    assert (group / "pids.max").read_text() == "1024"
    handles.set_cpu(1769)
    assert (group / "cpu.max").read_text() == "20000 20000"
    handles.set_cpu(None)
    assert (group / "cpu.max").read_text() == "max 20000"
    assert (handles.cpu_us(), handles.memory_peak_bytes(), handles.oom_kills()) == (1234, 4096, 1)
    handles.close()
    assert ("lambent-0badcafe/cgroup.subtree_control", "+memory") in kernel.written


@pytest.mark.usefixtures("as_root")
def test_the_server_leaves_an_inner_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a unit that systemd delegated, its processes move to a leaf before controllers are enabled beside them."""
    cgroup_hosts.build(tmp_path, cgroup_hosts.DELEGATED)
    unit = tmp_path / "sys/fs/cgroup/system.slice/lambent.service"
    (unit / "cgroup.procs").write_text("41\n42\n")
    monkeypatch.setattr("lambent.sandbox.hierarchies._is_delegated", lambda folder: folder == unit)
    kernel = FakeKernel(tmp_path, monkeypatch)
    groups_on(cgroup_hosts.DELEGATED, tmp_path).open()
    assert (unit / "cgroup.procs").read_text() == ""
    moved = {text for name, text in kernel.written if name.endswith("lambent-server/cgroup.procs")}
    assert moved == {"41", "42"}
    assert (unit / "cgroup.subtree_control").read_text().split() == ["memory", "pids", "cpu"]


@pytest.mark.usefixtures("as_root")
def test_on_a_hybrid_host_cgroup2_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hybrid: one is born into cgroup2 and attaches to the three v1 hierarchies, which hold the limits."""
    cgroup_hosts.build(tmp_path, cgroup_hosts.HYBRID)
    FakeKernel(tmp_path, monkeypatch)
    groups = groups_on(cgroup_hosts.HYBRID, tmp_path)
    groups.open()
    descriptors = groups.make("a", 128, 1024)
    names = [
        str(Path(f"/proc/self/fd/{one}").readlink()).split("/sys/fs/cgroup/")[1].split("/")[0] for one in descriptors
    ]
    assert names == ["unified", "memory", "cpu"]
    born_into = groups.directory_descriptor_v2("a")
    assert born_into is not None
    attach = groups.attach_descriptors("a")
    assert len(attach) == 3
    close_all([*attach, born_into])
    handles = GroupHandles(descriptors)
    handles.freeze()
    assert (tmp_path / "sys/fs/cgroup/unified/lambent-0badcafe/a/cgroup.freeze").read_text().strip() == "1"
    assert (handles.cpu_us(), handles.memory_peak_bytes(), handles.oom_kills()) == (1234, 8192, 2)
    handles.close()


@pytest.mark.usefixtures("as_root")
def test_on_an_old_v1_host_the_freezer_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """v1 with a kernel without cgroup2: freezer and cpuacct do what cgroup2 would; shared hierarchies count once."""
    cgroup_hosts.build(tmp_path, cgroup_hosts.V1)
    FakeKernel(tmp_path, monkeypatch)
    groups = groups_on(cgroup_hosts.V1, tmp_path)
    groups.open()
    assert groups.directory_descriptor_v2("a") is None
    handles = GroupHandles(groups.make("a", 128, 1024))
    attach = groups.attach_descriptors("a")
    assert len(attach) == 4, "memory, pids, cpu with cpuacct, freezer"
    close_all(attach)
    state = tmp_path / "sys/fs/cgroup/freezer/lambent-0badcafe/a/freezer.state"
    handles.freeze()
    assert state.read_text().strip() == "FROZEN"
    handles.thaw()
    assert state.read_text().strip() == "THAWED"
    assert handles.cpu_us() == 5000
    cpu = tmp_path / "sys/fs/cgroup/cpu,cpuacct/lambent-0badcafe/a"
    handles.set_cpu(128)
    assert [(cpu / f"cpu.cfs_{name}_us").read_text() for name in ("period", "quota")] == ["20000", "1447"]
    memory = tmp_path / "sys/fs/cgroup/memory/lambent-0badcafe/a"
    for mib in (256, 64):
        handles.set_memory(mib)
        limits_mib = [int((memory / f"memory.{what}limit_in_bytes").read_text()) >> 20 for what in ("", "kmem.tcp.")]
        assert limits_mib == [mib, mib // 4]
    handles.close()


@pytest.mark.usefixtures("as_root")
def test_a_lack_of_descriptors_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be opened once is tried again, and is not taken for a file that the host has not."""
    cgroup_hosts.build(tmp_path, cgroup_hosts.UNIFIED)
    FakeKernel(tmp_path, monkeypatch)
    groups = groups_on(cgroup_hosts.UNIFIED, tmp_path)
    groups.open()
    handles = GroupHandles(groups.make("a", 128, 1024))

    def open_nothing(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as context:
        context.setattr(os, "open", open_nothing)
        handles.freeze()
        handles.kill()
        assert handles.cpu_us() == 0
    handles.freeze()
    assert (tmp_path / "sys/fs/cgroup/lambent-0badcafe/a/cgroup.freeze").read_text().strip() == "1"
    assert handles.cpu_us() == 1234
    handles.close()


@pytest.mark.usefixtures("as_root")
def test_without_control_groups_nothing_is_made(tmp_path: Path) -> None:
    """What is needed and missing is named, with the reason."""
    cgroup_hosts.build(tmp_path, cgroup_hosts.NOTHING)
    with pytest.raises(OSError, match="no control group for memory: cgroup2 is not mounted; pids: "):
        groups_on(cgroup_hosts.NOTHING, tmp_path).open()


@pytest.mark.usefixtures("as_root")
def test_what_was_left_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One environment has a group in every hierarchy, and counts as one."""
    cgroup_hosts.build(tmp_path, cgroup_hosts.HYBRID)
    FakeKernel(tmp_path, monkeypatch)
    groups = groups_on(cgroup_hosts.HYBRID, tmp_path)
    groups.open()
    for name in ("a", "b"):
        close_all(groups.make(name, 128, 1024))
    assert groups.open() == 2
    assert not (tmp_path / "sys/fs/cgroup/memory/lambent-0badcafe/a").exists()


@pytest.mark.usefixtures("as_root")
def test_an_old_v2_kernel_samples_the_peak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Linux 5.19 there is no memory.peak: the most that was seen counts."""
    cgroup_hosts.build(tmp_path, cgroup_hosts.UNIFIED)
    FakeKernel(tmp_path, monkeypatch)
    groups = groups_on(cgroup_hosts.UNIFIED, tmp_path)
    groups.open()
    handles = GroupHandles(groups.make("a", 128, 1024))
    group = tmp_path / "sys/fs/cgroup/lambent-0badcafe/a"
    (group / "memory.peak").unlink()
    seen = []
    for used_bytes in (100, 300, 200):
        (group / "memory.current").write_text(f"{used_bytes}\n")
        seen.append(handles.memory_peak_bytes())
    assert seen == [100, 300, 300]
    handles.close()


# The kernel of this machine ----------------------------------------------------------------------------------------


@pytest.fixture
def groups() -> Iterator[Groups]:
    """Groups of this very process, that are gone afterwards."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs:root:run the tests as root on Linux")
    missing = Hierarchies.detect().missing
    if missing:
        pytest.skip(f"needs:control-groups:{missing[0].what}: {missing[0].why}")
    groups = Groups(Hierarchies.detect(), f"{os.getpid():08x}")
    groups.open()
    yield groups
    groups.open()
    groups.close()


def start(groups: Groups, name: str, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Run a Python program in a group that has been made."""
    descriptors = groups.attach_descriptors(name)
    folder = groups.directory_descriptor_v2(name)
    assert folder is not None
    descriptors.append(os.open("cgroup.procs", os.O_WRONLY, dir_fd=folder))

    def enter() -> None:
        for descriptor in descriptors:
            os.write(descriptor, b"0")

    try:
        command = [sys.executable, "-I", "-S", "-c", program, *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=enter)  # noqa: PLW1509
    finally:
        close_all([*descriptors, folder])


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that the kernel does in its own time."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"not within 120 s: {what}"
        time.sleep(0.002)


def end(groups: Groups, name: str, handles: GroupHandles, process: "subprocess.Popen[bytes]") -> None:
    handles.kill()
    with process:
        pass
    until(lambda: groups.remove(name), "the group is removed")
    handles.close()


def test_too_much_memory_ends_the_process_and_is_counted(groups: Groups) -> None:
    """Above its limit a process is killed, `oom_kills` says why, and the peak stands at the limit."""
    handles = GroupHandles(groups.make("a", 64, 100))
    process = start(groups, "a", "bytearray(200 << 20)")
    assert process.wait() == -signal.SIGKILL
    assert handles.oom_kills() == 1
    assert 60 << 20 < handles.memory_peak_bytes() <= 64 << 20
    end(groups, "a", handles, process)


def test_memory_may_be_raised_and_lowered(groups: Groups) -> None:
    """A limit follows in both directions, whatever the kernel counts with swap."""
    handles = GroupHandles(groups.make("a", 64, 100))
    handles.set_memory(512)
    process = start(groups, "a", "bytearray(200 << 20); print('fits')")
    assert process.communicate()[0] == b"fits\n"
    handles.set_memory(128)
    process = start(groups, "a", "bytearray(200 << 20); print('fits')")
    assert process.communicate()[0] == b""
    assert handles.oom_kills() == 1
    end(groups, "a", handles, process)


def test_too_many_processes_are_refused(groups: Groups) -> None:
    """The process limit answers EAGAIN, as on AWS."""
    program = """
import os
count = 1
try:
    while True:
        if os.fork() == 0:
            import time; time.sleep(60)
        count += 1
except OSError as error:
    print(count, error.errno, flush=True)
"""
    handles = GroupHandles(groups.make("a", 128, 12))
    process = start(groups, "a", program)
    assert process.stdout is not None
    assert process.stdout.readline() == b"12 11\n"
    end(groups, "a", handles, process)


def test_the_processor_share_is_held(groups: Groups) -> None:
    """A busy loop gets its share of a core and no more; without a limit it gets the core."""
    handles = GroupHandles(groups.make("a", 128, 100))
    process = start(groups, "a", "while True: pass")

    def share_over(seconds: float) -> float:
        begin, used_us = time.monotonic(), handles.cpu_us()
        time.sleep(seconds)
        return (handles.cpu_us() - used_us) / 1e6 / (time.monotonic() - begin)

    until(lambda: handles.cpu_us() > 0, "the loop runs")
    # More than it may ever have with a limit, as soon as other tests leave it the core.
    until(lambda: share_over(0.2) > 0.11, "without a limit it has more than a share")
    handles.set_cpu(128)
    share_over(0.1)
    limited = share_over(0.6)
    handles.set_cpu(None)
    assert limited < 0.11, "128 of 1769 are 0.072 of a core"
    # As soon as other tests leave it the core.
    until(lambda: share_over(0.2) > 2 * limited, "it has more than its share again")
    end(groups, "a", handles, process)


def test_frozen_processes_stand_still(groups: Groups, tmp_path: Path) -> None:
    """A counter stops when its group is frozen and goes on when it is thawed; both may be repeated."""
    file = tmp_path / "counter"
    file.write_bytes(bytes(8))
    program = """
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    memory = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
while True:
    memory[0] += 1
"""
    handles = GroupHandles(groups.make("a", 128, 100))
    process = start(groups, "a", program, str(file))
    folder = groups.directory_descriptor_v2("a")
    assert folder is not None
    events = os.open("cgroup.events", os.O_RDONLY, dir_fd=folder)
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), 8, access=mmap.ACCESS_READ) as memory:

        def count() -> int:
            return int.from_bytes(memory[:8], sys.byteorder)

        until(lambda: count() > 0, "the counter runs")
        handles.freeze()
        handles.freeze()
        until(lambda: b"frozen 1" in os.pread(events, 100, 0), "the group is frozen")
        before = count()
        # Long enough for a running counter to count on.
        time.sleep(0.05)
        assert count() == before
        handles.thaw()
        handles.thaw()
        until(lambda: count() > before, "the counter runs again")
    close_all([events, folder])
    end(groups, "a", handles, process)


FORK_BOMB = """
import os
print("begun", flush=True)
while True:
    try:
        os.fork()
    except OSError:
        pass
"""


def members(groups: Groups, name: str) -> str:
    folder = groups.directory_descriptor_v2(name)
    assert folder is not None
    procs = os.open("cgroup.procs", os.O_RDONLY, dir_fd=folder)
    try:
        return os.read(procs, 65_536).decode()
    finally:
        close_all([procs, folder])


@pytest.mark.parametrize("has_kill", [True, False], ids=["by-the-kernel", "one-by-one"])
def test_nothing_survives_kill(groups: Groups, monkeypatch: pytest.MonkeyPatch, has_kill: bool) -> None:
    """A fork bomb ends as a whole, with cgroup.kill and on kernels before it."""
    if not has_kill:
        really_write = GroupHandles._write_once
        monkeypatch.setattr(
            GroupHandles,
            "_write_once",
            lambda self, name, word: name != "cgroup.kill" and really_write(self, name, word),
        )
    handles = GroupHandles(groups.make("a", 256, 40))
    process = start(groups, "a", FORK_BOMB)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    until(lambda: len(members(groups, "a").split()) > 20, "the bomb has spread")
    handles.kill()
    process.wait()
    until(lambda: groups.remove("a"), "the group is removed, so it is empty")
    process.stdout.close()
    handles.close()


def test_a_frozen_process_can_be_killed(groups: Groups) -> None:
    """Nobody has to be thawed to be ended."""
    handles = GroupHandles(groups.make("a", 128, 100))
    process = start(groups, "a", "while True: pass")
    handles.freeze()
    handles.kill()
    assert process.wait() == -signal.SIGKILL
    end(groups, "a", handles, process)


def test_open_ends_what_a_killed_run_left(groups: Groups) -> None:
    """The next start ends every process, fork bombs and frozen ones too, removes their groups and counts them."""
    bomb, frozen = (GroupHandles(groups.make(name, 256, 40)) for name in ("bomb", "frozen"))
    processes = [start(groups, "bomb", FORK_BOMB), start(groups, "frozen", "while True: pass")]
    assert processes[0].stdout is not None
    processes[0].stdout.readline()
    frozen.freeze()
    next_run = Groups(Hierarchies.detect(), f"{os.getpid():08x}")
    assert next_run.open() == 2
    assert [process.wait() for process in processes] == [-signal.SIGKILL] * 2
    for process in processes:
        process.communicate()
    assert next_run.open() == 0
    bomb.close()
    frozen.close()


def test_a_removed_group_reads_as_it_did_last(groups: Groups) -> None:
    """What an environment used can be asked for after its end, and freezing a dead one does nothing."""
    handles = GroupHandles(groups.make("a", 128, 100))
    process = start(groups, "a", "sum(range(1000000))")
    process.communicate()
    used = (handles.cpu_us(), handles.memory_peak_bytes(), handles.oom_kills())
    assert used[0] > 1000
    handles.freeze()
    handles.thaw()
    until(lambda: groups.remove("a"), "the group is removed")
    assert groups.remove("a"), "removing it again changes nothing"
    handles.freeze()
    handles.thaw()
    handles.kill()
    handles.set_cpu(128)
    assert (handles.cpu_us(), handles.memory_peak_bytes(), handles.oom_kills()) == used
    handles.close()
    assert handles.cpu_us() == used[0]


def test_a_group_with_processes_is_not_removed(groups: Groups) -> None:
    """False says: try again."""
    handles = GroupHandles(groups.make("a", 128, 100))
    process = start(groups, "a", "import time; time.sleep(60)")
    assert groups.remove("a") is False
    end(groups, "a", handles, process)


def test_one_may_be_born_into_a_group(groups: Groups) -> None:
    """The folder's descriptor is what clone3 takes with CLONE_INTO_CGROUP."""
    close_all(groups.make("a", 128, 100))
    folder = groups.directory_descriptor_v2("a")
    assert folder is not None
    pid, process = system_calls.clone(0, folder)
    if pid == 0:
        os._exit(0 if Path("/proc/self/cgroup").read_text().rstrip().endswith("/a") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    close_all([process, folder])


def test_cgroup2_is_mounted_where_it_is_missing(groups: Groups) -> None:
    """On a v1 host with a newer kernel, a private mount that nobody sees freezes and kills all the same."""
    v1_only = replace(Hierarchies.detect(), version="v1", unified=None, can_mount_unified=True)
    mounts_before = Path("/proc/self/mountinfo").read_text()
    own = Groups(v1_only, f"{os.getpid() + 1:08x}")
    own.open()
    handles = GroupHandles(own.make("a", 128, 100))
    process = start(own, "a", "while True: pass")
    handles.freeze()
    handles.kill()
    assert process.wait() == -signal.SIGKILL
    end(own, "a", handles, process)
    own.close()
    assert Path("/proc/self/mountinfo").read_text() == mounts_before


def test_freezing_costs_microseconds(groups: Groups) -> None:
    """One write each way: far below what a warm invocation may cost."""
    handles = GroupHandles(groups.make("a", 128, 100))
    process = start(groups, "a", "import time; print(flush=True); time.sleep(60)")
    assert process.stdout is not None
    process.stdout.readline()
    times_us: dict[str, list[float]] = {"freeze": [], "thaw": []}
    for _ in range(200):
        for name, action in (("freeze", handles.freeze), ("thaw", handles.thaw)):
            begin = time.perf_counter_ns()
            action()
            times_us[name].append((time.perf_counter_ns() - begin) / 1000)
    medians_us = {name: statistics.median(values) for name, values in times_us.items()}
    print(f"medians of 200, us: {medians_us}")
    assert sum(medians_us.values()) < 1000
    end(groups, "a", handles, process)
