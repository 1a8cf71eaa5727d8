"""Environments' networks on a pretended machine: what reaches what, with the walls and without."""

import contextlib
import fcntl
import os
import select
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.sandbox.network_stage import (
    INTERNET,
    MACHINE,
    OUTSIDE_PORT,
    PRIVATE,
    Machine,
    address_of,
    end,
    inside,
    interfaces,
    network_namespace,
    nft,
    stage,
    until,
)

from lambent.sandbox import netlink, network, packet_filter
from lambent.sandbox.network import HOST_ADDRESS, HOST_NAME, Network, NetworkSettings, NetworkUnavailable, probe_egress


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine of this test's own."""
    with stage(tmp_path) as machine:
        yield machine


def reaches(client: socket.socket, listener: socket.socket, host: str, port: int = OUTSIDE_PORT) -> bool:
    """Connect, and say whether it was this listener that answered; a refusal comes at once."""
    began = time.monotonic()
    try:
        client.connect((host, port))
    except OSError as error:
        assert not isinstance(error, TimeoutError), "not refused but left to wait"
        assert time.monotonic() - began < 10
        return False
    taken, _ = listener.accept()
    with taken:
        taken.settimeout(5)
        client.sendall(b"ping")
        return taken.recv(10) == b"ping"


def tables() -> str:
    return subprocess.run([nft(), "list", "ruleset"], capture_output=True, text=True, check=True).stdout


# Without a way out --------------------------------------------------------------------------------------------------


def test_an_environment_without_egress_has_the_loopback_alone(machine: Machine) -> None:
    """No interface, no address; also where the machine offers egress."""
    made = machine.make(machine.network(), egress=False)
    assert made.address is None
    with inside(made.namespace_fd):
        assert interfaces() == set()
    assert interfaces() == {"uplink"}


@pytest.mark.parametrize("egress", [False, True])
def test_both_listeners_are_reached_from_inside_alone(machine: Machine, egress: bool) -> None:
    """The Runtime API at port 9001, the gateway at 4566; neither is there on the machine."""
    made = machine.make(machine.network(), egress=egress)
    for listener, port in ((made.runtime_listener, 9001), (made.gateway_listener, 4566)):
        client = machine.tcp(made.namespace_fd)
        client.connect(("127.0.0.1", port))
        listener.accept()[0].close()
        with pytest.raises(ConnectionRefusedError):
            machine.tcp(machine.namespace).connect(("127.0.0.1", port))


@pytest.mark.parametrize("egress", [False, True])
def test_traces_go_where_aws_has_its_daemon(machine: Machine, egress: bool) -> None:
    """From inside alone, each environment to its own port; the address is the loopback's, and leaves nothing open."""
    net = machine.network(egress=egress)
    made, other = machine.make(net, 0), machine.make(net, 1)
    assert network.TRACE_ADDRESS == "169.254.100.1:2000"
    machine.udp(made.namespace_fd).sendto(b"mine", ("169.254.100.1", 2000))
    assert made.trace_port.recv(100) == b"mine"
    with pytest.raises(BlockingIOError):
        other.trace_port.recv(100)
    # That one address, and not the network that it would be in: what else is link-local is as it was.
    with pytest.raises(ConnectionRefusedError):
        machine.tcp(made.namespace_fd).connect(("169.254.100.1", 2001))
    if not egress:
        with pytest.raises(OSError, match="unreachable"):
            machine.tcp(made.namespace_fd).connect(("169.254.100.2", 2001))


def test_listeners_suit_an_event_loop_and_leak_to_no_child(machine: Machine) -> None:
    """They do not block, and are closed on exec, as is the namespace's descriptor."""
    made = machine.make(machine.network(egress=False), egress=False)
    for listener in (made.runtime_listener, made.gateway_listener, made.trace_port):
        assert not listener.getblocking()
        assert not listener.get_inheritable()
    assert not os.get_inheritable(made.namespace_fd)


def test_without_egress_the_machine_is_left_alone(machine: Machine) -> None:
    """No table, no forwarding; environments that ask for egress get none."""
    made = machine.make(machine.network(egress=False))
    assert made.address is None
    assert tables() == ""
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == "0\n"


# The internet -------------------------------------------------------------------------------------------------------


