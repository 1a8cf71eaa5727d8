"""
The attacks that walls are for: one row each, named once.

A driver says in its `holds` which rows it holds off. The conformance suite tries exactly those, and `lambent doctor`
prints the others. Pure data: the attacks' code is in `lambent.testing.conformance.attacks`, their tests in `walls`.
"""

import enum


class Wall(enum.Enum):
    """What a function may try; the value is the sentence that `doctor` prints where it is not held off."""

    FORK_BOMB = "a function may start processes until the machine has none left"
    TMP_SPACE = "/tmp may fill the disk"
    TMP_FILES = "/tmp may use up the file system's inodes"
    MEMORY = "a function may use more memory than MemorySize for a moment"
    HOST_FILES = "functions see the machine's files"
    READ_ONLY_CODE = "a function may change its code or its runtime"
    OTHER_PROCESSES = "functions see other processes"
    PTRACE = "a function may trace processes of the same user"
    KEYRING = "functions reach the kernel's keyrings"
    MOUNTS = "a function may try to mount file systems"
    NESTED_NAMESPACES = "a function may make namespaces of its own"
    SOCKET_FAMILIES = "functions may open raw, packet, netlink and other rare sockets"
    HOST_PORTS = "functions reach the machine's ports and its private networks"
    OTHER_ENVIRONMENTS_NETWORK = "functions reach each other's ports"
    OTHER_RUNTIME_APIS = "a function may call another environment's Runtime API"
    ABSTRACT_SOCKETS = "functions reach the machine's abstract Unix sockets"
    SETUID_PROGRAMS = "set-user-ID programs of the machine work inside"
    DEVICES = "functions see the machine's devices"
    KILL_OTHERS = "a function may signal processes of the same user"
    LEFT_RUNNING = "processes that a function leaves behind may go on after its end"
    FROZEN = "processes that a function leaves behind run between invocations"
    CGROUPS = "a function may see and change control groups"
    RARE_SYSTEM_CALLS = "functions reach the kernel's rarely used system calls"
    KERNEL_SETTINGS = "functions see the kernel's settings and logs"
    DESCRIPTORS = "descriptors of the server may leak into functions"
    VARIABLES = "variables of the server may leak into functions"
    LEFTOVER_FILES = "what a function leaves in /tmp or shared memory may be found by the next environment"
    CORE_DUMPS = "a crash may write a core file"
    PROCESSOR = "one function may take the processor from others"
    TERMINAL = "a function may type into the server's terminal"
    LOG_FLOOD = "output may grow the server's memory"
    FORK_RACE = "a function that forks all the time may survive its end"
    HOST_NAMES = "functions see names and paths of the machine"
    REUSE = "an environment may serve two owners"
