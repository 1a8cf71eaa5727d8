"""The filter over system calls: what works under it, and which word answers what does not."""

import ctypes.util
import errno
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

import lambent
from lambent.sandbox.seccomp import FilterUnavailable, _all_but, filter_program

if sys.platform != "linux":
    pytest.skip("needs:linux:run the tests on Linux as well", allow_module_level=True)

import pyseccomp

NOBODY = 65534
IS_ROOT = os.geteuid() == 0
USERS = [0, NOBODY] if IS_ROOT else [os.geteuid()]

BAD_POINTER = 1
SIGCHLD = int(signal.SIGCHLD)
CLONE_NEWUTS, CLONE_NEWUSER = 0x04000000, 0x10000000
TIOCSTI, TIOCLINUX, TIOCGPTN_SIGN_EXTENDED = 0x5412, 0x541C, 0xFFFFFFFF80045430
HIGH_BIT = 1 << 32
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK = 1, 2, 10, 16, 17, 38, 40
STREAM, DGRAM, RAW, SEQPACKET, PACKET = 1, 2, 3, 5, 10
CLOEXEC = 0o2000000
RLIMIT_CORE, RLIMIT_NOFILE = 4, 7

# Arguments with which each call fails before it does anything, also for root: the control makes them without a filter.
CLOSED_DOORS: list[tuple[str, list[int]]] = [
    ("mount", [0, BAD_POINTER, 0, 0, 0]),
    ("umount2", [BAD_POINTER, 0]),
    ("pivot_root", [BAD_POINTER, BAD_POINTER]),
    ("chroot", [BAD_POINTER]),
    ("open_tree", [-1 & 0xFFFFFFFF, BAD_POINTER, 0]),
    ("move_mount", [-1 & 0xFFFFFFFF, BAD_POINTER, -1 & 0xFFFFFFFF, BAD_POINTER, 0]),
    ("fsopen", [BAD_POINTER, 0]),
    ("fsmount", [-1 & 0xFFFFFFFF, 0, 0]),
    ("mount_setattr", [-1 & 0xFFFFFFFF, BAD_POINTER, 0, BAD_POINTER, 0]),
    ("unshare", [0]),
    ("setns", [-1 & 0xFFFFFFFF, 0]),
    ("clone", [CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0]),
    ("clone", [CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0]),
    ("ptrace", [0x7FFF, 0x7FFFFFFF, 0, 0]),
    ("process_vm_readv", [0x7FFFFFFF, 0, 0, 0, 0, 0x100]),
    ("process_vm_writev", [0x7FFFFFFF, 0, 0, 0, 0, 0x100]),
    ("pidfd_getfd", [-1 & 0xFFFFFFFF, 0, 0]),
    ("keyctl", [9999, 0, 0, 0, 0]),
    ("add_key", [BAD_POINTER, BAD_POINTER, 0, 0, 0]),
    ("request_key", [BAD_POINTER, BAD_POINTER, 0, 0]),
    ("bpf", [9999, 0, 0]),
    ("perf_event_open", [BAD_POINTER, 0, 0, -1 & 0xFFFFFFFF, 0]),
    ("userfaultfd", [0x7FFF0000]),
    ("io_uring_setup", [0, BAD_POINTER]),
    ("io_uring_enter", [-1 & 0xFFFFFFFF, 0, 0, 0, 0, 0]),
    ("name_to_handle_at", [-1 & 0xFFFFFFFF, BAD_POINTER, BAD_POINTER, BAD_POINTER, 0]),
    ("open_by_handle_at", [-1 & 0xFFFFFFFF, BAD_POINTER, 0]),
    ("kexec_load", [0, 0, 0, 0xFFFF]),
    ("init_module", [BAD_POINTER, 0, BAD_POINTER]),
    ("finit_module", [-1 & 0xFFFFFFFF, BAD_POINTER, 0]),
    ("reboot", [0, 0, 0, 0]),
    ("swapon", [BAD_POINTER, 0]),
    ("swapoff", [BAD_POINTER]),
    ("settimeofday", [BAD_POINTER, 0]),
    ("clock_settime", [0, BAD_POINTER]),
    ("adjtimex", [BAD_POINTER]),
    ("acct", [BAD_POINTER]),
    ("syslog", [99, 0, 0]),
    ("sethostname", [BAD_POINTER, 0xFFFFFFFF]),
    ("ioctl", [0, TIOCSTI, BAD_POINTER]),
    ("ioctl", [0, TIOCLINUX, BAD_POINTER]),
    # The kernel looks at the lower half of the register only: so must the filter.
    ("ioctl", [0, TIOCSTI | HIGH_BIT, BAD_POINTER]),
]

