"""
The network of execution environments: a namespace each, two listeners in it, and a guarded way to the internet.

An environment with egress has one interface, point to point with the machine, no bridge between environments. What
may pass is one nftables table, written once. Used by the spawner: standard library only, one thread.
IPv6 is not offered: environments have no IPv6 address but the loopback's.
"""

import contextlib
import fcntl
import ipaddress
import os
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from lambent.sandbox import netlink
from lambent.sandbox.inside import system_calls

_RUNTIME_API = ("127.0.0.1", 9001)
"""Documented: AWS's own value of AWS_LAMBDA_RUNTIME_API."""
_GATEWAY = ("127.0.0.1", 4566)
_RUNTIME_BACKLOG = 16
_GATEWAY_BACKLOG = 64

RANGE = ipaddress.IPv4Network("198.18.0.0/15")
"""Addresses of environments. Documented: RFC 2544 keeps it for tests of devices; no network of people uses it."""

HOST_ADDRESS = "169.254.1.1"
"""The machine as environments see it; link-local, so that it is nobody else's."""
HOST_NAME = "host.lambent.internal"

_BLOCK_PREFIX = 19
NUMBERS_MAX = 1 << (32 - _BLOCK_PREFIX)
"""How many environments one server may have; each server on a machine takes a block of the range for itself."""

_CLOSED = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip
"""What is no internet: private, shared, link-local, multicast and reserved ranges (RFC 6890)."""

_SIOCSIFFLAGS = 0x8914
_IFF_UP_RUNNING = 0x41
_RESOLVED = Path("/run/systemd/resolve/resolv.conf")
"""Where systemd-resolved names the servers behind its own loopback address."""


class NetworkUnavailable(Exception):
    """Egress cannot be had on this machine. The message says why, and what changes it."""


class NetworkSettings(NamedTuple):
    egress: bool
    allow_host: tuple[int, ...]
    """Ports of this machine that environments may reach at `HOST_NAME`."""
    allow_net: tuple[str, ...]
    """Networks of `_CLOSED` that are open all the same."""
    instance: str
    """Eight hexadecimal digits that name the table and the interfaces of one data folder."""


class EnvironmentNetwork(NamedTuple):
    namespace_fd: int
    runtime_listener: socket.socket
    gateway_listener: socket.socket
    address: str | None
    """The environment's own address; None where it has only the loopback."""


