"""
What a fork of a zygote makes of itself, on an interpreter of this machine without walls.

A small forker stands in for the one inside the walls, and brings a file of the package as a mount would.
tests/conformance/test_runtime_python.py runs the real one.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.runtimes import python_bootstrap, python_forked

CLIENT = {
    "__init__.py": "",
    "__main__.py": "from . import bootstrap, lambda_runtime_client\n"
    "def main(args):\n    import sys\n    sys.modules['app'] = app = type(sys)('app')\n"
    "    import runpy; runpy.run_path(args[1])\n",
    "bootstrap.py": "import os, json, logging, decimal\nFORMAT = os.environ.get('AWS_LAMBDA_LOG_FORMAT')\n",
    "lambda_literals.py": "",
    "lambda_runtime_client.py": "import os\nclass LambdaMarshaller:\n"
    "    def __init__(self):\n        self.asked_for = os.environ.get('AWS_EXECUTION_ENV')\n"
    "class BaseLambdaRuntimeClient:\n    marshaller = LambdaMarshaller()\n",
}
"""Where the official client keeps what a fork has to renew; it runs a script in the place of a handler."""

FORKER = """
import gc, json, os, sys

def serve(orders, is_loaded):
    os.close(orders)
    environ = json.loads(sys.stdin.buffer.read())
    gc.freeze()
    gc.disable()
    process = os.fork()
    if process:
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        os._exit(code if code >= 0 else 128 - code)
    brought = environ.pop("BROUGHT", "")
    if brought:
        os.makedirs(os.path.dirname(brought), exist_ok=True)
        open(brought, "w").close()
    return environ
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder with a runtime, a forker and a package."""
    made = Path(tempfile.mkdtemp())
    runtime = made / "runtime"
    (runtime / "awslambdaric").mkdir(parents=True)
    for name, text in CLIENT.items():
        (runtime / "awslambdaric" / name).write_text(text)
    forked = Path(python_forked.__file__).read_text().replace("/var/lambent/zygote.py", str(made / "forker.py"))
    (runtime / "_lambent_forked.py").write_text(forked)
    shutil.copy(python_bootstrap.__file__, runtime / "bootstrap.py")
    (made / "forker.py").write_text(FORKER)
    (made / "task").mkdir()
    yield made
    shutil.rmtree(made)


def run(folder: Path, script: str, variables: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a script as the function in a fork."""
    (folder / "script.py").write_text("import json, os, sys\n" + script)
    own = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "LD_LIBRARY_PATH": f"{folder}/task:{folder}/task/lib",
    }
    environ = {
        **own,
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python3.{sys.version_info[1]}",
        "LAMBDA_RUNTIME_DIR": str(folder / "runtime"),
        "LAMBDA_TASK_ROOT": str(folder / "task"),
        "_HANDLER": str(folder / "script.py"),
        **(variables or {}),
    }
    reading, writing = os.pipe()
    try:
        return subprocess.run(
            [os.path.realpath(sys.executable), str(folder / "runtime/bootstrap.py")],
            env={**own, "LAMBENT_ZYGOTE": str(writing), "LAMBENT_PRELOAD": "shlex"},
            pass_fds=[writing],
            input=json.dumps(environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(reading)
        os.close(writing)


def told(folder: Path, expression: str, variables: dict[str, str] | None = None) -> Any:
    """Return what an expression is in a fork."""
    done = run(folder, f"import gc\nprint(json.dumps({expression}))\n", variables)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def is_forked(folder: Path, variables: dict[str, str] | None = None) -> bool:
    frozen = told(folder, "gc.get_freeze_count()", variables)
    assert isinstance(frozen, int)
    return frozen > 0


def test_it_has_its_own_variables_only(folder: Path) -> None:
    """Nothing of the zygote's own variables is left, and libc has the same as Python."""
    names = told(folder, "[sorted(os.environ), os.popen('env').read().split()]", {"OWN": "1"})
    assert "OWN" in names[0]
    assert not [name for name in names[0] if name.startswith("LAMBENT")]
    assert "OWN=1" in names[1]
    assert not [line for line in names[1] if line.startswith("LAMBENT")]


def test_what_is_preloaded_is_there(folder: Path) -> None:
    """Modules named by LAMBENT_PRELOAD are loaded, the helper is not to be seen."""
    expression = "['shlex' in sys.modules, '_lambent_forked' in sys.modules, gc.isenabled()]"
    assert told(folder, expression) == [True, False, True]


def test_the_clients_variables_are_read_again(folder: Path) -> None:
    """What the client takes from its environment when it is imported is the function's."""
    expression = (
        "[sys.modules['awslambdaric.bootstrap'].FORMAT, "
        "sys.modules['awslambdaric.lambda_runtime_client'].BaseLambdaRuntimeClient.marshaller.asked_for]"
    )
    given = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_EXECUTION_ENV": "AWS_Lambda_python3.99"}
    assert told(folder, expression, given) == ["JSON", "AWS_Lambda_python3.99"]
    assert told(folder, expression) == [None, f"AWS_Lambda_python3.{sys.version_info[1]}"]


@pytest.mark.parametrize(
    ("script", "status", "output"),
    [
        ("sys.exit(7)", 7, ""),
        ("sys.exit('why')", 1, "why\n"),
        ("sys.exit()", 0, ""),
        ("sys.exit(257)", 1, ""),
        ("raise BaseException('odd')", 1, "BaseException: odd\n"),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt\n"),
        ("import atexit; atexit.register(sys.stderr.write, 'end\\n')", 0, "end\n"),
    ],
)
def test_it_ends_like_an_interpreter(folder: Path, script: str, status: int, output: str) -> None:
    """Status, last words and what is registered for the end."""
    done = run(folder, script + "\n")
    assert done.returncode == status
    assert done.stderr.endswith(output)


def test_what_it_printed_is_written(folder: Path) -> None:
    """Buffers are flushed at the end."""
    assert run(folder, "sys.__stdout__.write('no line')\n").stdout == "no line"


@pytest.mark.parametrize(
    ("file", "variables", "forked"),
    [
        ("", {}, True),
        ("app.py", {"PYTHONPATH": "own"}, True),
        ("data/uuid.py", {}, True),
        ("uuid.json", {}, True),
        ("uuid.py", {}, False),
        ("uuid.cpython-39-x86_64-linux-gnu.so", {}, False),
        ("uuid/__init__.py", {}, False),
        ("own/logging.py", {}, True),
        ("own/sitecustomize.py", {"PYTHONPATH": "own"}, False),
        ("own.zip", {"PYTHONPATH": "own.zip"}, False),
        ("lib/libown.so", {}, False),
        ("", {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9002"}, False),
    ],
)
def test_when_it_is_executed_instead(folder: Path, file: str, variables: dict[str, str], forked: bool) -> None:
    """A function whose files would have been loaded instead is executed; lib is new where the loader saw none."""
    brought = {"BROUGHT": str(folder / "task" / file)} if file else {}
    assert is_forked(folder, {**variables, **brought}) is forked


def test_modules_of_a_user_count(folder: Path) -> None:
    """The home may hold modules that are loaded at the start of an interpreter."""
    assert is_forked(folder, {"HOME": str(folder)})
    (folder / f".local/lib/python3.{sys.version_info[1]}/site-packages").mkdir(parents=True)
    assert not is_forked(folder, {"HOME": str(folder)})