NOT_THERE: list[tuple[str, list[int]]] = [
    ("clone3", [BAD_POINTER, 0]),
    ("vmsplice", [-1 & 0xFFFFFFFF, 0, 0, 0]),
    ("personality", [0x0040000]),
    ("socket", [AF_PACKET, RAW, 0]),
    ("socket", [AF_ALG, SEQPACKET, 0]),
    ("socket", [AF_VSOCK, STREAM, 0]),
    ("socket", [AF_INET, RAW, 1]),
    ("socket", [AF_INET, PACKET, 0]),
    ("socket", [AF_INET6, RAW | CLOEXEC, 58]),
    ("socket", [AF_INET, STREAM, 132]),
    ("socket", [AF_NETLINK, RAW, 9]),
    ("socket", [AF_NETLINK, DGRAM, 16]),
    ("socketpair", [AF_INET, STREAM, 0, BAD_POINTER]),
    ("prlimit64", [0, RLIMIT_CORE, BAD_POINTER, BAD_POINTER]),
    ("prlimit64", [0, RLIMIT_CORE | HIGH_BIT, BAD_POINTER, HIGH_BIT]),
]

OPEN_DOORS: list[tuple[str, list[int]]] = [
    ("getpid", []),
    ("clone", [SIGCHLD, 0, 0, 0, 0]),
    ("ioctl", [0, TIOCSTI - 1, BAD_POINTER]),
    ("ioctl", [0, TIOCLINUX + 1, BAD_POINTER]),
    # As musl passes it: an int with its highest bit set.
    ("ioctl", [0, TIOCGPTN_SIGN_EXTENDED, BAD_POINTER]),
    ("personality", [0xFFFFFFFF]),
    ("socket", [AF_UNIX, DGRAM, 0]),
    ("socket", [AF_INET, STREAM | CLOEXEC, 0]),
    ("socket", [AF_INET, DGRAM, 17]),
    ("socket", [AF_INET | HIGH_BIT, STREAM, 6]),
    ("socket", [AF_NETLINK, RAW | CLOEXEC, 0]),
    ("openat2", [-1 & 0xFFFFFFFF, BAD_POINTER, BAD_POINTER, 24]),
    ("statx", [-1 & 0xFFFFFFFF, BAD_POINTER, 0, 0, BAD_POINTER]),
    ("landlock_create_ruleset", [0, 0, 1]),
    *(("setrlimit", [resource, BAD_POINTER]) for resource in range(16) if resource != RLIMIT_CORE),
    *(("prlimit64", [0, resource, BAD_POINTER, 0]) for resource in range(16) if resource != RLIMIT_CORE),
    ("prlimit64", [0, RLIMIT_NOFILE | HIGH_BIT, 0, BAD_POINTER]),
    ("prlimit64", [0, RLIMIT_CORE, 0, BAD_POINTER]),
]

# Bad pointers that the kernel would refuse, if it looked.
NOTHING_DONE: list[tuple[str, list[int]]] = [
    ("setrlimit", [RLIMIT_CORE, BAD_POINTER]),
    ("setrlimit", [RLIMIT_CORE | HIGH_BIT, BAD_POINTER]),
    ("prlimit64", [0, RLIMIT_CORE, BAD_POINTER, 0]),
    ("prlimit64", [0, RLIMIT_CORE | HIGH_BIT, HIGH_BIT, 0]),
]

TRY_CALLS = """
import ctypes, json, os, sys
calls, program, user = json.load(sys.stdin)
from lambent.sandbox.inside import system_calls
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
reading, _ = os.pipe()
os.dup2(reading, 0)
if user != os.geteuid():
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
if program:
    system_calls.forbid_new_privileges()
    system_calls.load_filter(bytes.fromhex(program))
parent, said = os.getpid(), []
for number, arguments in calls:
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(one) for one in arguments))
    if os.getpid() != parent:
        os._exit(0)
    said.append(ctypes.get_errno() if result == -1 else 0)
print(json.dumps(said))
"""

RUN_UNDER_FILTER = """
import os, sys
from lambent.sandbox.inside import system_calls
program, user, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
if user != os.geteuid():
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
system_calls.forbid_new_privileges()
system_calls.load_filter(bytes.fromhex(program))
os.execv(command[0], command)
"""