def test_an_environment_reaches_the_internet_as_the_machine(machine: Machine) -> None:
    """TCP and UDP both ways; what the internet sees is the machine's address."""
    made = machine.make(machine.network())
    listener, receiver = machine.listener(machine.internet), machine.receiver(machine.internet)

    client = machine.tcp(made.namespace_fd)
    client.connect((INTERNET, OUTSIDE_PORT))
    taken, peer = listener.accept()
    with taken:
        assert peer[0] == MACHINE
        taken.sendall(b"hello")
        assert client.recv(10) == b"hello"

    datagrams = machine.udp(made.namespace_fd)
    datagrams.sendto(b"question", (INTERNET, OUTSIDE_PORT))
    question, sender = receiver.recvfrom(10)
    receiver.sendto(b"answer", sender)
    assert (question, sender[0], datagrams.recv(10)) == (b"question", MACHINE, b"answer")


def test_no_packet_of_a_new_environment_is_lost(machine: Machine) -> None:
    """A function may connect in the moment in which its network is made; a lost SYN would cost it a second."""
    environments = machine.network()
    for number in range(20):
        client = machine.tcp(machine.make(environments, number).namespace_fd)
        client.settimeout(0.9)
        with pytest.raises(ConnectionRefusedError):
            client.connect((HOST_ADDRESS, OUTSIDE_PORT))


def test_nobody_outside_opens_connections_to_environments(machine: Machine) -> None:
    """Not even who has a route to them."""
    environments = machine.network()
    made = machine.make(environments)
    receiver = machine.receiver(made.namespace_fd)
    machine.route_back(address_of(made))
    outside = machine.udp(machine.internet)
    with machine.without_table(environments):
        outside.sendto(b"control", (address_of(made), OUTSIDE_PORT))
        assert receiver.recv(10) == b"control"
    outside.sendto(b"attack", (address_of(made), OUTSIDE_PORT))
    assert machine.takes(receiver, made.namespace_fd) == b"nothing"


def test_environments_have_no_ipv6_but_the_loopback(machine: Machine) -> None:
    """An IPv6 address fails at once, so that clients go on with IPv4."""
    made = machine.make(machine.network())
    with inside(made.namespace_fd), socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as client:
        with pytest.raises(OSError, match=r"unreachable|assign"):
            client.connect(("2001:db8::1", 80))
        assert "eth0" not in Path("/proc/thread-self/net/if_inet6").read_text()
    assert "lb" not in Path("/proc/thread-self/net/if_inet6").read_text()


# Each other ---------------------------------------------------------------------------------------------------------


def test_environments_do_not_reach_each_other(machine: Machine) -> None:
    """Not by any port, though nothing but the table stands between them."""
    environments = machine.network()
    one, other = machine.make(environments, 1), machine.make(environments, 2)
    listener = machine.listener(other.namespace_fd)
    with machine.without_table(environments):
        assert reaches(machine.tcp(one.namespace_fd), listener, address_of(other))
    assert not reaches(machine.tcp(one.namespace_fd), listener, address_of(other))


def test_environments_do_not_reach_those_of_another_server(machine: Machine) -> None:
    """Not even where the operator has opened their range by mistake."""
    mine = machine.network(allow_net=("198.18.0.0/15",))
    theirs = machine.network(instance="abcdef02")
    one, other = machine.make(mine), machine.make(theirs)
    receiver, client = machine.receiver(other.namespace_fd), machine.udp(one.namespace_fd)
    with machine.without_table(theirs):
        client.sendto(b"control", (address_of(other), OUTSIDE_PORT))
        assert receiver.recv(10) == b"control"
    client.sendto(b"attack", (address_of(other), OUTSIDE_PORT))
    assert machine.takes(receiver, other.namespace_fd) == b"nothing"


def test_the_runtime_api_of_another_is_not_on_its_network(machine: Machine) -> None:
    """Port 9001 listens on the loopback inside: the other's kernel refuses, even with the table gone."""
    environments = machine.network()
    one, other = machine.make(environments, 1), machine.make(environments, 2)
    with machine.without_table(environments):
        for port in (9001, 4566):
            with pytest.raises(ConnectionRefusedError):
                machine.tcp(one.namespace_fd).connect((address_of(other), port))
    with pytest.raises(BlockingIOError):
        other.runtime_listener.accept()


# The table of connections ------------------------------------------------------------------------------------------


