"""
The user that functions run as, and what that user can reach.

A server that is root starts every function, and probes every interpreter, as this user; any other server can
only run functions as itself. On the lowest row beside `settings`, since `sandbox` and `runtimes` both need it.
"""

import os
import pwd
import stat
from pathlib import Path
from typing import Any

import msgspec

from lambent.errors.families import SettingsError


class FunctionUser(msgspec.Struct, frozen=True):
    """The user whose rights a function has."""

    name: str
    uid: int
    gid: int
    is_other: bool
    """Whether this is another user than the server's own, so that every start has to switch."""

    def popen_arguments(self) -> dict[str, Any]:
        """Return the arguments of `subprocess.Popen` that make a child run as this user."""
        if not self.is_other:
            return {}
        # Its own group and no empty list: CPython 3.12.0 ignored an empty one and left root's groups in place
        # (CVE-2023-6507).
        return {"user": self.uid, "group": self.gid, "extra_groups": [self.gid]}

    def closed_at(self, path: Path) -> Path | None:
        """
        Return the first folder on the way to `path` that this user cannot pass, None when there is none.

        Folders that do not exist count as passable: that is another failure, with another message.
        """
        for folder in reversed(path.absolute().parents):
            try:
                found = folder.stat()
            except FileNotFoundError:
                return None
            except OSError:
                return folder
            if not self._may(found, stat.S_IXOTH):
                return folder
        return None

    def may_execute(self, path: Path) -> bool:
        """Return whether this user can execute the file at `path`, the folders above it included."""
        if not self.is_other:
            return os.access(path, os.X_OK)
        try:
            found = path.stat()
        except OSError:
            return False
        return self._may(found, stat.S_IXOTH) and not (self.closed_at(path) or self.closed_at(path.resolve()))

    def _may(self, found: os.stat_result, other_bit: int) -> bool:
        # Access control lists are not read: they could only make this answer too strict or too generous by one
        # message, since the kernel decides again when the file is executed.
        if self.uid == 0:
            return stat.S_ISDIR(found.st_mode) or bool(found.st_mode & 0o111)
        if found.st_uid == self.uid:
            return bool(found.st_mode & (other_bit << 6))
        groups = {self.gid} if self.is_other else {self.gid, *os.getgroups()}
        if found.st_gid in groups:
            return bool(found.st_mode & (other_bit << 3))
        return bool(found.st_mode & other_bit)


def find_function_user(name: str) -> FunctionUser:
    """
    Return the user that functions run as: `name` when the server is root, else the server's own.

    Raises:
        SettingsError: the server is root and no user has that name.
    """
    own_uid = os.geteuid()
    if own_uid != 0:
        return own_user()
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise SettingsError(f"--function-user: there is no user {name!r} on this machine") from None
    is_other = entry.pw_uid != own_uid
    return FunctionUser(name=name, uid=entry.pw_uid, gid=entry.pw_gid, is_other=is_other)


def own_user() -> FunctionUser:
    """Return the server's own user."""
    uid = os.geteuid()
    return FunctionUser(name=_name_of(uid), uid=uid, gid=os.getegid(), is_other=False)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
