"""
The root that execution environments of one runtime see, and their /tmp.

Used by the spawner, which imports little: the standard library only.
"""

import errno
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambent.sandbox.inside import system_calls

_READ_ONLY = system_calls.MOUNT_ATTR_RDONLY | system_calls.MOUNT_ATTR_NOSUID | system_calls.MOUNT_ATTR_NODEV

_SYSTEM_FOLDERS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Programs and libraries of the machine, which runtimes are linked with."""

_ETC_FILES = (
    "ld.so.cache", "ld.so.conf", "nsswitch.conf", "mime.types", "services", "protocols", "host.conf", "gai.conf",
    "localtime", "os-release", "ca-certificates.conf",
)  # fmt: skip
_ETC_FOLDERS = ("ssl/certs", "pki/tls/certs", "pki/ca-trust/extracted", "crypto-policies", "alternatives", "fonts")
_ETC_PATTERNS = ("java-*-openjdk", "python3.*")
"""What programs in /usr read of /etc and tells nothing about the machine's users and services."""

_DEVICES = ("null", "zero", "full", "random", "urandom")
_DEVICE_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}

_FOLDERS = (
    "var/task/lib", "var/runtime", "var/lang", "var/lambent", "var/empty", "opt/lib", "tmp", "proc", "run", "mnt",
)  # fmt: skip
"""
The package's lib and that of layers are hidden, by the package once that is mounted, and from the beginning by an empty
folder. They are there since the loader of libraries notes for ever which folders of LD_LIBRARY_PATH exist when it
starts, also in a zygote.
"""

INSIDE = Path("/var/lambent")
"""Where the programs of `inside` lie."""

USER_NAME = "sbx_user1051"
"""Observed: what `id` prints in functions on AWS."""


def build_root(where: str, folders: Sequence[tuple[str, str]], texts: Mapping[str, str], with_proc: bool) -> None:
    """
    Make a root and step into it. The calling process has a mount namespace of its own and loses sight of the old root.

    Args:
        where: an empty folder to build on.
        folders: path inside, path on the host; read-only.
        texts: contents for files in /etc.
        with_proc: show /proc below the one that each environment mounts over it. In a user namespace the kernel lets
            nobody mount one where none is in sight.

    Raises:
        OSError: the kernel refuses something.
    """
    system_calls.mount(None, "/", None, system_calls.MS_REC | system_calls.MS_PRIVATE)
    system_calls.mount("tmpfs", where, "tmpfs", system_calls.MS_NOSUID, "size=16m,mode=755")
    root = Path(where)
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in _SYSTEM_FOLDERS:
        _show(Path("/", name), root / name)
    _build_etc(root / "etc", texts)
    _build_dev(root / "dev")
    if with_proc:
        system_calls.mount("/proc", str(root / "proc"), None, system_calls.MS_BIND | system_calls.MS_REC)
    for source in (Path(__file__).parent / "inside").glob("*.py"):
        shutil.copyfile(source, root / "var/lambent" / source.name)
    for inside, host in folders:
        target = root / inside.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        system_calls.move_mount(folder_mount(host, str(root / "var/empty")), str(target))
    read_only = system_calls.MS_REMOUNT | system_calls.MS_RDONLY | system_calls.MS_NOSUID
    system_calls.mount(None, where, None, read_only | system_calls.MS_BIND)
    system_calls.pivot_root(where)


def folder_mount(host: str, empty: str) -> int:
    """Return a detached read-only mount of a folder, nameless where the kernel has overlays."""
    try:
        return system_calls.read_only_view(host, empty)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EMFILE, errno.ENFILE, errno.ENOMEM}:
            raise
        return system_calls.clone_mount(host, _READ_ONLY)


def directory_mount(host: str, mapping: int = -1) -> int:
    """
    Return a detached mount of a directory that may be written to. Its path shows in /proc/self/mountinfo.

    Args:
        mapping: what `owner_mapping` returned, -1 for none.
    """
    attributes = system_calls.MOUNT_ATTR_NOSUID | system_calls.MOUNT_ATTR_NODEV
    return system_calls.clone_mount(host, attributes, mapping=mapping)


