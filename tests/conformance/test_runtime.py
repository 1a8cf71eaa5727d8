"""
Every runtime that this version offers passes the shared suite, on every path by which it can be started; below it,
what is Python's or the shell's alone.
"""

import asyncio
import functools
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from conformance.machine import walled_driver

from lambent.clock import SystemClock
from lambent.runtimes import nodejs
from lambent.runtimes.contract import Runtimes, RuntimeUnavailable
from lambent.runtimes.registry import HostRuntimes
from lambent.sandbox.contract import Exit
from lambent.testing.conformance.runtime import (
    REQUEST_ID,
    Answered,
    ManagedRuntimeConformance,
)

_HOME: list[Path] = []


@pytest.fixture(scope="module", autouse=True)
def _runtimes_dir() -> Iterator[None]:
    """Install clients once for all tests of this file, where functions can read them."""
    folder = Path(tempfile.mkdtemp(prefix="lambent-runtimes-"))
    folder.chmod(0o711)
    _HOME.append(folder)
    yield
    shutil.rmtree(folder)
    _HOME.clear()


@pytest.fixture(scope="module")
def _client() -> None:
    """Install the client, or leave the tests out that need it."""
    try:
        asyncio.run(_host_runtimes("nearest", False).prepare(TestPython.runtime))
    except RuntimeUnavailable as error:
        pytest.skip(f"needs:runtime-client:make test where pip reaches a package index ({error})")


def _host_runtimes(fallback: str, has_own_root: bool) -> HostRuntimes:
    return HostRuntimes(_HOME[0] / "runtimes", "nobody", fallback, SystemClock(), has_own_root=has_own_root)


