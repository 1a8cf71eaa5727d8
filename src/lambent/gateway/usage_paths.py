"""
What functions used, over HTTP: `/_lambent/usage`, and below it `records`, `focus`, `advice` and `prices`.

All are GETs, signed for the service `lambent`, and need leave for `lambent:GetUsage`. Whoever asks sees what their own
account used; the operator's principals may name another one, or `account=all`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.domain.usage import UsageRecord
from lambent.domain.usage_periods import InvalidPeriod, UsagePeriod
from lambent.errors.families import AccessDeniedException, ApiError
from lambent.gateway.own_access import OwnAccess, is_function
from lambent.gateway.own_answers import JSON, answered, with_first
from lambent.gateway.usage_parameters import (
    ALL,
    OF_ADVICE,
    OF_FOCUS,
    OF_RECORDS,
    OF_USAGE,
    InvalidParameter,
    Parameters,
    Whose,
)
from lambent.protocol.wire import WireRequest, WireResponse
from lambent.services.billing.answers import (
    AdviceAsk,
    FocusAsk,
    Forecast,
    PartAsk,
    Prices,
    TooManyRows,
    UsageAsk,
    UsedBy,
)
from lambent.services.billing.bills import Bills
from lambent.store.usage_contract import Coarse, UsageGroup, UsageQuestion, UsageStore

VERB: Final = "GetUsage"

ROWS_MAX: Final = 20_000
"""In one answer. Assumed: more than a table, or a sheet, that somebody looks at (test_usage_paths)."""

RECORDS_MAX: Final = 1_000
"""In one answer; `after` asks for the next ones."""

_RECORDS: Final = 100
_ADVICE_FROM: Final = "14d"
"""Long enough for a weekend, short enough for what functions do now. Assumed."""

_ROWS_AT_ONCE: Final = 500
"""Rows that are written down before others get at the loop: about a millisecond. Assumed."""

_DAY_S: Final = 86_400
_OF_ADVICE = (UsageGroup.FUNCTION, UsageGroup.VERSION, UsageGroup.ALIAS)


class _TooMuch(ApiError):
    """The answer would be too large."""

    code = "LimitExceeded"
    status = 400


class _TooOld(ApiError):
    """Sums that short are not kept any more."""

    code = "Coarse"
    status = 400


class UsagePaths:
    """
    Answers questions about usage.

    Args:
        bills: what it comes to.
        store: has the records.
        settle: awaited before each answer: returns once what happened before is in the store.
        access: lets in.
    """

    def __init__(
        self, bills: Bills, store: UsageStore, settle: Callable[[], Awaitable[None]], access: OwnAccess, clock: Clock
    ) -> None:
        self._bills = bills
        self._store = store
        self._settle = settle
        self._access = access
        self._clock = clock
        self._answers: Mapping[str, Callable[[Caller, str], Awaitable[WireResponse]]] = {
            "": self._usage,
            "records": self._records,
            "focus": self._focus,
            "advice": self._advice,
            "prices": self._prices,
        }

    async def answer(self, request: WireRequest, what: str, request_id: str) -> WireResponse | None:
        """
        Answer a GET.

        Args:
            what: what follows `/_lambent/usage/`, empty for the path itself.

        Returns: None where there is no such path.

        Raises:
            ApiError: who asks may not, or asks for what cannot be.
        """
        answer = self._answers.get(what)
        if answer is None:
            return None
        caller = await self._access.identify(request, request_id)
        if is_function(caller):
            # Whatever its role may: what functions cost is not their affair, and asking would make others pay.
            raise AccessDeniedException("functions may not ask what was used")
        await self._access.check_own(caller, VERB)
        try:
            response = await answer(caller, request.query)
        except Coarse as error:
            raise _TooOld(str(error)) from None
        except TooManyRows as error:
            raise _TooMuch(str(error)) from None
        except InvalidPeriod as error:
            raise InvalidParameter(str(error)) from None
        if request.method == "HEAD" and not isinstance(response.body, bytes):
            await response.body.aclose()
            response.body = b""
        return response

    async def _usage(self, caller: Caller, query: str) -> WireResponse:
        parameters = Parameters(query, OF_USAGE)
        by, key = parameters.by()
        whose = self._whose(caller, parameters, sees_all=by is UsageGroup.ACCOUNT)
        period = parameters.period(self._now_s())
        stretches = period.stretches()
        ask = UsageAsk(periods=stretches, by=by, tag=key, **_fields(whose))
        await self._settle()
        answer = await self._bills.usage(ask)
        if len(answer.rows) > ROWS_MAX:
            raise _TooMuch(
                f"step: there are {len(answer.rows)} rows, more than {ROWS_MAX}: ask for a longer step, a shorter time "
                "or a part of it (function, region, tag)"
            )
        forecast = await self._bills.forecast(PartAsk(**_fields(whose))) if self._is_of_now(period) else None
        head = {
            "from": period.iso(period.from_s),
            "to": period.iso(period.before_s),
            "by": f"{by}:{key}" if key else by.value,
            "step": period.step.value,
            "timezone": period.timezone,
            "currency": answer.prices.currency,
            "prices": _shown_prices(answer.prices),
            "machine": None if answer.machine is None else _shown(answer.machine),
            "total": _shown(answer.total),
            "forecast": None if forecast is None else _shown_forecast(forecast, period),
            # A row's `at` is one of them; where nothing was used, there is no row.
            "stretches": [period.iso(begin) for begin, _ in stretches],
        }
        return await self._written(head, answer.rows, period)

    async def _written(self, head: Mapping[str, Any], rows: Sequence[UsedBy], period: UsagePeriod) -> WireResponse:
        """Write an answer down, a part at a time."""
        pieces = [msgspec.json.encode(head)[:-1], b',"rows":[']
        moments: dict[int, str] = {}
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            if start:
                await asyncio.sleep(0)
                pieces.append(b",")
            shown = []
            for row in rows[start : start + _ROWS_AT_ONCE]:
                at = moments.get(row.at_s)
                if at is None:
                    at = moments[row.at_s] = period.iso(row.at_s)
                fields = _shown(row)
                del fields["at_s"]
                shown.append({"at": at, **fields})
            pieces.append(msgspec.json.encode(shown)[1:-1])
        pieces.append(b"]}")
        return WireResponse(200, [JSON], b"".join(pieces))

    async def _records(self, caller: Caller, query: str) -> WireResponse:
        parameters = Parameters(query, OF_RECORDS)
        whose = self._whose(caller, parameters)
        period = parameters.period(self._now_s())
        after = parameters.number("after", 0, 0, (1 << 63) - 1)
        limit = parameters.number("limit", _RECORDS, 1, RECORDS_MAX)
        question = UsageQuestion(from_s=period.from_s, before_s=period.before_s, **_fields(whose))
        await self._settle()
        found = await self._store.records(question, after=after, limit=limit)
        shown = {
            "from": period.iso(period.from_s),
            "to": period.iso(period.before_s),
            "records": [_shown_record(number, record, period) for number, record in found.records],
            "after": found.after,
        }
        return answered(shown)

    async def _focus(self, caller: Caller, query: str) -> WireResponse:
        parameters = Parameters(query, OF_FOCUS)
        whose = self._whose(caller, parameters)
        now_s = self._now_s()
        period = parameters.period(now_s, timezone="UTC")
        before_s = period.before_s if parameters.has("to") else -(-period.before_s // _DAY_S) * _DAY_S
        for name, bound in (("from", period.from_s), ("to", before_s)):
            if bound % _DAY_S:
                raise InvalidParameter(f"{name}: FOCUS has a row for each day: give a day of UTC or a month")
        await self._settle()
        table = self._bills.focus(FocusAsk(from_s=period.from_s, before_s=before_s, **_fields(whose)))
        # What is refused is known by then.
        first = await anext(table, b"")
        name = f"lambent-focus-{period.iso(period.from_s)[:10]}.csv"
        headers = [
            (b"content-type", b"text/csv; charset=utf-8"),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        ]
        return WireResponse(200, headers, with_first(first, table), ends_with_client=True)

    async def _advice(self, caller: Caller, query: str) -> WireResponse:
        parameters = Parameters(query, OF_ADVICE)
        by, _ = parameters.by(_OF_ADVICE)
        whose = self._whose(caller, parameters)
        period = parameters.period(self._now_s(), default_from=_ADVICE_FROM)
        await self._settle()
        answer = await self._bills.advice(
            AdviceAsk(from_s=period.from_s, before_s=period.before_s, by=by, **_fields(whose))
        )
        shown = {
            "from": period.iso(period.from_s),
            "to": period.iso(period.before_s),
            "by": by.value,
            "currency": answer.prices.currency,
            "prices": _shown_prices(answer.prices),
            "rows": [_shown(row) for row in answer.rows],
        }
        return answered(shown)

    async def _prices(self, caller: Caller, query: str) -> WireResponse:
        Parameters(query, ())
        return WireResponse(200, [(b"content-type", b"application/toml")], self._bills.prices_text().encode())

    def _whose(self, caller: Caller, parameters: Parameters, *, sees_all: bool = False) -> Whose:
        """
        Return whose usage is asked for.

        Args:
            sees_all: whether all accounts are meant where none is named, by whoever may.

        Raises:
            AccessDeniedException: it is not the caller's to ask.
        """
        own, named = caller.principal.account, parameters.account()
        is_operator = self._access.is_operator(caller)
        if named not in {None, own} and not is_operator:
            raise AccessDeniedException(
                f"account: {named} is not yours: principals of {own} see what their own account used; only those of "
                "the account that --account names see others"
            )
        if named is None:
            return parameters.whose(None if sees_all and is_operator else own)
        return parameters.whose(None if named == ALL else named)

    def _is_of_now(self, period: UsagePeriod) -> bool:
        """Say whether a period has to do with the current month of UTC: a forecast is of that alone."""
        now = datetime.fromtimestamp(self._now_s(), UTC)
        month_s = int(now.replace(day=1, hour=0, minute=0, second=0).timestamp())
        return period.from_s <= self._now_s() and period.before_s > month_s

    def _now_s(self) -> int:
        return int(self._clock.now())


def _fields(whose: Whose) -> dict[str, Any]:
    return msgspec.structs.asdict(whose)


def _shown(fields: msgspec.Struct) -> dict[str, Any]:
    """Return what a struct says, its money as people write it: without powers of ten."""
    return {name: _plain(getattr(fields, name)) for name in fields.__struct_fields__}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return _shown(value) if isinstance(value, msgspec.Struct) else value


def _shown_prices(prices: Prices) -> Mapping[str, str]:
    return {"name": prices.name, "source": prices.source, "date": prices.date}


def _shown_forecast(forecast: Forecast, period: UsagePeriod) -> Mapping[str, Any]:
    fields = _shown(forecast)
    return {**fields, "from": period.iso(fields.pop("from_s")), "to": period.iso(fields.pop("before_s"))}


def _shown_record(number: int, record: UsageRecord, period: UsagePeriod) -> Mapping[str, Any]:
    key = record.key
    milliseconds = record.started_ms % 1000
    at = period.iso(record.started_ms // 1000)
    return {
        "number": number,
        "request_id": record.request_id,
        # Between the seconds and the offset.
        "at": f"{at[:19]}.{milliseconds:03d}{at[19:]}",
        "account": key.scope.account,
        "region": key.scope.region,
        "function": key.function,
        "version": key.version,
        "qualifier": key.qualifier,
        "tenant": key.of.tenant,
        "memory_mib": key.of.memory_mib,
        "tmp_mib": key.of.tmp_mib,
        "architecture": key.of.architecture,
        "kind": key.of.kind,
        "runtime": key.of.runtime,
        "duration_ms": record.duration_us / 1000,
        "init_ms": record.init_us / 1000,
        "billed_ms": record.billed_ms,
        "cpu_ms": record.cpu_us / 1000,
        "memory_peak_mib": record.memory_peak_mib,
        "streamed_bytes": record.streamed_bytes,
        "status": record.status,
        "is_restored": record.is_restored,
    }
