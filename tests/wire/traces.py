"""What a server has on the machine beside its data folder, looked for from outside, by whoever is root."""

import contextlib
import hashlib
import shutil
import subprocess
from pathlib import Path

KINDS = ("processes", "control groups", "interfaces", "tables", "loop devices", "mounts")

_UIDS = 65_536
_UID_FIRST = 1_900_000_000


def start_of(pid):
    """Return when a process was started, in the kernel's ticks; None where there is none, or only its zombie."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else rest[18]


def below(pid):
    """Return the processes below one, as pid to start: with the start a number that is used again is told apart."""
    children = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
    found, waiting = {}, [pid]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if start := start_of(child):
                found[child] = start
            waiting.append(child)
    return found


def living(processes):
    """Return those of `below` that still run."""
    return {pid for pid, start in processes.items() if start_of(pid) == start}


def command_of(pid):
    """Return a process's command line as a list of words."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def spawner_of(server):
    """Return the pid of the server's spawner."""
    found = [
        pid for pid in below(server.process.pid) if any("lambent.sandbox.spawner" in word for word in command_of(pid))
    ]
    assert len(found) == 1, found
    return found[0]


def traces_of(data_dir):
    """Return what this machine has of the server with a data folder, by kind; kinds without any are left out."""
    instance = hashlib.sha256(str((Path(data_dir) / "run").resolve()).encode()).hexdigest()[:8]
    uid_first = _UID_FIRST + int(instance, 16) % 3000 * _UIDS
    found = {
        "processes": list(_processes(range(uid_first, uid_first + _UIDS), f"lambent-{instance}")),
        "control groups": [
            str(path)
            for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/*")
            for path in Path("/").glob(f"{top}/lambent-{instance}".lstrip("/"))
        ],
        "interfaces": sorted(path.name for path in Path("/sys/class/net").glob(f"lb{instance[:6]}*")),
        "tables": [line for line in _tables() if line.endswith(f" lambent_{instance}")],
        "loop devices": [
            path.parent.parent.name
            for path in Path("/sys/block").glob("loop*/loop/backing_file")
            if str(data_dir) in _text(path)
        ],
        "mounts": sorted(_mounts(str(data_dir))),
    }
    return {kind: those for kind, those in found.items() if those}


def environments_of(traces):
    """Return how many control groups of environments there are, whatever the number of hierarchies."""
    return len(
        {child.name for path in traces.get("control groups", ()) for child in Path(path).iterdir() if child.is_dir()}
    )


def processes_of_user(uid):
    """Return the pids of a user's processes, zombies aside."""
    return list(_processes(range(uid, uid + 1), "no such group"))


def _processes(uids, group):
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or start_of(folder.name) is None:
            continue
        with contextlib.suppress(OSError):
            if folder.stat().st_uid in uids or group in (folder / "cgroup").read_text():
                yield int(folder.name)


def _tables():
    nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if nft is None:
        return []
    return subprocess.run([nft, "list", "tables"], capture_output=True, text=True, check=True).stdout.splitlines()


def _mounts(data_dir):
    """Yield what mentions the data folder in any process's mounts, once for each namespace of mounts."""
    seen = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                namespace = str((folder / "ns/mnt").readlink())
                if namespace not in seen:
                    seen.add(namespace)
                    lines = (folder / "mountinfo").read_text().splitlines()
                    yield from (line for line in lines if data_dir in line)


def _text(path):
    try:
        return path.read_text()
    except OSError:
        return ""
