"""
The spawner: the one privileged process. It makes the parts of execution environments and keeps the zygotes.

One thread, no asyncio, the standard library only. It takes orders over a SEQPACKET socket from the server and answers
with descriptors; once those are sent it holds nothing of an environment but its number and its control group. When
the server goes, it ends everything that it made, and itself.

Orders (JSON): the setup, once; `park` {id, kind} is answered by {id, uid} and the descriptors of `PARKED`, in that
order, or {id, error}; `tmp` {id, mib}, `code` and `directory` {id, folder} by {id} and one detached mount; `mapping`
{id, owner, group} by {id} and a user namespace; `gone` {id} is not answered.
"""

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import socket
import sys
from collections import deque
from pathlib import Path
from typing import Any, NoReturn

from lambent.sandbox.filesystem import (
    DiskTmp,
    build_root,
    directory_mount,
    folder_mount,
    memory_tmp_options,
    owner_mapping,
    user_files,
)
from lambent.sandbox.inside import system_calls, zygote
from lambent.sandbox.limits import Groups, Hierarchies
from lambent.sandbox.network import NUMBERS_MAX, Network, NetworkSettings, NetworkUnavailable
from lambent.sandbox.seccomp import filter_program

PARKED = ("orders", "output", "status", "runtime_listener", "gateway_listener", "trace_port")
"""What comes with the answer to `park`, before the descriptors of its control group."""

PIDS_MAX = 1024
"""Documented: Lambda quotas, processes and threads per execution environment."""

_PARKED_MEMORY_MIB = 256
"""Until the function is known; nothing but our own code runs before."""

_TMP_MIB = 512
"""Documented: Lambda quotas, the default of EphemeralStorage; other sizes are made when they are asked for."""

ZYGOTES_MAX = 16
"""Zygotes beyond this many are ended when they have no environment. Assumed: each holds some 12 MiB."""

_EARLIER_MAX_S = 30
"""Assumed: a thousand environments end in four seconds; what takes longer hangs."""

_RETRY_REMOVAL_MS = 20
_HOSTNAME = "169-254-10-1"
"""Observed: functions on AWS have host names of this form."""


