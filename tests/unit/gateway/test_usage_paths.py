"""Usage over HTTP: who sees what, what is asked of bills and of the store, and how answers look."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.access.authorize import Demand
from lambent.domain.caller import Inside, Scope
from lambent.domain.principal import Principal, Session, root_of, session_of_role
from lambent.domain.usage import UsageClass, UsageKey, UsageRecord
from lambent.errors.families import AccessDeniedException, ApiError, MissingAuthenticationToken
from lambent.gateway import usage_paths
from lambent.gateway.own_access import OwnAccess
from lambent.gateway.usage_paths import UsagePaths
from lambent.protocol.wire import WireRequest
from lambent.services.billing.answers import (
    AdviceAnswer,
    AdviceAsk,
    FocusAsk,
    Forecast,
    PartAsk,
    Prices,
    TooManyRows,
    UsageAnswer,
    UsageAsk,
    Used,
    UsedBy,
)
from lambent.store.usage_contract import Coarse, RecordPage, UsageGroup, UsageQuestion
from lambent.testing.virtual_clock import VirtualClock

OWN, OTHER = "000000000000", "111122223333"
DAY_S = 1_794_960_000
"""18 November 2026."""
PRICES = Prices("AWS", "https://aws.amazon.com/lambda/pricing/", "2026-11-01", "USD")
KEY = UsageKey(Scope(OWN, "us-east-1"), "f", "$LATEST", "", UsageClass(128, runtime="python3.13"))
RECORD = UsageRecord(KEY, "the-id", 1_796_000_000_007, 1_500, 0, 2, 700, 40, 0, "error")


class _Claim(msgspec.Struct):
    principal: Principal
    how: str = "signature"

    def check_body(self, body: bytes) -> None:
        pass


class Stage:
    """Usage paths of a server that verifies signatures, and what was asked behind them."""

    def __init__(self, account: str | None = OWN, *, is_verified: bool = True) -> None:
        self.principal = None if account is None else root_of(account, "AKIAROOT")
        self.is_verified = is_verified
        self.demanded: list[tuple[str, str]] = []
        self.asked: list[Any] = []
        self.denies = False
        self.rows: Sequence[UsedBy] = ()
        self.refusal: Exception | None = None
        self.clock = VirtualClock(now=1_796_000_000)

    # The access behind OwnAccess.

    async def begin(self, request: WireRequest, service: str, *, allows_anonymous: bool = False) -> Any:
        if self.principal is None:
            raise MissingAuthenticationToken("Missing Authentication Token")
        return _Claim(self.principal)

    async def authorize(self, caller: Any, demands: Sequence[Demand], facts: Any = None) -> None:
        self.demanded += [(demand.action, demand.account) for demand in demands]
        if self.denies:
            raise AccessDeniedException("no policy allows it")

    # Bills, the store, and what folds.

    async def settle(self) -> None:
        self.asked.append("settle")

    async def usage(self, ask: UsageAsk) -> UsageAnswer:
        self.asked.append(ask)
        if self.refusal is not None:
            raise self.refusal
        return UsageAnswer(
            prices=PRICES, machine=None, rows=self.rows, total=Used(requests=len(self.rows), aws_cost=Decimal("0E-12"))
        )

    async def forecast(self, ask: PartAsk) -> Forecast | None:
        self.asked.append(ask)
        return Forecast(
            month="2026-11", so_far=Decimal("1.5"), expected=Decimal(3), expected_requests=7, expected_gb_seconds=0.5,
            method="rate", days=1.5, from_s=DAY_S, before_s=DAY_S + 86_400,
        )  # fmt: skip

    async def advice(self, ask: AdviceAsk) -> AdviceAnswer:
        self.asked.append(ask)
        return AdviceAnswer(prices=PRICES, rows=())

    async def focus(self, ask: FocusAsk) -> AsyncIterator[bytes]:
        self.asked.append(ask)
        yield b"BilledCost\n"
        yield b"1\n"

    def prices_text(self) -> str:
        return 'name = "AWS"\n'

    async def records(self, question: UsageQuestion, *, after: int, limit: int) -> Any:
        self.asked.append((question, after, limit))
        found = [(after + number, RECORD) for number in range(1, min(limit, 3) + 1)]
        return RecordPage(found, after + limit if limit <= 3 else None)

    def ask(self, what: str, query: str = "", **more: Any) -> tuple[int, str]:
        """Return status and body."""
        return asyncio.run(self._ask(what, query, more))

    async def _ask(self, what: str, query: str, more: dict[str, Any]) -> tuple[int, str]:
        fakes: Any = self
        access = OwnAccess(fakes, fakes, "us-east-1", account=OWN if self.is_verified else None)
        paths = UsagePaths(fakes, fakes, self.settle, access, self.clock)
        request = WireRequest(**{"method": "GET", "path": "/_lambent/usage", "query": query} | more)
        try:
            answer = await paths.answer(request, what, "id")
        except ApiError as error:
            return error.status, error.message
        if answer is None:
            return 404, ""
        body = answer.body
        whole = body if isinstance(body, bytes) else b"".join([piece async for piece in body])
        return answer.status, whole.decode()

    def json(self, what: str, query: str = "") -> Any:
        status, text = self.ask(what, query)
        assert status == 200, text
        return json.loads(text)


def row(number: int, at_s: int = DAY_S) -> UsedBy:
    return UsedBy(at_s=at_s, group=f"f{number}", account=OWN, requests=number, aws_cost=Decimal("0.0000002"))


def test_a_question() -> None:
    """What happened before is folded first; the answer has what was asked in it, and money as text."""
    stage = Stage()
    stage.rows = [row(1, DAY_S), row(2, DAY_S + 86_400)]
    query = "from=2026-11-18&to=2026-11-19&step=day&by=tag:team&tag=stage=prod&region=eu-west-1&function=f&timezone=UTC"
    answer = stage.json("", query)
    settled, asked, part = stage.asked
    assert settled == "settle"
    assert asked == UsageAsk(
        periods=[(DAY_S, DAY_S + 86_400), (DAY_S + 86_400, DAY_S + 172_800)], by=UsageGroup.TAG, tag="team",
        account=OWN, region="eu-west-1",
        function="f", tags={"stage": "prod"},
    )  # fmt: skip
    assert part == PartAsk(account=OWN, region="eu-west-1", function="f", tags={"stage": "prod"})
    days = ["2026-11-18T00:00:00+00:00", "2026-11-19T00:00:00+00:00"]
    assert (answer["from"], answer["to"]) == (days[0], "2026-11-20T00:00:00+00:00")
    assert (answer["by"], answer["step"], answer["timezone"]) == ("tag:team", "day", "UTC")
    assert answer["stretches"] == days
    assert (answer["currency"], answer["machine"]) == ("USD", None)
    assert answer["prices"] == {"name": "AWS", "source": PRICES.source, "date": "2026-11-01"}
    assert [(one["at"], one["group"], one["account"], one["requests"]) for one in answer["rows"]] == [
        (days[0], "f1", OWN, 1),
        (days[1], "f2", OWN, 2),
    ]
    assert answer["rows"][0]["aws_cost"] == "0.0000002"
    assert set(answer["rows"][0]) == {"at", "group", "account", *answer["total"]}
    assert (answer["total"]["requests"], answer["total"]["aws_cost"]) == (2, "0")
    assert answer["forecast"]["expected"] == "3"
    assert (answer["forecast"]["from"], answer["forecast"]["to"]) == tuple(days)


def test_a_month_that_is_over_has_no_forecast() -> None:
    stage = Stage()
    assert stage.json("", "from=2026-10&to=2026-10")["forecast"] is None
    assert stage.json("", "from=2026-10")["forecast"]["month"] == "2026-11"


def test_whose_usage() -> None:
    """One's own; the operator's principals may name others, and see all accounts where they ask by account."""
    stage = Stage()
    for query, account in (
        ("", OWN),
        (f"account={OTHER}", OTHER),
        ("account=all", None),
        ("by=account", None),
        (f"by=account&account={OWN}", OWN),
    ):
        stage.json("", query)
        assert stage.asked[-2].account == account
        assert stage.demanded[-1] == ("lambent:GetUsage", OWN)
    client = Stage(OTHER)
    for query in ("", f"account={OTHER}", "by=account"):
        client.json("", query)
        assert client.asked[-2].account == OTHER
        assert client.demanded[-1] == ("lambent:GetUsage", OTHER)
    for path in ("", "records", "focus", "advice"):
        for query in (f"account={OWN}", "account=all"):
            asked = len(client.asked)
            status, text = client.ask(path, query)
            assert (status, len(client.asked)) == (403, asked)
            assert "is not yours" in text
    # Where any key is taken, anybody is the operator.
    assert Stage(OTHER, is_verified=False).json("", "account=all")["rows"] == []


def test_who_may_ask() -> None:
    """Nobody without leave, nobody unknown, and no function whatever its role may."""
    for path in ("", "records", "focus", "advice", "prices"):
        stage = Stage()
        stage.denies = True
        assert stage.ask(path)[0] == 403
        assert Stage(None).ask(path)[0] == 403
        status, text = Stage().ask(path, inside=Inside(Scope(OWN, "us-east-1"), "arn"))
        assert (status, text) == (403, "functions may not ask what was used")
        # The same where no sandbox tells, by its credentials.
        elsewhere = Stage()
        elsewhere.principal = session_of_role(OWN, "r", "/", "AROA1", Session("s", 0.0, 9e9, environment="e"))
        assert elsewhere.ask(path)[0] == 403
    assert Stage().ask("nothing") == (404, "")


def test_records() -> None:
    """Page by page, each with its number, until there are no more."""
    stage = Stage()
    answer = stage.json("records", "limit=3&after=10&function=f&timezone=Asia/Kolkata")
    assert answer["after"] == 13
    question, after, limit = stage.asked[-1]
    assert (question.function, question.account, after, limit) == ("f", OWN, 10, 3)
    first = answer["records"][0]
    assert first["at"] == "2026-11-30T06:23:20.007+05:30"
    assert (first["number"], first["request_id"], first["duration_ms"], first["cpu_ms"]) == (11, "the-id", 1.5, 0.7)
    assert (first["function"], first["version"], first["memory_mib"], first["status"]) == ("f", "$LATEST", 128, "error")
    assert stage.json("records", "limit=4")["after"] is None
    assert stage.ask("records", "limit=1001")[0] == 400


def test_focus_is_of_whole_days() -> None:
    """Of UTC; today's is included as far as it has come."""
    stage = Stage()
    assert stage.ask("focus") == (200, "BilledCost\n1\n")
    november, december = 1_793_491_200, 1_793_491_200 + 30 * 86_400
    assert stage.asked[-1] == FocusAsk(from_s=november, before_s=december, account=OWN)
    assert stage.ask("focus", "from=2026-11&to=2026-11&account=all")[0] == 200
    assert stage.asked[-1] == FocusAsk(from_s=november, before_s=december)
    status, text = stage.ask("focus", "from=2026-11-01T01:00")
    assert (status, text.partition(":")[0]) == (400, "from")
    assert stage.ask("focus", "to=2026-11-29T01:00")[1].startswith("to: FOCUS has a row for each day")
    assert stage.ask("focus", "timezone=UTC")[0] == 400
    assert stage.ask("focus", method="HEAD") == (200, "")