ORDINARY_PYTHON = """
import asyncio, concurrent.futures, ctypes, json, mmap, multiprocessing, os, select, shutil, signal, socket, sqlite3
import ssl, subprocess, tempfile, threading, time

assert subprocess.run(["/bin/sh", "-c", "echo one | cat"], capture_output=True, check=True).stdout == b"one\\n"
assert os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1] == 0

with concurrent.futures.ThreadPoolExecutor(4) as pool:
    assert sum(pool.map(len, ["a", "bc", "def"])) == 6

context = multiprocessing.get_context("fork")
queue, lock = context.Queue(), context.Lock()
child = context.Process(target=lambda: lock.acquire() and queue.put(os.getpid()))
child.start()
assert queue.get(timeout=20) == child.pid
child.join()

for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, "")):
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind(address)
        listener.listen()
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.connect(listener.getsockname())
            server, _ = listener.accept()
            with server:
                server.sendall(b"hello")
            assert client.recv(5) == b"hello"
assert socket.getaddrinfo("127.0.0.1", 80)
assert socket.if_nameindex()
context = ssl.create_default_context()

async def talk():
    process = await asyncio.create_subprocess_exec("/bin/echo", "two", stdout=subprocess.PIPE)
    assert (await process.communicate())[0] == b"two\\n"

asyncio.run(talk())

with tempfile.TemporaryDirectory() as folder:
    database = sqlite3.connect(folder + "/database")
    database.execute("pragma journal_mode=wal")
    database.execute("create table t (x)")
    database.execute("insert into t values (1)")
    database.commit()
    assert database.execute("select x from t").fetchall() == [(1,)]
    database.close()
    os.mkfifo(folder + "/pipe")
    shutil.copyfile("/bin/true", folder + "/copy")
    with open(folder + "/mapped", "wb+") as file:
        file.truncate(4096)
        mmap.mmap(file.fileno(), 4096).close()
os.close(os.memfd_create("memory"))
os.close(os.pidfd_open(os.getpid()))
os.sched_setaffinity(0, os.sched_getaffinity(0))
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.001)
signal.pause()
assert os.getrandom(4) and os.uname() and time.clock_gettime(time.CLOCK_MONOTONIC)
print("done")
"""

ORDINARY_NODE = """
const { Worker } = require("worker_threads");
const { execFileSync } = require("child_process");
const fs = require("fs"), net = require("net"), crypto = require("crypto"), os = require("os");
crypto.pbkdf2("a", "b", 10, 8, "sha256", () => {
  const worker = new Worker("require('worker_threads').parentPort.postMessage(1)", { eval: true });
  worker.once("message", () => {
    const server = net.createServer((client) => client.end("hello")).listen(0, "127.0.0.1", () => {
      net.connect(server.address().port, "127.0.0.1").on("data", (data) => {
        server.close();
        fs.promises.readFile("/proc/self/cmdline").then(() => {
          console.log(execFileSync("/bin/echo", ["done"]).toString().trim(), os.networkInterfaces() && "");
        });
      });
    });
  });
});
"""


@pytest.fixture(scope="module")
def program() -> str:
    return filter_program().hex()


