"""
Idle environments, on their way to zero: frozen after a moment, ended once they have been idle for long or are old.

Who takes one, and which one has to go where room is short, the pool decides. All methods are plain and atomic on the
event loop.
"""

from typing import Final

from lambent.clock import Clock, TimerHandle
from lambent.execution.driver import ExecutionEnvironment

_AGAIN_S: Final = 0.001
"""How soon a timer comes again at the earliest: a clock that reads a hair less than it was told does no harm."""


class Stacks:
    """Environments by deployment, the newest on top; and all of them, the longest idle first."""

    def __init__(self) -> None:
        self.stacks: dict[str, list[ExecutionEnvironment]] = {}
        self.since: dict[ExecutionEnvironment, float] = {}
        """Since when each is idle, in monotonic seconds."""

    def push(self, environment: ExecutionEnvironment, now: float) -> None:
        """Note that one has become idle."""
        self.stacks.setdefault(environment.deployment.deployment_id, []).append(environment)
        self.since[environment] = now

    def newest(self, deployment_id: str) -> ExecutionEnvironment | None:
        """Return the one that was used last."""
        stack = self.stacks.get(deployment_id)
        return stack[-1] if stack else None

    def remove(self, environment: ExecutionEnvironment) -> bool:
        """Forget one; False when it is not here."""
        if self.since.pop(environment, None) is None:
            return False
        deployment_id = environment.deployment.deployment_id
        stack = self.stacks[deployment_id]
        # The newest leaves nearly always; nothing may stay of deployments that are gone.
        if stack[-1] is environment:
            stack.pop()
        else:
            stack.remove(environment)
        if not stack:
            del self.stacks[deployment_id]
        return True


class IdleEnvironments:
    """
    All that is idle, with one timer for what is to be frozen next and one for what is to end next.

    Args:
        idle_s: how long an ordinary one is kept.
        freeze_after_s: how long one is idle before it is frozen; with 0 it is in the loop's next iteration.
    """

    def __init__(self, idle_s: float, freeze_after_s: float, clock: Clock) -> None:
        self.ordinary = Stacks()
        self.kept = Stacks()
        """Those that are kept initialised: age ends them, idle time does not."""
        self._idle_s = idle_s
        self._freeze_after_s = freeze_after_s
        self._clock = clock
        self._due: dict[ExecutionEnvironment, float] = {}
        """When each has to end."""
        self._unfrozen: dict[ExecutionEnvironment, float] = {}
        """Those that are not frozen yet, and since when they are idle, in order."""
        self._freeze_timer: TimerHandle | None = None
        self._sweep_timer: TimerHandle | None = None
        self._sweep_at = 0.0

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, environment: ExecutionEnvironment) -> bool:
        return environment in self._due

    def push(self, environment: ExecutionEnvironment, *, old_at: float, is_kept: bool) -> None:
        """
        Take one in that has just become idle.

        Args:
            old_at: when it has to end even if it is kept, in monotonic seconds.
        """
        now = self._clock.monotonic()
        if is_kept:
            self.kept.push(environment, now)
            due = old_at
        else:
            self.ordinary.push(environment, now)
            due = min(now + self._idle_s, old_at)
        self._due[environment] = due
        self._unfrozen[environment] = now
        if self._freeze_timer is None:
            # With a delay of 0 this is the loop's next iteration: the answer, and what follows it, leave first.
            self._freeze_timer = self._clock.call_later(self._freeze_after_s, self._freeze)
        # Nearly always there is one that is due before.
        if self._sweep_timer is None or due < self._sweep_at:
            self._sweep_by(due)

    def remove(self, environment: ExecutionEnvironment) -> None:
        """Forget one: it was taken or has ended. Nothing happens when it is not here."""
        if self._due.pop(environment, None) is not None:
            self._unfrozen.pop(environment, None)
            if not self.ordinary.remove(environment):
                self.kept.remove(environment)

    def close(self) -> None:
        """Freeze and end nothing any more; nothing is pushed afterwards."""
        for timer in (self._freeze_timer, self._sweep_timer):
            if timer is not None:
                timer.cancel()

    def _freeze(self) -> None:
        """Freeze what has been idle long enough; come again for the others."""
        self._freeze_timer = None
        now = self._clock.monotonic()
        for environment, since in list(self._unfrozen.items()):
            early_s = since + self._freeze_after_s - now
            if early_s > 0:
                self._freeze_timer = self._clock.call_later(max(early_s, _AGAIN_S), self._freeze)
                return
            del self._unfrozen[environment]
            environment.freeze()

    def _sweep(self) -> None:
        """End what has been idle for long, and what has grown old; come again when there is more to do."""
        self._sweep_timer = None
        now = self._clock.monotonic()
        for environment, due in list(self._due.items()):
            # The room that one leaves may go to a call that waits, and another of these may end to make it enough.
            if due <= now and environment in self._due:
                environment.retire()
        if self._due:
            self._sweep_by(max(min(self._due.values()), now + _AGAIN_S))

    def _sweep_by(self, moment: float) -> None:
        if self._sweep_timer is not None:
            if self._sweep_at <= moment:
                return
            self._sweep_timer.cancel()
        self._sweep_at = moment
        self._sweep_timer = self._clock.call_later(moment - self._clock.monotonic(), self._sweep)