class Spawner:
    """
    Everything that the privileged process does.

    Args:
        link: this process's end of the socket pair with the server.
        setup: the first message: instance, uid_base, work (a folder for this process alone),
            egress, allow_host, allow_net, privileged (false: this is root in a user namespace only, where there are
            neither control groups nor disks to be had).
    """

    def __init__(self, link: socket.socket, setup: dict[str, Any]) -> None:
        self._link = link
        self._setup = setup
        self._work = Path(setup["work"])
        self._groups = Groups(Hierarchies.detect(), setup["instance"]) if setup["privileged"] else None
        self._network = Network(
            NetworkSettings(
                egress=setup["egress"] != "none",
                allow_host=tuple(setup["allow_host"]),
                allow_net=tuple(setup["allow_net"]),
                instance=setup["instance"],
            )
        )
        self._filter = filter_program().hex()
        self._tmp: DiskTmp | None = None
        self._zygotes: dict[str, _ZygoteProcess] = {}
        """The one that was asked longest ago first."""
        self._numbers: dict[str, int] = {}
        """Environment id to its number; numbers of living environments differ."""
        self._last_number = -1
        self._dying: dict[str, int] = {}
        self._egress = setup["egress"] != "none"
        self._poll = select.poll()

    def open(self) -> dict[str, Any]:
        """Clean up after an earlier spawner, get ready, and return what the server should know."""
        hello: dict[str, Any] = {"left": 0, "reasons": []}
        if self._groups is None:
            return {**hello, "egress": False, "tmp": "memory"}
        hello["left"] = self._groups.open()
        try:
            self._network.open()
        except NetworkUnavailable as error:
            if self._setup["egress"] == "nat":
                raise
            self._egress = False
            hello["reasons"].append(f"egress: {error}")
        if self._network.weaker is not None:
            hello["reasons"].append(f"egress: {self._network.weaker}")
        try:
            self._tmp = DiskTmp(self._work)
        except OSError as error:
            hello["reasons"].append(f"tmp: in memory, since the disk cannot hold it: {error}")
        return {**hello, "egress": self._egress, "tmp": "disk" if self._tmp else "memory"}

    def serve(self) -> None:
        """Take orders until the server goes."""
        self._poll.register(self._link, select.POLLIN)
        watch = self._network.watch
        if watch is not None:
            self._poll.register(watch, select.POLLIN)
        while True:
            for descriptor, events in self._poll.poll(_RETRY_REMOVAL_MS if self._dying else None):
                if descriptor == self._link.fileno():
                    order, _ = zygote.receive(self._link)
                    if order is None:
                        return
                    self._obey(order)
                elif watch is not None and descriptor == watch.fileno():
                    self._network.check_table()
                else:
                    self._zygote_event(descriptor, events)
            for name in list(self._dying):
                self._try_removal(name)

    def close(self) -> None:
        """End every environment and zygote, and take back what the machine was asked for."""
        for process in list(self._zygotes.values()):
            process.end()
        if self._groups is not None:
            # The same as after a crash: whatever is in the group ends with it.
            self._groups.open()
            self._groups.close()
            self._network.close()

    def _obey(self, order: dict[str, Any]) -> None:
        what = order["op"]
        if what == "gone":
            self._gone(order["id"])
        else:
            descriptors: list[int] = []
            try:
                answer = _MAKE[what](self, order, descriptors)
            except (OSError, NetworkUnavailable, ValueError) as error:
                if what == "park":
                    self._gone(order["id"])
                answer = {"id": order["id"], "error": str(error)}
                self._answer(answer, [])
            else:
                self._answer(answer, descriptors)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    def _answer(self, answer: dict[str, Any], descriptors: list[int]) -> None:
        # Blocking: a server that does not read its answers gets no more environments.
        socket.send_fds(self._link, [json.dumps(answer).encode()], descriptors)

    # Environments ------------------------------------------------------------------------------------------------

    def _park(self, order: dict[str, Any], mine: list[int]) -> dict[str, Any]:
        """Make one environment's parts, hand the inner ones to its zygote and the outer ones to the server."""
        name, kind = order["id"], order["kind"]
        process = self._zygote(kind)
        process.living.add(name)
        number = self._numbers[name] = self._new_number()
        uid = self._setup["uid_base"] + (number if self._groups is not None else 0)
        inner: dict[str, int] = {}
        with contextlib.ExitStack() as stack:

            def give(name: str, descriptor: int) -> None:
                inner[name] = descriptor
                stack.callback(os.close, descriptor)

            orders, inner_orders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            mine.append(orders.detach())
            give("orders", inner_orders.detach())
            for pipe in ("output", "status"):
                read_end, write_end = os.pipe2(os.O_CLOEXEC)
                mine.append(read_end)
                give(pipe, write_end)
            network = self._network.make(number, self._egress and kind["egress"])
            mine += [
                network.runtime_listener.detach(),
                network.gateway_listener.detach(),
                network.trace_port.detach(),
            ]
            give("network", network.namespace_fd)
            if self._groups is not None:
                mine += self._groups.make(name, _PARKED_MEMORY_MIB, PIDS_MAX)
                if (cgroup := self._groups.directory_descriptor_v2(name)) is not None:
                    give("cgroup", cgroup)
                for index, descriptor in enumerate(self._groups.attach_descriptors(name)):
                    give(f"procs{index}", descriptor)
            if self._tmp is not None:
                give("tmp", self._tmp.make(_TMP_MIB))
            process.send(
                {
                    "id": name,
                    "uid": uid,
                    "gid": uid,
                    "hostname": _HOSTNAME,
                    "tmp": memory_tmp_options(_TMP_MIB),
                    "files": user_files(uid, uid),
                    "ahead": _ahead(kind["ahead"]),
                },
                inner,
            )
        return {"id": name, "uid": uid, "address": network.address}

    def _new_number(self) -> int:
        """Return a number that no living environment has, the one that was free for longest."""
        taken = {*self._numbers.values(), *self._dying.values()}
        if len(taken) >= NUMBERS_MAX:
            raise OSError(errno.EAGAIN, f"{NUMBERS_MAX} environments exist; a server can have no more")
        # Not the next best: the kernel takes the interfaces of a dead one away in its own time.
        while True:
            self._last_number = (self._last_number + 1) % NUMBERS_MAX
            if self._last_number not in taken:
                return self._last_number

    def _make_tmp(self, order: dict[str, Any], mine: list[int]) -> dict[str, Any]:
        if self._tmp is not None:
            mine.append(self._tmp.make(order["mib"]))
        else:
            attributes = system_calls.MOUNT_ATTR_NOSUID | system_calls.MOUNT_ATTR_NODEV
            options = dict(part.split("=") for part in memory_tmp_options(order["mib"]).split(","))
            mine.append(system_calls.make_mount("tmpfs", options, attributes))
        return {"id": order["id"]}

    def _show_code(self, order: dict[str, Any], mine: list[int]) -> dict[str, Any]:
        """Make a package's view for a server that may not mount."""
        mine.append(folder_mount(order["folder"], str(self._work / "empty")))
        return {"id": order["id"]}

    def _show_directory(self, order: dict[str, Any], mine: list[int]) -> dict[str, Any]:
        """Make a mount of a directory, likewise."""
        mine.append(directory_mount(order["folder"]))
        return {"id": order["id"]}

    def _make_mapping(self, order: dict[str, Any], mine: list[int]) -> dict[str, Any]:
        """Make what lets an environment act as the owner of a directory: here, since it takes a fork."""
        number = self._numbers.get(order["id"])
        if number is None:
            raise OSError(errno.ESRCH, "the environment is gone")
        mine.append(owner_mapping(order["owner"], order["group"], self._setup["uid_base"] + number))
        return {"id": order["id"]}

    def _gone(self, name: str) -> None:
        number = self._numbers.pop(name, None)
        for process in self._zygotes.values():
            process.living.discard(name)
        if number is not None:
            self._dying[name] = number
            self._try_removal(name)

    def _try_removal(self, name: str) -> None:
        # A group is busy for a moment after its last process; its number is free only once nothing of it is left.
        if self._groups is None or self._groups.remove(name):
            del self._dying[name]

    # Zygotes -----------------------------------------------------------------------------------------------------

    def _zygote(self, kind: dict[str, Any]) -> "_ZygoteProcess":
        key = _key(kind)
        process = self._zygotes.pop(key, None)
        if process is None:
            self._end_idle_zygotes()
            process = self._start_zygote(kind)
            self._poll.register(process.link, select.POLLIN)
        self._zygotes[key] = process
        return process

    def _end_idle_zygotes(self) -> None:
        """Make room for one more; those with an environment stay, since it would end with them."""
        for key, process in list(self._zygotes.items()):
            if len(self._zygotes) < ZYGOTES_MAX:
                return
            if not process.living:
                del self._zygotes[key]
                self._end_zygote(process)

    def _start_zygote(self, kind: dict[str, Any]) -> "_ZygoteProcess":
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root = self._work / "root"
        root.mkdir(mode=0o700, exist_ok=True)
        texts = {"hosts": self._network.hosts_text(), "resolv.conf": self._network.resolv_conf_text()}
        pid = os.fork()
        if pid == 0:
            try:
                system_calls.die_with_parent()
                # Also what waits to be sent elsewhere: a copy of it here would keep streams from ending.
                os.closerange(3, theirs.fileno())
                system_calls.close_from(theirs.fileno() + 1)
                system_calls.unshare(system_calls.CLONE_NEWNS)
                build_root(str(root), kind["folders"], texts, with_proc=not self._setup["privileged"])
                _be_zygote(theirs, kind["zygote"])
            except BaseException as error:
                sys.stderr.write(f"sandbox.zygote_failed reason={error!r}\n")
            finally:
                os._exit(70)
        theirs.close()
        process = _ZygoteProcess(pid, ours, self._poll)
        process.send({"filter": self._filter, "privileged": self._setup["privileged"]}, {})
        return process

    def _zygote_event(self, descriptor: int, events: int) -> None:
        for key, process in list(self._zygotes.items()):
            if process.link.fileno() != descriptor:
                continue
            if events & select.POLLOUT:
                process.flush()
            if events & (select.POLLIN | select.POLLHUP | select.POLLERR) and not process.take():
                # It has ended: whoever waits for a place in it finds the end of a stream; the next one starts another.
                del self._zygotes[key]
                self._end_zygote(process)

    def _end_zygote(self, process: "_ZygoteProcess") -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._poll.unregister(process.link)
        process.end()


