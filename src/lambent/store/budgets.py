"""Budgets and their notices in the database: the `BudgetStore` of the contract."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager

import msgspec
from sqlalchemy import and_, bindparam, delete, func, insert, select, update

from lambent.domain.budget import Budget
from lambent.store.budgets_contract import NOTICES_MAX, NewNotice, PendingNotice
from lambent.store.database import Database, Statements
from lambent.store.tables import budget_notices, budgets

_encode = msgspec.json.Encoder(decimal_format="string").encode
_decode = msgspec.json.Decoder(Budget).decode
_decode_notice = msgspec.json.Decoder(NewNotice).decode

_b = budgets.c
_n = budget_notices.c

_IS_NAMED = and_(_b.account == bindparam("of_account"), _b.name == bindparam("of_name"))
_GET = select(_b.document).where(_IS_NAMED)
_LIST = select(_b.document).where(_b.account == bindparam("of_account")).order_by(_b.name)
_EVERY = select(_b.document).order_by(_b.account, _b.name)
_COUNT = select(func.count()).select_from(budgets).where(_b.account == bindparam("of_account"))
_REPLACE = update(budgets).where(_IS_NAMED).values(revision=bindparam("new_revision"), document=bindparam("new"))
_INSERT = insert(budgets)
_DELETE = delete(budgets).where(_IS_NAMED)

_INSERT_NOTICE = insert(budget_notices)
_NOTICES = select(_n.number, _n.document).where(_n.account == bindparam("of_account")).order_by(_n.number)
_COUNT_NOTICES = select(func.count()).select_from(budget_notices).where(_n.account == bindparam("of_account"))
_DROP_NOTICES = delete(budget_notices).where(_n.account == bindparam("of_account"), _n.budget == bindparam("of_name"))
_PENDING = (
    select(_n.number, _n.document).where(_n.number > bindparam("after")).order_by(_n.number).limit(bindparam("at_most"))
)
_FINISH = delete(budget_notices).where(_n.number == bindparam("of_number"))
_NOTE = update(budget_notices).where(_n.number == bindparam("of_number")).values(document=bindparam("new"))


class BudgetRepository:
    """Budgets of all accounts, as rows with one document each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._callbacks: list[Callable[[], None]] = []

    @asynccontextmanager
    async def transaction(self, account: str) -> AsyncIterator["StoredBudgets"]:
        """Open a transaction that may write; see the contract."""
        rows: StoredBudgets | None = None

        def committed() -> None:
            if rows is not None and rows.has_notices:
                for callback in self._callbacks:
                    callback()

        async with self._database.write(committed) as statements:
            rows = StoredBudgets(statements, account)
            yield rows

    @asynccontextmanager
    async def snapshot(self, account: str) -> AsyncIterator["StoredBudgets"]:
        """Open a read-only transaction; see the contract."""
        async with self._database.snapshot() as statements:
            yield StoredBudgets(statements, account)

    async def every(self) -> Sequence[Budget]:
        """Return the budgets of all accounts; see the contract."""
        return [_decode(row[0]) for row in await self._database.rows(_EVERY)]

    async def pending(self, *, after: int = 0, limit: int) -> Sequence[PendingNotice]:
        """Return notices that are not delivered; see the contract."""
        rows = await self._database.rows(_PENDING, {"after": after, "at_most": limit})
        return [PendingNotice(row[0], _decode_notice(row[1])) for row in rows]

    async def pending_count(self) -> int:
        """Return how many notices are not delivered."""
        ((count,),) = await self._database.rows(select(func.count()).select_from(budget_notices))
        return int(count)

    async def finish(self, number: int) -> bool:
        """Forget a notice; see the contract."""
        async with self._database.write() as statements:
            return bool(await statements.change(_FINISH, {"of_number": number}))

    async def note_failure(self, number: int, notice: NewNotice) -> bool:
        """Keep what came of a try; see the contract."""
        async with self._database.write() as statements:
            new = {"of_number": number, "new": _encode(notice).decode()}
            return bool(await statements.change(_NOTE, new))

    def on_notices(self, callback: Callable[[], None]) -> None:
        """Call back after every commit that ordered or dropped notices; see the contract."""
        self._callbacks.append(callback)


class StoredBudgets:
    """Rows of one account inside one transaction: `BudgetRows` of the contract."""

    def __init__(self, statements: Statements, account: str) -> None:
        self._statements = statements
        self._account = account
        self.has_notices = False
        """Whether some were ordered or dropped."""

    async def get(self, name: str) -> Budget | None:
        rows = await self._statements.rows(_GET, self._named(name))
        return _decode(rows[0][0]) if rows else None

    async def list(self) -> Sequence[Budget]:
        return [_decode(row[0]) for row in await self._statements.rows(_LIST, {"of_account": self._account})]

    async def count(self) -> int:
        ((count,),) = await self._statements.rows(_COUNT, {"of_account": self._account})
        return int(count)

    async def save(self, budget: Budget) -> Budget:
        assert budget.account == self._account
        saved = msgspec.structs.replace(budget, revision=budget.revision + 1)
        document = _encode(saved).decode()
        new = {"new_revision": saved.revision, "new": document}
        if not await self._statements.change(_REPLACE, self._named(budget.name) | new):
            row = {"account": self._account, "name": budget.name, "revision": saved.revision, "document": document}
            await self._statements.change(_INSERT, row)
        return saved

    async def delete(self, name: str) -> bool:
        await self._statements.change(_DROP_NOTICES, self._named(name))
        self.has_notices = True
        return bool(await self._statements.change(_DELETE, self._named(name)))

    async def order(self, notices: Sequence[NewNotice]) -> int:
        if not notices:
            return 0
        ((waiting,),) = await self._statements.rows(_COUNT_NOTICES, {"of_account": self._account})
        fitting = notices[: max(NOTICES_MAX - waiting, 0)]
        if fitting:
            rows = [
                {"account": self._account, "budget": one.budget, "document": _encode(one).decode()} for one in fitting
            ]
            await self._statements.change(_INSERT_NOTICE, rows)
            self.has_notices = True
        return len(notices) - len(fitting)

    async def notices(self) -> Sequence[PendingNotice]:
        rows = await self._statements.rows(_NOTICES, {"of_account": self._account})
        return [PendingNotice(row[0], _decode_notice(row[1])) for row in rows]

    async def drop_notices(self, name: str, targets: Collection[str]) -> None:
        gone = [
            {"of_number": one.number}
            for one in await self.notices()
            if one.notice.budget == name and one.notice.target in targets
        ]
        if gone:
            await self._statements.change(_FINISH, gone)
            self.has_notices = True

    def _named(self, name: str) -> dict[str, str]:
        return {"of_account": self._account, "of_name": name}
