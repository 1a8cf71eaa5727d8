"""
Placement grants the right to run; Workers run.

On one machine both are function calls: no serialisation, no hop.
"""

from collections.abc import Callable, Collection
from typing import Protocol

from lambent.domain.caller import Scope
from lambent.domain.function import Deployment, FunctionName
from lambent.domain.invocation import Invocation, InvocationOutcome


class Throttled(Exception):
    """
    No slot may be granted now.

    `reason` is the `Reason` member of TooManyRequestsException, `text` its message.
    """

    def __init__(self, reason: str, text: str = "Rate Exceeded.") -> None:
        super().__init__(reason)
        self.reason = reason
        self.text = text


class Slot(Protocol):
    """The right to run one invocation in one environment, until it is returned."""

    @property
    def epoch(self) -> int:
        """Rises with every grant on one environment; a stale slot is refused."""
        ...


class Placement(Protocol):
    """Grants slots. A slot counts from grant to return."""

    async def acquire(self, deployment: Deployment, released: Callable[[], None]) -> Slot:
        """
        Grant a slot in an idle environment, newest first, or in one that is to be started.

        May wait: a moment for an environment that has answered its caller, a second or so for room. A cancelled call
        holds no slot.

        Args:
            released: called on the event loop, exactly once for every slot that was returned to the caller: when the
                environment can take another invocation or is gone, or at once when the slot is given back unused.
                Never called when `acquire` raised. It must not raise.

        Raises:
            Throttled: this machine has neither an environment nor room for one, and none has come up in that time; or
                the function gets new environments too fast.
        """
        ...

    def give_back(self, slot: Slot) -> None:
        """Return a slot in which nothing was or will be run. Its `released` is called."""
        ...

    def retain(self, scope: Scope, name: FunctionName, deployment_ids: Collection[str]) -> None:
        """Retire the function's environments of every other deployment: idle ones now, busy ones when they are free."""
        ...

    def in_use(self) -> tuple[int, int]:
        """Return how many environments are busy and how many exist."""
        ...


class Workers(Protocol):
    """Runs invocations in granted slots. The slot returns by itself when the environment is free or gone."""

    async def invoke(self, slot: Slot, invocation: Invocation) -> InvocationOutcome:
        """
        Run one invocation and return its outcome; where that is a stream, when its first byte is here. The outcome says
        whether its environment was started for it.

        A cancelled caller changes nothing: the invocation finishes and the slot returns.

        Raises:
            DependencyError: this machine could not provide the environment.
        """
        ...
