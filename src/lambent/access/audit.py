"""
What policies would have denied: `--iam audit` tells it in the log, with the smallest policy that would have allowed it.
"""

import logging
from collections import OrderedDict
from typing import Any

import msgspec

from lambent.clock import Clock, TimerHandle
from lambent.domain.policy import PolicyKind, Verdict
from lambent.domain.policy_simulation import smallest_policy
from lambent.domain.principal import Principal

_log = logging.getLogger("lambent.access")

_PRINCIPALS_MAX = 100
"""Principals that are remembered; the one whose last news are oldest leaves, and is told of anew."""

_DENIALS_MAX = 200
"""Of each principal and kind. Assumed: whoever lacks more lacks a policy with a wildcard (test_audit)."""

_PER_S = 20
"""Lines in a second; beyond, nothing is written until the next one."""

_POLICY_EVERY_S = 60.0
"""The policy of a principal is written at most so often: a first run makes many denials."""


class _Denials(msgspec.Struct):
    """Of one principal."""

    allowable: dict[tuple[str, str], None] = {}
    """Actions and resources that a policy would allow."""
    others: dict[tuple[str, str, str], None] = {}
    """Those that none would: they are denied, or a boundary or a session has to allow them."""
    timer: TimerHandle | None = None
    written_at: float | None = None
    has_news: bool = False


class Audit:
    """Remembers what would have been denied, and writes it once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._principals: OrderedDict[str, _Denials] = OrderedDict()
        self._second = -1
        self._lines = 0
        self._suppressed = 0

    def note(self, principal: Principal, action: str, resource: str, verdict: Verdict) -> None:
        """Take note of a denial. One that is known is not written again."""
        # Sessions of a role come and go: its policy is what is missing.
        who = principal.identity_arn or principal.arn
        kind = f"explicit deny in {verdict.kind}" if verdict.is_explicit else f"no {verdict.kind}"
        is_allowable = verdict.kind is PolicyKind.IDENTITY and not verdict.is_explicit
        self._note(who, principal.arn, action, resource, kind, is_allowable=is_allowable)

    def note_missing_role(self, role_arn: str, action: str, resource: str) -> None:
        """Take note of what would be denied because there is no such role."""
        self._note(role_arn, role_arn, action, resource, "no such role", is_allowable=False)

    def policy_of(self, principal_arn: str) -> dict[str, Any] | None:
        """Return the smallest policy for a user or role, by its ARN; None where nothing is known to be missing."""
        denials = self._principals.get(principal_arn)
        return smallest_policy(denials.allowable) if denials is not None and denials.allowable else None

    def _note(self, who: str, shown: str, action: str, resource: str, kind: str, *, is_allowable: bool) -> None:
        denials = self._principals.get(who)
        if denials is None:
            if len(self._principals) >= _PRINCIPALS_MAX:
                _, oldest = self._principals.popitem(last=False)
                if oldest.timer is not None:
                    oldest.timer.cancel()
            denials = self._principals[who] = _Denials({}, {})
        if is_allowable:
            if (action, resource) in denials.allowable or len(denials.allowable) >= _DENIALS_MAX:
                return
            denials.allowable[action, resource] = None
        else:
            if (action, resource, kind) in denials.others or len(denials.others) >= _DENIALS_MAX:
                return
            denials.others[action, resource, kind] = None
        self._principals.move_to_end(who)
        self._write("access.would_deny principal=%s action=%s resource=%s reason=%s", shown, action, resource, kind)
        if is_allowable:
            self._write_policy_soon(who, denials)

    def _write_policy_soon(self, who: str, denials: _Denials) -> None:
        denials.has_news = True
        if denials.timer is not None:
            return
        since = denials.written_at
        if since is None or self._clock.monotonic() - since >= _POLICY_EVERY_S:
            self._write_policy(who, denials)
            return

        def write() -> None:
            denials.timer = None
            if denials.has_news:
                self._write_policy(who, denials)

        denials.timer = self._clock.call_later(since + _POLICY_EVERY_S - self._clock.monotonic(), write)

    def _write_policy(self, who: str, denials: _Denials) -> None:
        denials.has_news = False
        denials.written_at = self._clock.monotonic()
        policy = msgspec.json.encode(smallest_policy(denials.allowable)).decode()
        _log.warning("access.would_allow principal=%s policy=%s", who, policy)

    def _write(self, line: str, *values: str) -> None:
        second = int(self._clock.monotonic())
        if second != self._second:
            if self._suppressed:
                _log.warning("access.would_deny_suppressed lines=%d", self._suppressed)
            self._second, self._lines, self._suppressed = second, 0, 0
        if self._lines >= _PER_S:
            self._suppressed += 1
            return
        self._lines += 1
        # Names of objects may hold anything, line breaks too.
        _log.warning(line, *("".join(c if c.isprintable() else "?" for c in value) for value in values))
