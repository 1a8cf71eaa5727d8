"""Signed links to packages."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.access.links import CodeLinks
from lambent.clock import SystemClock, TimerHandle

SECRET = bytes(range(32))
ONE, OTHER = "1" * 64, "2" * 64


class StoppedClock:
    """A clock whose time a test sets."""

    def __init__(self, now: float) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> TimerHandle:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def new_id(self) -> str:
        raise NotImplementedError

    def token_hex(self, size_bytes: int) -> str:
        raise NotImplementedError


def test_a_link_is_good_for_its_package_until_it_expires() -> None:
    """Ten minutes, to the second, and for nothing else."""
    clock = StoppedClock(1_700_000_000.5)
    links = CodeLinks(SECRET, clock)
    query = links.sign(ONE)

    assert links.verify(ONE, query)
    assert not links.verify(OTHER, query)
    clock.time = 1_700_000_599.9
    assert links.verify(ONE, query)
    clock.time = 1_700_000_600.0
    assert not links.verify(ONE, query)


def test_the_time_to_live_can_be_chosen() -> None:
    """A caller may want a shorter link."""
    clock = StoppedClock(1000)
    links = CodeLinks(SECRET, clock)

    query = links.sign(ONE, ttl_s=5)

    clock.time = 1004
    assert links.verify(ONE, query)
    clock.time = 1005
    assert not links.verify(ONE, query)


def test_a_link_survives_a_restart() -> None:
    """The secret is all that the verifier needs; another secret's links are worth nothing."""
    query = CodeLinks(SECRET, SystemClock()).sign(ONE)

    assert CodeLinks(SECRET, SystemClock()).verify(ONE, query)
    assert not CodeLinks(SECRET[::-1], SystemClock()).verify(ONE, query)


def test_a_later_end_cannot_be_written_in() -> None:
    """The expiry is part of what is signed."""
    clock = StoppedClock(1000)
    query = CodeLinks(SECRET, clock).sign(ONE)

    assert not CodeLinks(SECRET, clock).verify(ONE, query.replace("Expires=1600", "Expires=9600"))


@pytest.mark.parametrize(
    "query",
    [
        "",
        "Expires=1&Signature=",
        "Expires=9999999999",
        "Expires=-1&Signature=" + "0" * 64,
        "Expires=٣&Signature=" + "0" * 64,
        "Expires=99999999999999999999&Signature=" + "0" * 64,
        "Expires=9999999999&Signature=" + "é" * 64,
        "Signature=" + "0" * 64 + "&Expires=9999999999",
        "\ud800",
    ],
)
def test_malformed_queries_are_simply_no(query: str) -> None:
    """Nothing that arrives in a URL raises."""
    assert not CodeLinks(SECRET, SystemClock()).verify(ONE, query)


@given(st.data())
def test_a_changed_character_spoils_a_link(data: st.DataObject) -> None:
    """Any other text than the signed one is refused."""
    links = CodeLinks(SECRET, StoppedClock(1000))
    query = links.sign(ONE)
    position = data.draw(st.integers(0, len(query) - 1))
    changed = query[:position] + data.draw(st.characters()) + query[position + 1 :]

    assert links.verify(ONE, changed) == (changed == query)
    assert not links.verify(data.draw(st.text()), query)
