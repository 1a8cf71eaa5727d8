"""The table as the kernel takes it. What it lets pass is tested with environments, in test_network.py."""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.sandbox.network_stage import Machine, nft, stage

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
