"""
A function behaves in a fork of a zygote as it does after exec: what it answers, what it writes, how it ends.

`test_runtime_python.py` says what is right; here only one thing is, that both ways give the same.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest
from conformance.machine import RuntimesHome

from lambent.runtimes.contract import Runtimes, RuntimeUnavailable
from lambent.sandbox.probe import gather, lacks_of
from lambent.testing.conformance.runtime import Answered, FunctionRunner

_RUNTIME = "python3.13"
"""Or the nearest that this machine has."""

_HANDLER = "def handler(event, context):\n"

_STORIES: dict[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    # Failures, as they are told.
    "raises": ({"app.py": f"{_HANDLER}    inner()\ndef inner():\n    raise ValueError('boom')\n"}, {}),
    "raises-from": (
        {
            "app.py": f"{_HANDLER}    try:\n        1 / 0\n"
            "    except ZeroDivisionError as error:\n        raise KeyError from error\n"
        },
        {},
    ),
    "raises-in-library": ({"app.py": f"import json\n{_HANDLER}    json.loads('[')\n"}, {}),
    "recurses": ({"app.py": f"def down(n):\n    return down(n + 1)\n{_HANDLER}    return down(0)\n"}, {}),
    "answers-no-json": ({"app.py": f"{_HANDLER}    return {{1, 2}}\n"}, {}),
    "raises-at-init": ({"app.py": "def fail():\n    raise RuntimeError('boom')\nfail()\n"}, {}),
    "lacks-import": ({"app.py": "import nothing_of_this_name\n"}, {}),
    "lacks-handler": ({"app.py": "other = 1\n"}, {}),
    "lacks-module": ({"other.py": ""}, {}),
    "no-syntax": ({"app.py": "def handler(:\n"}, {}),
    "exits-at-init": ({"app.py": "import sys\nsys.exit(4)\n"}, {}),
    # Endings.
    **{
        f"killed-{name}": ({"app.py": f"import os, signal\n{_HANDLER}    os.kill(os.getpid(), signal.{name})\n"}, {})
        for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE", "SIGUSR1", "SIGSEGV", "SIGALRM", "SIGXFSZ", "SIGCHLD")
    },
    "aborts": ({"app.py": f"import os\n{_HANDLER}    os.abort()\n"}, {}),
    "thread-outlives": (
        {
            "app.py": "import sys, threading, time\n"
            f"{_HANDLER}    threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()\n"
            "    sys.exit(3)\n"
        },
        {},
    ),
    # Output.
    "prints-and-logs": (
        {
            "app.py": "import logging, os, sys\nprint('at init')\nlog = logging.getLogger('own')\n"
            f"{_HANDLER}    print('one')\n    log.warning('two\\nlines')\n    print('err', file=sys.stderr)\n"
            "    sys.stdout.flush()\n    os.write(1, b'raw\\n')\n    sys.stdout.buffer.write(b'bytes\\n')\n"
            "    sys.stdout.buffer.flush()\n    log.info('low')\n    print('three', end='')\n    print('四 \\udc80')\n"
        },
        {},
    ),
    "logs-json": (
        {
            "app.py": "import logging\nlog = logging.getLogger('own')\n"
            f"{_HANDLER}    log.warning('two\\nlines', extra={{'a': 1}})\n"
            "    try:\n        1 / 0\n    except ZeroDivisionError:\n        log.exception('bad')\n"
        },
        {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"},
    ),
    "warns": ({"app.py": f"import warnings\n{_HANDLER}    warnings.warn('old', DeprecationWarning)\n"}, {}),
    "unraisable": (
        {"app.py": f"class D:\n    def __del__(self):\n        1 / 0\n{_HANDLER}    D()\n    return 1\n"},
        {},
    ),
    # Children.
    "starts-programs": (
        {
            "app.py": "import subprocess, sys\n"
            f"{_HANDLER}    code = 'import os, sys; print(sys.path, sys.flags, sorted(os.environ))'\n"
            "    code += '\\nprint(os.listdir(\"/proc/self/fd\"))'\n"
            "    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)\n"
            "    script = 'trap; yes | head -1; umask; ulimit -a; cat /proc/self/status | grep -E "
            '"^(SigB|SigI|SigC|Shd|Cap|NoNew|Groups)"\'\n'
            "    sh = subprocess.run(['sh', '-c', script], capture_output=True, text=True)\n"
            "    return [run.returncode, run.stdout, run.stderr, sh.stdout, sh.stderr]\n"
        },
        {},
    ),
    "forks": (
        {
            "app.py": "import multiprocessing\n"
            f"{_HANDLER}    found = []\n    for way in ('fork', 'spawn', 'forkserver'):\n"
            "        of = multiprocessing.get_context(way)\n        here, there = of.Pipe()\n"
            "        child = of.Process(target=tell, args=(there,))\n        child.start()\n"
            "        found.append(here.recv())\n"
            "        child.join()\n        found.append(child.exitcode)\n    return found\n"
            "def tell(to):\n    import os, sys\n    to.send([__name__, sys.argv, os.environ['_HANDLER']])\n"
        },
        {},
    ),
    "runs-loop": (
        {
            "app.py": "import asyncio, signal, threading\nasync def go():\n"
            "    p = await asyncio.create_subprocess_exec('true')\n"
            "    got = asyncio.Event()\n    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)\n"
            "    signal.raise_signal(signal.SIGUSR1)\n    await got.wait()\n"
            f"    return await p.wait(), threading.current_thread() is threading.main_thread()\n{_HANDLER}"
            "    return asyncio.run(go())\n"
        },
        {},
    ),
    "has-threads": (
        {
            "app.py": "import concurrent.futures, threading\n"
            f"{_HANDLER}    with concurrent.futures.ThreadPoolExecutor(3) as pool:\n"
            "        several = list(pool.map(str, range(5)))\n"
            "        return [several, threading.main_thread().name, threading.active_count() > 1]\n"
        },
        {},
    ),
    # What a process is.
    "tells-of-itself": (
        {
            "app.py": "import faulthandler, gc, inspect, locale, os, signal, sys, threading, time, warnings, __main__\n"
            "def stream(of):\n    raw = of.buffer.raw\n"
            "    return [repr(of), of.errors, of.newlines, of.line_buffering, of.write_through, repr(raw)]\n"
            f"{_HANDLER}    own = threading.current_thread()\n"
            "    warned = [one for one in warnings.filters if 'urllib3' not in str(one)]\n"
            "    kept = ('Name', 'Umask', 'Pid', 'PPid', 'Threads', 'Sig', 'Shd', 'Cap', 'NoNew', 'Seccomp')\n"
            "    return [sys.argv, getattr(sys, 'orig_argv', 0), sys.path, sys.flags, str(sys._xoptions),\n"
            "            sys.warnoptions, str(warned), [sys.executable, sys.prefix, sys.base_prefix],\n"
            "            [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())],\n"
            "            str(signal.pthread_sigmask(signal.SIG_BLOCK, [])), signal.getitimer(signal.ITIMER_REAL),\n"
            "            [stream(one) for one in (sys.stdin, sys.stdout, sys.stderr)], sys.stdin.read(),\n"
            "            [sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__, sys.getfilesystemencoding()],\n"
            "            [locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(False), time.tzname],\n"
            "            [own.name, own is threading.main_thread(), own.native_id == os.getpid()],\n"
            "            sorted(vars(__main__)), __main__.__file__, str(__main__.__spec__), list(os.environ),\n"
            "            [gc.isenabled(), gc.get_threshold(), sys.getrecursionlimit(), sys.getswitchinterval()],\n"
            "            [sys.dont_write_bytecode, sys.pycache_prefix, faulthandler.is_enabled(), sys.exc_info()],\n"
            "            [str(one) for one in (sys.excepthook, sys.unraisablehook, sys.gettrace())],\n"
            "            [(one.filename, one.lineno, one.function) for one in inspect.stack()],\n"
            "            [os.getsid(0), os.getpgid(0), os.getcwd(), os.getgroups(), os.nice(0)],\n"
            "            [open('/proc/self/' + name).read() for name in ('limits', 'comm', 'cmdline')],\n"
            "            [line for line in open('/proc/self/status') if line.startswith(kept)],\n"
            "            sorted(os.listdir('/proc/self/fd')), time.process_time() < 1]\n"
        },
        {},
    ),
    # Modules.
    **{
        f"own-{name}": (
            {
                "app.py": f"import {name}\nfrom {name} import *\n{_HANDLER}"
                f"    return [str({name}.__file__)[:10], getattr({name}, 'OWN', None)]\n",
                f"{name}.py": "OWN = 1\n",
            },
            {},
        )
        for name in (
            "simplejson",
            "six",
            "jmespath",
            "dateutil",
            "urllib3",
            "boto3",
            "uuid",
            "random",
            "http",
            "hashlib",
            "logging",
            "json",
            "datetime",
            "snapshot_restore_py",
            "brotli",
            "site",
            "sitecustomize",
            "lambent_zygote",
            "ctypes",
            "_lambent_forked",
            "bootstrap",
            "socket",
            "resource",
        )
    },
    "uses-sdk": (
        {
            "app.py": f"import boto3, gc\n{_HANDLER}"
            "    own = boto3.client('s3', region_name='eu-west-1')\n"
            "    return [own.meta.region_name, own._client_config.user_agent, boto3.DEFAULT_SESSION is not None,\n"
            "            own._request_signer._credentials.access_key]\n"
        },
        {"AWS_ACCESS_KEY_ID": "AKOWN", "AWS_SECRET_ACCESS_KEY": "s", "AWS_RETRY_MODE": "standard"},
    ),
    "own-site-customization": (
        {
            "app.py": f"import sys\n{_HANDLER}    return sys.custom\n",
            "at/sitecustomize.py": "import sys\nsys.custom = 1\n",
        },
        {"PYTHONPATH": "/var/task/at"},
    ),
    "sees-modules-of-packages": (
        {
            "app.py": f"import sys, boto3\n{_HANDLER}"
            "    return sorted(n for n, m in sys.modules.items() if '/var/lang/' in str(getattr(m, '__file__', ''))\n"
            "                  and '-packages' in m.__file__)\n"
        },
        {},
    ),
    # Variables.
    "home": (
        {"app.py": f"import os, site\n{_HANDLER}    return [os.path.expanduser('~'), site.USER_BASE]\n"},
        {"HOME": "/h"},
    ),
    "no-time-zone": ({"app.py": f"import time\n{_HANDLER}    return time.tzname\n"}, {"TZ": ""}),
    "odd-variables": (
        {"app.py": f"import os\n{_HANDLER}    return [os.environ['A'], os.environb[b'A'].hex(), os.getenv('B')]\n"},
        {"A": "é愛\n=x", "B": ""},
    ),
    "proxies": (
        {"app.py": f"import urllib.request\n{_HANDLER}    return urllib.request.getproxies()\n"},
        {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "localhost"},
    ),
}
"""Names to the files of a function, and its variables."""

_VOLATILE = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
    (re.compile(r"0x[0-9a-f]+"), "ADDRESS"),
    # The head of one of the client's frames: its length and the time.
    (re.compile(r"\ufffdZ\x00.*?(?=\[(?:INFO|WARNING|ERROR)\]|\{\")", re.DOTALL), "FRAME"),
)


def _settled(text: str) -> str:
    for pattern, name in _VOLATILE:
        text = pattern.sub(name, text)
    return text


def _comparable(answer: Answered) -> list[Any]:
    return [answer.kind, answer.error_type, answer.how, _settled(answer.body.decode()), _settled(answer.output)]


class _Functions(FunctionRunner):
    """Runs functions; its own tests are `test_runtime_python.py`'s."""

    runtime = _RUNTIME
    home: ClassVar[RuntimesHome]

    def make_runtimes(self, has_own_root: bool) -> Runtimes:
        return self.home.runtimes("nearest", has_own_root, preload=("boto3",) if has_own_root else ())