@pytest.mark.usefixtures("_client")
class TestPython(ManagedRuntimeConformance):
    """Some Python of this machine with AWS's client: the version is asked for as one that may not be here."""

    runtime = "python3.13"
    error_type = "ValueError"
    packages: ClassVar = {
        "echo": {
            "app.py": "def handler(event, context):\n"
            "    if 'say' in event:\n"
            "        print('said', event['say'])\n"
            "    return event\n"
        },
        "error": {"app.py": "def handler(event, context):\n    raise ValueError('boom')\n"},
        "init_error": {"app.py": "raise ValueError('boom')\n"},
        "exit": {"app.py": "import os\ndef handler(event, context):\n    os._exit(3)\n"},
        "context": {
            "app.py": "import time\ndef handler(event, c):\n    left = c.get_remaining_time_in_millis()\n"
            "    time.sleep(0.01)\n"
            "    return [c.aws_request_id, c.invoked_function_arn, c.function_name, c.function_version,\n"
            "        c.memory_limit_in_mb, c.log_group_name, c.log_stream_name,\n"
            "        left, c.get_remaining_time_in_millis()]\n"
        },
        "nested_error": {
            "app.py": "def handler(event, context):\n    inner()\ndef inner():\n    raise ValueError('boom')\n"
        },
        "order": {
            "app.py": "import logging, sys\ndef handler(event, context):\n    print('one')\n"
            "    print('two', file=sys.stderr)\n    logging.warning('three')\n    print('four')\n"
        },
        "logs": {"app.py": "import logging\ndef handler(e, c):\n    logging.debug('low')\n    logging.error('high')\n"},
        "environment": {"app.py": "import os\ndef handler(event, context):\n    return dict(os.environ)\n"},
        "left_over": {
            "app.py": "import threading, time\nwork = threading.Thread(target=time.sleep, args=(0.05,))\n"
            "def handler(event, context):\n    if 'wait' not in event:\n        work.start()\n        return False\n"
            "    work.join(event['wait'] / 1000)\n    return not work.is_alive()\n"
        },
    }

    def make_runtimes(self, has_own_root: bool) -> Runtimes:
        return _host_runtimes("nearest", has_own_root)

    def handle(self, body: str, event: object = None, **given: dict[str, str]) -> object:
        """Return what a handler with this body returns."""
        indented = "".join(f"    {line}\n" for line in body.splitlines())
        files = {"app.py": f"import json, os, sys\ndef handler(event, context):\n{indented}"}
        (answer,) = self.run_files(files, event, **given)
        assert answer.kind == "response", answer
        return answer.json()

    def test_it_may_say_goodbye(self) -> None:
        """
        Without a handler it just ends. With one it depends on AWS's client, which waits in native code up to
        python3.11, and on CPython, which misses a signal between its last look for one and the wait for a thread.
        """
        _, end = self.run("echo", {}, shuts_down=True)
        assert (end.how, end.output) == (Exit(signal=signal.SIGTERM), "")

    def test_the_path_is_lambdas(self) -> None:
        """The package comes first, then layers, then the runtime; this machine's own packages are nowhere."""
        path = self.handle("return [os.environ['LAMBDA_TASK_ROOT'], os.environ['LAMBDA_RUNTIME_DIR'], sys.path]")
        assert isinstance(path, list)
        root, runtime_dir, entries = path
        assert entries[0] == root
        assert entries[1].startswith("/opt/python/lib/python3.")
        assert entries[2:4] == ["/opt/python", runtime_dir]
        assert not [entry for entry in entries[4:] if entry.endswith("-packages")]

    def test_pythonpath_of_the_user_counts(self) -> None:
        """A folder in PYTHONPATH is searched, and the client is still found."""
        assert "/some/folder" in str(self.handle("return sys.path", variables={"PYTHONPATH": "/some/folder"}))

    def test_the_sdk_is_there(self) -> None:
        """boto3 can be imported, as on AWS."""
        assert self.handle("import boto3; return boto3.client('s3').meta.region_name") == "us-east-1"

    def test_a_package_cannot_replace_the_client(self) -> None:
        """A package that brings its own awslambdaric or simplejson runs on the runtime's."""
        files = {
            "app.py": "def handler(event, context):\n    return 'fine'\n",
            "awslambdaric/__init__.py": "raise SystemExit(9)\n",
            "simplejson.py": "raise SystemExit(9)\n",
        }
        (answer,) = self.run_files(files, {})
        assert answer.json() == "fine"

    def test_text_is_utf_8(self) -> None:
        """PL-02: stdout is UTF-8 although the machine may not have the locale; characters pass unharmed."""
        seen = self.handle("print(event); return [sys.stdout.encoding, os.environ['LANG'], event]", "愛 😀 é ’ \u0000")
        assert seen == ["utf-8", "en_US.UTF-8", "愛 😀 é ’ \u0000"]

    def test_answers_hold_the_characters_themselves(self) -> None:
        """PL-02: UTF-8 from python3.12 on, by the version that was asked for."""
        (answer,) = self.run("echo", {"t": "愛 😀"})
        assert answer.body == json.dumps({"t": "愛 😀"}, ensure_ascii=False).encode()

    def test_the_environment_names_what_was_asked_for(self) -> None:
        """AWS_EXECUTION_ENV is python3.13 whatever stands in for it."""
        assert self.handle("return os.environ['AWS_EXECUTION_ENV']") == "AWS_Lambda_python3.13"

    def test_log_records_stand_among_prints(self) -> None:
        """The client's framed records and what is printed share one pipe, in order."""
        body = "import logging\nprint('first')\nlogging.warning('second')\nprint('third')"
        (answer,) = self.run_files(
            {"app.py": f"def handler(event, context):\n    {body.replace(chr(10), chr(10) + '    ')}"}, {}
        )
        assert answer.output.index("first") < answer.output.index("second") < answer.output.index("third")

    def test_the_client_context_arrives(self) -> None:
        """What the caller sent in X-Amz-Client-Context is the context's."""
        files = {"app.py": "def handler(event, context):\n    return context.client_context.custom\n"}
        (answer,) = self.run_files(files, {}, client_context='{"custom":{"a":"b"}}')
        assert answer.json() == {"a": "b"}

    def test_a_wrapper_starts_the_interpreter(self) -> None:
        """AWS_LAMBDA_EXEC_WRAPPER gets interpreter and bootstrap as arguments and ends with exec."""
        files = {**self.packages["echo"], "bootstrap": '#!/bin/sh\necho "wrapping $1"\nexport WRAPPED=yes\nexec "$@"\n'}
        files["app.py"] = "import os\ndef handler(event, context):\n    return os.environ['WRAPPED']\n"
        (answer,) = self.run_files(files, {}, variables={"AWS_LAMBDA_EXEC_WRAPPER": "./bootstrap"})
        assert answer.json() == "yes"
        assert "wrapping /" in answer.output

    def test_a_missing_wrapper_is_an_exit(self) -> None:
        """The runtime exits with 127."""
        (answer,) = self.run("echo", {}, variables={"AWS_LAMBDA_EXEC_WRAPPER": "/no/wrapper"})
        assert answer.how is not None
        assert answer.how.status == 127

    def test_a_wrapper_that_cannot_be_executed_is_an_exit(self) -> None:
        """The runtime exits with 126, and the log says why."""
        files = {**self.packages["echo"], "wrap": '#!/bin/sh\nexec "$@"\n'}
        (answer,) = self.run_files(files, {}, variables={"AWS_LAMBDA_EXEC_WRAPPER": "./wrap"})
        assert answer.how is not None
        assert answer.how.status == 126
        assert "./wrap: Permission denied" in answer.output

    def test_a_native_wheel_is_imported(self) -> None:
        """A module that was compiled for this Python and put into the package by pip."""
        version = ".".join(map(str, json.loads(self.run_files({"app.py": VERSION}, {})[0].body)))
        app = (
            "from markupsafe import _speedups, escape\ndef handler(event, context):\n"
            "    return [str(escape(event)), _speedups.__file__]\n"
        )
        (answer,) = self.run_files({**_wheel_of_markupsafe(version), "app.py": app}, "<")
        escaped, path = answer.json()
        assert escaped == "&lt;"
        assert re.search(r"/markupsafe/_speedups\.cpython-3\d+-.*\.so$", path)

    def test_a_module_of_the_package_wins(self) -> None:
        """A package may have a module named like one of the standard library that nothing has imported so far."""
        files = {
            "app.py": "import calendar, http.client\ndef handler(event, context):\n"
            "    return [calendar.OWN, http.client.OWN]\n",
            "calendar.py": "OWN = 1\n",
            "http/__init__.py": "",
            "http/client.py": "OWN = 2\n",
        }
        (answer,) = self.run_files(files, {})
        assert answer.json() == [1, 2]

    def test_a_library_of_the_package_is_found(self) -> None:
        """lib in the package is on LD_LIBRARY_PATH: a library in there can be loaded by its bare name."""
        source = next(Path("/usr/lib").glob("*-linux-gnu/libz.so.1"), None)
        if source is None:
            pytest.skip("needs:zlib:apt install zlib1g")
        body = (
            "import base64, ctypes, sys\ndef handler(event, context):\n"
            "    ctypes.CDLL('libown.so')\n"
            "    return [line.split()[-1] for line in open('/proc/self/maps') if 'libown' in line][0]\n"
        )
        files: dict[str, str | bytes] = {"app.py": body, "lib/libown.so": source.read_bytes()}
        (answer,) = self.run_files(files, {})
        assert answer.json().endswith("/lib/libown.so")

    def test_modules_of_layers_are_found(self) -> None:
        """LY-02: the package's come first, then those of site-packages, then those beside it, then the runtime's."""
        major, minor = json.loads(self.run_files({"app.py": VERSION}, {})[0].body)
        site = f"python/lib/python{major}.{minor}/site-packages"
        files = {
            "app.py": "import m1, m2, m3, boto3\ndef handler(event, context):\n"
            "    return [m1.OF, m2.OF, m3.OF, boto3.OF]\n",
            "m1.py": "OF = 'package'\n",
        }
        layers = {
            "python/m1.py": "OF = 'layer'\n",
            "python/m2.py": "OF = 'python'\n",
            "python/m3.py": "OF = 'python'\n",
            f"{site}/m3.py": "OF = 'site-packages'\n",
            f"{site}/boto3/__init__.py": "OF = 'site-packages'\n",
        }
        (answer,) = self.run_files(files, {}, layers=layers)
        assert answer.json() == ["package", "python", "site-packages", "site-packages"]

    def test_a_module_of_a_layer_wins(self) -> None:
        """Also over one of the standard library that nothing has imported so far; of what is at the start nothing."""
        layers = {
            "python/calendar.py": "OWN = 1\n",
            "python/sitecustomize.py": "raise SystemExit(9)\n",
            "python/awslambdaric/__init__.py": "raise SystemExit(9)\n",
        }
        app = "import calendar\ndef handler(event, context):\n    return calendar.OWN\n"
        (answer,) = self.run_files({"app.py": app}, {}, layers=layers)
        assert answer.json() == 1

    def test_programs_and_libraries_of_layers_are_found(self) -> None:
        """LY-02: bin is on PATH, lib on LD_LIBRARY_PATH."""
        source = next(Path("/usr/lib").glob("*-linux-gnu/libz.so.1"), None)
        if source is None:
            pytest.skip("needs:zlib:apt install zlib1g")
        body = (
            "import ctypes, subprocess\ndef handler(event, context):\n"
            "    ctypes.CDLL('libown.so')\n"
            "    mapped = [line.split()[-1] for line in open('/proc/self/maps') if 'libown' in line][0]\n"
            "    return [subprocess.check_output(['tool'], text=True), mapped]\n"
        )
        layers: dict[str, str | bytes] = {"bin/tool": "#!/bin/sh\nprintf here\n", "lib/libown.so": source.read_bytes()}
        (answer,) = self.run_files({"app.py": body}, {}, layers=layers)
        said, mapped = answer.json()
        assert said == "here"
        assert mapped.endswith("/lib/libown.so")

    def test_a_wrapper_may_come_from_a_layer(self) -> None:
        """AWS_LAMBDA_EXEC_WRAPPER names a program of a layer, as vendors of tracing have it."""
        app = "import os\ndef handler(event, context):\n    return os.environ['WRAPPED']\n"
        layers = {"bin/wrap": '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'}
        given = {"AWS_LAMBDA_EXEC_WRAPPER": "wrap"}
        (answer,) = self.run_files({"app.py": app}, {}, variables=given, layers=layers)
        assert answer.json() == "yes"

    def test_pythonpath_may_bring_code_for_the_start(self) -> None:
        """A sitecustomize in a folder of PYTHONPATH runs when the interpreter starts."""
        files = {
            "app.py": "import builtins\ndef handler(event, context):\n    return builtins.custom\n",
            "start/sitecustomize.py": "import builtins\nbuiltins.custom = 'ran'\n",
        }
        (answer,) = self.run_files(files, {}, variables={"PYTHONPATH": "start:/var/runtime"})
        assert answer.json() == "ran"

    def test_the_time_zone_of_the_user_counts(self) -> None:
        """TZ is a variable that the user may set."""
        body = "import time; return [time.tzname, time.strftime('%H', time.localtime(0))]"
        assert self.handle(body, variables={"TZ": "Asia/Tokyo"}) == [["JST", "JST"], "09"]

    def test_records_are_json_when_asked_for(self) -> None:
        """AWS_LAMBDA_LOG_FORMAT and its level are read by the client."""
        files = {
            "app.py": "import logging\ndef handler(event, context):\n"
            "    logging.debug('low')\n    logging.info('high')\n    return 1\n"
        }
        given = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
        (answer,) = self.run_files(files, {}, variables=given)
        assert '"message": "high"' in answer.output
        assert "low" not in answer.output

    @pytest.mark.parametrize(
        ("code", "status"), [("sys.exit(7)", 7), ("sys.exit('why')", 1), ("sys.exit()", 0)], ids=["7", "text", "none"]
    )
    def test_it_may_leave_by_sys_exit(self, code: str, status: int) -> None:
        """The interpreter ends as it does anywhere: functions for the end run, output is written, there is a status."""
        files = {
            "app.py": "import atexit, sys\natexit.register(print, 'at the end')\n"
            f"def handler(event, context):\n    {code}\n"
        }
        (answer,) = self.run_files(files, {})
        assert answer.how is not None
        assert answer.how.status == status
        assert "at the end" in answer.output
        assert ("why" in answer.output) == (status == 1)

    def test_an_exception_that_is_none_of_ours_ends_it(self) -> None:
        """What the client does not catch is printed, and the status is 1."""
        files = {"app.py": "class Odd(BaseException):\n    pass\ndef handler(event, context):\n    raise Odd('out')\n"}
        (answer,) = self.run_files(files, {})
        assert answer.how is not None
        assert answer.how.status == 1
        assert "Odd: out" in answer.output


