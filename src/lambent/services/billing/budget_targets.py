"""Whom budgets tell: web servers, SQS queues and functions. Checked when one is made, and gone to when it tells."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from lambent.access.authorize import Authorizer, Demand, ResourceFacts
from lambent.destinations.contract import Destinations, Message, NoSuchTarget, TargetRefuses
from lambent.domain.caller import Caller
from lambent.domain.destination import Target, parse_target
from lambent.errors.families import DependencyError
from lambent.neighbours.outward import Outward, Unreachable

TIMEOUT_S: Final = 10.0
"""Until a web server has answered. Assumed: who takes longer has written it down, or does not (test_budget_targets)."""

URL_MAX: Final = 2_048

_ACTIONS: Final = {"lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage"}


class InvalidTarget(ValueError):
    """Nothing can be told there; `args[0]` says why."""


class NotDelivered(Exception):
    """It has to be tried again; `args[0]` says what was in the way."""


def is_url(target: str) -> bool:
    """Say whether a target is a web server's address and no ARN."""
    return "://" in target


def shown_target(target: str) -> str:
    """Return a target as logs and metrics name it: what is behind a URL's host is often a secret."""
    if not is_url(target):
        return target
    parts = urlsplit(target)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class BudgetTargets:
    """
    The way to them.

    Args:
        destinations: queues and functions among them.
        outward: to web servers, as far as functions may go; its own, so that servers that hang hold up nobody else.
        facts: of queues and functions, by service.
    """

    def __init__(
        self,
        destinations: Destinations,
        outward: Outward,
        authorizer: Authorizer,
        facts: Mapping[str, ResourceFacts],
    ) -> None:
        self._destinations = destinations
        self._outward = outward
        self._authorizer = authorizer
        self._facts = facts

    async def check(self, caller: Caller, account: str, target: str) -> None:
        """
        Refuse a target that does not belong to the budget's account, that is not there, or that the caller has no leave
        for. The operator, who may make budgets for other accounts, needs none for what is theirs.

        Raises:
            InvalidTarget: it can be none.
            ApiError: the caller may not.
            DependencyError: the store failed.
        """
        if is_url(target):
            self._check_url(target)
            return
        parsed = self._parsed(target)
        if parsed.scope.account != account:
            raise InvalidTarget(f"{target} is not of account {account}")
        if caller.principal.account == account:
            demand = Demand(_ACTIONS[parsed.service], target)
            await self._authorizer.authorize(caller, (demand,), self._facts.get(parsed.service))
        try:
            is_there = await self._destinations[parsed.service].exists(parsed)
        except TargetRefuses as error:
            raise InvalidTarget(f"{target}: {error}") from None
        if not is_there:
            raise InvalidTarget(
                f"there is no {'function' if parsed.service == 'lambda' else 'standard queue'} {target}"
            )

    async def deliver(self, target: str, body: bytes, notice_id: str) -> None:
        """
        Tell one target; on return it has it.

        Raises:
            NotDelivered: it has not, or it is not known whether it has.
        """
        try:
            if is_url(target):
                await self._post(target, body, notice_id)
            else:
                parsed = self._parsed(target)
                await self._destinations[parsed.service].deliver(parsed, Message(body))
        except NoSuchTarget:
            raise NotDelivered("it is not there") from None
        except (Unreachable, TargetRefuses, InvalidTarget, DependencyError) as error:
            raise NotDelivered(str(error)) from error

    def _parsed(self, target: str) -> Target:
        parsed = parse_target(target)
        if parsed is None or parsed.service not in _ACTIONS:
            raise InvalidTarget(
                f"{target[:200]!r} is neither an http or https URL nor the ARN of an SQS queue or a function"
            )
        return parsed

    def _check_url(self, target: str) -> None:
        # What is refused is in the audit trail, and what is behind a URL's host is often a secret: it is not repeated.
        try:
            parts = urlsplit(target)
            is_of_a_server = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError as error:
            raise InvalidTarget(f"this is no URL: {error}") from None
        if not is_of_a_server:
            raise InvalidTarget("a URL to be told begins with https:// or http:// and names a server")
        if len(target) > URL_MAX or not target.isascii() or not target.isprintable() or " " in target:
            raise InvalidTarget(f"a URL has at most {URL_MAX} characters, all of them printable ASCII without spaces")
        if parts.fragment:
            raise InvalidTarget("a URL to be told has no fragment")
        if "@" in parts.netloc:
            raise InvalidTarget("a URL to be told has no user and no password")
        try:
            self._outward.check(target)
        except Unreachable as error:
            raise InvalidTarget(str(error)) from None

    async def _post(self, url: str, body: bytes, notice_id: str) -> None:
        headers = {"content-type": "application/json", "user-agent": "Lambent", "lambent-notice-id": notice_id}
        answer = await self._outward.send("POST", url, headers=headers, body=body, timeout_s=TIMEOUT_S)
        status = answer.status
        await answer.aclose()
        if not 200 <= status <= 299:
            # Redirects are followed by nobody: they would lead around what was allowed.
            raise NotDelivered(f"status {status}")