def test_one_environment_does_not_fill_the_table_of_connections(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by what it sends out, asks name servers or the machine; others go on, and without the count it does."""
    monkeypatch.setattr(packet_filter, "CONNECTIONS_MAX", 20)
    environments = machine.network(allow_host=(5432,), name_servers=("127.0.0.53",))
    made, other = machine.make(environments, 1), machine.make(environments, 2)

    def entries_after(count: int, address: tuple[str, int], first_port: int) -> int:
        for port in range(first_port, first_port + count):
            sender = machine.udp(made.namespace_fd)
            sender.bind(("0.0.0.0", port))
            sender.sendto(b"one", address)
            sender.close()
        return int(Path("/proc/sys/net/netfilter/nf_conntrack_count").read_text())

    assert entries_after(15, (INTERNET, OUTSIDE_PORT), 10_000) == 15
    assert entries_after(15, (HOST_ADDRESS, 53), 11_000) == 20
    assert entries_after(15, (INTERNET, OUTSIDE_PORT), 12_000) == 20
    listener = machine.listener(machine.internet)
    local = machine.listener(machine.namespace, "127.0.0.1", 5432)
    assert not reaches(machine.tcp(made.namespace_fd), listener, INTERNET)
    assert not reaches(machine.tcp(made.namespace_fd), local, HOST_ADDRESS, 5432)
    assert reaches(machine.tcp(other.namespace_fd), listener, INTERNET)
    assert reaches(machine.tcp(other.namespace_fd), local, HOST_ADDRESS, 5432)
    packet_filter.write_table(nft(), environments.rules(counts_connections=False))
    assert entries_after(15, (INTERNET, OUTSIDE_PORT), 13_000) >= 35


def test_closed_connections_do_not_count(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that asks for one after the other is not refused, though the kernel remembers each for two minutes."""
    # Counted anew only every few milliseconds, in which a test may open as many.
    monkeypatch.setattr(packet_filter, "CONNECTIONS_MAX", 500)
    made = machine.make(machine.network())
    listener = machine.listener(machine.internet)
    for _ in range(1500):
        client = machine.tcp(made.namespace_fd)
        assert reaches(client, listener, INTERNET)
        client.close()


def test_a_kernel_that_cannot_count_has_egress_all_the_same(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is weaker is told, with the command that changes it."""
    monkeypatch.setattr(packet_filter, "CONNECTIONS_MAX", "not a number")
    assert probe_egress() is None
    environments = machine.network()
    assert "modprobe nft_connlimit" in (environments.weaker or "")
    listener = machine.listener(machine.internet)
    assert reaches(machine.tcp(machine.make(environments).namespace_fd), listener, INTERNET)
    monkeypatch.undo()
    assert machine.network().weaker is None


# The machine --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [HOST_ADDRESS, MACHINE])
def test_ports_of_the_machine_are_closed(machine: Machine, host: str) -> None:
    """By the address that environments know and by every other; the refusal comes at once."""
    environments = machine.network()
    made = machine.make(environments)
    listener = machine.listener(machine.namespace)
    with machine.without_table(environments):
        assert reaches(machine.tcp(made.namespace_fd), listener, host)
    assert not reaches(machine.tcp(made.namespace_fd), listener, host)


def test_datagrams_to_the_machine_are_refused(machine: Machine) -> None:
    """With an error that the sender sees."""
    environments = machine.network()
    made = machine.make(environments)
    receiver, client = machine.receiver(machine.namespace), machine.udp(made.namespace_fd)
    client.connect((HOST_ADDRESS, OUTSIDE_PORT))
    with machine.without_table(environments):
        client.send(b"control")
        assert receiver.recv(10) == b"control"
    client.send(b"attack")
    with pytest.raises(OSError, match="No route to host"):
        client.recv(10)
    assert machine.takes(receiver, machine.namespace) == b"nothing"


def test_an_opened_port_leads_to_the_loopback_of_the_machine(machine: Machine) -> None:
    """Where services of developers listen; they see their own machine ask. Other ports stay closed."""
    made = machine.make(machine.network(allow_host=(5432, 5432, 6379)))
    listener = machine.listener(machine.namespace, "127.0.0.1", 5432)
    other = machine.listener(machine.namespace, "127.0.0.1", 5433)
    client = machine.tcp(made.namespace_fd)
    client.connect((HOST_ADDRESS, 5432))
    taken, peer = listener.accept()
    with taken:
        taken.sendall(b"hello")
        assert (client.recv(10), peer[0]) == (b"hello", "127.0.0.1")
    assert not reaches(machine.tcp(made.namespace_fd), other, HOST_ADDRESS, 5433)
    assert not reaches(machine.tcp(made.namespace_fd), listener, MACHINE, 5432)


def test_a_packet_made_by_hand_does_not_reach_the_loopback_of_the_machine(machine: Machine) -> None:
    """An opened port makes the kernel route to the loopback; what the table has not led there is refused."""
    environments = machine.network(allow_host=(5432,))
    made = machine.make(environments)
    receiver = machine.receiver(machine.namespace, "127.0.0.1")
    with machine.without_table(environments):
        send_frame(machine, made, "127.0.0.1", b"control")
        assert receiver.recv(10) == b"control"
    send_frame(machine, made, "127.0.0.1", b"attack")
    assert machine.takes(receiver, machine.namespace) == b"nothing"


def send_frame(machine: Machine, made: network.EnvironmentNetwork, destination: str, payload: bytes) -> None:
    """Send a datagram as an Ethernet frame, past the sender's own routes."""
    (outside,) = interfaces() - {"uplink"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        to = ioctl_hardware_address(any_socket, outside)
    packet = datagram(address_of(made), destination, payload)
    with inside(made.namespace_fd), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("eth0", 0))
        raw.send(to + ioctl_hardware_address(raw, "eth0") + b"\x08\x00" + packet)


def ioctl_hardware_address(sock: socket.socket, name: str) -> bytes:
    """Return the Ethernet address of an interface."""
    return fcntl.ioctl(sock, 0x8927, struct.pack("256s", name.encode()))[18:24]


def datagram(source: str, destination: str, payload: bytes) -> bytes:
    """Return an IPv4 packet with a UDP datagram in it."""
    length = 28 + len(payload)
    head = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, length, 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(destination)
    )
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    head = head[:10] + struct.pack(">H", checksum) + head[12:]
    return head + struct.pack(">HHHH", 7777, OUTSIDE_PORT, 8 + len(payload), 0) + payload


@pytest.mark.parametrize("pretended", ["another environment's", MACHINE, "198.51.100.7", "127.0.0.1"])
def test_a_false_source_address_gets_nowhere(machine: Machine, pretended: str) -> None:
    """Also where the machine's setting for all interfaces makes the kernel's own check loose, as systemd does."""
    environments = machine.network()
    made, other = machine.make(environments, 1), machine.make(environments, 2)
    source = address_of(other) if pretended.startswith("another") else pretended
    settings = Path("/proc/sys/net/ipv4/conf")
    (settings / "all" / "rp_filter").write_text("2")
    receiver = machine.receiver(machine.internet)
    with inside(made.namespace_fd):
        raw = machine.opens(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
    with machine.without_table(environments):
        raw.sendto(datagram(address_of(made), INTERNET, b"warm"), (INTERNET, 0))
        assert receiver.recv(10) == b"warm"
        if pretended.startswith("another"):
            raw.sendto(datagram(source, INTERNET, b"control"), (INTERNET, 0))
            assert receiver.recv(10) == b"control"
    raw.sendto(datagram(source, INTERNET, b"attack"), (INTERNET, 0))
    assert machine.takes(receiver, machine.internet) == b"nothing"


# Private networks ---------------------------------------------------------------------------------------------------


def test_private_networks_are_closed(machine: Machine) -> None:
    """The machine may reach them, environments may not."""
    environments = machine.network()
    made = machine.make(environments)
    listener = machine.listener(machine.internet)
    machine.route_back(address_of(made))
    with machine.without_table(environments):
        assert reaches(machine.tcp(made.namespace_fd), listener, PRIVATE)
    assert not reaches(machine.tcp(made.namespace_fd), listener, PRIVATE)


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "100.64.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1", "198.18.77.7", "240.0.0.1"],
)
def test_each_special_range_is_refused_at_once(machine: Machine, address: str) -> None:
    """A function learns it in no time."""
    made = machine.make(machine.network())
    with pytest.raises(ConnectionRefusedError):
        machine.tcp(made.namespace_fd).connect((address, 80))


