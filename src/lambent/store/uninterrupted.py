"""Steps that a cancellation must not cut in half."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


async def uninterrupted(step: Coroutine[Any, Any, _T]) -> _T:
    """
    Run a step to its end even when the caller is cancelled, then let the cancellation through.

    Otherwise a commit that was on its way to the driver would happen and nobody would hear of it.
    """
    task = asyncio.create_task(step)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        # Fetched, so that its own failure is not reported as never looked at; the cancellation outweighs it.
        task.exception() if not task.cancelled() else None
        raise cancelled
    return task.result()
