"""
Tells when somebody else may have taken our nftables table away, as `nft flush ruleset` does: a firewall's reload.

Used by the spawner: standard library only. Source: linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h.
"""

import errno
import socket
import struct

_NETLINK_NETFILTER = 12
_GROUP_OF_TABLES = 1 << 7 - 1
"""NFNLGRP_NFTABLES, as bind(2) takes it."""
_DELETED_TABLE = 10 << 8 | 2
"""NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE."""
_HEADER_BYTES, _FAMILY_BYTES = 16, 4
_TABLE_NAME = 1
_READ_BYTES = 65_536


class TableWatch:
    """
    A socket that becomes readable when something in the packet filter of this network namespace changes.

    Args:
        table: the name of the table that matters.

    Raises:
        OSError: the kernel has no nftables.
    """

    def __init__(self, table: str) -> None:
        self._table = table
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        try:
            self._socket.setblocking(False)
            self._socket.bind((0, _GROUP_OF_TABLES))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def may_be_gone(self) -> bool:
        """
        Read what has happened since the last call; return whether the table may have been deleted.

        It may be there again: whoever replaces a table deletes it first.
        """
        is_in_doubt = False
        while True:
            try:
                data = self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                return is_in_doubt
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                # More has happened than the kernel kept for us.
                is_in_doubt = True
                continue
            is_in_doubt = is_in_doubt or self._table in _deleted_tables(data)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self._socket.close()


def _deleted_tables(data: bytes) -> set[str]:
    """Return the names of the tables whose deletion is told in netlink messages."""
    found = set()
    while len(data) >= _HEADER_BYTES:
        length, kind = struct.unpack_from("=IH", data)
        if length < _HEADER_BYTES:
            break
        if kind == _DELETED_TABLE:
            attributes = data[_HEADER_BYTES + _FAMILY_BYTES : length]
            while len(attributes) >= 4:
                size, name = struct.unpack_from("=HH", attributes)
                if name == _TABLE_NAME:
                    found.add(attributes[4:size].rstrip(b"\0").decode())
                attributes = attributes[max(size + -size % 4, 4) :]
        data = data[length + -length % 4 :]
    return found