_MAKE = {
    "park": Spawner._park,
    "tmp": Spawner._make_tmp,
    "code": Spawner._show_code,
    "directory": Spawner._show_directory,
    "mapping": Spawner._make_mapping,
}


class _ZygoteProcess:
    """One zygote as the spawner sees it. Orders that its socket does not take yet wait here, with their descriptors."""

    def __init__(self, pid: int, link: socket.socket, poll: "select.poll") -> None:
        self._pid = pid
        self.link = link
        self._poll = poll
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self.living: set[str] = set()
        """Environments that were forked from it and are not gone."""
        link.setblocking(False)

    def send(self, order: dict[str, Any], descriptors: dict[str, int]) -> None:
        """
        Send an order, now or when the socket takes it. The descriptors stay the caller's.

        Raises:
            OSError: EMFILE; nothing is sent.
        """
        message = json.dumps({**order, "descriptors": list(descriptors)}).encode()
        copies: list[int] = []
        try:
            for one in descriptors.values():
                copies.append(os.dup(one))
        except OSError:
            for one in copies:
                os.close(one)
            raise
        self._waiting.append((message, copies))
        self.flush()

    def flush(self) -> None:
        """Send what the socket takes; the rest goes when it takes more."""
        while self._waiting:
            message, descriptors = self._waiting[0]
            try:
                socket.send_fds(self.link, [message], descriptors)
            except BlockingIOError:
                self._poll.modify(self.link, select.POLLIN | select.POLLOUT)
                return
            except OSError:
                pass
            self._waiting.popleft()
            for one in descriptors:
                os.close(one)
        with contextlib.suppress(KeyError, OSError):
            self._poll.modify(self.link, select.POLLIN)

    def take(self) -> bool:
        """Read what it says; False once it has ended."""
        try:
            return bool(self.link.recv(256))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def end(self) -> None:
        """End the process; its environments go with it."""
        for _, descriptors in self._waiting:
            for one in descriptors:
                os.close(one)
        self._waiting.clear()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        self.link.close()


