"""What the kernel says about tables. Whether it says so, and what follows, is tested in test_network.py."""

import struct
import sys

import pytest

from lambent.sandbox.table_watch import _deleted_tables

if sys.platform != "linux":
    pytest.skip("needs:linux:run the tests on Linux as well", allow_module_level=True)


def test_what_the_kernel_tells_of_tables_is_understood() -> None:
    """Messages of other kinds, attributes before the name, several at once, and the end of a cut one."""

    def message(kind: int, attributes: bytes) -> bytes:
        return struct.pack("=IHHII", 20 + len(attributes), kind, 0, 0, 0) + b"\x01\0\0\0" + attributes

    name = struct.pack("=HH", 9, 1) + b"mine\0" + b"\0\0\0"
    flags = struct.pack("=HHI", 8, 2, 0)
    assert _deleted_tables(message(0xA02, flags + name) + message(0xA00, name.replace(b"mine", b"new!"))) == {"mine"}
    assert _deleted_tables(message(0xA01, name)) == set()
    assert _deleted_tables(message(0xA02, name)[:12]) == set()
    assert _deleted_tables(message(0xA02, b"\0\0\0\0")) == set()
