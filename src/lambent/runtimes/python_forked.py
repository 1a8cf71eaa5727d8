"""
The Python half of a zygote: loads the client ahead of need, and makes a forked process what exec would have made.

Copied beside the client as `_lambent_forked.py`; `bootstrap.py` imports it in a zygote only. Runs on every Python from
3.9 on, alone. A function cannot tell a fork from a process of its own, but for what is the same in all forks of one
zygote (hash seed, addresses, /proc/self/environ) and for modules that are loaded already. Where the function's files
or variables would have changed what is loaded, the command is executed after all: `_Forked.needs_exec`.
"""

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import io
import logging
import os
import signal
import site
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

_ZYGOTE = "/var/lambent/zygote.py"
"""What does the forking: the half that knows no language."""

_LOADED_AHEAD = (
    # What the client imports only once it needs it.
    "awslambdaric.lambda_literals",
    "concurrent.futures.thread",
    "encodings.idna",
    "http.client",
    # What many functions import, and what takes long.
    "_strptime",
    "base64",
    "datetime",
    "hashlib",
    "random",
    "urllib.parse",
    "uuid",
)

_CLIENTS_OWN_ADDRESS = "127.0.0.1:9001"
"""The client's binary half reads the address of the Runtime API when it is loaded, and falls back to this one."""

_AT_START = {"sitecustomize", "usercustomize"}


def wait(ordinary: frozenset[str]) -> None:
    """
    Load what functions need; then fork environments on orders. Returns in each fork, once it is as if executed.

    Args:
        ordinary: the modules that a process has which was executed, when it comes to the function's own.
    """
    orders = int(os.environ.pop("LAMBENT_ZYGOTE"))
    preload = os.environ.pop("LAMBENT_PRELOAD", "").split(",")
    absent = _Absent()
    sys.meta_path.append(absent)
    for name in (*_LOADED_AHEAD, *filter(None, preload)):
        try:
            importlib.import_module(name)
        except ImportError as error:
            # Functions import it for themselves, or cannot either.
            sys.stderr.write(f"runtimes.not_preloaded module={name} reason={error}\n")
    spec = importlib.util.spec_from_file_location("lambent_zygote", _ZYGOTE)
    assert spec is not None and spec.loader is not None
    zygote = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(zygote)
    sys.meta_path.remove(absent)
    del sys.modules[__name__]
    forked = _Forked(ordinary, absent.names)
    _open_streams()
    environ = zygote.serve(orders, is_loaded=True)
    # Never freed: that would write to memory which all forks share.
    for one in (zygote, forked, sys._getframe().f_globals):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))
    forked.become(environ)


