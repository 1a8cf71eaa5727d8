"""
What the embedded server's process remembers over its end: one file, whole or not there.

Moto keeps everything in Python objects and has no form of its own for them, so they are pickled. A pickle may run
anything, so it is read from a file only that this very user wrote and nobody else may write; and it fits the very
version that wrote it, so each file is stamped, and one with another stamp is put aside.

    header    JSON of the stamp, a line
    bodies    of S3 objects, one after the other, so that no copy of them is made in memory
    pickle    the rest
    footer    where the pickle begins, eight bytes, and eight bytes that say that the file is whole
"""

import contextlib
import copyreg
import io
import json
import marshal
import os
import pickle
import platform
import stat
import sys
import tempfile
import threading
import types
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

NAME = "state"
_UNFINISHED = "state.new"
_FORMAT = 1
_END = b"LAMBENT1"
_FOOTER_BYTES = 16
_COPY_BYTES = 1 << 20

_LOCK = type(threading.Lock())
_RLOCK = type(threading.RLock())


def stamp_of(moto_version: str) -> dict[str, Any]:
    """Return what a file is stamped with: all that decides whether this process can read it."""
    return {"format": _FORMAT, "moto": moto_version, "python": platform.python_version()}


def save(folder: Path, stamp: Mapping[str, Any], state: Any) -> int:
    """
    Write a state in the place of the one before; it is on disk on return. Return the file's size in bytes.

    Nobody may change the state meanwhile.

    Raises:
        OSError: the disk refuses; the state before is still there.
        Exception: the state holds what cannot be pickled, likewise.
    """
    unfinished = folder / _UNFINISHED
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(json.dumps(stamp).encode() + b"\n")
        pickled = io.BytesIO()
        _Pickler(pickled, stream).dump(state)
        begin = stream.tell()
        stream.write(pickled.getbuffer())
        stream.write(begin.to_bytes(8, "big") + _END)
        stream.flush()
        os.fsync(stream.fileno())
        size = stream.tell()
    unfinished.rename(folder / NAME)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return size


def load(folder: Path, stamp: Mapping[str, Any], say: Callable[[str], None]) -> tuple[Any, int]:
    """
    Return the state that was saved and its size in bytes; None and 0 where there is none that fits.

    Args:
        say: told in a line why a file is put aside.
    """
    path = folder / NAME
    try:
        stream = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
    except FileNotFoundError:
        return None, 0
    with stream:
        reason = _why_not(stream, stamp)
        if reason is None:
            try:
                stream.seek(-_FOOTER_BYTES, os.SEEK_END)
                begin = int.from_bytes(stream.read(8), "big")
                size = stream.tell() + 8
                stream.seek(begin)
                return _Unpickler(io.BytesIO(stream.read()[:-_FOOTER_BYTES]), stream).load(), size
            except Exception as error:
                reason = f"it cannot be read ({type(error).__name__}: {error})"
    aside = _aside(folder)
    path.rename(aside)
    say(f"neighbours.state_put_aside file={aside.name} reason={reason!r}")
    return None, 0


