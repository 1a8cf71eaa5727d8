"""
The network of execution environments: a namespace each, two listeners in it, and a guarded way to the internet.

An environment with egress has one interface, point to point with the machine, no bridge between environments. What
may pass is in `packet_filter`. Used by the spawner: standard library only, one thread.
IPv6 is not offered: environments have no IPv6 address but the loopback's.
"""

import contextlib
import errno
import fcntl
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from lambent.sandbox import netlink, packet_filter
from lambent.sandbox.inside import system_calls
from lambent.sandbox.packet_filter import HOST_ADDRESS, RANGE, PacketFilterError
from lambent.sandbox.table_watch import TableWatch

_RUNTIME_API = ("127.0.0.1", 9001)
"""Documented: AWS's own value of AWS_LAMBDA_RUNTIME_API."""
_GATEWAY = ("127.0.0.1", 4566)
_TRACES = ("169.254.100.1", 2000)
TRACE_ADDRESS = "{}:{}".format(*_TRACES)
"""Observed: AWS's own value of AWS_XRAY_DAEMON_ADDRESS (recorded environments of the service)."""
_TRACES_BUFFER_BYTES = 1 << 20
"""Senders burst when a handler ends. Assumed: some hundred subsegments wait for the server's loop."""
_RUNTIME_BACKLOG = 16
_GATEWAY_BACKLOG = 64

HOST_NAME = "host.lambent.internal"
"""What environments call HOST_ADDRESS."""

_BLOCK_PREFIX = 19
NUMBERS_MAX = 1 << (32 - _BLOCK_PREFIX)
"""How many environments one server may have. Servers on one machine begin at different blocks of RANGE."""

_SIOCGIFINDEX = 0x8933
_SIOCSIFFLAGS = 0x8914
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_SO_RCVBUFFORCE = 33
_IFF_UP_RUNNING = 0x41
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_NAME_SERVERS_MAX = 3
"""Documented: resolv.conf(5), MAXNS."""


class NetworkUnavailable(Exception):
    """Egress cannot be had on this machine. The message says why, and what changes it."""


class NetworkSettings(NamedTuple):
    egress: bool
    allow_host: tuple[int, ...]
    """Ports of this machine that environments may reach at `HOST_NAME`."""
    allow_net: tuple[str, ...]
    """Private and special networks that are open all the same."""
    instance: str
    """Eight hexadecimal digits that name the table and the interfaces of one data folder."""


class EnvironmentNetwork(NamedTuple):
    namespace_fd: int
    runtime_listener: socket.socket
    gateway_listener: socket.socket
    trace_port: socket.socket
    """A datagram socket, where AWS's X-Ray daemon is."""
    address: str | None
    """The environment's own address; None where it has only the loopback."""


def probe_egress() -> str | None:
    """
    Return why egress cannot be offered here and what changes that, None when it can.

    Tries what environments need in a network namespace that is gone afterwards. The calling thread is in it meanwhile.
    """
    if os.geteuid() != 0:
        return "a way to the internet takes root; start the server as root"
    nft = packet_filter.find_nft()
    if nft is None:
        return "the program nft is missing: `apt install nftables`"
    if not _forwards() and not os.access(_FORWARDING, os.W_OK):
        return (
            "forwarding is off and /proc/sys is read-only: `sysctl -w net.ipv4.ip_forward=1` on the machine, "
            "or `docker run --sysctl net.ipv4.ip_forward=1`"
        )
    if reason := _try_in_new_namespace(nft):
        return reason
    try:
        return packet_filter.closed_by_others(nft)
    except PacketFilterError as error:
        return f"the machine's packet filters cannot be read: {error}"


def _try_in_new_namespace(nft: str) -> str | None:
    home = _network_namespace()
    try:
        with _new_namespace(home) as namespace, contextlib.closing(netlink.Netlink()) as link:
            try:
                link.do(netlink.veth("lbtrial", 1, "eth0", namespace))
            except OSError as error:
                return f"the kernel makes no pairs of interfaces ({error.strerror}): `modprobe veth`"
            opened = ("00000000", (1,), ("10.0.0.0/8",), ("192.0.2.1",), "127.0.0.53")
            _write_table(nft, lambda counts: packet_filter.table_text(*opened, counts))
    except PacketFilterError as error:
        modules = "nf_tables nft_chain_nat nft_masq nft_ct nft_reject_inet nft_fib_inet"
        return f"nftables does not work here ({error}): `modprobe -a {modules}`"
    except OSError as error:
        return f"the kernel makes no network namespaces ({error.strerror}); a privileged container or a machine can"
    finally:
        os.close(home)
    return None


