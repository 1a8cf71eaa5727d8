"""
Fill a data folder with functions of two published versions each: `python -m bench.seed <data folder> <count>`, while no
server uses it.

The folder must hold one function, made through the API. Its rows are written again under other names through the
store's own contract: ten thousand requests would take minutes, and the start of a server sees no difference.
"""

import asyncio
import sys
import uuid
from pathlib import Path

import msgspec

from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, FunctionName
from lambent.store.database import Database
from lambent.store.functions import FunctionRepository

_SCOPE = Scope(account="000000000000", region="us-east-1")


async def seed(data_dir: Path, count: int) -> None:
    """Write `count` copies of the first function with two versions each, in one transaction."""
    async with (
        Database(data_dir / "state.db") as database,
        FunctionRepository(database).transaction(_SCOPE) as transaction,
    ):
        (latest,) = await transaction.list_latest(after=None, limit=1)
        function = await transaction.function(latest.name)
        version = await transaction.version(latest.name, LATEST)
        assert function is not None
        assert version is not None
        for number in range(count):
            name, function_id = FunctionName(f"bench-seed-{number:05d}"), str(uuid.uuid4())
            latest = msgspec.structs.replace(version, name=name, function_id=function_id, revision_id=str(uuid.uuid4()))
            await transaction.create(msgspec.structs.replace(function, name=name, function_id=function_id), latest)
            for published in ("1", "2"):
                await transaction.save_version(
                    msgspec.structs.replace(latest, version=published, revision_id=str(uuid.uuid4()))
                )


if __name__ == "__main__":
    asyncio.run(seed(Path(sys.argv[1]), int(sys.argv[2])))
