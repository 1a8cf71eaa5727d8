"""The data folder, fit to be used."""

import os
import pwd
from pathlib import Path

from lambent.errors.families import DependencyError, SettingsError
from lambent.store.data_folder import DataFolder, check_reachable
from lambent.store.database import schema_of
from lambent.store.tables import SCHEMA


def open_folder(path: Path) -> DataFolder:
    """
    Open the data folder. Migrations are a child process's work and are not loaded here.

    Raises:
        SettingsError: it is none of ours, of a newer version, damaged, or in use.
    """
    try:
        return DataFolder.open(path)
    except DependencyError as error:
        raise SettingsError(f"--data-dir: {path}: {error}") from error


def check_folder(folder: DataFolder, function_user: str) -> None:
    """
    Compare the one number that says whether tables and code belong together; see that functions reach their code.

    Raises:
        SettingsError: state.db is damaged or of another version, or the folder is out of the functions' reach.
    """
    try:
        found = schema_of(folder.database)
    except DependencyError as error:
        raise SettingsError(f"--data-dir: {folder.path}: {error}") from error
    if found != SCHEMA:
        raise SettingsError(f"--data-dir: {folder.path}: state.db has schema {found}, this version needs {SCHEMA}")
    if os.geteuid() == 0:
        check_reachable(folder.path, _uid_of(function_user))


def _uid_of(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise SettingsError(f"--function-user: there is no user {user!r} on this machine") from None
