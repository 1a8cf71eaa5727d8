"""
The system calls that functions may make, as a program for the kernel.

An allow-list: what is on no list answers ENOSYS, as from a kernel without the call, so that libraries take their older
way. What functions have no business with answers EPERM. libseccomp makes the program once; whoever gives up privileges
loads it as bytes.
"""

import errno
import tempfile
from collections.abc import Collection, Iterator
from typing import Any

_ALLOWED = (
    # Files: paths and descriptors, attributes, locks, notifications about changes.
    "access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3",
    "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown",
    "fchownat", "fcntl", "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat",
    "fstatfs", "fsync", "ftruncate", "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "getxattrat",
    "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "lchown", "lgetxattr", "link", "linkat",
    "listxattr", "listxattrat", "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir", "mkdirat",
    "newfstatat", "open", "openat", "openat2", "readahead", "readlink", "readlinkat", "removexattr", "removexattrat",
    "rename", "renameat", "renameat2", "rmdir", "setxattr", "setxattrat", "stat", "statfs", "statx", "symlink",
    "symlinkat", "sync", "sync_file_range", "syncfs", "truncate", "umask", "unlink", "unlinkat", "utime", "utimensat",
    "utimes",
    # Named pipes and sockets are made by these; devices need a capability that functions do not have.
    "mknod", "mknodat",
    # Reading and writing. splice, tee: Go's io.Copy. The older asynchronous calls: RocksDB, MariaDB, caio for Python.
    "cachestat", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit", "pread64",
    "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readv", "sendfile", "splice", "tee", "write",
    "writev",
    # Pipes and waiting: event loops of every language.
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2",
    "pause", "pipe", "pipe2", "poll", "ppoll", "pselect6", "select", "signalfd", "signalfd4", "timerfd_create",
    "timerfd_gettime", "timerfd_settime",
    # Memory. memfd_create: .NET's doubly mapped code, Node's and Rust's shared buffers. mbind and its family: garbage
    # collectors of .NET and the JVM ask where memory lies. mseal, map_shadow_stack: newer C libraries.
    "brk", "get_mempolicy", "madvise", "map_shadow_stack", "mbind", "memfd_create", "mincore", "mlock", "mlock2",
    "mlockall", "mmap", "mprotect", "mremap", "mseal", "msync", "munlock", "munlockall", "munmap", "pkey_alloc",
    "pkey_free", "pkey_mprotect", "set_mempolicy", "set_mempolicy_home_node",
    # Processes and threads. clone, setrlimit and prlimit64 have rules of their own, clone3 none: see
    # _add_argument_rules.
    "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "get_robust_list", "getcpu",
    "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrlimit", "getrusage", "getsid", "gettid",
    "ioprio_get", "ioprio_set", "membarrier", "pidfd_open", "pidfd_send_signal", "prctl", "restart_syscall", "rseq",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr", "sched_setparam",
    "sched_setscheduler", "sched_yield", "set_robust_list", "set_tid_address", "setpgid", "setpriority", "setsid",
    "sysinfo", "times", "uname", "vfork", "wait4", "waitid",
    # Locks.
    "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake",
    # Signals.
    "kill", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "rt_tgsigqueueinfo", "sigaltstack", "tgkill", "tkill",
    # Users: asking, and changes that the kernel refuses without capabilities.
    "getegid", "geteuid", "getgid", "getgroups", "getresgid", "getresuid", "getuid", "setfsgid", "setfsuid", "setgid",
    "setgroups", "setregid", "setresgid", "setresuid", "setreuid", "setuid",
    # Time and chance.
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "getrandom", "gettimeofday", "nanosleep",
    "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime",
    # Sockets, once there is one; socket and socketpair have rules of their own.
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom",
    "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    # System V and POSIX message queues, semaphores and shared memory: each environment has a namespace for them.
    "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget",
    "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt", "shmget",
    # A function may lock itself up further.
    "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "seccomp",
)  # fmt: skip
"""What Node, CPython, the JVM, .NET, Ruby, Go, Rust and usual native extensions need."""

