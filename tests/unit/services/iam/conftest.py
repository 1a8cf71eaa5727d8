"""What tests of IAM's rules share: the real store, and a service on it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lambent.access.key_use import KeyUse
from lambent.access.secrets import Secrets
from lambent.domain.caller import Caller, Scope
from lambent.domain.principal import Principal, root_of
from lambent.services import iam
from lambent.store.contract import IdentityStore
from lambent.store.database import Database
from lambent.store.identities import IdentityRepository
from lambent.testing.stores import make_sqlite
from lambent.testing.virtual_clock import VirtualClock

ACCOUNT = "111122223333"


class Bench:
    """A service, called as one account's root unless somebody else is named."""

    def __init__(self, store: IdentityStore) -> None:
        self.clock = VirtualClock()
        self.store = store
        self.key_use = KeyUse(store, self.clock)
        self.service = iam.service(store, Secrets(b"s" * 32), self.key_use, self.clock)

    async def call(self, operation: str, principal: Principal | None = None, **request: Any) -> Mapping[str, Any]:
        principal = principal or root_of(ACCOUNT)
        caller = Caller(Scope(principal.account, "eu-west-1"), principal, "none", "id", "http://localhost")
        return await self.service.handlers[operation](caller, request)


Story = Callable[[Bench], Awaitable[None]]


@pytest.fixture
def tell(tmp_path: Path) -> Callable[[Story], None]:
    """Run a story on a store of its own."""
    make_sqlite(tmp_path / "state.db")

    async def run(story: Story) -> None:
        async with Database(tmp_path / "state.db") as database:
            await story(Bench(IdentityRepository(database)))

    return lambda story: asyncio.run(run(story))