class _Absent:
    """Finds no module, being asked last, and remembers what was looked for: optional parts of what is loaded."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def find_spec(self, name: str, path: "Iterable[str] | None", target: Any = None) -> None:
        if path is None:
            self.names.add(name)


class _Forked:
    """What the zygote knows of itself, and the way from there to a function."""

    def __init__(self, ordinary: frozenset[str], absent: set[str]) -> None:
        self._ahead = (_top_levels(sys.modules) - _top_levels(ordinary)) | absent
        """Top-level names that a function's own modules of these names would have been loaded for."""
        self._loaded = self._ahead | _top_levels(sys.modules) | _AT_START
        self._address = os.environ.get("AWS_LAMBDA_RUNTIME_API", _CLIENTS_OWN_ADDRESS)
        self._time_zone = os.environ.get("TZ")
        self._identifier = f"AWS_Lambda_python3.{sys.version_info[1]}"
        os.environ["AWS_EXECUTION_ENV"] = self._identifier
        _renew_marshaller()
        self._locale = os.environ.get("LC_CTYPE")
        """Set by the interpreter itself where the machine does not know the language asked for (PEP 538)."""
        self._library_folders = [one for one in os.environ.get("LD_LIBRARY_PATH", "").split(":") if one]
        self._unseen = {folder for folder in self._library_folders if not os.path.isdir(folder)}
        self._blank = {folder for folder in self._library_folders if not _libraries(_entries(folder))}
        """Without libraries so far; the others are the runtime's own."""

    def become(self, environ: dict[str, str]) -> None:
        """
        Become the runtime of one function, in a process that was forked and has given up its privileges.

        Args:
            environ: the complete environment.
        """
        os.chdir(environ["LAMBDA_TASK_ROOT"])
        if self.needs_exec(environ):
            _execute(environ)
        self._become(environ)

    def needs_exec(self, environ: dict[str, str]) -> bool:
        """Whether the function brings something that would have been loaded instead of what is loaded now."""
        if environ.get("AWS_LAMBDA_RUNTIME_API") != self._address:
            return True
        entries = {environ["LAMBDA_TASK_ROOT"]: _entries(environ["LAMBDA_TASK_ROOT"])}
        # At the start of an interpreter, PYTHONPATH comes before the standard library.
        for folder in environ.get("PYTHONPATH", "").split(":"):
            if not folder or folder == environ["LAMBDA_RUNTIME_DIR"]:
                continue
            # Archives are not looked into.
            if os.path.isfile(folder) or not self._loaded.isdisjoint(_importable(_entries(folder))):
                return True
        layers = ("/opt/python", f"/opt/python/lib/python3.{sys.version_info[1]}/site-packages")
        for folder in (environ["LAMBDA_TASK_ROOT"], *layers):
            if folder not in entries:
                entries[folder] = _entries(folder)
            if not self._ahead.isdisjoint(_importable(entries[folder])):
                return True
        return self._brings_libraries(entries) or self._has_user_site(environ)

    def _brings_libraries(self, entries: dict[str, list[str]]) -> bool:
        for folder in self._library_folders:
            if folder not in self._blank:
                continue
            names = entries.get(folder) or _entries(folder)
            if folder in self._unseen and names:
                # The loader of libraries has noted for ever that there is no such folder.
                return True
            libraries = _libraries(names)
            if libraries and not libraries.isdisjoint(_loaded_libraries()):
                return True
        return False

    def _has_user_site(self, environ: dict[str, str]) -> bool:
        """Whether the user has modules of its own, which might run code at start; sets what `site` says of them."""
        os.environ.pop("HOME", None)
        if "HOME" in environ:
            os.environ["HOME"] = environ["HOME"]
        site.USER_BASE = site.USER_SITE = None
        return bool(site.ENABLE_USER_SITE) and os.path.isdir(site.getusersitepackages())

    def _become(self, environ: dict[str, str]) -> None:
        for name in set(os.environ).difference(environ):
            os.unsetenv(name)
        # Not by its own `clear`, which takes away one name after another: this is on the way of each cold start.
        os.environ._data.clear()  # type: ignore[attr-defined]
        os.environ.update(environ)
        if self._locale is not None:
            os.environ.setdefault("LC_CTYPE", self._locale)
        if environ.get("TZ") != self._time_zone:
            time.tzset()
        # Times in log records count from here.
        began = time.time_ns() if isinstance(logging._startTime, int) else time.time()  # type: ignore[attr-defined]
        logging._startTime = began  # type: ignore[attr-defined]
        # Before Python 3.13 a fork's main thread keeps the number of its parent's.
        with contextlib.suppress(AttributeError):
            threading.main_thread()._set_native_id()  # type: ignore[attr-defined]
        # The client reads these when it is imported, of the last whether answers are UTF-8 or escaped.
        if "AWS_LAMBDA_LOG_FORMAT" in environ or "AWS_LAMBDA_LOG_LEVEL" in environ:
            importlib.reload(sys.modules["awslambdaric.bootstrap"])
        if environ.get("AWS_EXECUTION_ENV") != self._identifier:
            _renew_marshaller()
        if "multiprocessing.process" in sys.modules:
            # Drawn when it is loaded: by this key processes trust each other, and forks are not of one function.
            sys.modules["multiprocessing.process"].current_process().authkey = os.urandom(32)
        # Left as it is: `random`, which seeds itself in forks, and the importers' caches, since the zygote has searched
        # no folder that is another one here.
        gc.enable()


def _execute(environ: dict[str, str]) -> None:
    """Become the same command by exec."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        # Ignored by Python for itself; a program that is executed expects them at their defaults.
        signal.signal(number, signal.SIG_DFL)
    os.execve(sys.executable, [sys.executable, *sys.argv], environ)


def _renew_marshaller() -> None:
    client = sys.modules["awslambdaric.lambda_runtime_client"]
    client.BaseLambdaRuntimeClient.marshaller = client.LambdaMarshaller()


def _open_streams() -> None:
    """
    Open the standard streams as the interpreter does at its start where output is a pipe, as it is in functions.

    The streams of the zygote may go elsewhere, and what they are is asked once, when they are opened.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in range(3)]
    reading, writing = os.pipe()
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        os.dup2(null, 0)
        for number in (1, 2):
            os.dup2(writing, number)
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            old = getattr(sys, f"__{name}__")
            buffer = open(number, "wb" if number else "rb", closefd=False)
            buffer.raw.name = f"<{name}>"  # type: ignore[attr-defined]
            stream = io.TextIOWrapper(buffer, old.encoding, old.errors, "\n", line_buffering=name == "stderr")
            stream.mode = "w" if number else "r"  # type: ignore[misc]
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    finally:
        for number, descriptor in enumerate(kept):
            os.dup2(descriptor, number)
        for descriptor in (*kept, reading, writing, null):
            os.close(descriptor)


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _importable(entries: list[str]) -> set[str]:
    """Return the names under which a folder's entries can be imported."""
    names = set()
    for entry in entries:
        name, dot, suffix = entry.partition(".")
        if not dot or suffix.endswith(("py", "pyc", "so")):
            names.add(name)
    return names


def _libraries(entries: list[str]) -> set[str]:
    return {name for name in entries if ".so" in name}


def _top_levels(modules: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def _loaded_libraries() -> set[str]:
    with open("/proc/self/maps") as file:
        return {line.rpartition("/")[2].strip() for line in file if ".so" in line}
