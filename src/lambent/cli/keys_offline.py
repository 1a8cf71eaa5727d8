"""Keys in a data folder that no server uses: for whoever has none left. It is a file that only its owner may write."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lambent.cli.failure import CommandFailed


def create_key(data_dir: Path, own_account: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """
    Make a key; return what a server would have answered.

    Args:
        asked: as a server is asked.

    Raises:
        SettingsError: the folder is none, or a server uses it.
        CommandFailed: what was asked for cannot be.
    """
    if not data_dir.is_dir():
        # Made here, it would be one that no server uses: a folder named by mistake.
        raise CommandFailed(f"--data-dir: {data_dir} is not there", exit_code=2)
    return asyncio.run(_create_key(data_dir, own_account, asked))


async def _create_key(data_dir: Path, own_account: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    from lambent.access.clients import Clients, Refused
    from lambent.access.secrets import Secrets
    from lambent.clock import SystemClock
    from lambent.errors.families import DependencyError
    from lambent.store.data_folder import DataFolder
    from lambent.store.database import Database
    from lambent.store.identities import IdentityRepository

    try:
        with DataFolder.open(data_dir) as folder:
            async with Database(folder.database) as database:
                clients = Clients(IdentityRepository(database), Secrets(folder.secret), own_account, SystemClock())
                made = await clients.create_key(
                    asked["account"], asked["user"], is_root=asked["is_root"], is_admin=asked["is_admin"]
                )
    except Refused as refused:
        raise CommandFailed(refused.text, exit_code=2) from refused
    except DependencyError as error:
        raise CommandFailed(str(error)) from error
    shown: dict[str, Any] = msgspec.to_builtins(made)
    return shown
