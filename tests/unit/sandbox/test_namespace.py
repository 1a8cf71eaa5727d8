"""The server's half of the driver with walls, with a spawner that the test plays itself."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.clock import SystemClock
from lambent.errors.families import DependencyError
from lambent.sandbox.contract import DriverSettings, ParkedKind
from lambent.sandbox.namespace import NamespaceSandbox
from lambent.sandbox.rootless import RootlessSandbox
from lambent.sandbox.spawner import PARKED

if sys.platform != "linux":
    pytest.skip("needs:linux:run the tests on Linux as well", allow_module_level=True)

HELLO = {"left": 0, "reasons": [], "egress": False, "tmp": "memory"}


class PlayedSpawner:
    """Stands in for the process and has its end of the socket."""

    def __init__(self, command: list[str], pass_fds: list[int], **_: object) -> None:
        self.link = socket.socket(fileno=os.dup(pass_fds[0]))
        self.link.setblocking(False)
        self.was_waited_for = False
        self.wait_for: threading.Event | None = None

    def wait(self, timeout: float | None = None) -> int:
        assert self.wait_for is None or self.wait_for.wait(10), "the loop stands still"
        self.was_waited_for = True
        return 0

    def kill(self) -> None:
        raise AssertionError("it ends by itself")

    async def order(self) -> dict[str, Any]:
        """Return the next order; empty at the end of the stream."""
        data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.link, 65_536), 60)
        order: dict[str, Any] = json.loads(data or b"{}")
        return order

    def answer(self, answer: dict[str, Any], descriptors: list[int]) -> None:
        socket.send_fds(self.link, [json.dumps(answer).encode()], descriptors)


@pytest.fixture
def spawners(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[PlayedSpawner]]:
    """The spawners that were started so far."""
    started: list[PlayedSpawner] = []

    def start(*arguments: Any, **named: Any) -> PlayedSpawner:
        started.append(PlayedSpawner(*arguments, **named))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    yield started
    for one in started:
        one.link.close()


async def turns_until(condition: Callable[[], object]) -> None:
    """Let the loop turn until something has happened, and not once more."""
    while not condition():  # noqa: ASYNC110 - an event would come a turn later
        await asyncio.sleep(0)


async def begin(
    spawners: list[PlayedSpawner], tmp_path: Path, of: type[NamespaceSandbox] = NamespaceSandbox
) -> tuple[NamespaceSandbox, PlayedSpawner]:
    """Return a driver whose spawner is ready."""
    driver = of(DriverSettings(run_folder=tmp_path), SystemClock())
    ready = asyncio.ensure_future(driver.end_leftovers())
    await turns_until(lambda: spawners)
    await spawners[0].order()
    spawners[0].answer(HELLO, [])
    assert await ready == 0
    return driver, spawners[0]


@contextlib.contextmanager
def parts() -> Iterator[tuple[list[int], list[int]]]:
    """Give what an environment consists of, and the other ends, which tell when all copies of the former are closed."""
    pairs = [socket.socketpair() for _ in PARKED]
    with contextlib.ExitStack() as stack:
        for _, there in pairs:
            stack.enter_context(there)
            there.setblocking(False)
        yield [here.detach() for here, _ in pairs], [there.fileno() for _, there in pairs]


@contextlib.contextmanager
def subprocess_that_waits() -> Iterator[int]:
    """Give a descriptor of a process, which somebody else is to end."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "import time; time.sleep(60)"], {})
    descriptor = os.pidfd_open(pid)
    yield descriptor
    os.close(descriptor)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def are_closed(others: list[int]) -> bool:
    try:
        return all(os.read(one, 1) == b"" for one in others)
    except BlockingIOError:
        return False


def test_who_gives_up_as_the_answer_comes_leaves_no_descriptor(spawners: list[PlayedSpawner], tmp_path: Path) -> None:
    """The answer is there and nobody has taken it yet: its parts are closed, and the spawner is told."""

    async def story() -> None:
        driver, spawner = await begin(spawners, tmp_path)
        parking = asyncio.ensure_future(driver.park(ParkedKind()))
        order = await spawner.order()
        with parts() as (mine, others):
            spawner.answer({"id": order["id"], "uid": 1, "address": None}, mine)
            for one in mine:
                os.close(one)
            link = driver._spawner
            assert link is not None
            await turns_until(lambda: not link._asked)
            parking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await parking
            assert are_closed(others)
        assert await spawner.order() == {"op": "gone", "id": order["id"]}
        await driver.close()

    asyncio.run(story())