_REFUSED = (
    # Mounts and roots.
    "chroot", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree",
    "open_tree_attr", "pivot_root", "umount", "umount2",
    # Namespaces.
    "setns", "unshare",
    # Other processes.
    "kcmp", "pidfd_getfd", "process_vm_readv", "process_vm_writev", "ptrace",
    # Keyrings are not divided between environments.
    "add_key", "keyctl", "request_key",
    # Much kernel for code that nobody trusts.
    "bpf", "fanotify_init", "fanotify_mark", "io_uring_enter", "io_uring_register", "io_uring_setup", "lookup_dcookie",
    "perf_event_open", "userfaultfd",
    # Files by number, past the paths that a mount namespace shows.
    "name_to_handle_at", "open_by_handle_at",
    # The machine: modules, other kernels, ports, swap, clock, names, accounting, its log.
    "acct", "adjtimex", "clock_adjtime", "clock_settime", "create_module", "delete_module", "finit_module",
    "init_module", "ioperm", "iopl", "kexec_file_load", "kexec_load", "quotactl", "quotactl_fd", "reboot",
    "setdomainname", "sethostname", "settimeofday", "swapoff", "swapon", "syslog", "vhangup",
)  # fmt: skip
"""
What answers EPERM. The allow-list alone would refuse these as well; this list is for the word: programs take ENOSYS for
an old kernel and EPERM for a closed door.
"""

_NEWER_NUMBERS = {
    "cachestat": 451, "epoll_pwait2": 441, "fchmodat2": 452, "futex_requeue": 456, "futex_wait": 455,
    "futex_waitv": 449, "futex_wake": 454, "getxattrat": 464, "landlock_add_rule": 445, "landlock_create_ruleset": 444,
    "landlock_restrict_self": 446, "listxattrat": 465, "map_shadow_stack": 453, "mount_setattr": 442, "mseal": 462,
    "open_tree_attr": 467, "quotactl_fd": 443, "removexattrat": 466, "set_mempolicy_home_node": 450, "setxattrat": 463,
}  # fmt: skip
"""
What libseccomp 2.5.0 does not know by name. From 424 on a call has the same number on every architecture.
Source: Linux, scripts/syscall.tbl.
"""

_NAMESPACE_BITS = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME has no bit that clone would look at."""

_TERMINAL_REQUESTS = (0x5412, 0x541C)
"""TIOCSTI types into a terminal; TIOCLINUX pastes into a console."""

_HARMLESS_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""PER_LINUX, PER_LINUX32, each with UNAME26 and without, and the question which one it is."""

_LIMITS_BUT_CORE = ((0xFFFFFFFC, 0), (0xFFFFFFFF, 5), (0xFFFFFFFE, 6), (0xFFFFFFF8, 8))
"""Masks and values that together match the numbers of resources, 0 to 15, but for RLIMIT_CORE."""
_RLIMIT_CORE = 4

_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_SOCK_STREAM, _SOCK_DGRAM = 1, 2
_NETLINK_ROUTE = 0
_SOCK_TYPE_MASK = 0xF
"""The kernel takes the type from these bits; SOCK_NONBLOCK and SOCK_CLOEXEC are above."""

_INTERNET_PROTOCOLS = (0, 1, 6, 17, 58, 262)
"""
Whatever fits the type, ICMP, TCP, UDP, ICMPv6, and MPTCP, which Go asks for. For SCTP, L2TP, SMC and their like the
kernel would load a module. That leaves no use for SOCK_SEQPACKET.
"""

_INT_BITS = 32
_INT_MASK = 0xFFFFFFFF
"""
The kernel takes an int from the lower half of a register, and callers may leave anything in the upper one: a rule that
compared all of it would refuse honest calls, or be passed by on purpose.
"""

_OPTIMIZE_BINARY_TREE = 2


class FilterUnavailable(Exception):
    """There is nothing to make the filter with. The message names the command that adds it."""


def filter_program() -> bytes:
    """
    Return the filter: an array of `struct sock_filter` for this machine's architecture, for seccomp(2).

    Takes some 50 ms, most of it to find libseccomp.

    Raises:
        FilterUnavailable: pyseccomp or libseccomp is missing or too old.
    """
    seccomp = _libseccomp()
    try:
        program = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))
        # Calls by another architecture's table (i386's and x32's, say) do not exist either. The default would be to
        # kill the process, which tells nobody why.
        program.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.ERRNO(errno.ENOSYS))
        # The kernel remembers which calls are allowed whatever their arguments; for the others, and on kernels before
        # 5.11, the tree takes 9 comparisons instead of 300.
        program.set_attr(seccomp.Attr.CTL_OPTIMIZE, _OPTIMIZE_BINARY_TREE)
        _add_rules(seccomp, program)
        with tempfile.TemporaryFile() as file:
            program.export_bpf(file)
            file.seek(0)
            return file.read()
    except OSError as error:
        raise FilterUnavailable(
            f"libseccomp cannot make the system call filter ({error}); it wants version 2.5 or newer: "
            "apt install libseccomp2, dnf install libseccomp"
        ) from error