class TestPythonWalled(TestPython):
    """The same behind walls, where environments have Lambda's own paths."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        cls.driver = walled_driver()

    def test_without_layers_opt_is_empty(self) -> None:
        """As on AWS; so is /mnt."""
        assert self.handle("return os.listdir('/opt') + os.listdir('/mnt')") == []

    def test_the_places_are_lambdas(self) -> None:
        """Documented: the developer guide names them."""
        body = "return [os.getcwd(), os.environ['LAMBDA_RUNTIME_DIR'], sys.argv[0], os.environ['PATH'].split(':')[0]]"
        assert self.handle(body) == ["/var/task", "/var/runtime", "/var/runtime/bootstrap.py", "/var/lang/bin"]


@functools.cache
def _wheel_of_markupsafe(version: str) -> dict[str, str | bytes]:
    """Return the files of a small wheel with a native module, for a version of Python."""
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
        options = ("--target", folder, "--python-version", version, "--only-binary=:all:", "--no-deps")
        done = subprocess.run([*command, *options, "markupsafe==3.0.2"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"needs:package-index:make test where pip reaches a package index ({done.stderr[-200:]})")
        files = [path for path in Path(folder, "markupsafe").iterdir() if path.is_file()]
        return {f"markupsafe/{path.name}": path.read_bytes() for path in files}


VERSION = "import sys\ndef handler(event, context):\n    return sys.version_info[:2]\n"

MAY_DIFFER = frozenset({"third_parties"})
"""Modules that are loaded ahead are loaded; a function that has its own of such a name is executed instead."""


class TestPythonForked(TestPythonWalled):
    """The same in forks of a zygote."""

    forks = True

    @pytest.mark.parametrize("runtime", ["python3.9", "python3.11", "python3.13"])
    @pytest.mark.parametrize(
        "variables", [{}, {"TZ": "Europe/Paris", "PYTHONPATH": "/opt/own:/var/runtime", "A": "ü", "HOME": "/tmp"}]
    )
    def test_a_function_cannot_tell_a_fork(self, runtime: str, variables: dict[str, str]) -> None:
        """All that a function sees of its process is the same in a fork and after exec."""
        try:
            asyncio.run(_host_runtimes("none", True).prepare(runtime))
        except RuntimeUnavailable as error:
            pytest.skip(f"needs:{runtime}:{error}")
        files = {"app.py": Path(__file__).with_name("fingerprint.py").read_text()}
        self.runtime = runtime
        (forked,) = self.run_files(files, {}, variables=variables)
        self.forks = False
        (executed,) = self.run_files(files, {}, variables=variables)
        assert forked.kind == executed.kind == "response", (forked, executed)
        told, expected = forked.json(), executed.json()
        assert {name for name in told if told[name] != expected[name]} <= MAY_DIFFER, {
            name: (told[name], expected[name]) for name in told if told[name] != expected[name]
        }
        assert set(expected["third_parties"]) <= set(told["third_parties"])

    @pytest.mark.parametrize(
        ("layers", "is_forked"),
        [
            ({"python/own.py": "", "python/lib/python%d.%d/site-packages/numpy/__init__.py": ""}, True),
            ({"python/boto3/__init__.py": "", "bin/tool": "", "data/uuid.py": "", "uuid.py": ""}, True),
            ({"python/uuid.py": ""}, False),
            ({"python/lib/python%d.%d/site-packages/datetime.py": ""}, False),
            ({"lib/libown.so": ""}, True),
            ({"lib/libcrypto.so.3": "", "lib/libcrypto.so.1.1": ""}, False),
        ],
        ids=["plain", "harmless", "module", "site-packages", "library", "loaded-library"],
    )
    def test_what_layers_bring_may_be_executed(self, layers: dict[str, str], is_forked: bool) -> None:
        """A layer's modules and libraries come before what the zygote has loaded."""
        version = json.loads(self.run_files({"app.py": VERSION}, {})[0].body)
        layers = {(name % tuple(version) if "%" in name else name): text for name, text in layers.items()}
        app = "import gc\ndef handler(event, context):\n    return gc.get_freeze_count() > 0\n"
        (answer,) = self.run_files({"app.py": app}, {}, layers=layers)
        assert answer.kind == "response", answer
        assert answer.json() is is_forked

    @pytest.mark.parametrize(
        ("files", "variables", "is_forked"),
        [
            ({}, {}, True),
            ({"lib/libown.so": ""}, {"TZ": "Asia/Tokyo", "PYTHONPATH": "/var/task/lib"}, True),
            ({"calendar.py": ""}, {}, False),
            ({"libcrypto.so.3": "", "libcrypto.so.1.1": ""}, {}, False),
            ({"lib/uuid.py": ""}, {"PYTHONPATH": "lib"}, False),
            ({}, {"PYTHONHASHSEED": "1"}, False),
            ({}, {"LANG": "C.UTF-8"}, False),
            ({".local/lib/python%d.%d/site-packages/usercustomize.py": ""}, {"HOME": "/var/task"}, False),
        ],
        ids=["plain", "harmless", "module", "library", "path", "hash-seed", "language", "user-site"],
    )
    def test_what_a_fork_cannot_show_is_executed(
        self, files: dict[str, str], variables: dict[str, str], is_forked: bool
    ) -> None:
        """A function is executed where its files or variables would have changed what is loaded in the zygote."""
        version = json.loads(self.run_files({"app.py": VERSION}, {})[0].body)
        files = {(name % tuple(version) if "%" in name else name): text for name, text in files.items()}
        app = "import gc\ndef handler(event, context):\n    return gc.get_freeze_count() > 0\n"
        (answer,) = self.run_files({**files, "app.py": app}, {}, variables=variables)
        assert answer.kind == "response", answer
        assert answer.json() is is_forked

    def test_forks_draw_different_numbers(self) -> None:
        """Random numbers of two environments from one zygote are not the same."""
        body = "import random, uuid; return [random.random(), str(uuid.uuid4())]"
        first, second = self.handle(body), self.handle(body)
        assert first != second