@pytest.mark.parametrize("opened", [("10.99.0.0/24",), ("10.0.0.0/8", "10.99.0.0/24"), ("0.0.0.0/0",)])
def test_an_opened_network_is_reached(machine: Machine, opened: tuple[str, ...]) -> None:
    """As the machine, like everything else; networks may overlap."""
    made = machine.make(machine.network(allow_net=opened))
    listener = machine.listener(machine.internet)
    assert reaches(machine.tcp(made.namespace_fd), listener, PRIVATE)


def test_opening_the_network_of_the_machine_does_not_open_the_machine(machine: Machine) -> None:
    """Its ports are opened by their numbers alone."""
    made = machine.make(machine.network(allow_net=("203.0.113.0/24", "169.254.0.0/16")))
    listener = machine.listener(machine.namespace)
    for host in (MACHINE, HOST_ADDRESS):
        assert not reaches(machine.tcp(made.namespace_fd), listener, host)


# Names --------------------------------------------------------------------------------------------------------------


def test_a_name_server_in_a_private_network_may_be_asked(machine: Machine) -> None:
    """By UDP and TCP, at port 53 and no other."""
    made = machine.make(machine.network(name_servers=(PRIVATE,)))
    receiver = machine.receiver(machine.internet, PRIVATE, 53)
    listener = machine.listener(machine.internet, PRIVATE, 53)
    client = machine.udp(made.namespace_fd)
    client.sendto(b"who?", (PRIVATE, 53))
    _, sender = receiver.recvfrom(10)
    receiver.sendto(b"she", sender)
    assert client.recv(10) == b"she"
    assert reaches(machine.tcp(made.namespace_fd), listener, PRIVATE, 53)
    other = machine.listener(machine.internet)
    assert not reaches(machine.tcp(made.namespace_fd), other, PRIVATE)


