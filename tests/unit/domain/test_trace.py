"""The trace header that a runtime sees."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.trace import (
    Sampled,
    Sampler,
    Trace,
    below,
    linked_trace,
    next_trace,
    next_trace_header,
    sampled_in,
    sampled_under,
    with_lineage_of,
)

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
        ("root=1-a-b; SAMPLED=1", f"Root=1-a-b;Parent={PARENT};Sampled=1"),
        ("Root=1-a-b;Sampled=?", f"Root=1-a-b;Parent={PARENT};Sampled=0"),
        ("Root=1-a-b;Sampled=2", f"Root=1-a-b;Parent={PARENT};Sampled=0"),
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
    long = "a" * 1005
    for given_header in (
        None,
        "",
        "Root=1-a",
        "Root=1-a;Lineage=made:1",
        "x" * 2000,
        f"Root=1-{long}",
        f"Root=1-a;Sampled={long}",
    ):
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


TRACE_ID = f"1-6553f100-{ROOT}"
CALLER = "c" * 16


def sampled(given_header: str | None, sampler: Sampler | None = None, now: float = NOW) -> Sampled | None:
    return next_trace(given_header, now, ROOT, PARENT, ARN, sampler).sampled


@pytest.mark.parametrize(
    ("given_header", "expected"),
    [
        (None, None),
        (f"Root={TRACE_ID};Parent={CALLER}", None),
        (f"Root={TRACE_ID};Parent={CALLER};Sampled=0", None),
        (f"Root={TRACE_ID};Parent={CALLER};Sampled=?", None),
        (f"Root={TRACE_ID};Parent={CALLER};Sampled=1", Sampled(TRACE_ID, CALLER)),
        (f"Sampled=1;root={TRACE_ID.upper()}", Sampled(TRACE_ID, "")),
        (f"Root={TRACE_ID};Parent=nonsense;Sampled=1", Sampled(TRACE_ID, "")),
        ("Root=1-a-b;Parent=cccccccccccccccc;Sampled=1", None),
    ],
)
def test_pass_through_follows_the_caller(given_header: str | None, expected: Sampled | None) -> None:
    """Only a caller that says so, in a trace whose id is one, has anything written down."""
    assert sampled(given_header) == expected
    assert sampled_in(given_header) == expected


def test_a_function_with_active_tracing_decides_where_nobody_has() -> None:
    """One request a second, and one in twenty of the others, each function by itself; what was decided stays so."""
    sampler = Sampler()
    assert sampled(None, sampler) == Sampled(TRACE_ID, "")
    assert sampled(f"Root={TRACE_ID}", sampler) is None
    assert next_trace(f"Root={TRACE_ID};Sampled=?", NOW, ROOT, PARENT, OTHER, sampler).sampled is not None
    assert sampled(f"Root={TRACE_ID};Sampled=0", sampler, NOW + 1) is None
    assert sampled(f"Root={TRACE_ID};Sampled=?", sampler, NOW + 1) is not None


def test_one_in_twenty_of_the_others_is_sampled() -> None:
    """The root's own digits decide: over all that they may be, exactly the rate comes out."""
    sampler = Sampler()
    sampler.samples(ARN, NOW, "0" * 24)
    count = sum(sampler.samples(ARN, NOW, f"{number:024x}") for number in range(0x10000))
    assert count == round(0.05 * 0x10000)


def test_an_event_s_own_header_goes_on_like_any_other() -> None:
    """The short way for a header that was made of nothing ends where the long way does."""
    made = next_trace_header("", 1.0, "a" * 24, "b" * 16)
    # A blank behind it changes nothing but the way.
    short, long = (next_trace(sent, 2.0, "c" * 24, "d" * 16, ARN) for sent in (made, f"{made} "))
    assert short == long and short.passes == 1 and short.sampled is None
    assert sampled_under(made, None) is None


def test_functions_that_nobody_asks_for_are_forgotten() -> None:
    """However many functions there are, what is remembered of them is bounded."""
    sampler = Sampler()
    for number in range(10_000):
        assert sampler.samples(f"{ARN}{number}", NOW, "f" * 24)
    assert not sampler.samples(f"{ARN}9999", NOW, "f" * 24)
    assert sampler.samples(f"{ARN}0", NOW, "f" * 24)


def test_a_consumer_has_a_trace_of_its_own_and_the_lineage_of_its_message() -> None:
    """The root is new, so that the batch's producers are linked; the chain is counted on."""
    given_header = trace(f"Root={TRACE_ID};Parent={CALLER};Sampled=1").header
    for is_sampled in (True, False):
        linked = linked_trace(given_header, NOW + 1, "d" * 24, is_sampled=is_sampled)
        made = next_trace(linked, NOW + 1, ROOT, PARENT, ARN)
        assert made.passes == 2
        assert made.header.startswith(f"Root=1-6553f101-{'d' * 24};Parent={PARENT};Sampled={int(is_sampled)};")
    assert linked_trace("", NOW, ROOT, is_sampled=False) == f"Root={TRACE_ID}"


def test_a_header_goes_on_below_another_segment() -> None:
    """The parent is another, everything else as it was."""
    header = trace(f"Root={TRACE_ID};Parent={CALLER};Sampled=1").header
    assert below(header, "d" * 16) == header.replace(PARENT, "d" * 16)
    assert below(f"Root={TRACE_ID};Sampled=1", CALLER) == f"Root={TRACE_ID};Parent={CALLER};Sampled=1"


def test_a_call_from_inside_says_below_which_subsegment_it_is() -> None:
    """What the function's SDK says of its own trace is kept; without a root nothing has been decided."""
    running = trace(f"Root={TRACE_ID};Parent={CALLER};Sampled=1").header
    said = f"Root={TRACE_ID};Parent={CALLER};Sampled=1"
    assert with_lineage_of(said, running).startswith(f"{said};Lineage=")
    assert with_lineage_of(f"Parent={CALLER};Sampled=1", running).startswith(f"Root={TRACE_ID};Lineage=")