def _why_not(stream: BinaryIO, stamp: Mapping[str, Any]) -> str | None:
    """Return why a file is not read, None where it may be."""
    status = os.fstat(stream.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        return "others may have written it"
    try:
        found = json.loads(stream.readline(4096))
    except ValueError:
        return "it has no stamp"
    if found != dict(stamp):
        return f"it was written by {_named(found)}, this is {_named(stamp)}"
    if status.st_size < _FOOTER_BYTES:
        return "it is not whole"
    stream.seek(-8, os.SEEK_END)
    return None if stream.read(8) == _END else "it is not whole"


def _named(stamp: Any) -> str:
    if not isinstance(stamp, Mapping):
        return "something else"
    return f"moto {stamp.get('moto')} on Python {stamp.get('python')}"


def _aside(folder: Path) -> Path:
    number = 1
    while (aside := folder / f"{NAME}.aside-{number}").exists():
        number += 1
    return aside


class _Pickler(pickle.Pickler):
    """Pickles moto's objects: what it cannot take as it is, it writes down by what it is made from."""

    def __init__(self, pickled: BinaryIO, bodies: BinaryIO) -> None:
        super().__init__(pickled, protocol=5)
        self._bodies = bodies

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, tempfile.SpooledTemporaryFile):
            return ("body", *self._write(obj), getattr(obj, "_max_size", 0))
        if isinstance(obj, _LOCK):
            return ("lock",)
        if isinstance(obj, _RLOCK):
            return ("rlock",)
        if isinstance(obj, types.FunctionType) and "<lambda>" in obj.__qualname__ and obj.__closure__ is None:
            # The stamp holds the version of Python, whose code this is.
            return ("function", obj.__module__, marshal.dumps(obj.__code__))
        return None

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, threading.Thread):
            # Work that is done, kept for what it found. What belongs to the thread itself has gone.
            state = {name: value for name, value in obj.__dict__.items() if not name.startswith("_")}
            return copyreg.__newobj__, (type(obj),), state, None, None, _take  # type: ignore[attr-defined]
        if type(obj).__module__ == "moto.s3.models" and "_value_buffer" in getattr(obj, "__dict__", {}):
            # Its own way would make a copy of the body in memory.
            return copyreg.__newobj__, (type(obj),), dict(obj.__dict__), None, None, _take  # type: ignore[attr-defined]
        if isinstance(obj, dict) and type(obj) not in {dict, OrderedDict, defaultdict}:
            # Read and filled past its own methods: S3's show the newest version of each key, and add to it.
            factory = obj.default_factory if isinstance(obj, defaultdict) else None
            content = (obj.__dict__, factory, dict(dict.items(obj)))
            return copyreg.__newobj__, (type(obj),), content, None, None, _fill  # type: ignore[attr-defined]
        if type(obj).__module__.startswith("cryptography.") and hasattr(obj, "private_bytes"):
            return _key, (_bytes_of(obj),)
        return NotImplemented

    def _write(self, body: Any) -> tuple[int, int]:
        begin = self._bodies.tell()
        # Of an object that was deleted the body may be closed.
        with contextlib.suppress(ValueError):
            body.seek(0)
            while piece := body.read(_COPY_BYTES):
                self._bodies.write(piece)
        return begin, self._bodies.tell() - begin


def _bytes_of(key: Any) -> bytes:
    """Return a private key of KMS, as it is kept: the file is its only hiding place."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return bytes(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def _key(written: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    return load_der_private_key(written, None)


def _take(obj: Any, state: dict[str, Any]) -> None:
    obj.__dict__.update(state)


def _fill(obj: Any, state: tuple[dict[str, Any], Any, dict[Any, Any]]) -> None:
    attributes, factory, items = state
    obj.__dict__.update(attributes)
    if factory is not None:
        obj.default_factory = factory
    dict.update(obj, items)


class _Unpickler(pickle.Unpickler):
    def __init__(self, pickled: BinaryIO, bodies: BinaryIO) -> None:
        super().__init__(pickled)
        self._bodies = bodies

    def persistent_load(self, pid: Any) -> Any:
        kind, *rest = pid
        if kind == "body":
            return self._read(*rest)
        if kind == "function":
            module, code = rest
            return types.FunctionType(marshal.loads(code), sys.modules[module].__dict__)
        return threading.RLock() if kind == "rlock" else threading.Lock()

    def _read(self, begin: int, size: int, most: int) -> Any:
        body = tempfile.SpooledTemporaryFile(most)  # noqa: SIM115
        self._bodies.seek(begin)
        while size:
            piece = self._bodies.read(min(size, _COPY_BYTES))
            if not piece:
                raise EOFError("a body ends early")
            body.write(piece)
            size -= len(piece)
        return body