def _be_zygote(link: socket.socket, runtime: dict[str, Any] | None) -> None:
    """Become a zygote in the root that was just built: with a runtime loaded, or to start runtimes by exec only."""
    if runtime is None:
        # This very process, with our own code in it and no more.
        zygote.serve(link.detach(), is_loaded=False)
        return
    link.set_inheritable(True)
    environ = dict(runtime["environ"])
    environ["LAMBENT_ZYGOTE"] = str(link.fileno())
    environ["LAMBENT_PRELOAD"] = ",".join(runtime["preload"])
    os.execve(runtime["argv"][0], runtime["argv"], environ)


def _ahead(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what is started ahead as `zygote` wants it."""
    return (
        None if given is None else {"argv": given["argv"], "environ": dict(given["environ"]), "working_directory": "/"}
    )


def _become_namespace_root() -> None:
    """
    Become root of a user namespace with one user, this process's own.

    The network namespace is left as well: there is no way back into one that belongs to somebody else.
    """
    uid, gid = os.geteuid(), os.getegid()
    system_calls.unshare(system_calls.CLONE_NEWUSER | system_calls.CLONE_NEWNS | system_calls.CLONE_NEWNET)
    system_calls.map_user(0, 0, uid, gid)


def _wait_for_earlier(work: Path) -> None:
    """
    Wait until an earlier spawner of this folder has ended, and have a later one wait for this.

    A server that was killed is started again while its spawner still cleans up: what the new one makes would be taken
    for leftovers. The lock goes with the process, however that ends.

    Raises:
        OSError: EBUSY, it does not end.
    """

    def give_up(*_: object) -> NoReturn:
        raise OSError(errno.EBUSY, "an earlier spawner of this data folder does not end")

    lock = os.open(work / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_EARLIER_MAX_S)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _key(kind: dict[str, Any]) -> str:
    """Environments with and without egress, or something that runs ahead, come from one zygote; owners never share."""
    return json.dumps([kind["owner"], kind["folders"], kind["zygote"]])


def main(descriptor: int) -> None:
    """Be the spawner, with the socket of the server at a descriptor."""
    link = socket.socket(fileno=descriptor)
    link.set_inheritable(False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Whoever stops the server stops this process through it, after its environments have ended.
        signal.signal(number, signal.SIG_IGN)
    setup, _ = zygote.receive(link)
    if setup is None:
        return
    spawner: Spawner | None = None
    try:
        _wait_for_earlier(Path(setup["work"]))
        # A mount namespace of its own: what is mounted while a root is built is seen by nobody else.
        if setup["privileged"]:
            system_calls.unshare(system_calls.CLONE_NEWNS)
        else:
            _become_namespace_root()
        system_calls.mount(None, "/", None, system_calls.MS_REC | system_calls.MS_PRIVATE)
        spawner = Spawner(link, setup)
        hello = spawner.open()
    except Exception as error:
        link.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        if spawner is not None:
            spawner.close()
        return
    link.send(json.dumps(hello).encode())
    try:
        spawner.serve()
    finally:
        spawner.close()
