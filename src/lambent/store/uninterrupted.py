"""Steps that a cancellation must not cut in half."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


async def uninterrupted(step: Coroutine[Any, Any, _T]) -> _T:
    """
    Run a step to its end even when the caller is cancelled, then let the cancellation through.

    Otherwise a commit that was on its way to the driver would happen and nobody would hear of it.
    """
    task = asyncio.create_task(step)
    try:
        # Not `asyncio.wait`, which costs more than the task: nearly nobody is cancelled here.
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        # Fetched, so that its own failure is not reported as never looked at; the cancellation outweighs it.
        task.exception() if not task.cancelled() else None
        raise
