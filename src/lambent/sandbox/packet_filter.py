"""
What may pass between environments, the machine and the internet: one nftables table for each data folder.

The table's text is made here, and nft runs here. Used by the spawner: standard library only.
"""

import contextlib
import ipaddress
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

RANGE = ipaddress.IPv4Network("198.18.0.0/15")
"""
Addresses of environments. Documented: RFC 2544 keeps it for tests of devices, so that hardly anybody's network has it.
Proxies that answer name look-ups with made-up addresses like it, too; routes to environments are /32 and come first.
"""

HOST_ADDRESS = "169.254.1.1"
"""The machine as environments see it; link-local, so that it is nobody else's."""

_CLOSED = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.168.0.0/16", str(RANGE), "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip
"""
What is no internet: private, shared, link-local, multicast and reserved ranges (RFC 6890), and the address from which
Azure's machines fetch what they are set up with.
"""

CONNECTIONS_MAX = 4096
"""
What one environment may have in the machine's table of connections, which all share: 262,144 on a machine of 4 GiB, and
whoever comes when it is full is dropped. Closed TCP connections do not count.
Assumed: Lambda's 1,024 descriptors, and a hundred questions a second to name servers, each remembered for 30 s. With
more the kernel would take long to count: 16,384 cost a function that opens all it can four times the processor.
"""

_COUNTED_ADDRESSES_MAX = 16_384
"""
Twice as many as a server may have environments, since the kernel remembers connections of those that have ended. What
finds no place is not counted; the kernel takes 16 bytes for each place beforehand.
"""

_PATH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin"
_TIMEOUT_S = 10
_FINAL = re.compile(r"(counter( packets \d+ bytes \d+)? )?(drop|reject( with .*)?)")
"""A rule that stops whatever reaches it."""


class PacketFilterError(Exception):
    """The kernel or nft refused. The message has its last words."""


def find_nft() -> str | None:
    """Return the path of nft, None when it is not installed."""
    return shutil.which("nft", path=_PATH)


def interface_prefix(instance: str) -> str:
    """Return what names of an instance's interfaces begin with; four hexadecimal digits follow."""
    return f"lb{instance}"


def table_text(
    instance: str,
    allow_host: Iterable[int] = (),
    allow_net: Iterable[str] = (),
    name_servers: Iterable[str] = (),
    relays_dns_to: str | None = None,
    counts_connections: bool = True,
) -> str:
    """
    Return the table as nft reads it; it takes the place of an earlier one in one transaction.

    Args:
        instance: eight hexadecimal digits.
        allow_host: ports of the machine's loopback that environments reach at HOST_ADDRESS.
        allow_net: networks that are open though they are in a closed range.
        name_servers: who environments may ask, wherever they are.
        relays_dns_to: a loopback address of the machine where a name server listens; HOST_ADDRESS stands for it.
        counts_connections: whether CONNECTIONS_MAX holds, for which the kernel needs nft_connlimit.
    """
    ours = f'"{interface_prefix(instance)}*"'
    to_host = f"iifname {ours} ip daddr {HOST_ADDRESS}"
    opened = list(ipaddress.collapse_addresses(ipaddress.IPv4Network(network) for network in allow_net))
    ports = sorted(set(allow_host))
    servers = sorted(set(name_servers) - {HOST_ADDRESS})
    dns = [f"iifname {ours} ip daddr {_set(servers)} {protocol} dport 53 accept" for protocol in ("udp", "tcp")]

    spoofed = [
        f"iifname {ours} meta nfproto ipv6 drop",
        # Besides rp_filter, which a setting for all interfaces may have made loose.
        f"iifname {ours} fib saddr . iif oif missing drop",
    ]
    counted = _refuse_more(f"iifname {ours} ct state new") if counts_connections else []
    diverted, arriving, relayed = [], list(counted), []
    if ports:
        diverted.append(f"{to_host} tcp dport {_set(ports)} dnat ip to 127.0.0.1")
        arriving.append(f"iifname {ours} ip daddr 127.0.0.1 tcp dport {_set(ports)} ct status dnat accept")
        # Redis and PostgreSQL, as they are installed, talk to nobody but the machine itself.
        relayed.append(f"iifname {ours} ip daddr 127.0.0.1 tcp dport {_set(ports)} ct status dnat snat ip to 127.0.0.1")
    if relays_dns_to:
        for protocol in ("udp", "tcp"):
            asked = f"iifname {ours} ip daddr {relays_dns_to} {protocol} dport 53"
            diverted.append(f"{to_host} {protocol} dport 53 dnat ip to {relays_dns_to}")
            arriving.append(f"{asked} ct status dnat accept")
            # Documented: resolved and dnsmasq (--local-service) answer only those who ask from the machine itself.
            relayed.append(f"{asked} ct status dnat snat ip to 127.0.0.1")
    arriving += [
        # A name server may listen at an address of this machine other than the loopback's.
        *(dns if servers else ()),
        *_refuse(f"iifname {ours}"),
    ]
    passing = [
        f"oifname {ours} ct state established,related accept",
        *_refuse(f"iifname {ours} oifname {ours}"),
        f"oifname {ours} drop",
        # What belongs to no connection would not be masqueraded either.
        f"iifname {ours} ct state invalid drop",
        *counted,
        *(dns if servers else ()),
        *([f"iifname {ours} ip daddr {_set(opened)} accept"] if opened else ()),
        *_refuse(f"iifname {ours} ip daddr {_set(_CLOSED)}"),
    ]
    # Other processes of the machine have no business inside; the Runtime API and the gateway need no route.
    entering = [f"oifname {ours} ct state established,related accept", *_refuse(f"oifname {ours}")]
    leaving = [f'ip saddr {RANGE} oifname != {ours} oifname != "lo" masquerade']

    table = f"table inet {table_name(instance)}"
    lines = [table, f"delete {table}", f"{table} {{"]
    if counts_connections:
        lines.append(f"  set connections {{ type ipv4_addr; size {_COUNTED_ADDRESSES_MAX}; flags dynamic; }}")
    for name, hook, rules in (
        ("spoofed", "type filter hook prerouting priority raw", spoofed),
        # Before Docker, which would lead ports that it has published to addresses that are closed.
        ("diverted", "type nat hook prerouting priority dstnat - 10", diverted),
        ("passing", "type filter hook forward priority filter", passing),
        ("arriving", "type filter hook input priority filter", arriving),
        # nft has no name for the place of source NAT on the way in.
        ("relayed", "type nat hook input priority 100", relayed),
        ("entering", "type filter hook output priority filter", entering),
        ("leaving", "type nat hook postrouting priority srcnat", leaving),
    ):
        lines += [f"  chain {name} {{", f"    {hook}; policy accept;", *(f"    {rule}" for rule in rules), "  }"]
    return "\n".join([*lines, "}", ""])


