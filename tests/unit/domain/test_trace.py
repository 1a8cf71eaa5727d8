"""The trace header that a runtime sees."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.trace import next_trace_header

NOW = 1_700_000_000.9
ROOT, PARENT = "a" * 24, "b" * 16
NEW = f"Root=1-6553f100-{ROOT};Parent={PARENT};Sampled=0"


@pytest.mark.parametrize(
    ("given_header", "expected"),
    [
        (None, NEW),
        ("", NEW),
        ("Root=", NEW),
        ("Parent=1;Sampled=1", NEW),
        ("nonsense", NEW),
        ("Root=1-a\u00e9", NEW),
        ("Root=1-a\r\nX: y", NEW),
        ("Root=" + "1" * 1024, NEW),
        ("Root=1-a-b", f"Root=1-a-b;Parent={PARENT};Sampled=0"),
        ("Root=1-a-b;Parent=cc;Sampled=1", f"Root=1-a-b;Parent={PARENT};Sampled=1"),
        (" Sampled=1 ; Root=1-a-b ", f"Root=1-a-b;Parent={PARENT};Sampled=1"),
        ("Root=1-a-b;Lineage=1:2:3", f"Root=1-a-b;Parent={PARENT};Sampled=0;Lineage=1:2:3"),
        ("Root=1-a-b;Self=x;Other=y", f"Root=1-a-b;Parent={PARENT};Sampled=0"),
    ],
)
def test_a_trace_goes_on_under_a_new_parent(given_header: str | None, expected: str) -> None:
    """Root, decision and lineage are kept; what is malformed counts as absent."""
    assert next_trace_header(given_header, NOW, ROOT, PARENT) == expected


@given(st.text(max_size=200))
def test_it_is_always_one_line_of_ascii(given_header: str) -> None:
    """It goes into a header of the Runtime API: nothing a caller sends may break out of it."""
    header = next_trace_header(given_header, NOW, ROOT, PARENT)
    assert header.isascii()
    assert header.isprintable()
    assert re.match(r"Root=[^;]+;Parent=b{16};Sampled=", header)
