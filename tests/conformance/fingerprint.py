"""
A function that tells all that it sees of its process. `test_runtime_python.py` runs it on several paths and compares.

Runs in functions, on every Python from 3.9 on.
"""

import atexit
import codecs
import decimal
import gc
import locale
import logging
import os
import resource
import signal
import site
import sys
import threading
import time
import warnings
from pathlib import Path

NAMES_BEFORE = frozenset(globals())


def _stream(stream):
    return {
        "kind": type(stream).__name__,
        "encoding": codecs.lookup(stream.encoding).name,
        "errors": stream.errors,
        "by_line": stream.line_buffering,
        "through": stream.write_through,
        "newlines": repr(stream.newlines),
        "name": stream.name,
        "mode": stream.mode,
        "buffer": type(stream.buffer).__name__,
        "raw_name": str(stream.buffer.raw.name),
        "raw_mode": stream.buffer.raw.mode,
        "tty": stream.isatty(),
    }


def _signals():
    return {number: str(signal.getsignal(number)).partition(" at 0x")[0] for number in signal.valid_signals()}


def _status():
    lines = Path("/proc/self/status").read_text().splitlines()
    # Not the user: each environment has its own.
    wanted = ("Groups", "Cap", "NoNewPrivs", "Seccomp", "Sig", "Shd", "Umask", "Threads", "Name", "NSpid")
    return [line for line in lines if line.startswith(wanted) and not line.startswith(("SigQ", "Seccomp_filters"))]


def _descriptors():
    return {
        one.name: str(one.readlink()).partition(":")[0]
        for one in Path("/proc/self/fd").iterdir()
        # Not the one that lists them.
        if one.is_symlink()
    }


def _of_main():
    found = sys.modules["__main__"]
    return {
        "names": [name for name in vars(found) if not name.startswith("_wait")],
        "values": [str(found.__file__), str(found.__name__), str(found.__spec__), str(found.__doc__)[:20]],
        "loader": type(found.__loader__).__name__,
        "cached": str(getattr(found, "__cached__", None)),
        "builtins": type(found.__builtins__).__name__,
    }


def _logging():
    root = logging.getLogger()
    return {
        "handlers": [
            [type(one).__name__, one.level, one.formatter._fmt, [type(each).__name__ for each in one.filters]]
            for one in root.handlers
        ],
        "level": root.level,
        "disabled": root.manager.disable,
        "names": logging.getLevelName(10),
        "gmt": logging.Formatter.converter is time.gmtime,
        "age": logging.LogRecord("n", 10, "p", 1, "m", None, None).relativeCreated < 20_000,
        "last_resort": type(logging.lastResort).__name__,
    }


def _limits():
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}


def handler(event, context):
    """Return everything."""
    return {
        "environ": list(os.environ.items()),
        "environb": sorted(os.environb) == sorted(name.encode() for name in os.environ),
        "path": sys.path,
        "argv": [sys.argv, getattr(sys, "orig_argv", None)],
        "flags": str(sys.flags),
        "third_parties": sorted(
            {
                name.partition(".")[0]
                for name, one in sys.modules.items()
                if "/var/" in str(getattr(one, "__file__", ""))
            }
            - {"encodings"}
        ),
        "cwd": str(Path.cwd()),
        "streams": [_stream(sys.__stdin__), _stream(sys.__stdout__), _stream(sys.__stderr__)],
        "wrapped": [type(sys.stdout).__name__, sys.stdout.stream is sys.__stdout__, sys.stdin is sys.__stdin__],
        "logging": _logging(),
        "locale": [locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(False), sys.getfilesystemencoding()],
        "encoding_errors": sys.getfilesystemencodeerrors(),
        "time": [time.tzname, time.timezone, time.daylight, time.strftime("%Z %A")],
        "main": _of_main(),
        "places": [sys.executable, sys.prefix, sys.base_prefix, sys.exec_prefix, os.__file__, sys.platlibdir],
        "site": [site.ENABLE_USER_SITE, site.USER_BASE, site.USER_SITE],
        "descriptors": _descriptors(),
        "signals": _signals(),
        "command_line": Path("/proc/self/cmdline").read_text(),
        "status": _status(),
        "limits": _limits(),
        "threads": [
            [one.name, one.daemon, one.native_id == threading.get_native_id()] for one in threading.enumerate()
        ],
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.callbacks],
        "decimal": str(decimal.getcontext()),
        "warnings": [[str(part) for part in one] for one in warnings.filters],
        "hooks": [
            sys.excepthook is sys.__excepthook__,
            sys.gettrace(),
            sys.getprofile(),
            sys.displayhook is sys.__displayhook__,
        ],
        "finders": [getattr(one, "__name__", type(one).__name__) for one in sys.meta_path],
        "path_hooks": len(sys.path_hooks),
        "settings": [sys.dont_write_bytecode, sys.getrecursionlimit(), sys.getswitchinterval(), sys.pycache_prefix],
        "ids": [os.getpid(), os.getppid(), os.getsid(0), os.getpgid(0), os.getpriority(os.PRIO_PROCESS, 0)],
        "nice": [os.sched_getscheduler(0), sorted(os.sched_getaffinity(0))],
        "at_exit": atexit._ncallbacks(),
        "oom": Path("/proc/self/oom_score_adj").read_text(),
        "implementation": [sys.version, sys.hash_info.width, sys.implementation.cache_tag],
        "names_before": sorted(NAMES_BEFORE),
    }
