"""How functions in Ruby are built."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.cli.build_tool import Builder
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Order
from lambent.cli.languages.ruby import Ruby

INSTALLED = "mkdir -p vendor/bundle/ruby/3.1.0/gems/own vendor/bundle/ruby/3.1.0/cache"


@pytest.fixture
def ruby_order(order: Order) -> Order:
    """Order a function for ruby3.4 whose folder has gems that were installed to develop with."""
    (order.folder / "Gemfile").touch()
    (order.folder / "vendor/bundle/ruby/3.1.0/gems/rspec").mkdir(parents=True)
    (order.folder / "vendor/cache").mkdir()
    (order.folder / ".bundle").mkdir()
    return Order(order.folder, order.scratch, "ruby3.4", "hello")


@pytest.fixture
def bundle(fake: Callable[..., Path], bin_folder: Path) -> Callable[[str], Path]:
    """Put a bundler on the PATH that also does what a script says."""
    (bin_folder / "mkdir").symlink_to("/bin/mkdir")
    return lambda script: fake("bundle", f'printf "%s" "$BUNDLE_PATH $BUNDLE_WITHOUT $BUNDLE_FROZEN" > how\n{script}')


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"lambda_function.rb": "def lambda_handler(event:, context:)\nend"}, "lambda_function.lambda_handler"),
        ({"zoo.rb": "def handler(event:, context:) = 1", "help.rb": "def help; end"}, "zoo.handler"),
        ({"app.rb": "def handler(**); end", "zoo.rb": "def handler(**); end"}, "app.handler"),
    ],
)
def test_the_handler_is_found(folder: Path, files: dict[str, str], expected: str) -> None:
    """A method at the top of a file, by one of the usual names."""
    for name, content in files.items():
        (folder / name).write_text(content)
    assert Ruby().find_handler(folder) == expected


@pytest.mark.parametrize(
    "content", ["class Own\n  def handler; end\nend", "def handlers; end", "def self.handler; end"]
)
def test_what_is_not_at_the_top_is_no_handler(folder: Path, content: str) -> None:
    """Nothing is guessed."""
    (folder / "app.rb").write_text(content)
    with pytest.raises(CommandFailed, match="no file in it defines one: say --handler"):
        Ruby().find_handler(folder)


@pytest.mark.parametrize(("version", "expected"), [("3.3", "ruby3.3"), ("4.0", "ruby4.0"), ("3.1", "ruby3.4")])
def test_the_runtime_is_that_of_ruby(fake: Callable[..., Path], builder: Builder, version: str, expected: str) -> None:
    """Where it is a version that has a runtime; without any, one that has."""
    assert Ruby().default_runtime(builder) == "ruby3.4"
    fake("ruby", f"echo {version}")
    assert Ruby().default_runtime(builder) == expected


def test_without_a_gemfile_the_folder_is_the_package(builder: Builder, order: Order) -> None:
    """Bundler is not needed."""
    (order.folder / "app.rb").touch()
    assert Ruby().build(order, builder) == [order.folder]


def test_gems_are_installed_where_the_runtime_looks(
    bundle: Callable[[str], Path], builder: Builder, ruby_order: Order
) -> None:
    """Into a copy, without those of development, below the runtime's version; the customer's own stay, and stay out."""
    noted = bundle(INSTALLED)
    (made,) = Ruby().build(ruby_order, builder)
    assert noted.read_text().split() == ["install", "--quiet"]
    assert (made / "how").read_text() == "vendor/bundle development:test false"
    assert (made / "vendor/bundle/ruby/3.4.0/gems/own").is_dir()
    assert not (made / "vendor/bundle/ruby/3.1.0").exists()
    assert not (made / "vendor/bundle/ruby/3.4.0/cache").exists()
    assert (made / "vendor/cache").is_dir()
    assert not (made / ".bundle").exists()
    assert (ruby_order.folder / "vendor/bundle/ruby/3.1.0/gems/rspec").is_dir()


def test_what_is_locked_is_obeyed(bundle: Callable[[str], Path], builder: Builder, ruby_order: Order) -> None:
    """A lock that does not fit the Gemfile is refused by bundler, not changed."""
    (ruby_order.folder / "Gemfile.lock").touch()
    bundle("true")
    (made,) = Ruby().build(ruby_order, builder)
    assert (made / "how").read_text().endswith("true")


def test_compiled_gems_of_another_ruby_are_refused(
    bundle: Callable[[str], Path], builder: Builder, ruby_order: Order
) -> None:
    """They would be loaded into a Ruby that they were not made for; the line says what to do."""
    bundle(f"{INSTALLED} vendor/bundle/ruby/3.1.0/extensions/x86_64-linux/3.1.0/own-1.0")
    with pytest.raises(CommandFailed, match=r"compiled, and by Ruby 3\.1, .* of Ruby 3\.4 before it$"):
        Ruby().build(ruby_order, builder)


def test_without_bundler_the_line_says_what_adds_it(builder: Builder, ruby_order: Order) -> None:
    """Before anything is built."""
    with pytest.raises(CommandFailed, match=r"bundle is not installed.*`gem install bundler`, or `apt install ruby-"):
        Ruby().build(ruby_order, builder)
