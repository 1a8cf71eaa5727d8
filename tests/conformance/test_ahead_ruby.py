"""What is Ruby's alone in being started before there is a function, with each Ruby of this machine and no walls."""

import asyncio
import json
import socket
import subprocess
from pathlib import Path

import pytest
from conformance.ruby import gem

from lambent.clock import SystemClock
from lambent.function_user import find_function_user
from lambent.runtimes import ruby
from lambent.runtimes.interpreters import Interpreter, Interpreters
from lambent.runtimes.ruby import GEMS_AT_START, LIBRARIES_AT_START
from lambent.runtimes.ruby_interpreters import LANGUAGE

_CLIENT = Path(ruby.__file__).with_name("ruby_client") / "index.rb"
_PATIENCE_S = 60


@pytest.fixture(scope="module")
def rubies() -> tuple[Interpreter, ...]:
    """Give each Ruby that functions could have."""
    interpreters = Interpreters(find_function_user("nobody"), SystemClock(), is_mounted=True, language=LANGUAGE)
    found = asyncio.run(interpreters.find())
    if not found:
        pytest.skip("needs:ruby:apt install ruby")
    return found


def test_all_that_ruby_starts_with_is_looked_for(rubies: tuple[Interpreter, ...]) -> None:
    """What RUBYLIB and gems of a function have a say in before there is a function is known of this Ruby as well."""
    question = (
        "told = [$:, $LOADED_FEATURES.dup]; %w[json logger socket stringio].each { |one| require one }\n"
        "puts JSON.generate([*told, Gem.loaded_specs.keys])"
    )
    for one in rubies:
        printed = subprocess.run([one.path, "-e", question], capture_output=True, text=True, check=True, env={}).stdout
        load_path, loaded, gems = json.loads(printed)
        # The shortest way to it: folders of the load path lie in each other. What is built in has no place.
        ways = [min((name.removeprefix(f"{at}/") for at in load_path), key=len) for name in loaded if name[0] == "/"]
        assert ways
        assert {way.partition("/")[0].partition(".")[0] for way in ways} <= LIBRARIES_AT_START
        assert gems
        assert set(gems) <= GEMS_AT_START


def _loaded(one: Interpreter, root: Path, starts_ahead: bool) -> str:
    """Return what a function prints that has links in its layers; below `root`, which is missing until it is known."""
    for_all = {
        "PATH": "/usr/bin:/bin",
        "RUBYLIB": f"{root}/task:{root}/opt/lib",
        "GEM_PATH": f"{root}/opt/gems:",
        "GEM_HOME": "/no/such",
    }
    environ = {**for_all, "AWS_LAMBDA_RUNTIME_API": ":1", "LAMBDA_TASK_ROOT": f"{root}/task", "_HANDLER": "app.handler"}
    files = {
        "task/app.rb": "%w[own shared].each { |one| require one }\n"
        "STDOUT.puts(*$LOADED_FEATURES.last(2), $:, Gem.path)\nexit!(0)\n",
        "real/own.rb": "",
        **gem("real_gems", "shared", ""),
    }

    def begin(environ: dict[str, str], *descriptors: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [one.path, _CLIENT], env=environ, pass_fds=descriptors, stdout=subprocess.PIPE, text=True
        )

    def unpack() -> None:
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        (root / "opt").mkdir()
        (root / "opt" / "lib").symlink_to("../real")
        (root / "opt" / "gems").symlink_to("../real_gems")

    if not starts_ahead:
        unpack()
        return begin(environ).communicate(timeout=_PATIENCE_S)[0]
    ours, theirs = socket.socketpair()
    ours.settimeout(_PATIENCE_S)
    with ours:
        with theirs:
            running = begin({**for_all, "LAMBENT_AHEAD": str(theirs.fileno())}, theirs.fileno())
        assert ours.recv(1) == b"R"
        unpack()
        ours.sendall(json.dumps({"environ": environ, "working_directory": str(root)}).encode())
    return running.communicate(timeout=_PATIENCE_S)[0]


def test_links_of_layers_are_followed(rubies: tuple[Interpreter, ...], tmp_path: Path) -> None:
    """Ruby and RubyGems keep where folders really are: not from a time when there was no function."""
    for number, one in enumerate(rubies):
        root = tmp_path / str(number)
        ahead = _loaded(one, root, starts_ahead=True)
        root.rename(tmp_path / "before")
        assert f"{root}/real/own.rb\n" in ahead
        assert ahead == _loaded(one, root, starts_ahead=False)
        (tmp_path / "before").rename(tmp_path / f"{number}-before")