def test_a_name_server_at_an_address_of_the_machine_may_be_asked(machine: Machine) -> None:
    """A dnsmasq at the machine's own address, say."""
    made = machine.make(machine.network(name_servers=(MACHINE,)))
    receiver = machine.receiver(machine.namespace, MACHINE, 53)
    client = machine.udp(made.namespace_fd)
    client.sendto(b"who?", (MACHINE, 53))
    _, sender = receiver.recvfrom(10)
    receiver.sendto(b"she", sender)
    assert client.recvfrom(10) == (b"she", (MACHINE, 53))


def test_a_name_server_on_the_loopback_is_asked_through_the_machine(machine: Machine) -> None:
    """It is asked from the loopback, since resolved and dnsmasq answer nobody else."""
    environments = machine.network(name_servers=("127.0.0.53",))
    assert f"nameserver {HOST_ADDRESS}\n" in environments.resolv_conf_text()
    made = machine.make(environments)
    receiver = machine.receiver(machine.namespace, "127.0.0.53", 53)
    listener = machine.listener(machine.namespace, "127.0.0.53", 53)
    client = machine.udp(made.namespace_fd)
    client.sendto(b"who?", (HOST_ADDRESS, 53))
    _, sender = receiver.recvfrom(10)
    receiver.sendto(b"she", sender)
    assert client.recvfrom(10) == (b"she", (HOST_ADDRESS, 53))
    assert sender[0] == "127.0.0.1"
    assert reaches(machine.tcp(made.namespace_fd), listener, HOST_ADDRESS, 53)


@pytest.mark.parametrize(
    ("machine_has", "resolved_has", "told"),
    [
        pytest.param("nameserver 192.0.2.1\n", "", ["192.0.2.1"], id="as the machine"),
        pytest.param(
            "search corp\noptions ndots:5\nnameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n",
            "",
            ["192.0.2.1", "192.0.2.2"],
            id="no search list, none twice",
        ),
        pytest.param("nameserver 127.0.0.53\n", "nameserver 192.0.2.9\n", ["192.0.2.9"], id="those behind resolved"),
        pytest.param("nameserver 127.0.0.1\nnameserver 192.0.2.1\n", "", ["192.0.2.1"], id="loopback among others"),
        pytest.param("nameserver 127.0.0.1\n", "nameserver ::1\n", [HOST_ADDRESS], id="only loopback"),
        pytest.param("nameserver 2001:db8::1\n", "", [], id="only IPv6"),
        pytest.param("nameserver\nnameserver name\n# nameserver 192.0.2.1\n", "", [], id="nonsense"),
        pytest.param("".join(f"nameserver 192.0.2.{n}\n" for n in range(9)), "", [f"192.0.2.{n}" for n in range(3)]),
    ],
)
@pytest.mark.skipif(not Path("/proc/self/ns").exists(), reason="needs:linux:run the tests on Linux as well")
def test_name_servers_are_those_that_environments_can_reach(
    tmp_path: Path, machine_has: str, resolved_has: str, told: list[str]
) -> None:
    """Few, of IPv4, not the loopback's; nothing of the machine's search list gets inside."""
    (tmp_path / "resolv.conf").write_text(machine_has)
    (tmp_path / "resolved").write_text(resolved_has)
    settings = NetworkSettings(False, (), (), "abcdef01")
    environments = Network(settings, tmp_path / "resolv.conf", tmp_path / "resolved")
    *servers, options = environments.resolv_conf_text().splitlines()
    environments.close()
    assert servers == [f"nameserver {server}" for server in told]
    assert options == "options timeout:2 attempts:2"


