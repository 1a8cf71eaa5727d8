"""
A pretended machine with a pretended internet, for tests of environments' networks: two network namespaces.

While the test runs, its thread is in that of the machine: whatever is made is made there, and gone with it.
A socket belongs to the namespace that it was made in, so nothing here needs a process of its own.
"""

import contextlib
import fcntl
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lambent.sandbox import netlink, packet_filter
from lambent.sandbox.inside import system_calls
from lambent.sandbox.network import EnvironmentNetwork, Network, NetworkSettings

MACHINE = "203.0.113.1"
INTERNET = "203.0.113.10"
PRIVATE = "10.99.0.5"
"""In a private network that the pretended internet leads to."""
OUTSIDE_PORT = 7000
TIMEOUT_S = 5.0

_SIOCSIFFLAGS = 0x8914


def network_namespace() -> int:
    """Return a descriptor of the network namespace that this thread is in."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Be in another network namespace."""
    here = network_namespace()
    try:
        system_calls.setns(namespace, system_calls.CLONE_NEWNET)
        yield
    finally:
        system_calls.setns(here, system_calls.CLONE_NEWNET)
        os.close(here)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that the kernel does in its own time."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"not within 120 s: {what}"
        time.sleep(0.002)


def interfaces() -> set[str]:
    """Return the names of this namespace's interfaces."""
    return {name for _, name in socket.if_nameindex()} - _BORN_WITH


_BORN_WITH = {"lo", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"}
"""Some kernels put these into every namespace."""


def raise_loopback() -> None:
    """Set the loopback of this namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", 0x41))


class Machine:
    """What a test has: the machine, the internet, and environments on it. All of it ends with `stack`."""

    def __init__(self, stack: contextlib.ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self.namespace = self._new_namespace()
        self.internet = self._new_namespace()
        system_calls.setns(self.namespace, system_calls.CLONE_NEWNET)
        # As on most machines that need us to switch it on; new namespaces take over what the real machine has.
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
        link = stack.enter_context(contextlib.closing(netlink.Netlink()))
        link.do(netlink.veth("uplink", 1, "eth0", self.internet))
        index = socket.if_nametoindex("uplink")
        link.do(
            netlink.up(index),
            netlink.address(index, MACHINE),
            netlink.route(index, INTERNET, None),
            netlink.route(index, None, INTERNET),
        )
        with inside(self.internet):
            self._outer = stack.enter_context(contextlib.closing(netlink.Netlink()))
            self._outer_index = socket.if_nametoindex("eth0")
        self._outer.do(
            netlink.up(self._outer_index),
            netlink.address(self._outer_index, INTERNET),
            netlink.address(self._outer_index, PRIVATE),
            # No route to environments: an answer only finds its way to the machine's own address.
            netlink.route(self._outer_index, MACHINE, None),
        )
        link.do(netlink.settle(index))

    def _new_namespace(self) -> int:
        system_calls.unshare(system_calls.CLONE_NEWNET)
        raise_loopback()
        namespace = network_namespace()
        self._stack.callback(os.close, namespace)
        return namespace

    def network(
        self,
        *,
        egress: bool = True,
        allow_host: tuple[int, ...] = (),
        allow_net: tuple[str, ...] = (),
        instance: str = "abcdef01",
        name_servers: tuple[str, ...] = ("192.0.2.53",),
    ) -> Network:
        """Return a network that has been opened."""
        resolv_conf = self._folder / "resolv.conf"
        resolv_conf.write_text("".join(f"nameserver {server}\n" for server in name_servers))
        settings = NetworkSettings(egress, allow_host, allow_net, instance)
        network = Network(settings, resolv_conf, self._folder / "none")
        self._stack.callback(network.close)
        network.open()
        return network

    def make(self, network: Network, number: int = 0, egress: bool = True) -> EnvironmentNetwork:
        """Return an environment's network, which ends with the test, or by `end`."""
        made = network.make(number, egress)
        self._stack.callback(end, made)
        return made

    def opens(self, sock: socket.socket) -> socket.socket:
        """Have a socket closed at the end."""
        sock.settimeout(TIMEOUT_S)
        return self._stack.enter_context(sock)

    def tcp(self, namespace: int) -> socket.socket:
        """Return a TCP socket of a namespace."""
        with inside(namespace):
            return self.opens(socket.socket(socket.AF_INET, socket.SOCK_STREAM))

    def udp(self, namespace: int) -> socket.socket:
        """Return a UDP socket of a namespace."""
        with inside(namespace):
            return self.opens(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def listener(self, namespace: int, host: str = "0.0.0.0", port: int = OUTSIDE_PORT) -> socket.socket:
        """Return a TCP socket that listens in a namespace."""
        sock = self.tcp(namespace)
        sock.bind((host, port))
        sock.listen(4)
        return sock

    def receiver(self, namespace: int, host: str = "0.0.0.0", port: int = OUTSIDE_PORT) -> socket.socket:
        """Return a UDP socket that is bound in a namespace."""
        sock = self.udp(namespace)
        sock.bind((host, port))
        return sock

    def takes(self, receiver: socket.socket, namespace: int) -> bytes:
        """
        Return the next datagram of a receiver in a namespace, b"nothing" where none has come.

        Nothing is waited for: packets pass between namespaces in the order in which they were sent, once neighbours
        have found each other, as in `without_table`.
        """
        port = receiver.getsockname()[1]
        host = receiver.getsockname()[0]
        self.udp(namespace).sendto(b"nothing", ("127.0.0.1" if host == "0.0.0.0" else host, port))
        return receiver.recv(100)

    def route_back(self, address: str) -> None:
        """Let the internet answer an environment's own address."""
        self._outer.do(netlink.route(self._outer_index, address, MACHINE))

    @contextlib.contextmanager
    def without_table(self, network: Network) -> Iterator[None]:
        """Take the walls down meanwhile: the working control of an attack. It also finds the neighbours' addresses."""
        packet_filter.remove_table(nft(), network.settings.instance)
        yield
        packet_filter.write_table(nft(), network.rules())


def end(made: EnvironmentNetwork) -> None:
    """Close what `make` returned, as the spawner and the server do. May be repeated."""
    if made.runtime_listener.fileno() >= 0:
        os.close(made.namespace_fd)
    made.runtime_listener.close()
    made.gateway_listener.close()
    made.trace_port.close()


def nft() -> str:
    """Return the path of nft."""
    found = packet_filter.find_nft()
    assert found is not None
    return found


def address_of(made: EnvironmentNetwork) -> str:
    """Return the address of an environment that has one."""
    assert made.address is not None
    return made.address


@contextlib.contextmanager
def stage(folder: Path) -> Iterator[Machine]:
    """Give a machine; skip the test where none can be pretended."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs:root:run the tests as root on Linux")
    if packet_filter.find_nft() is None:
        pytest.skip("needs:nftables:apt install nftables")
    home = network_namespace()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, home)
        stack.callback(system_calls.setns, home, system_calls.CLONE_NEWNET)
        try:
            machine = Machine(stack, folder)
        except PermissionError:
            pytest.skip("needs:root:run the tests where network namespaces can be made")
        yield machine