@pytest.fixture(scope="module")
def _nodejs() -> None:
    """Leave the tests out that need a Node.js, of whatever version."""
    try:
        asyncio.run(_host_runtimes("nearest", True).prepare(TestNodejs.runtime))
    except RuntimeUnavailable:
        pytest.skip("needs:nodejs:apt install nodejs")


def _js(body: str, before: str = "") -> dict[str, str]:
    """Return a package whose handler, a function that may await, has this body."""
    return {"app.js": f"{before}\nexports.handler = async (event, context) => {{ {body} }};\n"}


@pytest.mark.usefixtures("_nodejs")
def _js_stream(body: str, before: str = "") -> dict[str, str]:
    """Return a file whose handler streams."""
    handler = f"awslambda.streamifyResponse(async (event, stream, context) => {{ {body} }})"
    return {"app.js": f"{before} exports.handler = {handler};"}


class TestNodejs(ManagedRuntimeConformance):
    """Some Node.js of this machine with our client: the version is asked for as one that may not be here."""

    runtime = "nodejs22.x"
    error_type = "TypeError"
    trace_member = "trace"
    packages: ClassVar = {
        "echo": _js("if (event.say) { console.log('said', event.say); } return event;"),
        "error": _js("throw new TypeError('boom');"),
        "init_error": {"app.js": "throw new TypeError('boom');\n"},
        "exit": _js("process.exit(3);"),
        "goodbye": _js("return 1;", "process.on('SIGTERM', () => { console.log('goodbye'); process.exit(); });"),
        "context": _js(
            "const left = context.getRemainingTimeInMillis(); await new Promise((go) => setTimeout(go, 10));"
            "const c = context; return [c.awsRequestId, c.invokedFunctionArn, c.functionName, c.functionVersion,"
            "c.memoryLimitInMB, c.logGroupName, c.logStreamName, left, c.getRemainingTimeInMillis()];"
        ),
        "nested_error": _js("inner();", "function inner() { throw new TypeError('boom'); }"),
        "order": _js(
            "process.stdout.write('one\\n'); process.stderr.write('two\\n'); console.warn('three');"
            "process.stdout.write('four\\n');"
        ),
        "logs": _js("console.debug('low'); console.error('high');"),
        "environment": _js("return process.env;"),
        "left_over": _js(
            "if (!event.wait) { setTimeout(() => { done(); }, 50); return false; }"
            "return Promise.race([work, new Promise((go) => setTimeout(() => go(false), event.wait))]);",
            "let done; const work = new Promise((go) => { done = () => go(true); });",
        ),
    }

    def make_runtimes(self, has_own_root: bool) -> Runtimes:
        return _host_runtimes("nearest", has_own_root)

    def answer(
        self,
        files: Mapping[str, str],
        event: object = None,
        runtime: str = "",
        handler: str | None = None,
        **given: Any,
    ) -> Answered:
        """Return what a function of these files answers; `runtime` asks for another version."""
        self.runtime = runtime or self.runtime
        (answer,) = self.run_files(files, {} if event is None else event, handler=handler, **given)
        return answer

    @pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
    @pytest.mark.parametrize(
        ("files", "handler"),
        [
            ({"index.mjs": "const t = await Promise.resolve(41); export const handler = async () => t + 1;"}, ""),
            ({"package.json": '{"type": "module"}', "index.js": "export const handler = async () => 42;"}, ""),
            ({"index.cjs": "exports.handler = async () => 42;"}, ""),
            ({"index.js": "exports.handler = async () => 42;", "index.mjs": "throw new Error('not this one');"}, ""),
            ({"src/fn.js": "exports.handler = async () => 42;"}, "src/fn.handler"),
            ({"src/fn.mjs": "export const handler = async () => 42;"}, "src/fn.handler"),
            ({"fn.handler/fn.js": "exports.handler = async () => 42;"}, "fn.handler/fn.handler"),
            ({"index.js": "exports.api = { get: { it: async () => 42 } };"}, "index.api.get.it"),
            ({"index/index.js": "exports.handler = async () => 42;"}, ""),
            ({"node_modules/own/index.js": "exports.handler = async () => 42;"}, "own.handler"),
        ],
        ids=[
            "esm-await",
            "type-module",
            "cjs",
            "both",
            "nested",
            "nested-esm",
            "named-alike",
            "dots",
            "folder",
            "package",
        ],
    )
    def test_where_handlers_may_be(self, files: dict[str, str], handler: str, runtime: str) -> None:
        """RT-01 a to d, f: CommonJS and ES modules, by name or package; index.js comes before index.mjs."""
        answer = self.answer(files, runtime=runtime, handler=handler or "index.handler")
        assert (answer.kind, answer.body) == ("response", b"42"), answer

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("(e, c, callback) => callback(null, 'ok')", "ok"),
            ("(e, c, callback) => { setTimeout(() => callback(null, 'late'), 20); }", "late"),
            ("(e, c) => c.succeed('ok')", "ok"),
            ("(e, c) => c.done(null, 'ok')", "ok"),
            ("(e, c) => { setTimeout(() => c.succeed('late'), 20); }", "late"),
            ("() => {}", None),
            ("() => 'not an answer'", None),
            ("async () => {}", None),
            ("() => new Promise(() => {})", None),
            ("() => Promise.resolve('ok')", "ok"),
            ("async () => () => {}", None),
            ("async (e, c, callback) => { callback(null, 'first'); return 'then'; }", "then"),
        ],
    )
    def test_answers_up_to_nodejs_22(self, body: str, expected: object) -> None:
        """RT-01 e, g: by promise, callback or context; null where the event loop is empty and nothing was said."""
        answer = self.answer({"app.js": f"exports.handler = {body};"}, runtime="nodejs22.x")
        assert (answer.kind, answer.json()) == ("response", expected), answer

    def test_a_callback_waits_for_the_event_loop(self) -> None:
        """callbackWaitsForEmptyEventLoop: what still runs is waited for, unless the function says no."""
        source = (
            "let ran = 0; exports.handler = (event, context, callback) => {"
            "context.callbackWaitsForEmptyEventLoop = event.waits;"
            "setTimeout(() => { ran += 1; process.stdout.write('ran ' + ran + '\\n'); }, 100); callback(null, ran); };"
        )
        self.runtime = "nodejs20.x"
        waited, not_waited = self.run_files({"app.js": source}, {"waits": True}, {"waits": False})
        assert (waited.json(), "ran 1" in waited.output) == (0, True)
        assert (not_waited.json(), "ran 2" in not_waited.output) == (1, False)

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ("(e, c, callback) => callback(new RangeError('boom'))", ["RangeError", "boom"]),
            ("(e, c, callback) => callback('boom')", ["string", "boom"]),
            ("(e, c) => c.fail(new Error('boom'))", ["Error", "boom"]),
            ("(e, c) => c.fail()", ["string", "handled"]),
            ("() => { throw new Error('boom'); }", ["Error", "boom"]),
            ("async () => { throw 'boom'; }", ["string", "boom"]),
            ("async () => { throw Object.assign(new Error('boom'), { name: 'Own é' }); }", ["Own é", "boom"]),
            ("async () => { const a = {}; a.a = a; return a; }", ["Error", "Unable to stringify response body"]),
            ("async () => 10n", ["Error", "Unable to stringify response body"]),
        ],
    )
    def test_errors_up_to_nodejs_22(self, body: str, told: list[str]) -> None:
        """RT-01 h: type, message and trace, by whichever way an error is given; the next invocation goes on."""
        self.runtime = "nodejs22.x"
        answer, again = self.run_files({"app.js": f"exports.handler = {body};"}, {}, {})
        assert (answer.kind, again.kind) == ("error", "error"), answer
        body_told = answer.json()
        assert list(body_told) == ["errorType", "errorMessage", "trace"]
        assert [body_told["errorType"], body_told["errorMessage"]] == told
        if told[0] == "string":
            assert body_told["trace"] == []
        else:
            assert told[1] in body_told["trace"][0]
        assert f'{REQUEST_ID}\tERROR\tInvoke Error \t{{"errorType":' in answer.output

    def test_answers_from_nodejs_24_on(self) -> None:
        """What a handler returns is the answer, also without a promise; there is no callback, nor done on context."""
        source = "exports.handler = (event, context) => ({ members: Object.keys(context), n: 1 });"
        exported = "export default { handler: () => 'of the default' };"
        assert self.answer({"app.mjs": exported}, runtime="nodejs24.x").json() == "of the default"
        told = self.answer({"app.js": source}, runtime="nodejs24.x").json()
        assert told["n"] == 1
        assert not {"done", "succeed", "fail", "callbackWaitsForEmptyEventLoop"} & set(told["members"])
        answer = self.answer({"app.js": "exports.handler = (e, c, callback) => callback();"}, runtime="nodejs24.x")
        assert (answer.kind, answer.error_type) == ("init error", "Runtime.CallbackHandlerDeprecated")
        answer = self.answer(_js("return 10n;"), runtime="nodejs24.x")
        assert (answer.kind, answer.json()["errorType"]) == ("error", "Runtime.JSONStringifyError")

    @pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
    @pytest.mark.parametrize(
        ("files", "handler", "told"),
        [
            ({"app.js": "const = 1;"}, "app.handler", "Runtime.UserCodeSyntaxError"),
            ({"app.mjs": "const = 1;"}, "app.handler", "Runtime.UserCodeSyntaxError"),
            ({"app.js": "require('no-such-module');"}, "app.handler", "Runtime.ImportModuleError"),
            ({"app.js": ""}, "app", "Runtime.MalformedHandlerName"),
            ({"app.js": ""}, "../app.handler", "Runtime.MalformedHandlerName"),
            ({"app.js": "exports.handler = 5;"}, "app.handler", "Runtime.HandlerNotFound"),
            (
                {
                    "app.js": "exports.handler = async () => 1;"
                    "exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request';"
                },
                "app.handler",
                "Runtime.MalformedStreamingHandler",
            ),
            ({"app.js": "throw new TypeError('boom');"}, "app.handler", "TypeError"),
            ({"app.mjs": "await Promise.reject(new TypeError('boom'));"}, "app.handler", "TypeError"),
            (
                {"app.mjs": "Promise.reject(new Error('x')); await new Promise((go) => setTimeout(go, 1000));"},
                "app.handler",
                "Runtime.UnhandledPromiseRejection",
            ),
        ],
    )
    def test_what_fails_while_loading(self, files: dict[str, str], handler: str, told: str, runtime: str) -> None:
        """Each kind of failure has its name, in the body and in the header."""
        answer = self.answer(files, handler=handler, runtime=runtime)
        assert (answer.kind, answer.error_type, answer.json()["errorType"]) == ("init error", told, told), answer
        assert "\tundefined\tERROR\t" in answer.output

    def test_a_missing_module_is_told_as_on_aws(self) -> None:
        """The message has Node.js's own words and the stack of those who required it."""
        answer = self.answer({"app.js": "require('no-such-module');"}, runtime="nodejs20.x")
        lines = answer.json()["errorMessage"].split("\n")
        assert lines[:2] == ["Error: Cannot find module 'no-such-module'", "Require stack:"]
        assert lines[2].endswith("/app.js")
        assert lines[3].endswith("/index.mjs")
        assert "aws-sdk-js" not in answer.output

    @pytest.mark.parametrize(
        "files",
        [{"app.js": "require('@aws-sdk/client-none');"}, {"app.mjs": "import '@aws-sdk/client-none';"}],
        ids=["require", "import"],
    )
    def test_a_missing_sdk_has_a_hint_in_the_log(self, files: dict[str, str]) -> None:
        """AWS's runtimes carry the SDK; here it is installed, or packaged."""
        assert "`lambent runtimes install aws-sdk-js`" in self.answer(files).output

    @pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ("setTimeout(() => { throw new RangeError('boom'); }, 5);", ["RangeError", "boom"]),
            ("Promise.reject(new Error('boom'));", ["Runtime.UnhandledPromiseRejection", "Error: boom"]),
        ],
        ids=["exception", "rejection"],
    )
    def test_what_nobody_catches_is_reported(self, body: str, told: list[str], runtime: str) -> None:
        """The invocation fails with it, and the process ends."""
        self.runtime = runtime
        failed, ended = self.run_files(_js(f"{body} await new Promise((go) => setTimeout(go, 5000));"), {}, {})
        assert failed.kind == "error", failed
        assert [failed.json()["errorType"], failed.json()["errorMessage"]] == told
        assert ended.how is not None
        assert ended.how.status in {128, 129}

    def test_modules_of_layers_are_found(self) -> None:
        """LY-02: the package's own come first, then those of the version, then those beside it."""
        files = {
            **_js("return [require('a'), require('b'), require('c')];"),
            "node_modules/a.js": "module.exports = 'package';",
        }
        layers = {
            "nodejs/node_modules/a.js": "module.exports = 'layer';",
            "nodejs/node_modules/b.js": "module.exports = 'layer';",
            "nodejs/node_modules/c.js": "module.exports = 'layer';",
            "nodejs/node22/node_modules/c.js": "module.exports = 'layer of node22';",
        }
        answer = self.answer(files, layers=layers)
        assert answer.json() == ["package", "layer", "layer of node22"]

    @pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
    def test_es_modules_of_layers_are_found(self, runtime: str) -> None:
        """LY-02: `import` looks where `require` does; what is nowhere is told as without layers."""
        major = runtime.removeprefix("nodejs").removesuffix(".x")
        package = '{"name": "c", "type": "module", "exports": {"import": "./main.js"}}'
        layers = {
            "nodejs/node_modules/b/index.js": "exports.of = 'layer';",
            "nodejs/node_modules/c/package.json": package,
            "nodejs/node_modules/c/main.js": "export const of = 'layer';",
            f"nodejs/node{major}/node_modules/c/package.json": package,
            f"nodejs/node{major}/node_modules/c/main.js": "export const of = 'layer of the version';",
        }
        source = (
            "import b from 'b'; import { of } from 'c'; export const handler = async () =>"
            "[b.of, of, await import('nowhere').catch((error) => error.code)];"
        )
        answer = self.answer({"app.mjs": source}, runtime=runtime, layers=layers)
        assert (answer.kind, answer.json()) == (
            "response",
            ["layer", "layer of the version", "ERR_MODULE_NOT_FOUND"],
        ), answer
        silent = self.answer({"app.mjs": "export const handler = () => {};"}, layers=layers)
        assert (silent.kind, silent.json()) == ("response", None)

    def test_node_options_and_wrappers_act(self) -> None:
        """NODE_OPTIONS is Node.js's own; a wrapper of a layer gets the command."""
        files = {**_js("return [globalThis.early, process.env.WRAPPED];"), "early.js": "globalThis.early = 'ran';"}
        given = {"NODE_OPTIONS": "--require ./early.js", "AWS_LAMBDA_EXEC_WRAPPER": "wrap"}
        layers = {"bin/wrap": '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'}
        assert self.answer(files, variables=given, layers=layers).json() == ["ran", "yes"]
        missing = self.answer(self.packages["echo"], variables={"AWS_LAMBDA_EXEC_WRAPPER": "/no/wrapper"})
        assert missing.how is not None
        assert missing.how.status == 127
        plain = {**files, "wrap": "#!/bin/sh\n"}
        closed = self.answer(plain, variables={"AWS_LAMBDA_EXEC_WRAPPER": "./wrap"})
        assert closed.how is not None
        assert closed.how.status == 126
        assert "./wrap: Permission denied" in closed.output

    def test_a_layer_cannot_replace_the_client(self) -> None:
        """Modules of layers that have the names of the client's files, and of what it needs, are not the client's."""
        client = [path.name for path in Path(nodejs.__file__).with_name("nodejs_client").iterdir()]
        names = [*client, "http/index.js", "module.js", "runtime/index.js"]
        layers = {f"nodejs/node_modules/{name}": "throw new Error('of the layer');" for name in names}
        answer = self.answer(_js("return 'fine';"), layers=layers)
        assert (answer.kind, answer.json()) == ("response", "fine"), answer

    def test_the_heap_is_what_the_function_has(self) -> None:
        """Node.js may use nine tenths of MemorySize for its heap; a wrapper sees the interpreter and its flags."""
        body = (
            "return [require('v8').getHeapStatistics().heap_size_limit / 1048576, process.execArgv, process.env.SEEN];"
        )
        layers = {"bin/wrap": '#!/bin/sh\nexport SEEN="$1 $#"\nexec "$@"\n'}
        answer = self.answer(_js(body), layers=layers, variables={"AWS_LAMBDA_EXEC_WRAPPER": "wrap"})
        limit_mib, flags, seen = answer.json()
        assert 230 <= limit_mib <= 300
        assert flags[-1] == "--max-old-space-size=231"
        assert re.fullmatch(r"/.*/node 6", seen)

    def test_log_lines_are_lambdas(self) -> None:
        """RT-01: time, request id, level and text, parted by tabs; a message of several lines is one record."""
        answer = self.answer(_js("console.log('a %s\\nb', 1, { c: 2 }); console.trace('t'); console.fatal('f');"))
        time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
        texts = (r"INFO\ta 1\nb \{ c: 2 \}", r"TRACE\tt", r"FATAL\tf")
        messages = answer.messages()
        assert len(messages) == len(texts)
        for message, text in zip(messages, texts, strict=True):
            assert re.fullmatch(rf"{time}\t{REQUEST_ID}\t{text}\n", message)

    def test_json_records_hold_what_was_logged(self) -> None:
        """PL-03: one value as it is, several as text, an error with type, message and trace."""
        body = (
            "console.info({ a: 1 }); console.warn('b', 2); console.error('c', new RangeError('d'));"
            "console.error(new RangeError('e')); const own = {}; own.own = own; console.error(own);"
        )
        answer = self.answer(_js(body), variables={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"})
        records = [json.loads(message) for message in answer.messages()]
        assert [record["level"] for record in records] == ["INFO", "WARN", "ERROR", "ERROR", "ERROR"]
        assert records[0]["message"] == {"a": 1}
        assert records[1]["message"] == "b 2"
        assert (records[2]["errorType"], records[2]["errorMessage"]) == ("RangeError", "d")
        assert records[2]["stackTrace"][0] == "RangeError: d"
        assert records[3]["message"]["errorMessage"] == "e"
        assert "[Circular *1]" in records[4]["message"]

    def test_long_output_is_whole(self) -> None:
        """More than a pipe holds, by both ways at once, arrives whole and in order."""
        body = (
            "process.stdout.write('<'); for (let i = 0; i < 50; i++) { console.log(String(i).repeat(9000)); } return 1;"
        )
        answer = self.answer(_js(body))
        assert answer.json() == 1
        assert "<" in answer.output
        assert all(str(number) * 9000 in answer.output for number in range(50))

    def test_client_context_and_nothing_else(self) -> None:
        """RT-03: what the caller sent, characters and all; undefined where nothing was."""
        body = "return [context.clientContext, context.identity, context.tenantId].map((one) => one ?? 'none');"
        answer = self.answer(_js(body), client_context='{"custom":{"a":"愛"}}')
        assert answer.json() == [{"custom": {"a": "愛"}}, "none", "none"]
        assert self.answer(_js(body)).json() == ["none", "none", "none"]

    def test_the_clients_files_are_no_modules_of_functions(self) -> None:
        """A bare name never leads into the client's folder, which is in NODE_PATH."""
        names = [path.stem for path in Path(nodejs.__file__).with_name("nodejs_client").iterdir()]
        body = "return event.filter((name) => { try { require.resolve(name); return true; } catch { return false; } });"
        assert len(names) > 3
        assert self.answer(_js(body), names).json() == []

    def test_what_functions_replace_does_not_matter(self) -> None:
        """A function that replaces the requests of `http`, as tracers do, still gets its answers out."""
        before = "const http = require('http'); http.request = http.get = () => { throw new Error('traced'); };"
        first, second = self.run_files(_js("return event.n;", before), {"n": 1}, {"n": 2})
        assert (first.json(), second.json()) == (1, 2)

    @pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
    def test_what_a_streaming_handler_may_write(self, runtime: str) -> None:
        """Text, bytes and values as JSON; a prelude before the first write, and none before what `end` is given."""
        self.runtime = runtime
        body = (
            "const prelude = { statusCode: 201 };"
            "const http = event.plain ? stream : awslambda.HttpResponseStream.from(stream, prelude);"
            "prelude.statusCode = 500; if (event.write) { http.write({ a: 1 }); http.write(new Uint8Array([46, 46]));"
            "http.write('e9', 'hex'); } http.end('end');"
        )
        prelude = b'{"statusCode":201}' + bytes(8)
        told = self.run_files(_js_stream(body), {"plain": True}, {"write": True}, {})
        assert [answer.kind for answer in told] == ["response"] * 3
        assert [answer.body for answer in told] == [b"end", prelude + b'{"a":1}..\xe9end', b"end"]

    @pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ("throw new TypeError('boom');", ["TypeError", "boom"]),
            ("stream.write('half'); throw Object.assign(new Error('boom'), { name: 'Own é' });", ["Own é", "boom"]),
            ("stream.write('half'); throw 'boom';", ["string", "boom"]),
            (
                "stream.write('half'); stream.setContentType('text/plain');",
                ["Runtime.InvalidStreamingOperation", "Cannot set content-type, too late."],
            ),
            ("stream.write('half'); throw new Error('字'.repeat(2e5));", ["Error", "字" * 50_000]),
            ("stream.destroy();", ["Error", "socket hang up"]),
            (
                "await require('stream/promises').pipeline(async function* () { throw Error('boom'); }, stream);",
                ["Error", "boom"],
            ),
            (
                "setTimeout(() => { throw new RangeError('boom'); }, 5); await new Promise(() => {});",
                ["RangeError", "boom"],
            ),
        ],
        ids=["at-once", "midway", "string", "too-late", "long", "destroyed", "pipeline", "uncaught"],
    )
    def test_errors_of_a_streaming_handler(self, body: str, told: list[str], runtime: str) -> None:
        """Before the first byte or after: the body tells the same, and the log as of any handler."""
        answer = self.answer(_js_stream(body), runtime=runtime)
        assert answer.kind == "error", answer
        assert [answer.json()["errorType"], answer.json()["errorMessage"]] == told
        assert "ERROR\t" in answer.output

    def test_a_streaming_handler_is_asynchronous(self) -> None:
        """One that is not fails; what one returns is ignored, with a warning."""
        text = "Streaming does not support non-async handlers."
        for runtime, error_type in (("nodejs22.x", "string"), ("nodejs24.x", "Error")):
            source = "exports.handler = awslambda.streamifyResponse((event, stream) => { stream.write('x'); });"
            answer = self.answer({"app.js": source}, runtime=runtime)
            assert (answer.kind, answer.json()["errorType"], answer.json()["errorMessage"]) == (
                "error",
                error_type,
                text,
            )
            answer = self.answer(_js_stream("stream.end('x'); return 5;"), runtime=runtime)
            assert (answer.kind, answer.body) == ("response", b"x")
        self.runtime = "nodejs24.x"
        _, again = self.run_files(_js_stream("stream.end('x'); return 5;"), {}, {})
        assert "WARN\tStreaming handlers ignore return values." in again.output

    def test_writing_after_the_end_is_an_error_in_the_log(self) -> None:
        """What was written before has arrived by then; the next invocation goes on."""
        first, second = self.run_files(
            _js_stream("stream.end('whole'); if (event.more) stream.write('x');"), {"more": 1}, {}
        )
        assert [(first.kind, first.body), (second.kind, second.body)] == [("response", b"whole")] * 2
        assert "ERR_STREAM_WRITE_AFTER_END" in first.output + second.output

    def test_a_stream_waits_for_the_event_loop_up_to_nodejs_22(self) -> None:
        """What still runs belongs to the invocation, unless the function says no; from 24 on it does not."""
        body = (
            "if ('waits' in event) context.callbackWaitsForEmptyEventLoop = event.waits;"
            "globalThis.ran ??= 0; setTimeout(() => { ran += 1; }, 50); stream.end(String(ran));"
        )
        for runtime, told in (("nodejs22.x", [b"0", b"1", b"2", b"2"]), ("nodejs24.x", [b"0", b"0"])):
            self.runtime = runtime
            events: list[dict[str, Any]] = [{}, {"waits": True}, {"waits": False}, {}][: len(told)]
            assert [answer.body for answer in self.run_files(_js_stream(body), *events)] == told, runtime

    def test_the_global_awslambda(self) -> None:
        """There for every function, before it is loaded, unless not wanted; the high water mark is the connection's."""
        before = "const { streamifyResponse } = awslambda; const made = () => {}; streamifyResponse(made);"
        told = self.answer(_js("return [typeof awslambda.HttpResponseStream.from, made.length];", before)).json()
        assert told == ["function", 0]
        source = (
            "exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {"
            "await new Promise(setImmediate); const room = stream.write('x'.repeat(100));"
            "stream.end(`${stream.writableHighWaterMark} ${room}`); },"
            "{ highWaterMark: 64 });"
        )
        for runtime in ("nodejs22.x", "nodejs24.x"):
            body = self.answer({"app.js": source}, runtime=runtime).body
            assert body == b"x" * 100 + b"64 false"
        for value in ("1", "true"):
            variables = {"AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA": value}
            assert self.answer(_js("return typeof awslambda;"), variables=variables).json() == "undefined"

    def test_streams_of_the_library_lead_into_a_response(self) -> None:
        """`pipeline` and `pipe`, of far more than any buffer holds, in order."""
        before = "const { pipeline } = require('stream/promises'); const { Readable } = require('stream');"
        body = (
            "const numbers = Readable.from((function* () { for (let n = 0; n < 200000; n++) yield `${n},`; })());"
            "if (event.pipe) { numbers.pipe(stream); } else { await pipeline(numbers, stream); }"
        )
        expected = "".join(f"{number}," for number in range(200_000)).encode()
        answers = self.run_files(_js_stream(body, before), {}, {"pipe": True})
        assert [answer.body for answer in answers] == [expected] * 2


