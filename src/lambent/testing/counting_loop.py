"""An event loop that knows whether threads work for it, so that a test's clock can stand still meanwhile."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

_TURNS = 10
"""More than anything takes that needs no thread and no time."""

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts what runs in executors: transactions, files, whatever takes long by its nature."""

    def __init__(self) -> None:
        super().__init__()
        self.in_threads = 0
        """Calls that were given to a thread and whose results have not come back."""

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[_Ts]], _T], *args: *_Ts
    ) -> "asyncio.Future[_T]":
        future = super().run_in_executor(executor, func, *args)
        self.in_threads += 1
        # Before that of whoever awaits it.
        future.add_done_callback(self._come_back)
        return future

    def _come_back(self, _: "asyncio.Future[Any]") -> None:
        self.in_threads -= 1


def run_counting(story: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine as `asyncio.run` does, on a loop that counts."""
    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        return runner.run(story)


def threads_are_at_work() -> bool:
    """Whether a thread works for the running loop, which counts."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, CountingLoop), "run by run_counting"
    return loop.in_threads > 0


async def come_to_rest() -> None:
    """Let the loop turn until what follows from what has just happened has happened, however slow the machine."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