def probe_egress() -> str | None:
    """Return why egress cannot be offered here and what changes that, None when it can."""
    if os.geteuid() != 0:
        return "a way to the internet takes root; start the server as root"
    if _nft() is None:
        return "the program nft is missing: `apt install nftables`"
    try:
        subprocess.run([_nft() or "nft", "list", "tables"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        return f"nftables does not work here: {_last_words(error)}"
    if not os.access("/proc/sys/net/ipv4/ip_forward", os.W_OK):
        return "forwarding cannot be switched on: /proc/sys/net/ipv4/ip_forward is read-only"
    return None


class Network:
    """
    Makes the networks of environments.

    Args:
        settings: what may pass.
        resolv_conf: where the machine's name servers stand; for tests.
    """

    def __init__(self, settings: NetworkSettings, resolv_conf: Path = Path("/etc/resolv.conf")) -> None:
        self._settings = settings
        self._table = f"lambent_{settings.instance}"
        self._prefix = f"lb{settings.instance[:6]}"
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._netlink = netlink.Netlink()
        self._is_open = False
        self._block = RANGE
        self._servers, self._relays_dns = _name_servers(resolv_conf)

    def open(self) -> None:
        """
        Take away what an earlier spawner left; then write the table, where egress is wanted.

        Raises:
            NetworkUnavailable: egress is wanted and cannot be had.
        """
        nft = _nft()
        if nft is not None:
            subprocess.run([nft, "delete", "table", "inet", self._table], capture_output=True, check=False)
        for name, index in self._netlink.links().items():
            if name.startswith(self._prefix):
                with contextlib.suppress(OSError):
                    self._netlink.do(netlink.delete(index))
        if not self._settings.egress:
            return
        if reason := probe_egress():
            raise NetworkUnavailable(reason)
        forwarding = Path("/proc/sys/net/ipv4/ip_forward")
        if forwarding.read_text().strip() != "1":
            sys.stderr.write("sandbox.forwarding_switched_on setting=net.ipv4.ip_forward\n")
            forwarding.write_text("1")
        assert nft is not None
        self._block = _free_block(int(self._settings.instance, 16))
        try:
            subprocess.run([nft, "-f", "-"], input=self.rules(), text=True, check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError) as error:
            raise NetworkUnavailable(f"nftables refused the rules: {_last_words(error)}") from error
        self._is_open = True

    def make(self, number: int, egress: bool) -> EnvironmentNetwork:
        """
        Make one environment's network.

        Args:
            number: 0 to NUMBERS_MAX - 1, no other living environment's.
            egress: whether it has a way out, where `open` found one.

        Raises:
            OSError: the machine has no more to give.
        """
        assert 0 <= number < NUMBERS_MAX
        has_egress = egress and self._is_open
        system_calls.unshare(system_calls.CLONE_NEWNET)
        inner: netlink.Netlink | None = None
        try:
            namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            runtime = _listener(_RUNTIME_API, _RUNTIME_BACKLOG, raise_loopback=True)
            gateway = _listener(_GATEWAY, _GATEWAY_BACKLOG)
            if has_egress:
                inner = netlink.Netlink()
        finally:
            self._go_home()
        address = None
        if inner is not None:
            try:
                address = self._connect(number, namespace, inner)
            except BaseException:
                os.close(namespace)
                raise
            finally:
                inner.close()
        return EnvironmentNetwork(namespace, runtime, gateway, address)

    def _go_home(self) -> None:
        try:
            system_calls.setns(self._home, system_calls.CLONE_NEWNET)
        except OSError:
            # In a foreign namespace this process would do harm from here on.
            os._exit(71)

    def _connect(self, number: int, namespace: int, inner: netlink.Netlink) -> str:
        """Put a pair of interfaces between the machine and a namespace."""
        name = f"{self._prefix}{number:04x}"
        address = str(self._block[number])
        self._netlink.do(netlink.veth(name, "eth0", namespace))
        outside, inside = socket.if_nametoindex(name), inner.links()["eth0"]
        settings = Path("/proc/sys/net/ipv4/conf", name)
        # Packets with another's source address are dropped at the door.
        (settings / "rp_filter").write_text("1")
        if self._settings.allow_host or self._relays_dns:
            # Services of the machine listen on its loopback, to which the table leads what is allowed.
            (settings / "route_localnet").write_text("1")
        with contextlib.suppress(OSError):
            Path("/proc/sys/net/ipv6/conf", name, "disable_ipv6").write_text("1")
        self._netlink.do(
            netlink.address(outside, HOST_ADDRESS), netlink.up(outside), netlink.route(outside, address, None)
        )
        inner.do(
            netlink.address(inside, address),
            netlink.up(inside),
            netlink.route(inside, HOST_ADDRESS, None),
            netlink.route(inside, None, HOST_ADDRESS),
        )
        return address

    def rules(self) -> str:
        """Return the table as nft reads it. `lb...` is whatever interface belongs to an environment."""
        ours = f'"{self._prefix}*"'
        servers = ", ".join(server for server in self._servers if server != HOST_ADDRESS)
        opened = ", ".join(self._settings.allow_net)
        ports = ", ".join(str(port) for port in self._settings.allow_host)
        to_host = f"iifname {ours} ip daddr {HOST_ADDRESS}"
        prerouting = [f"{to_host} tcp dport {{ {ports} }} dnat ip to 127.0.0.1"] if ports else []
        if self._relays_dns:
            relay = self._relays_dns
            prerouting += [f"{to_host} {protocol} dport 53 dnat ip to {relay}" for protocol in ("udp", "tcp")]
        forward = [
            f"oifname {ours} ct state established,related accept",
            f"oifname {ours} drop",
            f"iifname {ours} ip saddr != {self._block} drop",
            f"iifname {ours} meta nfproto ipv6 drop",
        ]
        for protocol in ("udp", "tcp") if servers else ():
            forward.append(f"iifname {ours} ip daddr {{ {servers} }} {protocol} dport 53 accept")
        if opened:
            forward.append(f"iifname {ours} ip daddr {{ {opened} }} accept")
        forward.append(f"iifname {ours} ip daddr {{ {', '.join(_CLOSED)} }} reject with icmp type admin-prohibited")
        inputs = [
            f"iifname {ours} ct state established,related accept",
            f"iifname {ours} ct status dnat accept",
            f"iifname {ours} meta l4proto tcp reject with tcp reset",
            f"iifname {ours} drop",
        ]
        postrouting = [f'ip saddr {RANGE} oifname != {ours} oifname != "lo" masquerade']
        chains = {
            "prerouting": ("type nat hook prerouting priority dstnat; policy accept;", prerouting),
            "passing": ("type filter hook forward priority filter; policy accept;", forward),
            "arriving": ("type filter hook input priority filter; policy accept;", inputs),
            "leaving": ("type nat hook postrouting priority srcnat; policy accept;", postrouting),
        }
        lines = [f"table inet {self._table} {{"]
        for name, (head, rules) in chains.items():
            lines += [f"  chain {name} {{", f"    {head}", *(f"    {rule}" for rule in rules), "  }"]
        return "\n".join([*lines, "}"]) + "\n"

    def hosts_text(self) -> str:
        """Return /etc/hosts of environments."""
        return f"127.0.0.1 localhost\n::1 localhost\n{HOST_ADDRESS} {HOST_NAME}\n"

    def resolv_conf_text(self) -> str:
        """Return /etc/resolv.conf of environments."""
        servers = "".join(f"nameserver {server}\n" for server in self._servers[:3])
        return servers + "options timeout:2 attempts:2\n"

    def close(self) -> None:
        """Take the table away. Interfaces go with their namespaces."""
        if self._is_open and (nft := _nft()) is not None:
            subprocess.run([nft, "delete", "table", "inet", self._table], capture_output=True, check=False)
        self._is_open = False
        self._netlink.close()
        os.close(self._home)


def _free_block(preferred: int) -> ipaddress.IPv4Network:
    """
    Return a block of RANGE that no route of this machine leads into.

    Raises:
        NetworkUnavailable: other servers have taken all of them.
    """
    taken = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        destination, mask = (
            int.from_bytes(bytes.fromhex(word), "little") for word in (line.split()[1], line.split()[7])
        )
        if mask:
            taken.append(ipaddress.IPv4Address(destination))
    blocks = list(RANGE.subnets(new_prefix=_BLOCK_PREFIX))
    for position in range(len(blocks)):
        block = blocks[(preferred + position) % len(blocks)]
        if not any(address in block for address in taken):
            return block
    raise NetworkUnavailable(
        f"all of {RANGE} is routed on this machine already; stop another server or use --egress none"
    )


def _nft() -> str | None:
    return shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin")


def _last_words(error: Exception) -> str:
    told = error.stderr if isinstance(error, subprocess.CalledProcessError) else None
    if isinstance(told, bytes):
        told = told.decode("utf-8", "replace")
    return " ".join((told or str(error)).split())[:500]


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


def _name_servers(resolv_conf: Path) -> tuple[list[str], str | None]:
    """
    Return the name servers for environments, and the loopback one that the machine relays to when it has no other.

    IPv6 servers are left out: environments cannot reach them.
    """
    found = _servers_in(resolv_conf)
    if all(server.is_loopback for server in found):
        found = [server for server in _servers_in(_RESOLVED) if not server.is_loopback] or found
    outside = [str(server) for server in found if not server.is_loopback]
    if outside or not found:
        return outside, None
    return [HOST_ADDRESS], str(found[0])


def _servers_in(path: Path) -> list[ipaddress.IPv4Address]:
    servers = []
    with contextlib.suppress(OSError):
        for line in path.read_text(errors="replace").splitlines():
            words = line.split()
            if len(words) >= 2 and words[0] == "nameserver":
                with contextlib.suppress(ValueError):
                    servers.append(ipaddress.IPv4Address(words[1]))
    return servers
