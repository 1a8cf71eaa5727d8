"""
Positions in streams: many pollers, few commits. The `StreamPositions` of the contract, on any `QueueDatabase`.
"""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection, and_, bindparam, delete, insert, select, update

from lambent.domain.caller import Scope
from lambent.domain.stream_position import ShardPosition
from lambent.store.contract import StreamReading
from lambent.store.database import Statements
from lambent.store.queue import QueueDatabase
from lambent.store.tables import stream_positions, stream_readings
from lambent.store.uninterrupted import uninterrupted

COMMIT_MAX = 200
"""Saves that share a commit. Assumed: some milliseconds, which whoever else writes has to wait."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ShardPosition).decode

_r = stream_readings.c
_p = stream_positions.c
_READING = and_(
    _r.account == bindparam("of_account"), _r.region == bindparam("of_region"), _r.uuid == bindparam("of_uuid")
)
_SHARDS = and_(
    _p.account == bindparam("of_account"), _p.region == bindparam("of_region"), _p.uuid == bindparam("of_uuid")
)
_SHARD = and_(_SHARDS, _p.shard_id == bindparam("of_shard"))
_EPOCH = select(_r.epoch).where(_READING)
_RAISE = update(stream_readings).where(_READING).values(epoch=_r.epoch + 1)
# Also what locks the row on PostgreSQL: one who begins meanwhile waits for the commit.
_HOLD = update(stream_readings).where(_READING, _r.epoch == bindparam("of_epoch")).values(epoch=bindparam("of_epoch"))
_HOLD_AND_TELL = _HOLD.values(result=bindparam("new_result"))
_POSITIONS = select(_p.document).where(_SHARDS).order_by(_p.shard_id)
_MOVE = update(stream_positions).where(_SHARD).values(revision=_p.revision + 1, document=bindparam("new_document"))
_FORGET = delete(stream_positions).where(_SHARD)
_RESULTS = select(_r.uuid, _r.result).where(
    _r.account == bindparam("of_account"),
    _r.region == bindparam("of_region"),
    _r.uuid.in_(bindparam("of_uuids", expanding=True)),
    _r.result != "",
)
_DROP_READING = delete(stream_readings).where(_READING)
_DROP_POSITIONS = delete(stream_positions).where(_SHARDS)


class _Save(msgspec.Struct, frozen=True):
    scope: Scope
    uuid: str
    epoch: int
    positions: Sequence[ShardPosition]
    forget: Sequence[str]
    result: str | None


class DurableStreamPositions:
    """Gathers what is saved while a commit is under way, and writes it with the next one."""

    def __init__(self, database: QueueDatabase) -> None:
        self._database = database
        self._waiting: list[tuple[_Save, asyncio.Future[bool]]] = []
        self._turn = asyncio.Lock()

    async def begin(self, scope: Scope, uuid: str) -> StreamReading:
        """Raise the epoch and read; see the contract."""
        return await self._database.apply(lambda connection: _begin(connection, scope, uuid))

    async def save(
        self,
        scope: Scope,
        uuid: str,
        epoch: int,
        positions: Sequence[ShardPosition] = (),
        *,
        forget: Sequence[str] = (),
        result: str | None = None,
    ) -> bool:
        """Write, together with what others write; see the contract."""
        saved: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((_Save(scope, uuid, epoch, positions, forget, result), saved))
        async with self._turn:
            # Whoever had the turn before may have written ours.
            while not saved.done():
                # To its end: it is others' commit, too.
                await uninterrupted(self._commit())
        return await saved

    async def results(self, scope: Scope, uuids: Sequence[str]) -> Mapping[str, str]:
        """Return what the last batches came to; see the contract."""
        named = {**_of(scope), "of_uuids": list(uuids)}
        if not uuids:
            return {}
        rows = await self._database.look(lambda connection: connection.execute(_RESULTS, named).all())
        return {row[0]: row[1] for row in rows}

    async def _commit(self) -> None:
        taken = [one for one in self._waiting[:COMMIT_MAX] if not one[1].cancelled()]
        del self._waiting[:COMMIT_MAX]
        saves = [save for save, _ in taken]
        try:
            done = await self._database.apply(lambda connection: [_save(connection, save) for save in saves])
        except Exception as error:
            for _, saved in taken:
                if not saved.done():
                    saved.set_exception(error)
            return
        for (_, saved), is_saved in zip(taken, done, strict=True):
            if not saved.done():
                saved.set_result(is_saved)


async def forget_mapping(statements: Statements, scope: Scope, uuid: str) -> None:
    """Drop all that is known of a mapping that is deleted, in the transaction that deletes it."""
    named = {**_of(scope), "of_uuid": uuid}
    await statements.change(_DROP_POSITIONS, named)
    await statements.change(_DROP_READING, named)


def _begin(connection: Connection, scope: Scope, uuid: str) -> StreamReading:
    named = {**_of(scope), "of_uuid": uuid}
    if not connection.execute(_RAISE, named).rowcount:
        connection.execute(
            insert(stream_readings).values(account=scope.account, region=scope.region, uuid=uuid, epoch=1, result="")
        )
    epoch = connection.execute(_EPOCH, named).scalar_one()
    return StreamReading(epoch, [_decode(row[0]) for row in connection.execute(_POSITIONS, named)])


def _save(connection: Connection, save: _Save) -> bool:
    named = {**_of(save.scope), "of_uuid": save.uuid}
    held = {**named, "of_epoch": save.epoch}
    hold = _HOLD
    if save.result is not None:
        hold, held["new_result"] = _HOLD_AND_TELL, save.result
    if not connection.execute(hold, held).rowcount:
        return False
    for position in save.positions:
        document = _encode(position).decode()
        shard = {**named, "of_shard": position.shard_id}
        if not connection.execute(_MOVE, {**shard, "new_document": document}).rowcount:
            connection.execute(
                insert(stream_positions).values(
                    account=save.scope.account,
                    region=save.scope.region,
                    uuid=save.uuid,
                    shard_id=position.shard_id,
                    revision=1,
                    document=document,
                )
            )
    for shard_id in save.forget:
        connection.execute(_FORGET, {**named, "of_shard": shard_id})
    return True


def _of(scope: Scope) -> dict[str, object]:
    return {"of_account": scope.account, "of_region": scope.region}
