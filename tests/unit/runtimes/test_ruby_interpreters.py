"""Where Ruby is found, and what of it functions can use."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.function_user import FunctionUser, find_function_user
from lambent.runtimes.interpreters import Interpreter, Interpreters
from lambent.runtimes.ruby_interpreters import LANGUAGE


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that the functions' user can pass."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def fake(path: Path, content: str = "no script", mode: int = 0o644) -> None:
    """Write what the search takes for an interpreter; unless it may be executed, its version is read off its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)


def found_in(folder: Path, user: FunctionUser | None = None) -> list[Interpreter]:
    """Search a machine whose PATH and home are in one folder; what the machine itself has is left out."""
    environ = {"PATH": str(folder / "bin"), "HOME": str(folder / "home")}
    search = Interpreters(user or FunctionUser("other", 54321, 54321, True), SystemClock(), environ, language=LANGUAGE)
    return [one for one in asyncio.run(search.find()) if folder in one.path.parents]


def test_version_managers_are_searched(folder: Path) -> None:
    """rbenv, rvm, asdf, mise and ruby-install keep theirs outside of PATH; too old ones are passed over."""
    fake(folder / "home/.rbenv/versions/3.3.1/bin/ruby")
    fake(folder / "home/.rvm/rubies/ruby-3.4.2/bin/ruby")
    fake(folder / "home/.asdf/installs/ruby/3.2.9/bin/ruby")
    fake(folder / "home/.local/share/mise/installs/ruby/4.0.0/bin/ruby")
    fake(folder / "home/.rubies/ruby-3.3.8/bin/ruby")
    fake(folder / "home/.rubies/ruby-3.0.7/bin/ruby")
    fake(folder / "bin/ruby3.1")
    found = found_in(folder)
    assert [one.version for one in found] == [(4, 0, 0), (3, 4, 2), (3, 3, 8), (3, 3, 1), (3, 2, 9), (3, 1, -1)]
    assert {one.obstacle for one in found} == {"user other may not execute it"}


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("ruby\n3.3.8\n/usr\n/usr/lib/ruby\n/usr/lib/site\n/usr/lib/ruby\n", [(3, 3, 8)]),
        ("jruby\n3.1.4\n/usr\n/usr/lib/ruby\n", []),
        ("truffleruby\n3.3.5\n/usr\n/usr/lib/ruby\n", []),
    ],
)
def test_only_rubys_own_is_taken(printed: str, expected: list[tuple[int, int, int]]) -> None:
    """Others speak the language, with other gems."""
    found = LANGUAGE.understand(Path("/usr/bin/ruby"), printed)
    assert [one.version for one in found] == expected
    for one in found:
        assert one.library == (Path("/usr/lib/ruby"), Path("/usr/lib/site"), Path("/usr/lib/ruby"))


def test_the_machines_own_says_what_it_is() -> None:
    """The question is one that a Ruby answers."""
    ruby = shutil.which("ruby")
    if ruby is None:
        pytest.skip("needs:ruby:apt install ruby")
    search = Interpreters(find_function_user("nobody"), SystemClock(), dict(os.environ), language=LANGUAGE)
    found = asyncio.run(search.find())
    assert [one for one in found if one.path == Path(os.path.realpath(ruby)) and one.library[0].is_dir()]


def test_a_whole_installation_has_its_headers(folder: Path) -> None:
    """By them a folder is known that functions may see all of."""
    assert not LANGUAGE.is_whole(folder)
    fake(folder / "include/ruby-3.3.0/ruby.h")
    assert LANGUAGE.is_whole(folder)
