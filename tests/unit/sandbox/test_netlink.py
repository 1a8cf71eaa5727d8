"""The messages, as this machine's kernel takes them: each in a namespace that is gone afterwards."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.sandbox.network_stage import Machine, inside, interfaces, network_namespace, stage, until

from lambent.sandbox import netlink
from lambent.sandbox.netlink import Netlink

GROUP = 0x8000_0001


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine of this test's own."""
    with stage(tmp_path) as machine:
        yield machine


@pytest.fixture
def link(machine: Machine) -> Iterator[Netlink]:
    """A route socket of that machine."""
    with contextlib.closing(Netlink()) as link:
        yield link


def setting(interface: str, name: str) -> str:
    return Path("/proc/sys/net/ipv4/conf", interface, name).read_text().strip()


def test_a_pair_has_an_end_in_each_namespace(machine: Machine, link: Netlink) -> None:
    """Here by its name, there by that of the peer."""
    with inside(machine.internet):
        before = interfaces()
    link.do(netlink.veth("here", GROUP, "there", machine.internet))
    assert interfaces() == {"uplink", "here"}
    with inside(machine.internet):
        assert interfaces() - before == {"there"}


def test_a_name_of_fifteen_characters_is_the_longest(machine: Machine, link: Netlink) -> None:
    """As the names of our interfaces may be."""
    link.do(netlink.veth("x" * 15, GROUP, "there", machine.internet))
    with pytest.raises(OSError):
        link.do(netlink.veth("x" * 16, GROUP, "there2", machine.internet))
    assert "x" * 15 in interfaces()


def test_a_refusal_carries_the_errno_of_the_kernel(machine: Machine, link: Netlink) -> None:
    """And leaves the socket in order for the next messages."""
    link.do(netlink.veth("here", GROUP, "there", machine.internet))
    with pytest.raises(FileExistsError):
        link.do(netlink.veth("here", GROUP, "there2", machine.internet))
    with pytest.raises(OSError) as refused:
        link.do(netlink.up(12_345))
    assert refused.value.errno == errno.ENODEV
    link.do(netlink.delete("here"))


def test_a_refused_message_does_not_keep_back_those_behind_it(machine: Machine, link: Netlink) -> None:
    """The first errno is told when all have been answered."""
    index = socket.if_nametoindex("uplink")
    with pytest.raises(OSError) as refused:
        link.do(netlink.delete("nobody"), netlink.address(index, "192.0.2.7"), netlink.address(index, "192.0.2.7"))
    assert refused.value.errno == errno.ENODEV
    with machine.udp(machine.namespace) as sock:
        sock.bind(("192.0.2.7", 0))


def test_settings_of_an_interface_are_set(machine: Machine, link: Netlink) -> None:
    """What /proc shows afterwards; what was not named stays."""
    link.do(netlink.veth("here", GROUP, "there", machine.internet))
    kept = setting("here", "accept_local")
    values = {netlink.FORWARDING: 1, netlink.RP_FILTER: 2, netlink.ROUTE_LOCALNET: 1}
    link.do(netlink.configure(socket.if_nametoindex("here"), values, has_ipv6=False))
    assert [setting("here", name) for name in ("forwarding", "rp_filter", "route_localnet")] == ["1", "2", "1"]
    assert setting("here", "accept_local") == kept


@pytest.mark.parametrize("is_configured", [False, True])
def test_an_interface_makes_itself_no_ipv6_address(machine: Machine, link: Netlink, is_configured: bool) -> None:
    """It would have one as soon as it is up."""
    if not Path("/proc/thread-self/net/if_inet6").exists():
        pytest.skip("needs:ipv6:run the tests with a kernel that has IPv6")
    link.do(netlink.veth("here", GROUP, "there", machine.namespace))
    here, there = socket.if_nametoindex("here"), socket.if_nametoindex("there")
    if is_configured:
        link.do(netlink.configure(here, {}, True), netlink.configure(there, {}, True))
    link.do(netlink.up(here), netlink.up(there), netlink.settle(here))

    def has_address() -> bool:
        return " here" in Path("/proc/thread-self/net/if_inet6").read_text()

    if not is_configured:
        until(has_address, "a link-local address")
    assert has_address() != is_configured


def test_a_group_is_deleted_and_nothing_else(machine: Machine, link: Netlink) -> None:
    """All at once, their peers too; a second time there is nothing."""
    for number in range(3):
        link.do(netlink.veth(f"ours{number}", GROUP, f"peer{number}", machine.internet))
    link.do(netlink.veth("other", GROUP + 1, "peer", machine.internet))
    link.do(netlink.delete_group(GROUP))
    assert interfaces() == {"uplink", "other"}
    with pytest.raises(OSError) as refused:
        link.do(netlink.delete_group(GROUP))
    assert refused.value.errno == errno.ENODEV


def test_routes_go_directly_and_through_a_gateway(machine: Machine, link: Netlink) -> None:
    """A second route to one address is refused."""
    index = socket.if_nametoindex("uplink")
    link.do(netlink.route(index, "192.0.2.1", None), netlink.route(index, "192.0.2.2", "192.0.2.1"))
    with pytest.raises(FileExistsError):
        link.do(netlink.route(socket.if_nametoindex("lo"), "192.0.2.1", None))
    lines = Path("/proc/thread-self/net/route").read_text().splitlines()[1:]
    routes = {tuple(socket.inet_ntoa(bytes.fromhex(word)[::-1]) for word in line.split()[1:3]) for line in lines}
    assert {("192.0.2.1", "0.0.0.0"), ("192.0.2.2", "192.0.2.1"), ("0.0.0.0", "203.0.113.10")} <= routes


def test_a_socket_stays_with_the_namespace_it_was_made_in(machine: Machine) -> None:
    """So that one of the spawner's acts in an environment while the spawner is at home."""
    with inside(machine.internet):
        away = Netlink()
    with contextlib.closing(away):
        away.do(netlink.veth("here", GROUP, "there", machine.internet))
    assert interfaces() == {"uplink"}
    here = network_namespace()
    assert os.path.sameopenfile(here, machine.namespace)
    os.close(here)


def test_closing_twice_does_nothing() -> None:
    """As `make` may on its way out of a failure."""
    if not hasattr(socket, "AF_NETLINK"):
        pytest.skip("needs:linux:run the tests on Linux as well")
    link = Netlink()
    link.close()
    link.close()
