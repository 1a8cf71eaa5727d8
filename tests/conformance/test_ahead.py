"""
A function behaves in a process that was started before there was a function as it does after exec.

`test_runtime_nodejs.py` says what is right; here only one thing is, that both ways give the same.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from conformance.machine import RuntimesHome
from conformance.nodejs import NodejsFunctions

from lambent.runtimes.contract import RuntimeUnavailable
from lambent.sandbox.probe import gather, lacks_of
from lambent.testing.conformance.runtime import Answered

_FINGERPRINT = Path(__file__).with_name("fingerprint.js").read_text()

_STORIES: dict[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "tells-of-itself": ({"app.js": _FINGERPRINT}, {}),
    "has-variables": ({"app.js": _FINGERPRINT}, {"TZ": "Asia/Tokyo", "A": "ü\n=x", "PATH": "/bin", "TMPDIR": "/tmp/a"}),
    "raises-at-init": ({"app.js": "function fail() { throw new RangeError('boom'); }\nfail();\n"}, {}),
    "raises-at-init-esm": ({"app.mjs": "await Promise.reject(new RangeError('boom'));\n"}, {}),
    "raises": ({"app.js": "exports.handler = async () => inner(); function inner() { throw new TypeError('x'); }"}, {}),
    "sets-the-thread-pool": (
        {
            "app.js": "process.env.UV_THREADPOOL_SIZE = '9'; const fs = require('fs'); exports.handler = async () => {"
            "await fs.promises.stat('/'); return fs.readdirSync('/proc/self/task').length; };"
        },
        {},
    ),
    "exits": (
        {"app.js": "process.on('exit', () => console.log('left')); exports.handler = () => process.exit(4);"},
        {},
    ),
    "killed": ({"app.js": "exports.handler = () => process.kill(process.pid, 'SIGTERM');"}, {}),
}
"""Names to the files of a function, and its variables."""

_PROBE = {"app.js": "exports.handler = async () => require('fs').readFileSync('/proc/self/environ', 'latin1');"}

_VOLATILE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def _comparable(answer: Answered) -> list[Any]:
    body = json.loads(answer.body) if answer.kind == "response" else answer.body.decode()
    messages = [_VOLATILE.sub("TIME", message) for message in answer.messages()]
    return [answer.kind, answer.error_type, answer.how, body, messages]


@pytest.fixture(scope="module")
def functions(request: pytest.FixtureRequest, runtimes_home: RuntimesHome) -> Iterator[NodejsFunctions]:
    """Give what runs functions behind one driver's walls."""
    if lacks := lacks_of(gather(), request.param):
        pytest.skip(f"needs:{request.param}:{lacks[0].what}")
    try:
        asyncio.run(runtimes_home.runtimes("nearest", True).prepare(NodejsFunctions.runtime))
    except RuntimeUnavailable:
        pytest.skip("needs:nodejs:apt install nodejs")
    # Of a class of its own, for classes hold the running driver.
    made = type("_Behind", (NodejsFunctions,), {"driver": request.param, "home": runtimes_home})
    made.setup_class()
    yield made()
    made.teardown_class()


@pytest.mark.parametrize(
    ("functions", "story"),
    # What a process is, drivers have a part in; how Node.js goes on, none.
    [*(("namespace", story) for story in _STORIES), ("rootless", "has-variables"), ("rootless", "killed")],
    indirect=["functions"],
)
def test_what_was_started_ahead_does_what_exec_does(functions: NodejsFunctions, story: str) -> None:
    """Answers, output and end are the same, and what a function sees of its process."""
    files, variables = _STORIES[story]
    told = []
    for starts_ahead in (True, False):
        functions.starts_ahead = starts_ahead
        told.append([_comparable(answer) for answer in functions.run_files(files, {"n": 1}, variables=variables)])
    ahead, executed = told
    assert ahead == executed, [
        [name, seen, executed[0][3][name]]
        for name, seen in (ahead[0][3].items() if isinstance(ahead[0][3], dict) else ())
        if seen != executed[0][3][name]
    ]


@pytest.mark.parametrize("functions", ["namespace"], indirect=True)
@pytest.mark.parametrize(
    ("files", "variables", "is_ahead"),
    [
        ({"lib/own.js": ""}, {"TZ": "Asia/Tokyo", "NODE": "1", "LANG": "en_US.UTF-8"}, True),
        ({}, {"NODE_OPTIONS": "--no-warnings"}, False),
        ({}, {"LANG": "C.UTF-8"}, False),
        ({"lib/libown.so.1": ""}, {}, False),
    ],
    ids=["harmless", "options", "language", "library"],
)
def test_what_acts_at_start_is_executed(
    functions: NodejsFunctions, files: dict[str, str], variables: dict[str, str], is_ahead: bool
) -> None:
    """Where a function's variables or files would have changed what runs already, its command is executed."""
    functions.starts_ahead = True
    (answer,) = functions.run_files({**_PROBE, **files}, {}, variables=variables)
    assert ("LAMBENT_AHEAD=" in answer.json()) is is_ahead
    assert ("_HANDLER=" in answer.json()) is not is_ahead