def _libseccomp() -> Any:
    try:
        import pyseccomp
    except ImportError as error:
        raise FilterUnavailable(
            "the system call filter needs the Python package pyseccomp: pip install pyseccomp"
        ) from error
    except (RuntimeError, OSError, AttributeError) as error:
        raise FilterUnavailable(
            "the system call filter needs libseccomp: apt install libseccomp2, dnf install libseccomp"
        ) from error
    return pyseccomp


def _add_rules(seccomp: Any, program: Any) -> None:
    refusal = seccomp.ERRNO(errno.EPERM)
    # A result of 0 without the call: an error that is none.
    nothing_done = seccomp.ERRNO(0)

    def add(action: int, name: str, *arguments: tuple[int, int, int | None]) -> None:
        number = seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
        if number < 0:
            # Not on this architecture (open on ARM), unless libseccomp is only too old to know the name.
            number = _NEWER_NUMBERS.get(name, number)
        if number >= 0:
            compared = [
                seccomp.Arg(index, seccomp.NE, 0)
                if value is None
                else seccomp.Arg(index, seccomp.MASKED_EQ, mask, value)
                for index, mask, value in arguments
            ]
            program.add_rule(action, number, *compared)

    for name in _ALLOWED:
        add(seccomp.ALLOW, name)
    for name in _REFUSED:
        add(refusal, name)
    _add_argument_rules(add, seccomp.ALLOW, refusal, nothing_done)


def _add_argument_rules(add: Any, allow: int, refuse: int, do_nothing: int) -> None:
    """
    Add the rules that look at arguments: `add(action, name, (index, mask, value), ...)`; a value of None matches all
    but 0.

    What no rule of a call meets takes the default, ENOSYS: rules for the word EPERM in all these places would make the
    program twice as long, and loading it is part of a cold start. Rules of one call never overlap: libseccomp does not
    say which would win.
    """
    # A new namespace would be a new root, with capabilities in it. clone3 passes its flags in memory, where no filter
    # can look: without it, C libraries use clone.
    add(allow, "clone", (0, sum(_NAMESPACE_BITS), 0))
    for bit in _NAMESPACE_BITS:
        add(refuse, "clone", (0, bit, bit))

    for request in _TERMINAL_REQUESTS:
        add(refuse, "ioctl", (1, _INT_MASK, request))
    for mask, value in _all_but(_TERMINAL_REQUESTS):
        add(allow, "ioctl", (1, mask, value))

    # The limit of core files stays at 1, which keeps the kernel from running the machine's program for them; with 0 it
    # runs it. Programs that switch their cores off are told that they have: GnuPG, for one, ends when it is refused.
    null = (1 << 64) - 1
    for mask, value in _LIMITS_BUT_CORE:
        add(allow, "setrlimit", (0, mask, value))
        add(allow, "prlimit64", (1, mask, value))
    add(do_nothing, "setrlimit", (0, _INT_MASK, _RLIMIT_CORE))
    add(allow, "prlimit64", (1, _INT_MASK, _RLIMIT_CORE), (2, null, 0))
    # Not for who also asks for the former limit, which nobody would fill in.
    add(do_nothing, "prlimit64", (1, _INT_MASK, _RLIMIT_CORE), (2, null, None), (3, null, 0))

    for personality in _HARMLESS_PERSONALITIES:
        add(allow, "personality", (0, _INT_MASK, personality))

    add(allow, "socketpair", (0, _INT_MASK, _AF_UNIX))
    add(allow, "socket", (0, _INT_MASK, _AF_UNIX))
    for family in (_AF_INET, _AF_INET6):
        for kind in (_SOCK_STREAM, _SOCK_DGRAM):
            for protocol in _INTERNET_PROTOCOLS:
                internet = ((0, _INT_MASK, family), (1, _SOCK_TYPE_MASK, kind), (2, _INT_MASK, protocol))
                add(allow, "socket", *internet)
    # Routes and addresses, which getaddrinfo and every language's list of interfaces ask for; no audit, no firewall.
    add(allow, "socket", (0, _INT_MASK, _AF_NETLINK), (2, _INT_MASK, _NETLINK_ROUTE))


def _all_but(values: Collection[int]) -> Iterator[tuple[int, int]]:
    """
    Yield masks and values that together match every 32-bit number except some, and each number once.

    libseccomp has "not equal" for whole registers only. These are the subtrees that leave the paths to the values in a
    binary tree over the bits.
    """
    seen = set()
    for value in values:
        for bit in range(_INT_BITS):
            mask = (1 << _INT_BITS) - (1 << bit)
            beside = (value & mask) ^ (1 << bit)
            if beside not in {other & mask for other in values} and (mask, beside) not in seen:
                seen.add((mask, beside))
                yield mask, beside
