"""
The few rtnetlink messages that an environment's network takes, packed by hand.

pyroute2 has all of them and thousands more, but opens sockets and threads for each namespace: 6 to 12 ms against well
under one, for each environment. Standard library only: the spawner imports it. Source: rtnetlink(7), linux/rtnetlink.h.
"""

import os
import socket
import struct

_NEWLINK, _NEWADDR, _NEWROUTE, _DELLINK, _GETLINK = 16, 20, 24, 17, 18
_REQUEST, _ACK, _CREATE, _EXCLUSIVE, _DUMP = 0x1, 0x4, 0x400, 0x200, 0x300
_ERROR, _DONE = 2, 3

_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 3, 18, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC = 1, 4, 5, 7
_IFF_UP = 1
_TABLE_MAIN, _PROTOCOL_STATIC = 254, 4
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_UNICAST = 1


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + b"\0" * (-length % 4)


def _link_header(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


def veth(name: str, peer_name: str, peer_namespace: int) -> tuple[int, int, bytes]:
    """Make a pair of interfaces, one end here and one in the network namespace of a descriptor."""
    peer = _link_header() + _attribute(_IFLA_IFNAME, peer_name.encode() + b"\0")
    peer += _attribute(_IFLA_NET_NS_FD, struct.pack("=I", peer_namespace))
    data = _attribute(_IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, peer))
    body = _link_header() + _attribute(_IFLA_IFNAME, name.encode() + b"\0")
    body += _attribute(_IFLA_LINKINFO, _attribute(_IFLA_INFO_KIND, b"veth") + data)
    return _NEWLINK, _CREATE | _EXCLUSIVE, body


def up(index: int) -> tuple[int, int, bytes]:
    """Set an interface up."""
    return _NEWLINK, 0, _link_header(index, _IFF_UP, _IFF_UP)


def delete(index: int) -> tuple[int, int, bytes]:
    """Delete an interface, its peer with it."""
    return _DELLINK, 0, _link_header(index)


def address(index: int, ip: str) -> tuple[int, int, bytes]:
    """Give an interface an IPv4 address with no network behind it."""
    packed = socket.inet_aton(ip)
    body = struct.pack("=BBBBI", socket.AF_INET, 32, 0, _SCOPE_UNIVERSE, index)
    return _NEWADDR, _CREATE | _EXCLUSIVE, body + _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)


def route(index: int, destination: str | None, gateway: str | None) -> tuple[int, int, bytes]:
    """Reach one IPv4 address (None: everything) by an interface, through a gateway or directly."""
    scope = _SCOPE_UNIVERSE if gateway else _SCOPE_LINK
    length = 32 if destination else 0
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, length, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, scope, _UNICAST, 0)
    if destination:
        body += _attribute(_RTA_DST, socket.inet_aton(destination))
    if gateway:
        body += _attribute(_RTA_GATEWAY, socket.inet_aton(gateway))
    return _NEWROUTE, _CREATE | _EXCLUSIVE, body + _attribute(_RTA_OIF, struct.pack("=i", index))


class Netlink:
    """A route socket of the network namespace that this thread was in when it was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._sequence = 0

    def do(self, *messages: tuple[int, int, bytes]) -> None:
        """
        Have the kernel take messages in order, in one write.

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
            for kind, sequence, body in self._receive():
                if kind == _ERROR and sequence in waiting:
                    waiting.discard(sequence)
                    number = -struct.unpack_from("=i", body)[0]
                    refused = refused or number
        if refused:
            raise OSError(refused, os.strerror(refused))

    def links(self) -> dict[str, int]:
        """Return the interfaces of this namespace by name."""
        self._sequence += 1
        header = struct.pack("=IHHII", 32, _GETLINK, _REQUEST | _DUMP, self._sequence, 0)
        self._socket.send(header + _link_header())
        found: dict[str, int] = {}
        while True:
            for kind, _, body in self._receive():
                if kind in {_DONE, _ERROR}:
                    return found
                index = struct.unpack_from("=i", body, 4)[0]
                position = 16
                while position + 4 <= len(body):
                    length, attribute = struct.unpack_from("=HH", body, position)
                    if attribute == _IFLA_IFNAME:
                        found[body[position + 4 : position + length].rstrip(b"\0").decode()] = index
                    position += max(4, length + -length % 4)

    def _receive(self) -> list[tuple[int, int, bytes]]:
        data = self._socket.recv(262_144)
        messages = []
        while len(data) >= 16:
            length, kind, _, sequence, _ = struct.unpack_from("=IHHII", data)
            messages.append((kind, sequence, data[16:length]))
            data = data[length + -length % 4 :]
        return messages

    def close(self) -> None:
        self._socket.close()