@pytest.fixture(scope="module", params=["namespace", "rootless"])
def functions(request: pytest.FixtureRequest, runtimes_home: RuntimesHome) -> Iterator[_Functions]:
    """Give what runs functions behind one driver's walls."""
    if lacks := lacks_of(gather(), request.param):
        pytest.skip(f"needs:{request.param}:{lacks[0].what}")
    try:
        asyncio.run(runtimes_home.runtimes("nearest", True).prepare(_RUNTIME))
    except RuntimeUnavailable as error:
        pytest.skip(f"needs:runtime-client:make test where pip reaches a package index ({error})")
    # Of a class of its own, for classes hold the running driver.
    made = type("_Behind", (_Functions,), {"driver": request.param, "home": runtimes_home})
    made.setup_class()
    yield made()
    made.teardown_class()


@pytest.mark.parametrize("story", _STORIES)
def test_a_fork_does_what_exec_does(functions: _Functions, story: str) -> None:
    """Answers, output and end are the same."""
    files, variables = _STORIES[story]
    told = []
    for forks in (True, False):
        functions.forks = forks
        answers = functions.run_files(files, {"n": 1}, variables=variables)
        told.append([_comparable(answer) for answer in answers])
    forked, executed = told
    assert forked == executed


def test_two_forks_draw_different_numbers(functions: _Functions) -> None:
    """Nothing that should be random comes from the zygote."""
    body = (
        f"import multiprocessing, os, random, secrets, ssl, tempfile, uuid\n{_HANDLER}"
        "    return [random.random(), random.SystemRandom().random(), secrets.token_hex(), str(uuid.uuid4()),\n"
        "            str(uuid.uuid1()), os.urandom(8).hex(), next(tempfile._get_candidate_names()),\n"
        "            ssl.RAND_bytes(8).hex(), multiprocessing.current_process().authkey.hex()]\n"
    )
    functions.forks = True
    first, second = (functions.run_files({"app.py": body}, {})[0].json() for _ in range(2))
    assert len(first) == 9
    assert [name for name, other in zip(first, second, strict=True) if name == other] == []