def said_to(calls: list[tuple[str, list[int]]], program: str, user: int) -> dict[str, int]:
    """Make calls in a process of their own; return the error number of each, 0 for success."""
    numbers = [(pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name), arguments) for name, arguments in calls]
    known = [(call, numbered) for call, numbered in zip(calls, numbers, strict=True) if numbered[0] >= 0]
    given = json.dumps([[numbered for _, numbered in known], program, user])
    done = subprocess.run([sys.executable, "-c", TRY_CALLS], input=given, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    return {f"{name}{arguments}": one for ((name, arguments), _), one in zip(known, said, strict=True)}


def under_filter(program: str, user: int, *command: str) -> str:
    """Run a command under the filter; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", RUN_UNDER_FILTER, program, str(user), *command],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": str(Path(lambent.__file__).parents[1])},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("user", USERS)
def test_closed_doors_say_that_they_are_closed(program: str, user: int) -> None:
    """What functions have no business with answers EPERM, for root as well."""
    said = said_to(CLOSED_DOORS, program, user)
    assert {call: errno.errorcode.get(one, one) for call, one in said.items() if one != errno.EPERM} == {}


@pytest.mark.parametrize("user", USERS)
def test_what_is_on_no_list_is_not_there(program: str, user: int) -> None:
    """Calls, and arguments of calls, that nobody listed answer ENOSYS; clone3 is one, so that libraries use clone."""
    said = said_to(NOT_THERE, program, user)
    assert {call: errno.errorcode.get(one, one) for call, one in said.items() if one != errno.ENOSYS} == {}


@pytest.mark.parametrize("user", USERS)
def test_open_doors_are_the_kernels(program: str, user: int) -> None:
    """What is listed answers as it does without a filter."""
    assert said_to(OPEN_DOORS, program, user) == said_to(OPEN_DOORS, "", user)


@pytest.mark.parametrize("user", USERS)
def test_the_limit_of_core_files_stays(program: str, user: int) -> None:
    """A limit of 0 would have a crash run the machine's program for cores. Who sets it is told that it is set."""
    assert set(said_to(NOTHING_DONE, program, user).values()) == {0}
    assert set(said_to(NOTHING_DONE, "", user).values()) == {errno.EFAULT}


def test_without_the_filter_the_answers_are_others() -> None:
    """The control: the same calls without a filter fail for other reasons, or succeed."""
    refused = said_to(NOT_THERE, "", USERS[0])
    # A kernel may have been built without some.
    assert refused["clone3[1, 0]"] == errno.EINVAL
    assert refused[f"socket[{AF_NETLINK}, {DGRAM}, 16]"] == 0
    assert refused[f"socketpair[{AF_INET}, {STREAM}, 0, 1]"] not in {errno.ENOSYS, errno.EPERM}
    said = said_to(CLOSED_DOORS, "", USERS[0])
    assert said[f"ioctl[0, {TIOCSTI | HIGH_BIT}, 1]"] == errno.ENOTTY
    if IS_ROOT:
        # name: privileges that a container's root may lack.
        lacking = {"syslog", "reboot", "acct", "kexec_load", "init_module", "finit_module", "settimeofday"}
        same = {call for call, one in said.items() if one == errno.EPERM and call.partition("[")[0] not in lacking}
        assert same == set()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="needs:x86_64:run the tests on x86-64 as well")
def test_calls_by_another_table_do_not_exist(program: str) -> None:
    """x32's numbers answer an error instead of killing the process."""
    x32_getpid = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(0x40000000 | 39), ctypes.get_errno())
"""
    assert under_filter(program, USERS[0], sys.executable, "-c", x32_getpid) == f"-1 {errno.ENOSYS}"


@pytest.mark.parametrize("user", USERS)
def test_python_does_its_ordinary_work(program: str, user: int, leave_out: Callable[[str, str], NoReturn]) -> None:
    """Processes, threads, sockets, TLS, databases, locks, event loops."""
    # The interpreter of the tests may lie where only its own user can read.
    python = sys.executable if user == os.geteuid() else shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None:
        leave_out("python3", "apt install python3")
    assert under_filter(program, user, python, "-c", ORDINARY_PYTHON) == "done"


@pytest.mark.parametrize("user", USERS)
def test_node_does_its_ordinary_work(program: str, user: int, leave_out: Callable[[str, str], NoReturn]) -> None:
    """Workers, the thread pool, sockets, child processes."""
    node = shutil.which("node")
    if node is None:
        leave_out("node", "apt install nodejs")
    assert under_filter(program, user, node, "-e", ORDINARY_NODE) == "done"


def test_the_program_fits_into_the_kernel(program: str) -> None:
    """Whole instructions of eight bytes, no more than the kernel takes."""
    assert len(program) % 16 == 0
    assert len(program) // 16 <= 4096


def test_all_but_some_numbers() -> None:
    """Each other number is matched exactly once, the excepted ones never."""
    rules = list(_all_but((TIOCSTI, TIOCLINUX)))

    def matched(number: int) -> int:
        return sum(number & mask == value for mask, value in rules)

    assert [matched(number) for number in (TIOCSTI, TIOCLINUX)] == [0, 0]
    near = {TIOCSTI ^ 1 << bit for bit in range(32)} | {TIOCLINUX ^ 1 << bit for bit in range(32)} | set(range(0x5600))
    assert {matched(number) for number in near - {TIOCSTI, TIOCLINUX}} == {1}


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyseccomp the error says how to add it."""
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    with pytest.raises(FilterUnavailable, match="pip install pyseccomp"):
        filter_program()


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libseccomp the error says how to add it."""
    monkeypatch.delitem(sys.modules, "pyseccomp")
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None if name == "seccomp" else "libc.so.6")
    with pytest.raises(FilterUnavailable, match="apt install libseccomp2"):
        filter_program()
