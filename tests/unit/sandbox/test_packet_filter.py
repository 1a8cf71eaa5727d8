"""The table as the kernel takes it. What it lets pass is tested with environments, in test_network.py."""

import contextlib
import shlex
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.sandbox.network_stage import INTERNET, MACHINE, OUTSIDE_PORT, Machine, address_of, inside, nft, stage

from lambent.sandbox.network import HOST_ADDRESS, Network, NetworkSettings, NetworkUnavailable, probe_egress
from lambent.sandbox.packet_filter import PacketFilterError, closed_by_others, remove_table, table_text, write_table

FORWARD_DROP = "type filter hook forward priority 0; policy drop;"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine of this test's own, whose packet filter is empty."""
    with stage(tmp_path) as machine:
        yield machine


def ruleset() -> str:
    return subprocess.run([nft(), "list", "ruleset"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "openings",
    [
        pytest.param({}, id="nothing open"),
        pytest.param({"allow_host": (80, 80, 443)}, id="a port twice"),
        pytest.param({"allow_net": ("10.0.0.0/8", "10.1.0.0/16", "10.0.0.0/8")}, id="networks in one another"),
        pytest.param({"allow_net": ("0.0.0.0/0",)}, id="everything"),
        pytest.param({"name_servers": ("192.0.2.1", "192.0.2.1")}, id="a name server twice"),
        pytest.param({"name_servers": ("169.254.1.1",), "relays_dns_to": "127.0.0.53"}, id="a relayed name server"),
        pytest.param(
            {
                "allow_host": (53,),
                "allow_net": ("192.168.0.0/16",),
                "name_servers": ("192.168.0.1",),
                "relays_dns_to": "127.0.0.1",
            },
            id="all",
        ),
    ],
)
@pytest.mark.usefixtures("machine")
def test_the_kernel_takes_every_table(openings: dict[str, object]) -> None:
    """Whatever the operator opens, once and again, and it can be removed."""
    for _ in range(2):
        write_table(nft(), table_text("abcdef01", **openings))  # type: ignore[arg-type]
        assert ruleset().count("table inet lambent_abcdef01") == 1
    remove_table(nft(), "abcdef01")
    assert ruleset() == ""


@pytest.mark.usefixtures("machine")
def test_a_table_that_is_refused_leaves_the_old_one() -> None:
    """All of it or nothing; the message is nft's."""
    write_table(nft(), table_text("abcdef01", allow_host=(80,)))
    before = ruleset()
    with pytest.raises(PacketFilterError, match=r"192\.0\.2\.999"):
        write_table(nft(), table_text("abcdef01", name_servers=("192.0.2.999",)))
    assert ruleset() == before


@pytest.mark.usefixtures("machine")
def test_removing_a_table_that_is_not_there_does_nothing() -> None:
    """As after a clean stop."""
    remove_table(nft(), "abcdef01")


def test_a_network_that_is_none_gets_into_no_rule() -> None:
    """Whoever calls has checked it; nft would take more than a network."""
    with pytest.raises(ValueError, match="not a valid netmask"):
        table_text("abcdef01", allow_net=("10.0.0.0/8 } accept; #",))


@pytest.mark.parametrize(
    ("others", "told"),
    [
        pytest.param("", None, id="none"),
        pytest.param(
            f"table ip filter {{ chain INPUT {{ {FORWARD_DROP.replace('forward', 'input')} }}; }}", None, id="in"
        ),
        pytest.param(f"table ip6 filter {{ chain FORWARD {{ {FORWARD_DROP} }}; }}", None, id="IPv6"),
        pytest.param(
            f"table ip filter {{ chain FORWARD {{ {FORWARD_DROP} }}; }}", "iptables -I FORWARD -i lb+", id="ufw"
        ),
        pytest.param(
            f"table ip filter {{ chain DOCKER-USER {{ }}; chain FORWARD {{ {FORWARD_DROP} }}; }}",
            "iptables -I DOCKER-USER -i lb+",
            id="Docker",
        ),
        pytest.param(
            f'table ip filter {{ chain DOCKER-USER {{ iifname "lb*" accept; }}; chain FORWARD {{ {FORWARD_DROP} }}; }}',
            None,
            id="Docker, and somebody has seen to it",
        ),
        pytest.param(
            f"table inet mine {{ chain passes {{ {FORWARD_DROP} }}; }}", "nft insert rule inet mine passes", id="own"
        ),
    ],
)
@pytest.mark.usefixtures("machine")
def test_filters_that_forward_nothing_are_found(others: str, told: str | None) -> None:
    """Each with the command that suits it."""
    write_table(nft(), others)
    reason = closed_by_others(nft())
    assert (reason is None) == (told is None)
    assert told is None or told in (reason or "")


@pytest.mark.usefixtures("machine")
def test_what_is_told_to_do_is_enough() -> None:
    """A shell takes the command as it is printed."""
    write_table(nft(), f"table inet mine {{ chain passes {{ {FORWARD_DROP} }}; }}")
    reason = closed_by_others(nft())
    assert reason is not None
    for command in reason.split("`")[1].split("; "):
        subprocess.run([nft(), *shlex.split(command)[1:]], check=True)
    assert closed_by_others(nft()) is None


# With environments -------------------------------------------------------------------------------------------------


def connects(client: socket.socket, host: str, port: int = OUTSIDE_PORT) -> bool:
    """Say whether somebody took the connection; a refusal comes at once."""
    try:
        client.connect((host, port))
    except TimeoutError:
        pytest.fail("not refused but left to wait")
    except OSError:
        return False
    return True


DOCKER_NAT = """
table ip nat {
  chain DOCKER {
    tcp dport 5432 dnat to 172.17.0.2:5432
  }
  chain PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump DOCKER
  }
}
"""


@pytest.mark.parametrize("is_first", [True, False])
def test_a_port_that_docker_publishes_can_be_opened(machine: Machine, is_first: bool) -> None:
    """Docker's proxy serves it here; Docker's translation would lead to a closed address, whoever started first."""
    listener = machine.listener(machine.namespace, "0.0.0.0", 5432)
    if is_first:
        write_table(nft(), DOCKER_NAT)
    made = machine.make(machine.network(allow_host=(5432,)))
    if not is_first:
        write_table(nft(), DOCKER_NAT)
    assert connects(machine.tcp(made.namespace_fd), HOST_ADDRESS, 5432)
    listener.accept()[0].close()


def test_a_service_sees_its_own_machine(machine: Machine) -> None:
    """Redis and PostgreSQL, as they are installed, talk to the loopback alone."""
    listener = machine.listener(machine.namespace, "127.0.0.1", 6379)
    made = machine.make(machine.network(allow_host=(6379,)))
    assert connects(machine.tcp(made.namespace_fd), HOST_ADDRESS, 6379)
    taken, peer = listener.accept()
    taken.close()
    assert peer[0] == "127.0.0.1"


def test_a_packet_of_no_connection_does_not_leave(machine: Machine) -> None:
    """It would not be translated, and show the world an address that is the environment's own."""
    environments = machine.network()
    made = machine.make(environments)
    receiver = machine.receiver(machine.internet)
    with inside(machine.internet):
        tap = machine.opens(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)))
    with inside(made.namespace_fd):
        raw = machine.opens(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
    raw.sendto(reset(address_of(made), INTERNET), (INTERNET, 0))
    machine.udp(made.namespace_fd).sendto(b"after it", (INTERNET, OUTSIDE_PORT))
    assert receiver.recv(10) == b"after it"
    seen = []
    tap.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            seen.append(socket.inet_ntoa(tap.recv(100)[12:16]))
    assert MACHINE in seen
    assert address_of(made) not in seen


def reset(source: str, destination: str) -> bytes:
    """Return a TCP reset that belongs to no connection, as IPv4 packet. The kernel fills in the head's checksum."""
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    segment = struct.pack("!HHIIBBHHH", 5000, 80, 1, 0, 0x50, 0x04, 0, 0, 0)
    total = sum(struct.unpack("!16H", ends + struct.pack("!BBH", 0, 6, 20) + segment))
    total = (total & 0xFFFF) + (total >> 16)
    segment = segment[:16] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + segment[18:]
    return struct.pack("!BBHHHBBH", 0x45, 0, 40, 7, 0, 64, 6, 0) + ends + segment


def test_processes_of_the_machine_do_not_enter(machine: Machine) -> None:
    """Other users' processes have no business inside; without the table they would get in."""
    environments = machine.network()
    made = machine.make(environments)
    machine.listener(made.namespace_fd)
    with machine.without_table(environments):
        assert connects(machine.tcp(machine.namespace), address_of(made))
    assert not connects(machine.tcp(machine.namespace), address_of(made))


def test_closing_leaves_no_open_door(machine: Machine, tmp_path: Path) -> None:
    """An environment that outlives the table for a moment has no interface any more."""
    environments = Network(NetworkSettings(True, (), (), "abcdef01"), tmp_path / "none", tmp_path / "none")
    environments.open()
    made = machine.make(environments)
    machine.listener(machine.namespace)
    environments.close()
    assert not connects(machine.tcp(made.namespace_fd), MACHINE)


def test_the_unspecified_address_is_a_name_server_of_the_machine(machine: Machine) -> None:
    """`nameserver 0.0.0.0` works on the machine; inside it would be the environment itself."""
    made = machine.make(machine.network(name_servers=("0.0.0.0",)))
    receiver = machine.receiver(machine.namespace, "127.0.0.1", 53)
    machine.udp(made.namespace_fd).sendto(b"who?", (HOST_ADDRESS, 53))
    assert receiver.recv(10) == b"who?"


UFW = """
table ip filter {
  chain INPUT {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
  }
}
"""


@pytest.mark.parametrize("port", [(), (5432,)])
@pytest.mark.parametrize("name_server", ["127.0.0.53", "192.0.2.53"])
def test_a_firewall_before_the_machine_is_found_when_it_matters(
    machine: Machine, port: tuple[int, ...], name_server: str
) -> None:
    """When something of the machine is shown to environments, and only then."""
    write_table(nft(), UFW)
    if not port and name_server == "192.0.2.53":
        machine.network(name_servers=(name_server,))
        return
    with pytest.raises(NetworkUnavailable, match=r"iptables -I INPUT -i lb\+ -j ACCEPT`"):
        machine.network(allow_host=port, name_servers=(name_server,))


FIREWALLD = """
table inet firewalld {
  chain filter_FORWARD {
    type filter hook forward priority filter + 10; policy accept;
    ct state established,related accept
    reject with icmpx admin-prohibited
  }
}
"""
DOCKER = """
table ip filter {
  chain DOCKER-USER {
  }
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    jump DOCKER-USER
  }
}
"""
OWN = """
table inet mine {
  chain forwarding {
    type filter hook forward priority filter; policy drop;
  }
}
"""
ACCEPTS = """
table inet mine {
  chain forwarding {
    type filter hook forward priority filter; policy accept;
    ip daddr 192.0.2.7 drop
  }
}
"""


@pytest.mark.parametrize(
    ("table", "command"),
    [
        (FIREWALLD, "nft insert rule inet firewalld filter_FORWARD iifname 'lb*' accept"),
        (DOCKER, "iptables -I DOCKER-USER -i lb+ -j ACCEPT"),
        (OWN, "nft insert rule inet mine forwarding iifname 'lb*' accept"),
    ],
)
def test_whoever_drops_what_is_forwarded_is_named_with_a_remedy(machine: Machine, table: str, command: str) -> None:
    """By a policy, or by the last rule."""
    write_table(nft(), table)
    assert command in (probe_egress() or "")


def test_a_filter_that_drops_something_is_none_that_drops_all(machine: Machine) -> None:
    """A rule with a condition at the end of a chain is the operator's own business."""
    write_table(nft(), ACCEPTS)
    assert probe_egress() is None


@pytest.mark.parametrize("table", [FIREWALLD, OWN])
def test_the_remedy_helps(machine: Machine, table: str) -> None:
    """As it stands in the message, in a shell; the control is that without it nothing gets through."""
    made = machine.make(machine.network())
    machine.listener(machine.internet)
    write_table(nft(), table)
    client = machine.tcp(made.namespace_fd)
    client.settimeout(0.3)
    with pytest.raises(OSError, match=r"timed out|No route to host"):
        client.connect((INTERNET, OUTSIDE_PORT))
    subprocess.run(["sh", "-ec", (probe_egress() or "").split("`")[1]], check=True)
    assert probe_egress() is None
    assert connects(machine.tcp(made.namespace_fd), INTERNET)


def test_each_rule_is_about_environments_of_this_server() -> None:
    """Nothing else on the machine is filtered or translated."""
    text = table_text("0badcafe", (1,), ("10.0.0.0/8",), ("192.0.2.1",), "127.0.0.53")
    lines = [line.strip() for line in text.splitlines()]
    rules = [line for line in lines if not line.startswith(("table", "delete", "set", "chain", "type", "}"))]
    assert len(rules) > 10
    assert [rule for rule in rules if '"lb0badcafe*"' not in rule] == []
    assert all(line.endswith("policy accept;") for line in lines if line.startswith("type"))