def _write_table(nft: str, text: Callable[[bool], str]) -> str | None:
    """
    Put a table into the kernel, without a limit of connections where the kernel cannot count them.

    Args:
        nft: the program.
        text: the table, by whether it counts connections.

    Returns:
        Why they are not counted, None when they are.

    Raises:
        PacketFilterError: not even such a table can be had.
    """
    try:
        packet_filter.write_table(nft, text(True))
    except PacketFilterError as error:
        packet_filter.write_table(nft, text(False))
        return f"one environment may fill the machine's table of connections ({error}): `modprobe nft_connlimit`"
    return None


class Network:
    """
    Makes the networks of environments.

    Args:
        settings: what may pass.
        resolv_conf: where the machine's name servers stand; for tests, as is the next.
        resolved: where systemd-resolved names the servers behind its own loopback address.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        resolv_conf: Path = Path("/etc/resolv.conf"),
        resolved: Path = Path("/run/systemd/resolve/resolv.conf"),
    ) -> None:
        self.settings = settings
        # Above the numbers that people give to groups of interfaces.
        self._group = 1 << 31 | int(settings.instance, 16)
        self._home = _network_namespace()
        self._netlink = netlink.Netlink()
        self._is_open = False
        self.weaker: str | None = None
        """What `open` found missing that egress is offered without, and what changes it."""
        self.watch: TableWatch | None = None
        """Whenever it is readable, `check_table` is to be called; None before `open` and without egress."""
        self._has_ipv6 = _has_ipv6()
        blocks = list(RANGE.subnets(new_prefix=_BLOCK_PREFIX))
        first = int(settings.instance, 16) % len(blocks)
        self._blocks = blocks[first:] + blocks[:first]
        self._servers, self._relays_dns = _name_servers(resolv_conf, resolved)
        self._host_end = {netlink.FORWARDING: 1, netlink.RP_FILTER: 1}
        self._serves_from_host = bool(settings.allow_host or self._relays_dns)
        if self._serves_from_host:
            # Services of the machine listen on its loopback, to which the table leads what is allowed.
            self._host_end[netlink.ROUTE_LOCALNET] = 1

    def open(self) -> None:
        """
        Take away what an earlier spawner left; then write the table, where egress is wanted.

        Raises:
            NetworkUnavailable: egress is wanted and cannot be had.
        """
        with contextlib.suppress(OSError):  # There are none, as a rule.
            self._netlink.do(netlink.delete_group(self._group))
        nft = packet_filter.find_nft()
        if not self.settings.egress:
            if nft is not None:
                packet_filter.remove_table(nft, self.settings.instance)
            return
        if reason := probe_egress():
            raise NetworkUnavailable(reason)
        assert nft is not None
        try:
            if self._serves_from_host and (reason := packet_filter.closed_by_others(nft, "input")):
                raise NetworkUnavailable(reason)
            self.watch = TableWatch(packet_filter.table_name(self.settings.instance))
            # Before the first packet may be forwarded.
            self.weaker = _write_table(nft, self.rules)
        except PacketFilterError as error:
            raise NetworkUnavailable(f"nftables refused the rules: {error}") from error
        except OSError as error:
            raise NetworkUnavailable(f"nobody would tell when the rules are taken away: {error}") from error
        if not _forwards():
            # For the whole machine, so nobody should have to guess who did it.
            sys.stderr.write("sandbox.forwarding_switched_on setting=net.ipv4.ip_forward\n")
            _FORWARDING.write_text("1")
        self._is_open = True

    def check_table(self) -> None:
        """
        Write the table again where another program has taken it away.

        A reload of the machine's own rules begins with `flush ruleset` as a rule. From then on every environment would
        reach the machine and its networks. What cannot be walled in again loses its way out.
        """
        if self.watch is None or not self.watch.may_be_gone() or not self._is_open:
            return
        instance = self.settings.instance
        try:
            nft = packet_filter.find_nft()
            if nft is None:
                raise PacketFilterError("the program nft is missing")
            if packet_filter.has_table(nft, instance):
                return
            _write_table(nft, self.rules)
        except PacketFilterError as error:
            sys.stderr.write(
                f"sandbox.egress_closed table={packet_filter.table_name(instance)} reason={str(error)!r}\n"
            )
            self._is_open = False
            with contextlib.suppress(OSError):
                self._netlink.do(netlink.delete_group(self._group))
            return
        sys.stderr.write(f"sandbox.rules_written_again table={packet_filter.table_name(instance)}\n")

    def make(self, number: int, egress: bool) -> EnvironmentNetwork:
        """
        Make one environment's network. What it returns is the caller's to close; the interfaces go with the namespace.

        Args:
            number: 0 to NUMBERS_MAX - 1, no other living environment's.
            egress: whether it has a way out, where `open` found one.

        Raises:
            OSError: the machine has no more to give.
        """
        assert 0 <= number < NUMBERS_MAX
        has_egress = egress and self._is_open
        with contextlib.ExitStack() as undo:
            with _new_namespace(self._home) as entered:
                namespace = os.dup(entered)
                undo.callback(os.close, namespace)
                runtime = undo.enter_context(_listener(_RUNTIME_API, _RUNTIME_BACKLOG, raise_loopback=True))
                gateway = undo.enter_context(_listener(_GATEWAY, _GATEWAY_BACKLOG))
                traces = undo.enter_context(_trace_port())
                inner = undo.enter_context(contextlib.closing(netlink.Netlink())) if has_egress else None
            address = None
            if inner is not None:
                address = self._connect(number, namespace, inner, runtime)
                inner.close()
            undo.pop_all()
        return EnvironmentNetwork(namespace, runtime, gateway, traces, address)

    def _connect(self, number: int, namespace: int, inner: netlink.Netlink, any_socket: socket.socket) -> str:
        """
        Put a pair of interfaces between the machine and a namespace; return the environment's address.

        Args:
            number: the environment's.
            namespace: its network namespace.
            inner: a route socket of that namespace.
            any_socket: any other socket of that namespace.
        """
        name = f"{packet_filter.interface_prefix(self.settings.instance)}{number:04x}"
        pair = netlink.veth(name, self._group, "eth0", namespace)
        try:
            self._netlink.do(pair)
        except FileExistsError:
            # The last environment of this number has ended, and the kernel has not got round to its interface.
            with contextlib.suppress(OSError):
                self._netlink.do(netlink.delete(name))
            self._netlink.do(pair)
        outside = socket.if_nametoindex(name)
        # Not always the first after the loopback: some kernels put tunnels into every namespace.
        inside = struct.unpack_from("=16si", fcntl.ioctl(any_socket, _SIOCGIFINDEX, struct.pack("16s24x", b"eth0")))[1]
        self._netlink.do(
            netlink.configure(outside, self._host_end, self._has_ipv6),
            netlink.up(outside),
            netlink.address(outside, HOST_ADDRESS),
        )
        address = self._route(outside, number)
        inner.do(
            *([netlink.configure(inside, {}, True)] if self._has_ipv6 else ()),
            netlink.address(inside, address),
            netlink.up(inside),
            netlink.route(inside, HOST_ADDRESS, None),
            netlink.route(inside, None, HOST_ADDRESS),
        )
        # The end that was set up first has dropped packets until now.
        self._netlink.do(netlink.settle(outside))
        return address

    def _route(self, outside: int, number: int) -> str:
        """
        Give an interface the first address for this number that no other server on this machine has taken.

        The kernel refuses a second route to one address, so servers need not know of each other.
        """
        for block in self._blocks:
            address = str(block[number])
            try:
                self._netlink.do(netlink.route(outside, address, None))
            except FileExistsError:
                continue
            return address
        raise OSError(errno.EADDRINUSE, f"all addresses of {RANGE} for number {number} are taken")

    def rules(self, counts_connections: bool = True) -> str:
        """Return the table as nft reads it."""
        settings = self.settings
        return packet_filter.table_text(
            settings.instance,
            settings.allow_host,
            settings.allow_net,
            self._servers,
            self._relays_dns,
            counts_connections,
        )

    def hosts_text(self) -> str:
        """Return /etc/hosts of environments."""
        return f"127.0.0.1 localhost\n::1 localhost\n{HOST_ADDRESS} {HOST_NAME}\n"

    def resolv_conf_text(self) -> str:
        """Return /etc/resolv.conf of environments."""
        return "".join(f"nameserver {server}\n" for server in self._servers) + "options timeout:2 attempts:2\n"

    def close(self) -> None:
        """Take the interfaces and then the table away, so that nothing lives on without its rules. Idempotent."""
        if self._home < 0:
            return
        if self._is_open and (nft := packet_filter.find_nft()) is not None:
            with contextlib.suppress(OSError):
                self._netlink.do(netlink.delete_group(self._group))
            packet_filter.remove_table(nft, self.settings.instance)
        self._is_open = False
        if self.watch is not None:
            self.watch.close()
        self._netlink.close()
        os.close(self._home)
        self._home = -1


@contextlib.contextmanager
def _new_namespace(home: int) -> Iterator[int]:
    """Be in a new network namespace; give a descriptor of it, closed at the end. `home`: where to go back to."""
    # Entering the one it is in takes what coming back will take, which root of a user namespace does not have.
    system_calls.setns(home, system_calls.CLONE_NEWNET)
    try:
        system_calls.unshare(system_calls.CLONE_NEWNET)
        namespace = _network_namespace()
        try:
            yield namespace
        finally:
            os.close(namespace)
    finally:
        try:
            system_calls.setns(home, system_calls.CLONE_NEWNET)
        except OSError:
            # In a foreign namespace this process would do harm from here on.
            os._exit(71)


def _network_namespace() -> int:
    """Return a descriptor of the network namespace that this thread is in."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _has_ipv6() -> bool:
    return Path("/proc/net/if_inet6").exists()


