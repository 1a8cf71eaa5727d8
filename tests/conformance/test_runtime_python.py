"""
The suite of runtimes in Python, on every path by which it is started; below it, what is Python's alone.

What depends on where things are is shown on each path; how Python's client goes on, executed without walls and forked
behind them.
"""

import asyncio
import functools
import json
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from conformance.machine import RuntimesHome, walled_driver

from lambent.runtimes.contract import Runtimes, RuntimeUnavailable
from lambent.sandbox.contract import Exit
from lambent.testing.conformance.runtime import ManagedRuntimeConformance


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


class PythonConformance(ManagedRuntimeConformance):
    """Some Python of this machine with AWS's client: the version is asked for as one that may not be here."""

    home: ClassVar[RuntimesHome]

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

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _home(cls, runtimes_home: RuntimesHome) -> None:
        cls.home = runtimes_home
        try:
            asyncio.run(runtimes_home.runtimes("nearest", False).prepare(cls.runtime))
        except RuntimeUnavailable as error:
            pytest.skip(f"needs:runtime-client:make test where pip reaches a package index ({error})")

    def make_runtimes(self, has_own_root: bool) -> Runtimes:
        return self.home.runtimes("nearest", has_own_root)

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

    def test_the_environment_names_what_was_asked_for(self) -> None:
        """AWS_EXECUTION_ENV is python3.13 whatever stands in for it."""
        assert self.handle("return os.environ['AWS_EXECUTION_ENV']") == "AWS_Lambda_python3.13"

    def test_a_wrapper_starts_the_interpreter(self) -> None:
        """AWS_LAMBDA_EXEC_WRAPPER gets interpreter and bootstrap as arguments and ends with exec."""
        files = {**self.packages["echo"], "bootstrap": '#!/bin/sh\necho "wrapping $1"\nexport WRAPPED=yes\nexec "$@"\n'}
        files["app.py"] = "import os\ndef handler(event, context):\n    return os.environ['WRAPPED']\n"
        (answer,) = self.run_files(files, {}, variables={"AWS_LAMBDA_EXEC_WRAPPER": "./bootstrap"})
        assert answer.json() == "yes"
        assert "wrapping /" in answer.output

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


class PythonStories(PythonConformance):
    """What Python's client does, wherever things are."""

    def test_text_is_utf_8(self) -> None:
        """PL-02: stdout is UTF-8 although the machine may not have the locale; characters pass unharmed."""
        seen = self.handle("print(event); return [sys.stdout.encoding, os.environ['LANG'], event]", "愛 😀 é ’ \u0000")
        assert seen == ["utf-8", "en_US.UTF-8", "愛 😀 é ’ \u0000"]

    def test_answers_hold_the_characters_themselves(self) -> None:
        """PL-02: UTF-8 from python3.12 on, by the version that was asked for."""
        (answer,) = self.run("echo", {"t": "愛 😀"})
        assert answer.body == json.dumps({"t": "愛 😀"}, ensure_ascii=False).encode()

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


class TestPython(PythonStories):
    """Executed, where environments see the machine."""


class TestPythonWalled(PythonConformance):
    """Executed behind walls, where environments have Lambda's own paths."""

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


class TestPythonForked(PythonStories, TestPythonWalled):
    """In forks of a zygote behind walls."""

    forks = True

    @pytest.mark.parametrize("runtime", ["python3.9", "python3.11", "python3.13"])
    @pytest.mark.parametrize(
        "variables", [{}, {"TZ": "Europe/Paris", "PYTHONPATH": "/opt/own:/var/runtime", "A": "ü", "HOME": "/tmp"}]
    )
    def test_a_function_cannot_tell_a_fork(self, runtime: str, variables: dict[str, str]) -> None:
        """All that a function sees of its process is the same in a fork and after exec."""
        try:
            asyncio.run(self.home.runtimes("none", True).prepare(runtime))
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