def owner_mapping(owner: int, group: int, user: int) -> int:
    """
    Return a mapping by which an environment acts as the owner of a directory: a descriptor.

    The environment's user and the owner change places, likewise their groups, and everybody else stays who they are.
    Root changes places with nobody: a function could otherwise make set-user-ID programs of root's.

    Args:
        owner, group: of the directory; the owner is not root. A group of root's stays root's.
        user: the environment's user and group.

    Raises:
        OSError: the kernel gives no user namespaces.
    """
    assert owner > 0, "root is never mapped"
    return system_calls.user_namespace(swapped(owner, user), swapped(group or user, user))


_NUMBERS_END = 0xFFFFFFFF
"""The one number that is nobody's."""


def swapped(one: int, other: int) -> str:
    """Return a mapping of all users for /proc/PID/uid_map that lets two of them change places."""
    low, high = sorted((one, other))
    parts = [(0, 0, low), (low, high, 1), (low + 1, low + 1, high - low - 1), (high, low, 1)]
    if low == high:
        parts = [(0, 0, high + 1)]
    parts.append((high + 1, high + 1, _NUMBERS_END - high - 1))
    return "".join(f"{inside} {outside} {count}\n" for inside, outside, count in parts if count > 0)


def _show(host: Path, inside: Path) -> None:
    """Show a folder or a link of the machine at the same place inside."""
    if host.is_symlink():
        inside.symlink_to(host.readlink())
    elif host.is_dir():
        inside.mkdir(parents=True, exist_ok=True)
        system_calls.move_mount(system_calls.clone_mount(str(host), _READ_ONLY, recursive=True), str(inside))


def _build_etc(etc: Path, texts: Mapping[str, str]) -> None:
    etc.mkdir()
    host = Path("/etc")
    for name in _ETC_FILES:
        source = host / name
        if source.is_file():
            shutil.copyfile(source, etc / name)
    found = [path.name for pattern in _ETC_PATTERNS for path in host.glob(pattern)]
    for name in (*_ETC_FOLDERS, *found):
        if (host / name).is_dir():
            _show((host / name).resolve(), etc / name)
    for name, text in texts.items():
        (etc / name).write_text(text)
    for name in ("passwd", "group"):
        (etc / name).symlink_to(f"/run/{name}")


def _build_dev(dev: Path) -> None:
    dev.mkdir()
    for name in _DEVICES:
        (dev / name).touch()
        system_calls.mount(f"/dev/{name}", str(dev / name), None, system_calls.MS_BIND)
    for name, target in _DEVICE_LINKS.items():
        (dev / name).symlink_to(target)


def user_files(uid: int, gid: int) -> dict[str, str]:
    """Return the files by which an environment's user has a name."""
    nobody = "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    return {
        "passwd": f"root:x:0:0:root:/root:/usr/sbin/nologin\n{nobody}"
        f"{USER_NAME}:x:{uid}:{gid}::/home/{USER_NAME}:/usr/sbin/nologin\n",
        "group": f"root:x:0:\nnogroup:x:65534:\n{USER_NAME}:x:{gid}:\n",
    }


# /tmp ------------------------------------------------------------------------------------------------------------

_MIB = 1 << 20
_BYTES_PER_INODE = 8192
_INODE_BYTES = 256

_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_LO_FLAGS_AUTOCLEAR = 4
_LOOP_CONFIG_BYTES = 304
_LOOP_MAJOR = 7
_LOOP_TRIES = 16


