"""What readers of metrics wait for: that what happened before they asked is in the store."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

Settle: TypeAlias = Callable[[], Awaitable[None]]
"""Returns once the figures gathered before the call are stored, and those that follow from log events too."""
