"""
Whether the kernel would execute a file, answered before trying.

The environment's first process is a gate that executes the runtime's command later, by itself; a failure there would
look like a runtime that exited. So the checks of execve(2) are made beforehand, and their result told in AWS's words.
"""

import platform
import re
import struct
from pathlib import Path

from lambent.function_user import FunctionUser
from lambent.sandbox.contract import SandboxStartError

_FIRST_LINE_BYTES_MAX = 256
"""How much of a file Linux reads to find `#!` and the interpreter. Documented: execve(2)."""

_MACH_O_MAGICS = {b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xca\xfe\xba\xbe"}

_ELF_MACHINES = {"x86_64": {3, 62}, "aarch64": {40, 183}, "arm64": {40, 183}}
"""The values of e_machine that a 64-bit kernel of each architecture may run; 32-bit ones are left to the kernel."""

_PT_INTERP = 3


def check_executable(path: Path, shown_as: str, user: FunctionUser) -> None:
    """
    Refuse a file that `execve` would refuse.

    Args:
        path: the file on this machine.
        shown_as: its path as the function sees it, for the message.
        user: who is going to execute it.

    Raises:
        SandboxStartError: `fork/exec <shown_as>: <the operating system's word>`.

    Source: the texts are those of Go's os/exec, which messages of AWS show (cargo-lambda/cargo-lambda#174).
    """
    word = _refusal(path, user)
    if word:
        raise SandboxStartError(f"fork/exec {shown_as}: {word}")


def _refusal(path: Path, user: FunctionUser) -> str:
    if not path.exists():
        return "permission denied" if user.closed_at(path) else "no such file or directory"
    if not path.is_file() or not user.may_execute(path):
        return "permission denied"
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
    except OSError:
        return ""
    if head.startswith(b"#!"):
        return _script_refusal(head, user)
    if head.startswith(b"\x7fELF"):
        return _elf_refusal(head)
    if head[:4] in _MACH_O_MAGICS and platform.system() == "Darwin":
        return ""
    return "exec format error"


def _script_refusal(head: bytes, user: FunctionUser) -> str:
    line = head[2:_FIRST_LINE_BYTES_MAX].split(b"\n", 1)[0]
    words = re.split(rb"[ \t]+", line.strip(b" \t"), maxsplit=1)
    if not words[0]:
        return "exec format error"
    # A carriage return stays part of the name, as in the kernel: a script with Windows line ends has no interpreter.
    interpreter = Path(words[0].decode("utf-8", "surrogateescape"))
    if not interpreter.exists():
        return "no such file or directory"
    return "" if user.may_execute(interpreter) else "permission denied"


def _elf_refusal(head: bytes) -> str:
    """Return why the kernel would refuse this ELF file: built for another machine, or its loader is not here."""
    if platform.system() == "Darwin" or len(head) < 64:
        return "exec format error"
    is_64_bit, is_little_endian = head[4] == 2, head[5] == 1
    machine = struct.unpack_from("<H" if is_little_endian else ">H", head, 18)[0]
    if machine not in _ELF_MACHINES.get(platform.machine(), {machine}):
        return "exec format error"
    if not (is_64_bit and is_little_endian):
        return ""
    table_offset = struct.unpack_from("<Q", head, 32)[0]
    entry_bytes, entries = struct.unpack_from("<HH", head, 54)
    for index in range(entries):
        entry = table_offset + index * entry_bytes
        if entry + 40 > len(head):
            break
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", head, entry)
        if kind == _PT_INTERP and offset + size <= len(head):
            loader = head[offset : offset + size].rstrip(b"\0").decode("utf-8", "surrogateescape")
            return "" if Path(loader).exists() else "no such file or directory"
    return ""