def test_the_machine_has_a_name(machine: Machine) -> None:
    """And the loopback its usual one."""
    lines = [line.split() for line in machine.network(egress=False).hosts_text().splitlines()]
    assert [HOST_ADDRESS, HOST_NAME] in lines
    assert ["127.0.0.1", "localhost"] in lines


# Coming and going ---------------------------------------------------------------------------------------------------


def test_interfaces_go_with_the_namespace(machine: Machine) -> None:
    """Nobody has to remove them."""
    made = machine.make(machine.network())
    assert len(interfaces()) == 2
    end(made)
    until(lambda: interfaces() == {"uplink"}, "the interface is gone")


def test_a_number_is_used_again_at_once(machine: Machine) -> None:
    """Though the kernel takes its time to end a namespace: here somebody still holds the old one."""
    environments = machine.network()
    old, new = machine.make(environments, 7), machine.make(environments, 7)
    listener = machine.listener(machine.internet)
    assert reaches(machine.tcp(new.namespace_fd), listener, INTERNET)
    assert old.address == new.address
    assert len(interfaces()) == 2


def test_what_a_killed_server_left_is_taken_away(machine: Machine) -> None:
    """Its table is replaced and its interfaces go, also while something holds their namespaces."""
    left = machine.network(allow_host=(5432,))
    machine.make(left, 1)
    machine.make(left, 2)
    machine.network(allow_host=(6379,))
    assert interfaces() == {"uplink"}
    assert "6379" in tables()
    assert "5432" not in tables()
    machine.network(egress=False)
    assert tables() == ""


def test_servers_on_one_machine_leave_each_other_alone(machine: Machine) -> None:
    """They have tables, interfaces and addresses of their own, though they know nothing of each other."""
    # The same first block of addresses.
    mine, theirs = machine.network(instance="00000010"), machine.network(instance="00000020")
    one, other = machine.make(mine, 3), machine.make(theirs, 3)
    assert one.address != other.address
    listener = machine.listener(machine.internet)
    machine.network(instance="00000010").close()
    assert "lambent_00000020" in tables()
    assert len(interfaces()) == 2
    assert reaches(machine.tcp(other.namespace_fd), listener, INTERNET)


def test_close_takes_the_table_away(machine: Machine, tmp_path: Path) -> None:
    """Nothing of ours is left in the packet filter."""
    environments = Network(NetworkSettings(True, (), (), "abcdef01"), tmp_path / "none", tmp_path / "none")
    environments.open()
    assert "lambent_abcdef01" in tables()
    environments.close()
    assert tables() == ""


def test_what_cannot_be_made_leaves_nothing_behind(machine: Machine) -> None:
    """The spawner is where it was, with as many descriptors, and the half-made interfaces go."""
    environments = machine.network()
    with contextlib.closing(netlink.Netlink()) as link:
        for block in network.RANGE.subnets(new_prefix=19):
            link.do(netlink.route(socket.if_nametoindex("lo"), str(block[5]), None))
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(OSError, match="taken"):
        environments.make(5, True)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    here = network_namespace()
    assert os.path.sameopenfile(here, machine.namespace)
    os.close(here)
    until(lambda: interfaces() == {"uplink"}, "the interface is gone")