class TestNodejsWalled(TestNodejs):
    """The same behind walls, where environments have Lambda's own paths."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        cls.driver = walled_driver()

    def test_the_places_are_lambdas(self) -> None:
        """Documented: the developer guide names them."""
        body = (
            "const { env } = process; return [process.cwd(), env.LAMBDA_RUNTIME_DIR, process.argv[1], env.NODE_PATH];"
        )
        told = self.answer(_js(body)).json()
        assert told[:3] == ["/var/task", "/var/runtime", "/var/runtime/index.cjs"]
        layers = "/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules"
        assert told[3] == f"{layers}:/var/runtime/node_modules:/var/runtime:/var/task"

    def test_traces_show_lambdas_paths(self) -> None:
        """RT-01 h: the second line of a trace is the handler's place."""
        told = self.answer({"app.mjs": "export const handler = async () => { throw new TypeError('x'); };"}).json()
        assert told["trace"][0] == "TypeError: x"
        assert told["trace"][1].startswith("    at Runtime.handler (file:///var/task/app.mjs:")


@pytest.mark.usefixtures("_nodejs")
class TestNodejsAhead(ManagedRuntimeConformance):
    """What all runtimes do, in processes that were started before their function was known. See test_ahead.py."""

    runtime = TestNodejs.runtime
    error_type = TestNodejs.error_type
    trace_member = TestNodejs.trace_member
    packages: ClassVar = TestNodejs.packages
    starts_ahead = True

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        cls.driver = walled_driver()

    def make_runtimes(self, has_own_root: bool) -> Runtimes:
        return _host_runtimes("nearest", has_own_root)
