"""Whom budgets may tell, and what came of it."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from lambent.access.authorize import Demand
from lambent.destinations.contract import Message, NoSuchTarget
from lambent.domain.destination import Target
from lambent.errors.families import AccessDeniedException, DependencyError
from lambent.neighbours.outward import Outward, TimedOut
from lambent.services.billing.budget_targets import BudgetTargets, InvalidTarget, NotDelivered, shown_target

ACCOUNT = "111122223333"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"


class There:
    def __init__(self) -> None:
        self.delivered: list[tuple[str, bytes]] = []
        self.failure: Exception | None = None

    async def exists(self, target: Target) -> bool:
        return not target.resource.endswith("gone")

    async def deliver(self, target: Target, message: Message) -> None:
        if self.failure is not None:
            raise self.failure
        self.delivered.append((target.arn, message.body))


class Authorizer:
    is_on = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.is_open = True

    async def authorize(self, caller: Any, demands: Sequence[Demand], facts: Any = None) -> None:
        self.asked += [(one.action, one.resource) for one in demands]
        if not self.is_open:
            raise AccessDeniedException("no")


class Servers(Outward):
    """Answers with a status instead of going out."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(is_open=True)
        self.status = status
        self.sent: list[tuple[str, str, Any, bytes]] = []
        self.failure: Exception | None = None
        self.closed = 0

    async def send(self, method: str, url: str, *, headers: Any, body: bytes = b"", timeout_s: float) -> Any:
        assert timeout_s == 10.0
        if self.failure is not None:
            raise self.failure
        self.sent.append((method, url, headers, body))
        return SimpleNamespace(status=self.status, aclose=self._aclose)

    async def _aclose(self) -> None:
        self.closed += 1


class Stage:
    def __init__(self) -> None:
        self.there, self.authorizer, self.servers = There(), Authorizer(), Servers()
        destinations = {"sqs": self.there, "lambda": self.there}
        self.targets = BudgetTargets(destinations, self.servers, self.authorizer, {})  # type: ignore[arg-type]

    def check(self, target: str, caller: str = ACCOUNT) -> None:
        asking: Any = SimpleNamespace(principal=SimpleNamespace(account=caller))
        asyncio.run(self.targets.check(asking, ACCOUNT, target))

    def deliver(self, target: str) -> None:
        asyncio.run(self.targets.deliver(target, b"{}", "id"))


def test_whoever_names_a_target_may_send_there() -> None:
    stage = Stage()
    for target in (QUEUE, FUNCTION):
        stage.check(target)
    assert stage.authorizer.asked == [("sqs:SendMessage", QUEUE), ("lambda:InvokeFunction", FUNCTION)]
    stage.authorizer.is_open = False
    with pytest.raises(AccessDeniedException):
        stage.check(QUEUE)
    # The operator, whose budget it is not.
    stage.check(QUEUE, caller="000000000000")


@pytest.mark.parametrize(
    "target",
    [
        "", "x", "arn:aws:sns:eu-west-1:111122223333:t", "arn:aws:sqs:eu-west-1:999999999999:q", QUEUE + "-gone",
        FUNCTION + "-gone", "ftp://example.com/", "http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/",
        "http://10.0.0.1/", "http://2130706433/", "https://u:p@example.com/", "https://example.com/#f",
        "https://example.com/a b", "https://example.com/\n", "https://example.com/é", "https://[", "https://",
        "https://example.com/" + "a" * 2_048,
    ],
)  # fmt: skip
def test_what_cannot_be_told(target: str) -> None:
    with pytest.raises(InvalidTarget):
        Stage().check(target)


@pytest.mark.parametrize(
    "target",
    ["https://u:secret@example.com/", "ftp://example.com/secret", "https://example.com:secret/", "https:///secret"],
)
def test_what_is_refused_is_not_repeated(target: str) -> None:
    """Refusals are in the audit trail, and what is behind a host is often a secret."""
    with pytest.raises(InvalidTarget) as refused:
        Stage().check(target)
    assert "example.com" not in str(refused.value) and "/secret" not in str(refused.value)


def test_a_web_server_gets_a_post() -> None:
    stage = Stage()
    stage.check("https://example.com/hook?a=b")
    stage.deliver("https://example.com/hook?a=b")
    ((method, url, headers, body),) = stage.servers.sent
    assert (method, url, body, stage.servers.closed) == ("POST", "https://example.com/hook?a=b", b"{}", 1)
    assert headers["content-type"] == "application/json" and headers["lambent-notice-id"] == "id"


@pytest.mark.parametrize(("status", "is_told"), [(200, True), (204, True), (302, False), (404, False), (500, False)])
def test_what_its_status_says(status: int, is_told: bool) -> None:
    """A redirect is followed by nobody, and told to nobody."""
    stage = Stage()
    stage.servers.status = status
    if is_told:
        stage.deliver("https://example.com/")
    else:
        with pytest.raises(NotDelivered, match=f"status {status}"):
            stage.deliver("https://example.com/")
    assert stage.servers.closed == 1


def test_failures_are_to_be_tried_again() -> None:
    stage = Stage()
    stage.servers.failure = TimedOut("no answer within 10 s")
    with pytest.raises(NotDelivered, match="no answer"):
        stage.deliver("https://example.com/")
    for failure in (NoSuchTarget(), DependencyError("full", retryable=True)):
        stage.there.failure = failure
        with pytest.raises(NotDelivered, match=r"it is not there|full"):
            stage.deliver(QUEUE)
    stage.there.failure = None
    stage.deliver(QUEUE)
    assert stage.there.delivered == [(QUEUE, b"{}")]


def test_of_a_url_the_host_alone_is_shown() -> None:
    assert shown_target("https://example.com:8443/T0/secret?k=v") == "https://example.com:8443"
    assert shown_target("https://user:secret@example.com/") == "https://example.com"
    assert shown_target(QUEUE) == QUEUE
