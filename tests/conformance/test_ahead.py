"""
A function behaves in a process that was started before there was a function as it does after exec.

`test_runtime_nodejs.py` and `test_runtime_ruby.py` say what is right; here only one thing is, that both ways give the
same.
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
from conformance.ruby import RubyFunctions, gem, rb

from lambent.runtimes.contract import RuntimeUnavailable
from lambent.sandbox.probe import gather, lacks_of
from lambent.testing.conformance.runtime import Answered

_FINGERPRINTS = {name: Path(__file__).with_name(f"fingerprint.{name}").read_text() for name in ("js", "rb")}

_VARIABLES = {"TZ": "Asia/Tokyo", "A": "ü\n=x", "PATH": "/bin", "TMPDIR": "/tmp/a"}

_Story = tuple[Mapping[str, str], Mapping[str, str]]
"""The files of a function, and its variables."""

_OF_NODEJS: dict[str, _Story] = {
    "tells-of-itself": ({"app.js": _FINGERPRINTS["js"]}, {}),
    "has-variables": ({"app.js": _FINGERPRINTS["js"]}, _VARIABLES),
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

_OF_RUBY: dict[str, _Story] = {
    "tells-of-itself": ({"app.rb": _FINGERPRINTS["rb"]}, {}),
    "has-variables": ({"app.rb": _FINGERPRINTS["rb"], **gem("vendor/bundle/ruby/3.4.0", "own", "")}, _VARIABLES),
    "requires": (
        {
            # In any order, and with all that an executed process loads when it is named.
            **rb(
                "[OWN, $LOADED_FEATURES.sort, Gem.loaded_specs.keys]",
                "require 'own'\nrequire 'set'\nrequire 'net/http'\nWAITING = [Logger, JSON::GenericObject, Socket]",
            ),
            **gem("vendor/bundle/ruby/3.4.0", "own", "OWN = 1\n"),
        },
        {},
    ),
    "bundles": (
        {
            **rb("[OWN, Gem.loaded_specs.keys, $LOAD_PATH]", "require 'bundler/setup'\nrequire 'json'\nrequire 'own'"),
            **gem("vendor/bundle/ruby/3.4.0", "own", "OWN = 1\n"),
            "Gemfile": "source 'https://rubygems.org'\ngem 'own'\n",
            "Gemfile.lock": "GEM\n  remote: https://rubygems.org/\n  specs:\n    own (9.0)\n\n"
            "PLATFORMS\n  ruby\n\nDEPENDENCIES\n  own\n",
        },
        {"BUNDLE_FROZEN": "true"},
    ),
    "raises-at-init": ({"app.rb": "def fail_now\n  raise RangeError, 'boom'\nend\nfail_now\n"}, {}),
    "raises-at-init-gem": ({"app.rb": "require 'did_you_men'\n"}, {}),
    "raises": (rb("inner", "def inner\n  raise TypeError, 'x'\nend"), {}),
    "logs": (rb("Logger.new($stdout).info('a')\nputs 'b'\n$stdout.puts 'c'\nwarn 'd'\nnil"), {}),
    "exits": (rb("$stdout.puts 'left'\nexit!(4)"), {}),
    "killed": (rb("Process.kill('TERM', Process.pid)\nsleep"), {}),
    "ends": (rb("Process.kill('KILL', Process.pid)\nsleep"), {}),
    "forks": (rb("Process.wait(fork { exit!(7) })\n[$?.exitstatus, `echo $0 $-`]"), {}),
}

_LANGUAGES: dict[str, type[NodejsFunctions] | type[RubyFunctions]] = {"nodejs": NodejsFunctions, "ruby": RubyFunctions}
_STORIES = {"nodejs": _OF_NODEJS, "ruby": _OF_RUBY}

_PROBES = {
    "nodejs": {"app.js": "exports.handler = async () => require('fs').readFileSync('/proc/self/environ', 'latin1');"},
    "ruby": rb("File.read('/proc/self/environ', encoding: 'utf-8')"),
}

_VOLATILE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")


def _comparable(answer: Answered) -> list[Any]:
    body = json.loads(answer.body) if answer.kind == "response" else answer.body.decode()
    messages = [_VOLATILE.sub("TIME", message) for message in answer.messages()]
    return [answer.kind, answer.error_type, answer.how, body, messages]


@pytest.fixture(scope="module")
def functions(request: pytest.FixtureRequest, runtimes_home: RuntimesHome) -> Iterator[NodejsFunctions | RubyFunctions]:
    """Give what runs functions of a language behind one driver's walls."""
    language, driver = request.param
    if lacks := lacks_of(gather(), driver):
        pytest.skip(f"needs:{driver}:{lacks[0].what}")
    runner = _LANGUAGES[language]
    try:
        asyncio.run(runtimes_home.runtimes("nearest", True).prepare(runner.runtime))
    except RuntimeUnavailable:
        pytest.skip(f"needs:{language}:apt install {language}")
    # Of a class of its own, for classes hold the running driver.
    made = type("_Behind", (runner,), {"driver": driver, "home": runtimes_home})
    made.setup_class()
    yield made()
    made.teardown_class()


