"""What the kernel would refuse to execute, and in which words."""

import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.function_user import FunctionUser, find_function_user
from lambent.sandbox.contract import SandboxStartError
from lambent.sandbox.executable import check_executable

OTHER = FunctionUser(name="other", uid=54321, gid=54321, is_other=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that every user can pass."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def check(path: Path, expected: str, user: FunctionUser | None = None) -> None:
    """Check that executing a file is refused with `expected`, or not at all when that is empty."""
    told = ""
    try:
        check_executable(path, "/var/task/bootstrap", user or find_function_user("nobody"))
    except SandboxStartError as error:
        told = str(error)
    assert told == (f"fork/exec /var/task/bootstrap: {expected}" if expected else "")


def write(path: Path, content: bytes, mode: int = 0o755) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def elf(machine: int, loader: bytes = b"") -> bytes:
    """Return the head of a 64-bit little-endian ELF file for a machine, with a loader if it has one."""
    head = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    kind = 3 if loader else 1
    return head + struct.pack("<IIQQQQQQ", kind, 4, 120, 0, 0, len(loader), len(loader), 1) + loader


def own_machine() -> int:
    machine: int = struct.unpack_from("<H", Path("/bin/sh").read_bytes()[:64], 18)[0]
    return machine


def test_scripts(folder: Path) -> None:
    """A script is as good as its interpreter."""
    check(write(folder / "good", b"#!/bin/sh\n"), "")
    check(write(folder / "spaced", b"#! \t/bin/sh -e\n"), "")
    check(write(folder / "lost", b"#!/no/such/interpreter\n"), "no such file or directory")
    check(write(folder / "dos", b"#!/bin/sh\r\n"), "no such file or directory")
    check(write(folder / "none", b"#!\n"), "exec format error")
    write(folder / "interpreter", b"", 0o644)
    check(write(folder / "closed", f"#!{folder}/interpreter\n".encode()), "permission denied")


def test_modes(folder: Path) -> None:
    """The function's user needs the right to execute, folders and links included."""
    check(write(folder / "plain", b"#!/bin/sh\n", 0o644), "permission denied")
    check(write(folder / "owners", b"#!/bin/sh\n", 0o744), "permission denied", OTHER)
    check(write(folder / "all", b"#!/bin/sh\n", 0o745), "", OTHER)
    check(folder, "permission denied")
    check(folder / "missing", "no such file or directory")
    (folder / "private").mkdir(mode=0o700)
    check(write(folder / "private" / "app", b"#!/bin/sh\n"), "permission denied", OTHER)
    (folder / "link").symlink_to("private/app")
    check(folder / "link", "permission denied", OTHER)


def test_formats(folder: Path) -> None:
    """Text without a first line that names an interpreter is no program, nor is an empty file."""
    check(write(folder / "text", b"echo hello\n"), "exec format error")
    check(write(folder / "empty", b""), "exec format error")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs:linux:run the tests on Linux")
def test_elf(folder: Path) -> None:
    """A binary runs on its own machine, if its loader is there."""
    check(write(folder / "static", elf(own_machine())), "")
    check(write(folder / "foreign", elf(0x1234)), "exec format error")
    check(write(folder / "musl", elf(own_machine(), b"/lib/ld-of-another-libc.so.1\0")), "no such file or directory")
    check(write(folder / "cut", elf(own_machine())[:40]), "exec format error")
    check(Path("/bin/sh"), "")
