"""
What runs in the function's interpreter in the place of AWS's /var/runtime/bootstrap.py.

It lays out sys.path as Lambda does and hands over to the official client. It is copied beside the client as
`bootstrap.py`, the name under which wrapper scripts import it and call `main`. Runs on every Python from 3.9 on,
alone, and imports nothing that a cold start would feel.
"""

import os
import sys


def _own_entries() -> "list[str]":
    """Return the entries of sys.path that hold the standard library."""
    # Other people's packages beside the interpreter are not on AWS: a function that finds them here works here only.
    library = os.__file__.rpartition("/")[0]
    archive = "python3%d.zip" % sys.version_info[1]  # noqa: UP031 - shorter than its modern form
    return [entry for entry in sys.path if entry == library or entry.endswith(("/lib-dynload", "/" + archive))]


def _lay_out_path() -> None:
    """Put the package first, and nothing of what this machine has installed for its own purposes."""
    runtime_dir = os.environ["LAMBDA_RUNTIME_DIR"]
    minor = "python%d.%d" % sys.version_info[:2]  # noqa: UP031 - shorter than its modern form
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(":") if entry and entry != runtime_dir]
    # Observed: sys.path as functions on AWS print it: the package, layers, the runtime, the interpreter.
    # Set by sandboxes without a root of their own, and no variable of the function's.
    opt = os.environ.pop("LAMBENT_LAYERS_ROOT", "/opt")
    layers = [opt + "/python/lib/" + minor + "/site-packages", opt + "/python"]
    sys.path[:] = [os.environ["LAMBDA_TASK_ROOT"], *layers, *given, runtime_dir, *_own_entries()]


def main() -> None:
    # Before the package is on the path: a copy of the client or of its dependencies in there must not replace it.
    from awslambdaric.__main__ import main as run

    _lay_out_path()
    run([sys.argv[0], os.environ["_HANDLER"]])


def _wait_to_be_forked() -> None:
    """Be a zygote: the client is loaded first, as in `main`, so that what else is, is known. Returns in forks."""
    import awslambdaric.__main__  # noqa: F401 - what it loads counts

    ordinary = frozenset(sys.modules)
    # As in a function: what is loaded ahead must not take its optional parts from this machine's own packages.
    sys.path[:] = [sys.path[0], *_own_entries()]
    # A module of its own, compiled beforehand: a script is compiled at each start.
    import _lambent_forked

    _lambent_forked.wait(ordinary)


if __name__ == "__main__":
    if "LAMBENT_ZYGOTE" in os.environ:
        _wait_to_be_forked()
    main()
