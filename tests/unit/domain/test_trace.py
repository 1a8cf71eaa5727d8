"""The trace header that a runtime sees."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.trace import Trace, next_trace, next_trace_header, with_lineage_of

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


ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
OTHER = f"{ARN}2"


def trace(given_header: str | None, arn: str = ARN) -> Trace:
    return next_trace(given_header, NOW, ROOT, PARENT, arn)


def test_a_chain_is_counted() -> None:
    """Each pass of a function counts, whatever other functions lie between; the header goes on as it was."""
    header = None
    for passes in range(1, 20):
        made = trace(header)
        assert made.passes == passes
        assert made.header.startswith(NEW + ";Lineage=")
        header = trace(made.header, OTHER).header
    assert header is not None
    assert header.count("|") == 1


def test_published_forms_of_lineage_are_read_and_kept() -> None:
    """`hash:count`, several of them, and the newer form that leads with a number; what is not ours stays."""
    own = trace(None).header.rpartition("=")[2].partition(":")[0]
    assert trace(f"Root=1-a;Lineage=a87bd80c:1|{own}:4|c512fbe3:2").header.endswith(
        f";Lineage=a87bd80c:1|c512fbe3:2|{own}:5"
    )
    assert trace(f"Root=1-a;Lineage=1:{own}:3").passes == 4
    assert trace("Root=1-a;Lineage=nonsense").header.endswith(f";Lineage=nonsense|{own}:1")
    assert trace(f"Root=1-a;Lineage={own}:x").passes == 1
    assert trace(f"Root=1-a;Lineage={own}:{'9' * 500}").passes == 1_000_000_000


def test_a_long_chain_keeps_its_header_short() -> None:
    """Functions that were passed long ago are forgotten: the header stays below what is read of one."""
    header = None
    for number in range(200):
        header = trace(header, f"{ARN}{number}").header
    assert header is not None
    assert len(header) < 1024
    assert trace(header, f"{ARN}199").passes == 2


def test_the_lineage_of_what_runs_counts_and_not_what_is_said() -> None:
    """A function can neither shake off its lineage nor make one up; its Root and decision are its own."""
    running = trace(trace(None).header).header
    lineage = running.rpartition(";")[2]
    for given_header in (None, "", "Root=1-a", "Root=1-a;Lineage=made:1", "x" * 2000):
        assert with_lineage_of(given_header, running).endswith(lineage)
        assert trace(with_lineage_of(given_header, running)).passes == 3
    assert trace(with_lineage_of("Root=1-a;Sampled=1", running)).header.startswith("Root=1-a;Parent=")
    assert trace(with_lineage_of(None, running)).header.startswith(running.partition(";")[0])


@given(st.text(max_size=200))
def test_a_counted_header_is_one_line_of_ascii(given_header: str) -> None:
    """Like the one without a count."""
    made = trace(given_header)
    assert made.header.isascii()
    assert made.header.isprintable()
    assert made.passes >= 1