def test_an_environment_is_parked_once_its_process_is_known(spawners: list[PlayedSpawner], tmp_path: Path) -> None:
    """On a busy machine the one who waits for work is heard before the one who tells which process to end."""

    async def story() -> None:
        driver, spawner = await begin(spawners, tmp_path, RootlessSandbox)
        parking = asyncio.ensure_future(driver.park(ParkedKind()))
        order = await spawner.order()
        with parts() as (mine, others), subprocess_that_waits() as process:
            spawner.answer({"id": order["id"], "uid": 1, "address": None}, mine)
            for one in mine:
                os.close(one)
            orders = socket.socket(fileno=os.dup(others[PARKED.index("orders")]))
            orders.send(b"R")
            await turns_until(
                lambda: all(one.is_set_up for one in driver._environments.values()) and driver._environments
            )
            await asyncio.sleep(0)
            assert not parking.done()
            socket.send_fds(orders, [b"P"], [process])
            environment = await asyncio.wait_for(parking, 60)
            os.write(others[PARKED.index("status")], signal.SIGKILL.to_bytes(4, sys.byteorder))
            driver.kill(environment)
            assert (await asyncio.wait_for(driver.wait(environment), 60)).signal == signal.SIGKILL
            driver.release(environment)
            orders.close()
        await driver.close()

    asyncio.run(story())


def test_an_answer_that_does_not_fit_is_a_refusal(
    spawners: list[PlayedSpawner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server at its limit of open files gets only some of the parts: it keeps none, and tells the spawner."""

    async def story() -> None:
        driver, spawner = await begin(spawners, tmp_path)
        parking = asyncio.ensure_future(driver.park(ParkedKind()))
        order = await spawner.order()

        def receive_fewer(*arguments: Any) -> tuple[bytes, list[int], int, None]:
            data, descriptors, flags, _ = receive(*arguments)
            for one in descriptors[2:]:
                os.close(one)
            return data, descriptors[:2], flags | socket.MSG_CTRUNC, None

        receive = socket.recv_fds
        with parts() as (mine, others):
            spawner.answer({"id": order["id"], "uid": 1, "address": None}, mine)
            for one in mine:
                os.close(one)
            monkeypatch.setattr(socket, "recv_fds", receive_fewer)
            with pytest.raises(DependencyError, match="no descriptors left"):
                await parking
            monkeypatch.setattr(socket, "recv_fds", receive)
            assert are_closed(others)
        assert await spawner.order() == {"op": "gone", "id": order["id"]}
        await driver.close()

    asyncio.run(story())


def test_a_server_that_stops_while_its_spawner_starts_lets_go_of_it(
    spawners: list[PlayedSpawner], tmp_path: Path
) -> None:
    """The spawner sees the end of its socket, and is waited for."""

    async def story() -> None:
        driver = NamespaceSandbox(DriverSettings(run_folder=tmp_path), SystemClock())
        ready = asyncio.ensure_future(driver.end_leftovers())
        await turns_until(lambda: spawners)
        assert (await spawners[0].order())["instance"]
        await driver.close()
        assert await spawners[0].order() == {}
        assert spawners[0].was_waited_for
        with pytest.raises(asyncio.CancelledError):
            await ready

    asyncio.run(story())


def test_a_spawner_that_cannot_work_says_why(spawners: list[PlayedSpawner], tmp_path: Path) -> None:
    """While it cleans up, the server does other things; then the reason is told, and the next one is started."""

    async def story() -> None:
        driver = NamespaceSandbox(DriverSettings(run_folder=tmp_path), SystemClock())
        ready = asyncio.ensure_future(driver.end_leftovers())
        await turns_until(lambda: spawners)
        spawner, is_clean = spawners[0], threading.Event()
        spawner.wait_for = is_clean
        await spawner.order()
        spawner.answer({"error": "no control group"}, [])
        assert await spawner.order() == {}
        assert not ready.done()
        is_clean.set()
        with pytest.raises(DependencyError, match="the spawner cannot work: no control group"):
            await ready
        await driver.close()

    asyncio.run(story())