class DiskTmp:
    """
    Makes /tmp file systems of an exact size on the machine's disk, so that they do not count as memory.

    Each is an ext4 in a file without a name, on a loop device that goes with the mount: whatever is killed, nothing
    is left. A template is formatted once per size and copied, holes and all.

    Args:
        folder: on the disk to use.

    Raises:
        OSError: there are no loop devices, no ext4, or no mkfs.ext4.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._templates: dict[int, int] = {}
        self._control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
        os.close(self.make(512))

    def make(self, mib: int) -> int:
        """Return a detached mount with `mib` MiB free; about 2 ms, 10 for the first of a size."""
        template = self._templates.get(mib)
        if template is None:
            if len(self._templates) >= 64:
                os.close(self._templates.pop(next(iter(self._templates))))
            template = self._templates[mib] = self._format(mib)
        image = os.open(self._folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            _copy_sparse(template, image)
            device, path = self._attach(image)
        finally:
            os.close(image)
        try:
            # Zeroing the inode tables in the background would only wear the disk: holes read as zeroes already.
            options = {"source": path, "noinit_itable": None}
            attributes = system_calls.MOUNT_ATTR_NOSUID | system_calls.MOUNT_ATTR_NODEV
            return system_calls.make_mount("ext4", options, attributes | system_calls.MOUNT_ATTR_NOATIME)
        finally:
            os.close(device)

    def _format(self, mib: int) -> int:
        tables_bytes = mib * _MIB // _BYTES_PER_INODE * _INODE_BYTES
        # Beside its inode tables an ext4 without a journal takes a four-hundredth, and hides a fiftieth, at most 4096
        # blocks, that it keeps for writes whose place is not decided yet.
        own_bytes = mib * _MIB // 400 + 2 * _MIB
        size = mib * _MIB + tables_bytes + own_bytes + min((mib + 1) * _MIB // 50, 4096 * 4096)
        descriptor = os.open(self._folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            os.truncate(descriptor, size)
            subprocess.run(
                [
                    *("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal,^resize_inode"),
                    *("-b", "4096", "-I", str(_INODE_BYTES), "-i", str(_BYTES_PER_INODE)),
                    *("-E", "nodiscard,lazy_itable_init=1,root_owner=0:0", f"/proc/self/fd/{descriptor}"),
                ],
                check=True,
                capture_output=True,
                pass_fds=[descriptor],
                env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"},
            )
        except subprocess.CalledProcessError as error:
            os.close(descriptor)
            raise OSError(errno.EIO, f"mkfs.ext4: {error.stderr.decode(errors='replace').strip()}") from error
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _attach(self, image: int) -> tuple[int, str]:
        """Attach the image to a free loop device that frees itself when its last user goes."""
        configuration = bytearray(_LOOP_CONFIG_BYTES)
        struct.pack_into("II", configuration, 0, image, 4096)
        struct.pack_into("I", configuration, 8 + 5 * 8 + 3 * 4, _LO_FLAGS_AUTOCLEAR)
        for _ in range(_LOOP_TRIES):
            number = fcntl.ioctl(self._control, _LOOP_CTL_GET_FREE)
            path = f"/dev/loop{number}"
            if not Path(path).exists():
                # A container's /dev is not the kernel's own.
                os.mknod(path, 0o600 | 0o060000, os.makedev(_LOOP_MAJOR, number))
            device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(device, _LOOP_CONFIGURE, bytes(configuration))
            except OSError as error:
                os.close(device)
                if error.errno != errno.EBUSY:
                    raise
                # Somebody else has taken it between the two calls.
                continue
            return device, path
        raise OSError(errno.EBUSY, "no loop device stays free")


def _copy_sparse(source: int, target: int) -> None:
    size = os.fstat(source).st_size
    os.truncate(target, size)
    position = 0
    while position < size:
        try:
            begin = os.lseek(source, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(source, begin, os.SEEK_HOLE)
        while begin < end:
            copied = os.copy_file_range(source, target, end - begin, begin, begin)
            if not copied:
                return
            begin += copied
        position = end


def memory_tmp_options(mib: int) -> str:
    """Return the options of a /tmp in memory, for hosts without loop devices."""
    return f"size={mib}m,nr_inodes={mib * _MIB // _BYTES_PER_INODE},mode=1777"
