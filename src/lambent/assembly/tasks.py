"""Tasks that go on for as long as the server does, and those that are nobody else's to die of."""

import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from lambent.clock import Clock
from lambent.errors.families import DependencyError
from lambent.execution.driver import ExecutionEnvironment
from lambent.store.contract import EventQueue

_log = logging.getLogger("lambent")

SWEEP_EVERY_S = 30.0
"""Assumed: what a sweep deletes takes room until then, and nothing else."""

_RESTART_S = 1.0
"""Assumed: how soon a failed supervised task is worth running again."""


async def sweep_queue(events: EventQueue, clock: Clock) -> None:
    """Drop what the queue keeps for nothing, for ever."""
    while True:
        await events.sweep()
        await clock.sleep(SWEEP_EVERY_S)


async def run_environment(environment: ExecutionEnvironment) -> None:
    """Run one environment; its failure is ours to log and nobody else's to die of."""
    try:
        await environment.live()
    except Exception:
        _log.exception("environment.failed function=%s", environment.deployment.name)
        environment.abandon()


async def logged(work: Coroutine[Any, Any, None]) -> None:
    """Run one piece of work to its end; its failure is ours to log and nobody else's to die of."""
    try:
        await work
    except Exception:
        _log.exception("task.failed name=%s", getattr(work, "__qualname__", "?"))


async def supervise(name: str, work: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Run `work` for ever: what fails is logged and begun again."""
    while True:
        try:
            await work()
        except DependencyError as error:
            # Such as a disk that is full: it comes again each second, and where it was raised tells nothing.
            _log.error("task.failed name=%s reason=%s", name, error)
        except Exception:
            _log.exception("task.failed name=%s", name)
        await clock.sleep(_RESTART_S)
