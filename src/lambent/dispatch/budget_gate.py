"""
What budgets that are used up keep from running.

While none is, an invocation asks whether there is anything here, and no more. While some are, it looks its account up.
"""

from typing import Final

from lambent.dispatch.function_tags import FunctionTags
from lambent.domain.budget import Watched
from lambent.domain.caller import Scope
from lambent.domain.function import FunctionName
from lambent.fleet.contract import Throttled

REASON: Final = "BudgetExceeded"
"""The Reason of the refusal. Ours: AWS refuses nothing because of a budget."""


class Stopped:
    """The budgets of one account that are used up."""

    def __init__(self, tags: FunctionTags) -> None:
        self._tags = tags
        self.budgets: dict[str, tuple[Watched, str]] = {}
        """By name: what each watches, and what is said of it."""
        self._of_all = ""
        self._of_functions: dict[tuple[str, str], str] = {}
        self._of_tags: dict[tuple[str, str], str] = {}

    def put(self, name: str, watched: Watched | None, text: str = "") -> None:
        """Have a budget stop what it watches; None: no more."""
        if watched is None:
            self.budgets.pop(name, None)
        else:
            self.budgets[name] = (watched, text)
        self._of_all, self._of_functions, self._of_tags = "", {}, {}
        for budget in sorted(self.budgets):
            one, said = self.budgets[budget]
            if one.function:
                self._of_functions.setdefault((one.region, one.function), said)
            elif one.tag_key:
                self._of_tags.setdefault((one.tag_key, one.tag_value), said)
            else:
                self._of_all = self._of_all or said

    async def check(self, scope: Scope, function: FunctionName) -> None:
        """
        Refuse a function that one of them watches. Its tags are those that it has now.

        Raises:
            Throttled: one does.
            DependencyError: the store failed.
        """
        said = self._of_all or self._of_functions.get((scope.region, function))
        if not said and self._of_tags:
            tags = self._tags.known(scope, function)
            if tags is None:
                tags = await self._tags.of(scope, function)
            said = next((self._of_tags[tag] for tag in tags.items() if tag in self._of_tags), None)
        if said:
            raise Throttled(REASON, said)


class BudgetGate:
    """
    The budgets that are used up.

    Args:
        tags: of functions.
    """

    __slots__ = ("_tags", "stopped")

    def __init__(self, tags: FunctionTags) -> None:
        self._tags = tags
        self.stopped: dict[str, Stopped] = {}
        """By account; empty where nothing is."""

    def stop(self, account: str, budget: str, watched: Watched, text: str) -> None:
        """Refuse what a budget watches, from the next invocation on."""
        stopped = self.stopped.get(account)
        if stopped is None:
            stopped = self.stopped[account] = Stopped(self._tags)
        if stopped.budgets.get(budget) != (watched, text):
            stopped.put(budget, watched, text)

    def free(self, account: str, budget: str) -> None:
        """Let in again, from the next invocation on, what no other budget refuses."""
        stopped = self.stopped.get(account)
        if stopped is None or budget not in stopped.budgets:
            return
        stopped.put(budget, None)
        if not stopped.budgets:
            del self.stopped[account]
