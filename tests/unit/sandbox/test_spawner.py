"""The spawner keeps no more zygotes than it needs, and the rules of the network where they are."""

import asyncio
import errno
import os
import select
import signal
import socket
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.sandbox.contract import DriverSettings, ParkedKind
from lambent.sandbox.namespace import NamespaceSandbox
from lambent.sandbox.packet_filter import find_nft, has_table, remove_table
from lambent.sandbox.probe import gather, lacks_of
from lambent.sandbox.process_table import descendants
from lambent.sandbox.spawner import ZYGOTES_MAX, _ZygoteProcess
from lambent.testing.conformance.sandbox import until, within_patience


def test_zygotes_of_owners_that_are_gone_end(tmp_path: Path) -> None:
    """Many owners, one after the other, leave a bounded number behind; one with an environment is never ended."""
    if lacks := lacks_of(gather(), "namespace"):
        pytest.skip(f"needs:namespace:{lacks[0].what}")

    async def play() -> None:
        driver = NamespaceSandbox(DriverSettings(run_folder=tmp_path / "run", egress="none"), SystemClock())
        try:
            kept = await driver.park(ParkedKind(owner="kept"))
            for number in range(ZYGOTES_MAX + 5):
                environment = await driver.park(ParkedKind(owner=str(number)))
                driver.kill(environment)
                await driver.wait(environment)
                driver.release(environment)
            link = driver._spawner
            assert link is not None
            # Of the kept environment there are process 1 and its runtime beside the zygotes.
            assert len(descendants(link._process.pid)) <= ZYGOTES_MAX + 2
            assert not kept.ended.done()
        finally:
            await driver.close()

    asyncio.run(play())


def test_a_spawner_that_dies_takes_all_at_once(tmp_path: Path) -> None:
    """Who hears that one environment was lost finds none of the others alive: the kernel ends them one by one."""
    if lacks := lacks_of(gather(), "namespace"):
        pytest.skip(f"needs:namespace:{lacks[0].what}")

    async def play() -> None:
        driver = NamespaceSandbox(DriverSettings(run_folder=tmp_path / "run", egress="none"), SystemClock())
        try:
            environments = [await driver.park(ParkedKind(owner=str(number))) for number in range(8)]
            assert driver._spawner is not None
            os.kill(driver._spawner._process.pid, signal.SIGKILL)
            ends = [asyncio.ensure_future(driver.wait(environment)) for environment in environments]
            await within_patience(asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED))
            assert all(environment.ended.done() for environment in environments)
            assert all(how.is_lost for how in await asyncio.gather(*ends))
            for environment in environments:
                driver.kill(environment)
                driver.release(environment)
        finally:
            await driver.close()

    asyncio.run(play())


def test_rules_that_are_taken_away_come_back(tmp_path: Path) -> None:
    """The spawner sees to it by itself, whoever reloads the machine's packet filter."""
    found = gather()
    if lacks := lacks_of(found, "namespace"):
        pytest.skip(f"needs:namespace:{lacks[0].what}")
    if found.why_no_egress:
        pytest.skip(f"needs:egress:{found.why_no_egress}")
    nft = find_nft()
    assert nft is not None

    async def play() -> None:
        driver = NamespaceSandbox(DriverSettings(run_folder=tmp_path / "run"), SystemClock())
        try:
            await driver.end_leftovers()
            instance = driver._setup["instance"]
            assert has_table(nft, instance)
            remove_table(nft, instance)
            await until(lambda: has_table(nft, instance))
        finally:
            await driver.close()
        assert not has_table(nft, instance)

    asyncio.run(play())


def test_a_spawner_waits_for_an_earlier_one_of_its_folder(tmp_path: Path) -> None:
    """
    A server that was killed is started again while its spawner still cleans up.

    The two would take each other's environments for leftovers.
    """
    if lacks := lacks_of(gather(), "namespace"):
        pytest.skip(f"needs:namespace:{lacks[0].what}")

    def is_waited_for() -> bool:
        waiting = [line.split() for line in Path("/proc/locks").read_text().splitlines() if " -> FLOCK " in line]
        return any(int(line[5]) in descendants(os.getpid()) for line in waiting)

    async def play() -> None:
        settings = DriverSettings(run_folder=tmp_path / "run", egress="none")
        earlier, later = NamespaceSandbox(settings, SystemClock()), NamespaceSandbox(settings, SystemClock())
        try:
            environment = await earlier.park(ParkedKind())
            starting = asyncio.ensure_future(later.end_leftovers())
            await until(lambda: starting.done() or is_waited_for())
            assert not starting.done()
            assert not environment.ended.done()
            await earlier.close()
            assert await within_patience(starting) == 0
            await later.park(ParkedKind())
        finally:
            await earlier.close()
            await later.close()

    asyncio.run(play())


def test_an_order_that_has_no_room_leaves_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spawner at its limit of open files refuses, and is no nearer to it afterwards."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = _ZygoteProcess(0, ours, select.poll())
        duplicate, made = os.dup, []

        def one_alone(descriptor: int) -> int:
            if made:
                raise OSError(errno.EMFILE, "too many open files")
            made.append(duplicate(descriptor))
            return made[0]

        with monkeypatch.context() as context:
            context.setattr(os, "dup", one_alone)
            with pytest.raises(OSError, match="too many"):
                process.send({}, {"one": theirs.fileno(), "two": theirs.fileno()})
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(made[0])
