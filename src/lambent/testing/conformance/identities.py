"""What every store must do with identities. A subclass needs a fixture `adapter`, as the other suites do."""

import asyncio
from collections.abc import Sequence

import msgspec

from lambent.domain.identity import (
    AccessKey,
    Account,
    Group,
    Identity,
    InstanceProfile,
    ManagedPolicy,
    PolicyVersion,
    Role,
    User,
)
from lambent.testing.conformance.store import StoreAdapter, is_refused, with_stores
from lambent.testing.stores import Stores

A, X = "111122223333", "444455556666"
_EVERY_FIELD: Sequence[Identity] = (
    User(
        account=A,
        name="Bob",
        unique_id="AIDA1",
        created_at=1.0,
        path="/a/b/",
        tags={"Team": "ü"},
        inline={"p": '{ "Version": "2012-10-17" }'},
        attached=("arn:aws:iam::aws:policy/B", "arn:aws:iam::aws:policy/A"),
        groups=("AGPA1",),
        boundary="arn:aws:iam::aws:policy/C",
    ),
    Group(account=A, name="g", unique_id="AGPA1", created_at=1.0, inline={"p": "{}"}),
    Role(
        account=A,
        name="r",
        unique_id="AROA1",
        created_at=1.0,
        trust_policy="{}",
        trust_ids={"arn": "AIDA1"},
        description="d",
        session_max_s=7200,
        last_used_at=2.0,
        last_used_region="eu-west-1",
    ),
    ManagedPolicy(
        account=A,
        name="p",
        unique_id="ANPA1",
        created_at=1.0,
        versions=(PolicyVersion(1, "{}", 1.0), PolicyVersion(3, "[]", 2.0)),
        default_number=3,
        next_number=4,
        updated_at=2.0,
        description="d",
    ),
    InstanceProfile(account=A, name="i", unique_id="AIPA1", created_at=1.0, role_id="AROA1"),
    AccessKey(
        account=A,
        access_key="AKIA1",
        owner_id="AIDA1",
        created_at=1.0,
        is_active=False,
        last_used_at=2.0,
        last_used_service="lambda",
        last_used_region="eu-west-1",
    ),
    Account(account=A, name="n", created_at=1.0, is_open=False, alias="a", concurrent_executions=7),
)


def user_of(name: str, unique_id: str = "", account: str = A) -> User:
    return User(account=account, name=name, unique_id=unique_id or f"AIDA-{name}", created_at=1.0)


def key_of(access_key: str, owner_id: str, account: str = A) -> AccessKey:
    return AccessKey(account=account, access_key=access_key, owner_id=owner_id, created_at=1.0)


async def save(stores: Stores, *identities: Identity) -> None:
    for identity in identities:
        async with stores.identities.transaction(identity.account) as rows:
            await rows.save(identity)