_ANSWERS = ("tells-of-itself", "has-variables", "requires", "bundles", "logs", "forks")

# What a process is, drivers have a part in; how a client goes on, none.
_ON_ROOTLESS = ("has-variables", "killed")


@pytest.mark.parametrize(
    ("functions", "story"),
    [
        *((("nodejs", "namespace"), story) for story in _OF_NODEJS),
        *((("nodejs", "rootless"), story) for story in _ON_ROOTLESS),
        *((("ruby", "namespace"), story) for story in _OF_RUBY),
        *((("ruby", "rootless"), story) for story in _ON_ROOTLESS),
    ],
    indirect=["functions"],
)
def test_what_was_started_ahead_does_what_exec_does(
    functions: NodejsFunctions | RubyFunctions, story: str, request: pytest.FixtureRequest
) -> None:
    """Answers, output and end are the same, and what a function sees of its process."""
    language, _ = request.node.callspec.params["functions"]
    files, variables = _STORIES[language][story]
    told = []
    for starts_ahead in (True, False):
        functions.starts_ahead = starts_ahead
        told.append([_comparable(answer) for answer in functions.run_files(files, {"n": 1}, variables=variables)])
    ahead, executed = told
    # A fingerprint that fails would be the same on both ways.
    assert ahead[0][0] == "response" or story not in _ANSWERS, ahead
    assert ahead == executed, [
        [name, seen, executed[0][3][name]]
        for name, seen in (ahead[0][3].items() if isinstance(ahead[0][3], dict) else ())
        if seen != executed[0][3][name]
    ]


_EXECUTED: list[tuple[str, str, dict[str, str], dict[str, str], dict[str, str], bool]] = [
    ("nodejs", "harmless", {"lib/own.js": ""}, {"TZ": "Asia/Tokyo", "NODE": "1", "LANG": "en_US.UTF-8"}, {}, True),
    ("nodejs", "options", {}, {"NODE_OPTIONS": "--no-warnings"}, {}, False),
    ("nodejs", "language", {}, {"LANG": "C.UTF-8"}, {}, False),
    ("nodejs", "library", {"lib/libown.so.1": ""}, {}, {}, False),
    (
        "ruby",
        "harmless",
        {"json.rb": "", "lib/monitor.rb": "", **gem("vendor/bundle/ruby/3.4.0", "json-schema", "")},
        {"TZ": "Asia/Tokyo", "GEMINI": "1", "LANG": "en_US.UTF-8", "BUNDLE_PATH": "vendor/bundle"},
        {"ruby/lib/json.rb": "", **gem("ruby/gems/3.4.0", "logger2", "")},
        True,
    ),
    ("ruby", "options", {}, {"RUBYOPT": "-W0"}, {}, False),
    ("ruby", "libraries", {}, {"RUBYLIB": "/opt/own"}, {}, False),
    ("ruby", "gems", {}, {"GEM_PATH": "/opt/own"}, {}, False),
    ("ruby", "home", {}, {"HOME": "/tmp"}, {}, False),
    ("ruby", "language", {}, {"LC_CTYPE": "C"}, {}, False),
    ("ruby", "wrapper", {}, {"AWS_LAMBDA_EXEC_WRAPPER": "/usr/bin/env"}, {}, False),
    ("ruby", "library", {}, {}, {"lib/libown.so": ""}, False),
    ("ruby", "loaded-library", {"did_you_mean.rb": ""}, {}, {}, False),
    ("ruby", "loaded-library-of-a-layer", {}, {}, {"ruby/lib/error_highlight/own.rb": ""}, False),
    ("ruby", "loaded-gem", gem("vendor/bundle/ruby/3.4.0", "did_you_mean", ""), {}, {}, False),
    ("ruby", "loaded-gem-of-a-layer", {}, {}, gem("ruby/gems/3.4.0", "error_highlight", ""), False),
]


@pytest.mark.parametrize(
    ("functions", "files", "variables", "layers", "is_ahead"),
    [pytest.param((language, "namespace"), *given, id=f"{language}-{name}") for language, name, *given in _EXECUTED],
    indirect=["functions"],
)
def test_what_acts_at_start_is_executed(
    functions: NodejsFunctions | RubyFunctions,
    files: dict[str, str],
    variables: dict[str, str],
    layers: dict[str, str],
    is_ahead: bool,
    request: pytest.FixtureRequest,
) -> None:
    """Where a function's variables or files would have changed what runs already, its command is executed."""
    functions.starts_ahead = True
    probe = _PROBES[request.node.callspec.params["functions"][0]]
    (answer,) = functions.run_files({**probe, **files}, {}, variables=variables, layers=layers or None)
    assert ("LAMBENT_AHEAD=" in answer.json()) is is_ahead
    assert ("_HANDLER=" in answer.json()) is not is_ahead