def _forwards() -> bool:
    return _FORWARDING.read_text().strip() == "1"


def _listener(address: tuple[str, int], backlog: int, raise_loopback: bool = False) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if raise_loopback:
            fcntl.ioctl(listener.fileno(), _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP_RUNNING))
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener


def _trace_port() -> socket.socket:
    """Return a socket at AWS's address of the X-Ray daemon, which this namespace's loopback gets beside its own."""
    port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        for number, address in ((_SIOCSIFADDR, _TRACES[0]), (_SIOCSIFNETMASK, "255.255.255.255")):
            request = struct.pack("16sHH4s8x", b"lo:0", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(port.fileno(), number, request)
        # Beyond what an ordinary process may have, which is root's alone.
        with contextlib.suppress(OSError):
            port.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _TRACES_BUFFER_BYTES)
        port.setblocking(False)
        port.bind(_TRACES)
    except BaseException:
        port.close()
        raise
    return port


def _name_servers(resolv_conf: Path, resolved: Path) -> tuple[list[str], str | None]:
    """
    Return the name servers for environments, and the loopback one that the machine relays to when it has no other.

    IPv6 servers are left out: environments cannot reach them.
    """
    found = _servers_in(resolv_conf)
    if all(server.is_loopback for server in found):
        found = [server for server in _servers_in(resolved) if not server.is_loopback] or found
    outside = [str(server) for server in found if not server.is_loopback]
    if outside or not found:
        return outside[:_NAME_SERVERS_MAX], None
    return [HOST_ADDRESS], str(found[0])


def _servers_in(path: Path) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 name servers that a file names, each once."""
    servers: dict[ipaddress.IPv4Address, None] = {}
    with contextlib.suppress(OSError):
        for line in path.read_text(errors="replace").splitlines():
            words = line.split()
            if len(words) >= 2 and words[0] == "nameserver":
                with contextlib.suppress(ValueError):
                    server = ipaddress.IPv4Address(words[1])
                    # Documented: resolv.conf(5): 0.0.0.0 is this machine.
                    servers[ipaddress.IPv4Address("127.0.0.1") if server.is_unspecified else server] = None
    return list(servers)
