"""
The few rtnetlink messages that an environment's network takes, packed by hand.

pyroute2 has all of them and thousands more, but opens sockets and a loop for each namespace; ADR 17 has the figures.
Standard library only: the spawner imports it. Source: rtnetlink(7), linux/rtnetlink.h, linux/if_link.h, linux/ip.h.
"""

import os
import socket
import struct
from collections.abc import Mapping
from typing import NamedTuple

_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _NEWROUTE = 16, 17, 18, 20, 24
_REQUEST, _ACK, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x200, 0x400
_ERROR = 2

_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_AF_SPEC, _IFLA_GROUP, _IFLA_NET_NS_FD = 3, 18, 26, 27, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFLA_INET_CONF, _IFLA_INET6_ADDR_GEN_MODE, _ADDR_GEN_MODE_NONE = 1, 8, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_IFF_UP = 1
_TABLE_MAIN, _PROTOCOL_STATIC = 254, 4
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_UNICAST = 1

FORWARDING, RP_FILTER, ROUTE_LOCALNET = 1, 8, 26
"""Settings of an interface, the same as those in /proc/sys/net/ipv4/conf, for `configure`."""


class Message(NamedTuple):
    """One request, without its header's length and number."""

    kind: int
    flags: int
    body: bytes


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _name(name: str) -> bytes:
    return _attribute(_IFLA_IFNAME, name.encode() + b"\0")


def _link(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


def veth(name: str, group: int, peer_name: str, peer_namespace: int) -> Message:
    """
    Make a pair of interfaces, one end here and one in another network namespace.

    Args:
        name: of the end here; 15 characters at most.
        group: of the end here, for `delete_group`.
        peer_name: of the other end.
        peer_namespace: a descriptor.
    """
    peer = _link() + _name(peer_name) + _number(_IFLA_NET_NS_FD, peer_namespace)
    data = _attribute(_IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, peer))
    kind = _attribute(_IFLA_LINKINFO, _attribute(_IFLA_INFO_KIND, b"veth") + data)
    return Message(_NEWLINK, _CREATE | _EXCLUSIVE, _link() + _name(name) + _number(_IFLA_GROUP, group) + kind)


def configure(index: int, ipv4: Mapping[int, int], has_ipv6: bool) -> Message:
    """
    Set what /proc/sys/net has for one interface, with no need that it can be written.

    Args:
        index: the interface.
        ipv4: constants of this module to values.
        has_ipv6: whether the kernel has IPv6; then the interface makes itself no IPv6 address. To be sent before `up`.
    """
    conf = b"".join(_number(setting, value) for setting, value in ipv4.items())
    families = _attribute(socket.AF_INET, _attribute(_IFLA_INET_CONF, conf)) if conf else b""
    if has_ipv6:
        mode = _attribute(_IFLA_INET6_ADDR_GEN_MODE, bytes([_ADDR_GEN_MODE_NONE]))
        families += _attribute(socket.AF_INET6, mode)
    return Message(_NEWLINK, 0, _link(index) + _attribute(_IFLA_AF_SPEC, families))


def up(index: int) -> Message:
    """Set an interface up."""
    return Message(_NEWLINK, 0, _link(index, _IFF_UP, _IFF_UP))


def settle(index: int) -> Message:
    """
    Have the kernel see at once that an interface has a link.

    The end of a pair that was set up first sends nothing until a worker of the kernel has noticed the other. That may
    take a second, and a first SYN that is lost costs another. Whoever asks for the interface makes the kernel look.
    Observed: on Linux 6.18 (linkwatch_sync_dev in rtnl_getlink). Older ones may leave it to their worker all the same.
    """
    return Message(_GETLINK, 0, _link(index))


def delete(name: str) -> Message:
    """Delete an interface, its peer with it; ENODEV when there is none."""
    return Message(_DELLINK, 0, _link() + _name(name))


def delete_group(group: int) -> Message:
    """
    Delete all interfaces of a group, their peers with them; ENODEV when there are none.

    One by one, each would wait for a grace period of the kernel's: 22 ms against 1.4 ms.
    """
    return Message(_DELLINK, 0, _link() + _number(_IFLA_GROUP, group))


def address(index: int, ip: str) -> Message:
    """Give an interface an IPv4 address with no network behind it."""
    packed = socket.inet_aton(ip)
    body = struct.pack("=BBBBI", socket.AF_INET, 32, 0, _SCOPE_UNIVERSE, index)
    body += _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
    return Message(_NEWADDR, _CREATE | _EXCLUSIVE, body)


def route(index: int, destination: str | None, gateway: str | None) -> Message:
    """Reach one IPv4 address (None: everything) by an interface, through a gateway or directly; EEXIST when taken."""
    scope = _SCOPE_UNIVERSE if gateway else _SCOPE_LINK
    length = 32 if destination else 0
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, length, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, scope, _UNICAST, 0)
    if destination:
        body += _attribute(_RTA_DST, socket.inet_aton(destination))
    if gateway:
        body += _attribute(_RTA_GATEWAY, socket.inet_aton(gateway))
    return Message(_NEWROUTE, _CREATE | _EXCLUSIVE, body + _number(_RTA_OIF, index))


class Netlink:
    """A route socket of the network namespace that this thread was in when it was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._sequence = 0

    def do(self, *messages: Message) -> None:
        """
        Have the kernel take messages in order, in one write, and return when it has taken all.

        Raises:
            OSError: with the kernel's errno for the first that it refused; later ones may have been done.
        """
        first = self._sequence + 1
        data = b""
        for kind, flags, body in messages:
            self._sequence += 1
            data += struct.pack("=IHHII", 16 + len(body), kind, flags | _REQUEST | _ACK, self._sequence, 0) + body
        self._socket.send(data)
        waiting = set(range(first, self._sequence + 1))
        refused = 0
        while waiting:
            for sequence, number in self._acknowledgements():
                if sequence in waiting:
                    waiting.discard(sequence)
                    refused = refused or number
        if refused:
            raise OSError(refused, os.strerror(refused))

    def _acknowledgements(self) -> list[tuple[int, int]]:
        """Wait for some; return each one's sequence number and errno, 0 where all went well."""
        data = self._socket.recv(65_536)
        found = []
        while len(data) >= 16:
            length, kind, _, sequence, _ = struct.unpack_from("=IHHII", data)
            if kind == _ERROR:
                found.append((sequence, -struct.unpack_from("=i", data, 16)[0]))
            data = data[length + -length % 4 :]
        return found

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._socket.close()
