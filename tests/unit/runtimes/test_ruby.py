"""How a Ruby runtime is made ready, and what is said when it cannot be."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.function_user import find_function_user
from lambent.runtimes.contract import LayersAt, RuntimeUnavailable
from lambent.runtimes.interpreters import Interpreter, newest_reachable
from lambent.runtimes.ruby import RubyRuntimes

HERE = Interpreter(
    Path("/usr/bin/ruby3.1"), (3, 1, 2), True, library=(Path("/usr/lib/ruby/3.1.0"), Path("/usr/lib/ruby/3.1.0"))
)
BUILT = Interpreter(
    Path("/rubies/3.3.8/bin/ruby"),
    (3, 3, 8),
    True,
    prefix=Path("/rubies/3.3.8"),
    library=tuple(
        Path("/rubies/3.3.8/lib/ruby", name) for name in ("3.3.0", "site_ruby/3.3.0", "3.3.0", "3.3.0/x86_64-linux")
    ),
)


class FoundInterpreters:
    """A machine with given interpreters."""

    def __init__(self, *found: Interpreter) -> None:
        self._found = found

    async def find(self, *, fresh: bool = False) -> tuple[Interpreter, ...]:
        return self._found

    async def best(self, version: str) -> Interpreter | None:
        return newest_reachable(self._found, version)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that the functions' user can pass."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def runtimes(folder: Path, *found: Interpreter, fallback: str = "none", has_own_root: bool = False) -> RubyRuntimes:
    user = find_function_user("nobody")
    made = RubyRuntimes(folder / "runtimes", user, fallback, SystemClock(), has_own_root=has_own_root)
    made._interpreters = FoundInterpreters(*found)  # type: ignore[assignment]
    return made


def test_the_command_with_the_machines_paths(folder: Path) -> None:
    """Gems of the package, then of layers, for the version that was asked for and for the one that stands in."""
    under_test = runtimes(folder, HERE, fallback="nearest")
    layers = LayersAt(folder / "layers", "/data/layers")
    command = asyncio.run(under_test.command("ruby3.2", "app.handler", "/task", {}, layers))
    (client,) = (folder / "runtimes").iterdir()
    assert list(command.argv) == ["/usr/bin/ruby3.1", f"{client}/index.rb"]
    assert command.environ["GEM_PATH"] == (
        "/task/vendor/bundle/ruby/3.2.0:/task/vendor/bundle/ruby/3.1.0:/data/layers/ruby/gems/3.2.0:"
        f"/data/layers/ruby/gems/3.1.0:{client}:{client}/ruby/3.2.0:"
    )
    assert (command.environ["GEM_HOME"], command.environ["RUBYLIB"]) == (str(client), "/task:/data/layers/ruby/lib")
    assert command.reserved["AWS_EXECUTION_ENV"] == "AWS_Lambda_ruby3.2"


def test_the_command_inside(folder: Path) -> None:
    """A Ruby out of /usr is mounted at /var/lang and told where its library is now, in its own order."""
    under_test = runtimes(folder, HERE, BUILT, has_own_root=True)
    command = asyncio.run(
        under_test.command("ruby3.3", "app.handler", "/var/task", {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/w"})
    )
    library = [f"/var/lang/lib/ruby/{name}" for name in ("site_ruby/3.3.0", "3.3.0", "3.3.0/x86_64-linux")]
    told = ["/opt/w", "/var/lang/bin/ruby", *(f"-I{one}" for one in library), "/var/runtime/index.rb"]
    assert list(command.argv)[-6:] == told
    assert dict(command.folders)["/var/lang"] == "/rubies/3.3.8"
    assert command.environ["RUBYLIB"].split(":") == ["/var/task", "/opt/ruby/lib", *library]
    assert command.environ["GEM_PATH"] == (
        "/var/task/vendor/bundle/ruby/3.3.0:/opt/ruby/gems/3.3.0:/var/runtime:/var/runtime/ruby/3.3.0:"
    )


def test_an_older_version_is_no_runtime(folder: Path) -> None:
    """3.1 stands in only where the fallback says so; the refusal has the command that adds the right one."""
    with pytest.raises(RuntimeUnavailable) as refused:
        asyncio.run(runtimes(folder, HERE).prepare("ruby3.2"))
    told = str(refused.value)
    assert told.startswith("ruby3.2 cannot run on this machine: there is no Ruby 3.2 (there is 3.1). ")
    assert f"`lambent runtimes install ruby3.2 --runtimes-dir {folder}/runtimes`" in told
    assert "--runtime-fallback nearest" in told
    asyncio.run(runtimes(folder, HERE, fallback="nearest").prepare("ruby3.2"))


@pytest.mark.parametrize(
    ("runtime", "expected"), [("ruby4.0", "/rubies"), ("ruby3.2", "/rubies"), ("ruby3.4", "/rubies")]
)
def test_the_nearest_version_stands_in(folder: Path, runtime: str, expected: str) -> None:
    """Also across a first number; of two that are as near, the newer."""
    under_test = runtimes(folder, HERE, BUILT, fallback="nearest")
    assert asyncio.run(under_test.command(runtime, "a.b", "/task", {})).argv[0].startswith(expected)


@pytest.mark.parametrize(
    "name", ["RUBYOPT", "RUBYLIB", "RUBY_GC_HEAP_INIT_SLOTS", "GEM_PATH", "GEMRC", "BUNDLER_SETUP", "HOME", "XDG_A"]
)
def test_variables_that_act_when_ruby_starts(folder: Path, name: str) -> None:
    """Ruby is started before its function is known, unless that has variables which would come too late."""
    under_test = runtimes(folder, HERE)
    assert under_test.may_start_ahead({"TZ": "Asia/Tokyo", "GEMINI": "1", "BUNDLE_PATH": "vendor"}, folder, None)
    assert not under_test.may_start_ahead({"TZ": "Asia/Tokyo", name: "x"}, folder, None)


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("app.rb", True),
        ("json.rb", True),
        ("lib/did_you_mean.rb", True),
        ("rubygems_of_mine.rb", True),
        ("did_you_mean.rb", False),
        ("rubygems/defaults/operating_system.rb", False),
        ("monitor.so", False),
        ("vendor/bundle/ruby/3.4.0/specifications/json-schema-5.1.0.gemspec", True),
        ("vendor/bundle/ruby/3.4.0/gems/json-2.10.1/lib/json.rb", True),
        ("vendor/bundle/ruby/3.4.0/specifications/json-2.10.1.gemspec", False),
        ("vendor/bundle/ruby/3.2.0/specifications/stringio-3.1.2-x86_64-linux.gemspec", False),
    ],
)
def test_packages_that_act_when_ruby_starts(folder: Path, name: str, may: bool) -> None:
    """Nor if the package has another of what is loaded by then: a file in a folder of RUBYLIB, or a gem."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()
    assert runtimes(folder, HERE).may_start_ahead({}, folder, None) is may


def test_layers_that_act_when_ruby_starts(folder: Path) -> None:
    """Likewise, where layers have such files."""
    under_test = runtimes(folder, HERE)
    for number, (name, may) in enumerate(
        [
            ("monitor.rb", True),
            ("ruby/lib/monitor.rb", False),
            ("ruby/gems/3.4.0/specifications/logger-1.7.gemspec", False),
        ]
    ):
        layers = folder / str(number)
        (layers / name).parent.mkdir(parents=True)
        (layers / name).touch()
        assert under_test.may_start_ahead({}, folder, LayersAt(layers, "/opt")) is may