def test_advice_and_prices() -> None:
    """Advice is of the last two weeks; prices are a list that can be edited."""
    stage = Stage()
    assert stage.json("advice", "by=alias&function=f")["rows"] == []
    asked = stage.asked[-1]
    assert (asked.by, asked.function, asked.account) == (UsageGroup.ALIAS, "f", OWN)
    assert asked.before_s - asked.from_s > 14 * 86_400
    assert stage.ask("advice", "by=tenant")[1].startswith("by: 'tenant' is none of function, version, alias")
    assert stage.ask("prices") == (200, 'name = "AWS"\n')
    assert stage.ask("prices", "from=2026-11")[0] == 400


def test_many_rows_are_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one document all the same; beyond what an answer may hold, it says what to ask instead."""
    monkeypatch.setattr(usage_paths, "_ROWS_AT_ONCE", 3)
    monkeypatch.setattr(usage_paths, "ROWS_MAX", 10)
    stage = Stage()
    for count in (0, 1, 3, 4, 9, 10):
        stage.rows = [row(number) for number in range(count)]
        assert [one["group"] for one in stage.json("")["rows"]] == [f"f{number}" for number in range(count)]
    stage.rows = [row(number) for number in range(11)]
    status, text = stage.ask("")
    assert status == 400
    assert "more than 10" in text
    assert "shorter time" in text
    stage.refusal = TooManyRows("more than 100,000 rows; ask for less time")
    assert stage.ask("") == (400, str(stage.refusal))


def test_what_is_kept_no_longer_by_the_minute() -> None:
    stage = Stage()
    stage.refusal = Coarse("usage by the minute is kept for 15 days; ask for whole days of UTC")
    assert stage.ask("", "step=hour") == (400, str(stage.refusal))


def test_too_many_stretches() -> None:
    """Refused before anything is asked behind it."""
    stage = Stage()
    status, text = stage.ask("", "step=minute")
    assert (status, stage.asked) == (400, [])
    assert text.startswith("step: by the minute there would be more than")


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["", "records", "focus", "advice", "prices"]), st.text(max_size=40))
def test_rubbish(path: str, query: str) -> None:
    """200 or 400, whatever is asked."""
    assert Stage().ask(path, query)[0] in {200, 400}
