"""
Every runtime that this version offers passes the shared suite, on every path by which it can be started; below it,
what is Python's or the shell's alone.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from lambent.clock import SystemClock
from lambent.runtimes.contract import Runtimes, RuntimeUnavailable
from lambent.runtimes.registry import HostRuntimes
from lambent.sandbox.probe import gather, lacks_of
from lambent.testing.conformance.runtime import FUNCTION_ARN, REQUEST_ID, TRACE_HEADER, RuntimeConformance


def _walled_driver() -> str:
    """Return the best driver of this machine whose environments have a root of their own."""
    facts = gather()
    if not lacks_of(facts, "namespace"):
        return "namespace"
    if lacks := lacks_of(facts, "rootless"):
        pytest.skip(f"needs:rootless:{lacks[0].what}")
    return "rootless"


class TestProvided(RuntimeConformance):
    """`provided.al2023` with a bootstrap in shell and curl."""

    runtime = "provided.al2023"

    LOOP = """#!/bin/sh
set -e
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
scratch=$(mktemp -d)
while :; do
  curl -sS -D "$scratch/head" -o "$scratch/event" "$api/invocation/next"
  id=$(tr -d '\\r' < "$scratch/head" | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p')
  %s
done
"""
    ECHO = """sed -n 's/.*"say": "\\([^"]*\\)".*/said \\1/p' "$scratch/event" | head -c 100
  curl -sS -o /dev/null --data-binary "@$scratch/event" "$api/invocation/$id/response\""""
    ERROR = """curl -sS -o /dev/null -d '{"errorMessage":"boom","errorType":"E"}' "$api/invocation/$id/error\""""

    packages: ClassVar = {
        "echo": {"bootstrap": LOOP % ECHO},
        "error": {"bootstrap": LOOP % ERROR},
        "init_error": {"bootstrap": "#!/bin/sh\nexit 1\n"},
        "exit": {"bootstrap": LOOP % "exit 3"},
    }

    @pytest.fixture(autouse=True)
    def _needs_curl(self) -> None:
        if shutil.which("curl") is None:
            pytest.skip("needs:curl:apt install curl")

    def make_runtimes(self, has_own_root: bool) -> Runtimes:
        return _host_runtimes("none", has_own_root)

    def test_headers_of_next(self) -> None:
        """RT-04 a: request id, deadline, function and trace are headers; AWS_EXECUTION_ENV is not set."""
        body = """printf '{"head":"%s","env":"%s"}' "$(tr -d '\\r\\"' < "$scratch/head" | tr '\\n' '|')" \\
    "${AWS_EXECUTION_ENV-unset}" | curl -sS -o /dev/null --data-binary @- "$api/invocation/$id/response\""""
        (answer,) = self.run_files({"bootstrap": self.LOOP.replace("%s", body)}, {})
        told = answer.json()
        head = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in told["head"].split("|")}
        assert head["lambda-runtime-aws-request-id"] == REQUEST_ID
        assert head["lambda-runtime-invoked-function-arn"] == FUNCTION_ARN
        assert head["lambda-runtime-trace-id"] == TRACE_HEADER
        assert int(head["lambda-runtime-deadline-ms"]) > SystemClock().now() * 1000
        assert told["env"] == "unset"

    def test_a_layer_may_bring_the_bootstrap(self) -> None:
        """A package without one runs on the layer's."""
        (answer,) = self.run_files({"data": ""}, {"n": 1}, layers=self.packages["echo"])
        assert (answer.kind, answer.json()) == ("response", {"n": 1})

    def test_the_bootstrap_of_the_package_comes_first(self) -> None:
        """Both have one: the package's runs, with the layer's programs on its PATH."""
        body = 'tool | curl -sS -o /dev/null --data-binary @- "$api/invocation/$id/response"'
        layers = {"bootstrap": "#!/bin/sh\nexit 9\n", "bin/tool": "#!/bin/sh\necho '\"of the layer\"'\n"}
        (answer,) = self.run_files({"bootstrap": self.LOOP.replace("%s", body)}, {}, layers=layers)
        assert answer.json() == "of the layer"


class TestProvidedWalled(TestProvided):
    """The same behind walls."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        cls.driver = _walled_driver()


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
class TestPython(RuntimeConformance):
    """Some Python of this machine with AWS's client: the version is asked for as one that may not be here."""

    runtime = "python3.13"
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
        cls.driver = _walled_driver()

    def test_without_layers_opt_is_empty(self) -> None:
        """As on AWS; so is /mnt."""
        assert self.handle("return os.listdir('/opt') + os.listdir('/mnt')") == []

    def test_the_places_are_lambdas(self) -> None:
        """Documented: the developer guide names them."""
        body = "return [os.getcwd(), os.environ['LAMBDA_RUNTIME_DIR'], sys.argv[0], os.environ['PATH'].split(':')[0]]"
        assert self.handle(body) == ["/var/task", "/var/runtime", "/var/runtime/bootstrap.py", "/var/lang/bin"]


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