class IdentityStoreConformance:
    """Promises of `IdentityStore` and its rows."""

    @with_stores
    async def test_what_was_saved_is_read_back(self, stores: Stores) -> None:
        """Each kind comes back equal in every field, by its name and by its id, in its account alone."""
        await save(stores, *_EVERY_FIELD)
        async with stores.identities.snapshot(A) as rows:
            for one in _EVERY_FIELD:
                assert await rows.get(type(one), one.key) == one
                assert await rows.by_id(type(one), one.unique_id) == one
                assert await rows.count(type(one)) == 1
                assert await rows.list(type(one)) == [one]
        async with stores.identities.snapshot(X) as rows:
            for one in _EVERY_FIELD:
                assert await rows.get(type(one), one.key) is None
                assert await rows.by_id(type(one), one.unique_id) is None
                assert await rows.count(type(one)) == 0

    @with_stores
    async def test_names_are_found_in_any_case_and_are_had_once(self, stores: Stores) -> None:
        """Among those of a kind and an account: as a new one's, and as the new name of an old one."""
        bob, eve = user_of("Bob"), user_of("Eve")
        await save(stores, bob, eve, user_of("Bob", "AIDA9", X))
        await save(stores, Group(account=A, name="bob", unique_id="AGPA1", created_at=1.0))
        async with stores.identities.snapshot(A) as rows:
            assert await rows.get(User, "bOB") == bob
            assert await rows.get(User, "bo") is None
        assert await is_refused(save(stores, user_of("BOB", "AIDA2")))
        assert await is_refused(save(stores, msgspec.structs.replace(eve, name="bOb")))
        await save(stores, msgspec.structs.replace(bob, name="Rob"))
        async with stores.identities.snapshot(A) as rows:
            assert [one.name for one in await rows.list(User)] == ["Eve", "Rob"]
            assert await rows.get(User, "bob") is None
        await save(stores, user_of("bob", "AIDA3"))

    @with_stores
    async def test_lists_are_in_the_order_of_keys(self, stores: Stores) -> None:
        """In pages, each after the last key of the one before."""
        await save(stores, *(user_of(name) for name in ("b", "A", "_", "c-1", "C")))
        async with stores.identities.snapshot(A) as rows:

            async def names(after: str = "", limit: int = 100) -> list[str]:
                return [one.name for one in await rows.list(User, after=after, limit=limit)]

            assert await names() == ["_", "A", "b", "C", "c-1"]
            assert await names(limit=2) == ["_", "A"]
            assert await names(after="a", limit=2) == ["b", "C"]
            assert await names(after="c-1") == []

    @with_stores
    async def test_keys_are_found_by_their_owner(self, stores: Stores) -> None:
        """Of the account alone; ids of keys are told apart by case, and any one of them counts as a key."""
        assert not await stores.identities.has_keys()
        await save(stores, key_of("AKIA2", "AIDA1"), key_of("AKIA1", "AIDA1"), key_of("AKIA3", A))
        await save(stores, key_of("AKIA4", "AIDA1", X))
        async with stores.identities.snapshot(A) as rows:
            assert [key.access_key for key in await rows.keys_of("AIDA1")] == ["AKIA1", "AKIA2"]
            assert [key.access_key for key in await rows.keys_of(A)] == ["AKIA3"]
            assert await rows.keys_of("AIDA2") == []
            assert await rows.get(AccessKey, "akia1") is None
        assert await stores.identities.has_keys()

    @with_stores
    async def test_what_is_deleted_is_gone(self, stores: Stores) -> None:
        """Once, by its name in any case; its name may be had again."""
        await save(stores, user_of("Bob"), key_of("AKIA1", "AIDA-Bob"))
        async with stores.identities.transaction(A) as rows:
            assert not await rows.delete(User, "nobody")
            assert await rows.delete(User, "bOB")
            assert not await rows.delete(User, "Bob")
            assert await rows.delete(AccessKey, "AKIA1")
        async with stores.identities.snapshot(A) as rows:
            assert await rows.get(User, "Bob") is None and await rows.by_id(User, "AIDA-Bob") is None
        assert not await stores.identities.has_keys()
        await save(stores, user_of("Bob", "AIDA2"))

    @with_stores
    async def test_accounts_are_listed_by_number(self, stores: Stores) -> None:
        """Those that were made: an account with a user alone is none of them."""
        made = [Account(account=account, name="n", created_at=1.0) for account in (X, A)]
        await save(stores, *made, user_of("u", account="777788889999"))
        assert await stores.identities.accounts() == made[::-1]

    @with_stores
    async def test_changes_are_told_after_their_commit(self, stores: Stores) -> None:
        """Of their account, once a transaction, and neither what failed nor what was only used."""
        told: list[str] = []
        store = stores.identities
        store.on_change(told.append)
        bob, key = user_of("bob"), key_of("AKIA1", "AIDA-bob")
        async with store.transaction(A) as rows:
            await rows.save(bob)
            await rows.save(key)
            assert told == []
        assert told == [A]
        try:
            async with store.transaction(A) as rows:
                await rows.delete(User, "bob")
                raise InterruptedError
        except InterruptedError:
            pass
        used = msgspec.structs.replace(key, last_used_at=5.0)
        async with store.transaction(A) as rows:
            assert await rows.get(User, "bob") == bob
            await rows.touch(used)
            await rows.touch(key_of("AKIA9", "AIDA-bob"))
        async with store.snapshot(A) as rows:
            assert await rows.list(AccessKey) == [used]
        assert told == [A]
        async with store.transaction(X) as rows:
            assert not await rows.delete(User, "bob")
        async with store.transaction(A) as rows:
            assert await rows.delete(User, "bob")
        assert told == [A, A]

    def test_of_two_that_take_a_name_at_once_one_gets_it(self, adapter: StoreAdapter) -> None:
        """Through stores of their own, as two processes have them."""

        async def run() -> None:
            async with adapter.open() as one, adapter.open() as other:
                taken = await asyncio.gather(
                    *(is_refused(save(stores, user_of("Bob", f"AIDA{n}"))) for n, stores in enumerate((one, other)))
                )
                assert sorted(taken) == [False, True]
                async with one.identities.snapshot(A) as rows:
                    assert await rows.count(User) == 1

        asyncio.run(run())