def _refuse(matches: str) -> list[str]:
    return [
        # The kernel does not ration resets as it does ICMP errors: a function learns at once, however often it asks.
        f"{matches} meta l4proto tcp reject with tcp reset",
        f"{matches} reject with icmp type admin-prohibited",
    ]


def _refuse_more(matches: str) -> list[str]:
    """Refuse what would be one connection too many of its source address."""
    # Behind all that has to match: whatever gets there is counted.
    is_over = f"add @connections {{ ip saddr ct count over {CONNECTIONS_MAX} }}"
    return [
        f"{matches} meta l4proto tcp {is_over} reject with tcp reset",
        f"{matches} meta l4proto != tcp {is_over} reject with icmp type admin-prohibited",
    ]


def _set(members: Iterable[object]) -> str:
    return "{ " + ", ".join(map(str, members)) + " }"


def table_name(instance: str) -> str:
    """Return the name of an instance's table."""
    return f"lambent_{instance}"


def write_table(nft: str, text: str) -> None:
    """
    Put a table into the kernel, all of it or nothing.

    Raises:
        PacketFilterError: it cannot be had here.
    """
    _run([nft, "-f", "-"], text)


def has_table(nft: str, instance: str) -> bool:
    """
    Return whether the table of an instance is there.

    Raises:
        PacketFilterError: nft does not say.
    """
    return f"table inet {table_name(instance)}" in _run([nft, "list", "tables"]).splitlines()


def remove_table(nft: str, instance: str) -> None:
    """Take the table of an instance away, if there is one."""
    with contextlib.suppress(PacketFilterError):
        _run([nft, "delete", "table", "inet", table_name(instance)])


def closed_by_others(nft: str, hook: str = "forward") -> str | None:
    """
    Return which other packet filter drops what environments send and how to let them through, or None.

    What one table accepts, another may still drop: by the policy of a chain (Docker, ufw) or by its last rule
    (firewalld).

    Args:
        nft: the program.
        hook: `forward`, or `input` for what goes to the machine itself.

    Raises:
        PacketFilterError: the machine's filters cannot be read.
    """
    family = table = name = ""
    names, hooked = set(), []
    # Its JSON would be less to read here, but not every distribution builds nft with it.
    for line in _run([nft, "list", "chains"]).splitlines():
        words = line.split()
        if words[:1] == ["table"]:
            family, table = words[1:3]
        elif words[:1] == ["chain"]:
            name = words[1]
            names.add((family, table, name))
        elif f" hook {hook} " in line and family in {"ip", "inet"} and not table.startswith("lambent_"):
            hooked.append((family, table, name, "policy drop" in line))
    for family, table, name, by_policy in hooked:
        lines = _run([nft, "list", "chain", family, table, name]).replace("}", "").split("\n")
        last = [line.strip() for line in lines if line.strip()][-1]
        # Who has a rule for our interfaces there has dealt with it.
        if (by_policy or _FINAL.fullmatch(last)) and 'iifname "lb' not in _run([nft, "list", "table", family, table]):
            place = "DOCKER-USER" if hook == "forward" and (family, table, "DOCKER-USER") in names else name
            return _let_through(hook, family, table, name, place)
    # iptables has an older home in the kernel, which nft does not see. Asking it where it is not used would load it.
    legacy, tables = shutil.which("iptables-legacy", path=_PATH), Path("/proc/net/ip_tables_names")
    if legacy and tables.exists() and "filter" in tables.read_text().split():
        rules = _run([legacy, "-S"])
        if f"-P {hook.upper()} DROP" in rules and " lb" not in rules:
            place = "DOCKER-USER" if hook == "forward" and "-N DOCKER-USER" in rules else hook.upper()
            return _let_through(hook, "ip", "filter", hook.upper(), place, "iptables-legacy")
    return None


def _let_through(hook: str, family: str, table: str, name: str, place: str, iptables: str = "iptables") -> str:
    if (family, table, name) == ("ip", "filter", hook.upper()):
        insert = f"{iptables} -I {place}"
        remedy = f"{insert} -i lb+ -j ACCEPT"
        replies = f"{insert} -o lb+ -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
    else:
        insert = f"nft insert rule {family} {table} {name}"
        remedy = f"{insert} iifname 'lb*' accept"
        replies = f"{insert} oifname 'lb*' ct state established,related accept"
    if hook == "forward":
        remedy += f"; {replies}"
    return f"{family} {table} {name} drops what environments send ({hook}): `{remedy}`"


def _run(command: list[str], text: str = "") -> str:
    try:
        done = subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        raise PacketFilterError(" ".join(error.stderr.split())[:500]) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise PacketFilterError(str(error)) from error
    return done.stdout