@pytest.mark.parametrize("egress", [False, True])
def test_two_hundred_in_a_row(machine: Machine, egress: bool) -> None:
    """All with networks of their own; each costs a few descriptors and no more."""
    environments = machine.network()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    began = time.perf_counter()
    made = [machine.make(environments, number, egress) for number in range(200)]
    print(f"\n200 networks, egress {egress}: {200 / (time.perf_counter() - began):.0f} a second")
    assert len({os.fstat(one.namespace_fd).st_ino for one in made}) == 200
    assert len({one.address for one in made}) == (200 if egress else 1)
    assert len(os.listdir("/proc/self/fd")) == before + 4 * 200  # noqa: PTH208


# Rules that are taken away ------------------------------------------------------------------------------------------


def readable(environments: Network) -> bool:
    """Whether the network has something to look at."""
    return bool(environments.watch and select.select([environments.watch], [], [], 0)[0])


def test_rules_that_somebody_flushed_are_written_again(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """As a reload of the machine's own rules does; what was open meanwhile is closed again, and the log says so."""
    environments = machine.network()
    environments.check_table()
    assert capsys.readouterr().err.count("rules_written_again") == 0
    made = machine.make(environments)
    listener = machine.listener(machine.namespace)
    subprocess.run([nft(), "flush", "ruleset"], check=True)
    client = machine.tcp(made.namespace_fd)
    assert reaches(client, listener, HOST_ADDRESS)
    assert readable(environments)
    environments.check_table()
    assert not reaches(machine.tcp(made.namespace_fd), listener, HOST_ADDRESS)
    assert reaches(machine.tcp(made.namespace_fd), machine.listener(machine.internet), INTERNET)
    assert "sandbox.rules_written_again table=lambent_abcdef01" in capsys.readouterr().err
    environments.check_table()
    assert not readable(environments)


def test_tables_of_others_may_come_and_go(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's, say: nothing is looked at, nothing written."""
    environments = machine.network()
    environments.check_table()
    packet_filter.write_table(nft(), "table inet theirs { chain c { }; }; table inet lambent_abcdef01x { }")
    packet_filter.write_table(nft(), "delete table inet theirs; delete table inet lambent_abcdef01x")
    monkeypatch.setattr(packet_filter, "has_table", None)
    assert readable(environments)
    environments.check_table()


def test_without_rules_there_is_no_way_out(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where they cannot be written again: environments lose their interfaces, and new ones get none."""
    environments = machine.network()
    machine.make(environments)
    subprocess.run([nft(), "flush", "ruleset"], check=True)
    monkeypatch.setattr(packet_filter, "find_nft", lambda: None)
    environments.check_table()
    assert interfaces() == {"uplink"}
    assert machine.make(environments, 1).address is None
    assert "sandbox.egress_closed table=lambent_abcdef01 reason='the program nft" in capsys.readouterr().err


# Whether there can be egress ----------------------------------------------------------------------------------------


def test_forwarding_is_switched_on_with_a_word(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a setting of the whole machine: the log says who changed it, once."""
    machine.network()
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == "1\n"
    assert "net.ipv4.ip_forward" in capsys.readouterr().err
    machine.network()
    assert capsys.readouterr().err == ""


def test_probing_leaves_no_trace(machine: Machine) -> None:
    """It says yes here, and changes nothing for it."""
    before = (interfaces(), tables())
    assert probe_egress() is None
    assert (interfaces(), tables()) == before
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == "0\n"


def test_a_packet_filter_that_forwards_nothing_is_found(machine: Machine) -> None:
    """Docker's policy, say; what is missing comes with the command, and the start says so."""
    packet_filter.write_table(
        nft(), "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }"
    )
    reason = probe_egress()
    assert reason is not None
    assert "iptables -I FORWARD -i lb+ -j ACCEPT" in reason
    with pytest.raises(NetworkUnavailable, match="ip filter FORWARD"):
        machine.network()


def test_a_machine_without_nft_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is part of the reason."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packet_filter, "find_nft", lambda: None)
    assert probe_egress() == "the program nft is missing: `apt install nftables`"


def test_an_ordinary_user_is_told_that_it_takes_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else is there."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in (probe_egress() or "")


def test_rules_that_the_kernel_refuses_are_a_reason(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without the modules; the message has nft's own words."""
    monkeypatch.setattr(packet_filter, "table_text", lambda *_: "table inet x { chain y { no such rule; }; }")
    assert "nftables does not work here" in (probe_egress() or "")
    with pytest.raises(NetworkUnavailable, match="modprobe"):
        machine.network()
