"""Functions in Ruby."""

import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from lambent.cli.build_tool import Builder, Tool
from lambent.cli.deployment_package import LEFT_OUT
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Order, choose_handler


class Ruby:
    """Files beside each other, with the gems of a Gemfile."""

    title = "Ruby"
    mark = "Gemfile or a .rb file"
    runtimes = r"ruby\d+\.\d+"

    _likely = ("lambda_function", "app", "handler", "main", "index")
    """Files in which a handler is looked for first; the first is the name that AWS's console gives."""
    _handler = re.compile(r"^def\s+(lambda_handler|handler)\b", re.MULTILINE)
    _runtime_without_ruby = "ruby3.4"
    """Where there is no `ruby` to go by; what else the server has, it says itself."""
    _oldest = (3, 2)
    """Of those that have a runtime."""
    _version = ("-e", "print RUBY_VERSION[/\\d+\\.\\d+/]")

    def is_in(self, folder: Path) -> bool:
        return (folder / "Gemfile").is_file() or any(folder.glob("*.rb"))

    def default_runtime(self, builder: Builder) -> str:
        version = builder.ask("ruby", *self._version, folder=Path("/")) or "0.0"
        is_usual = tuple(map(int, version.split("."))) >= self._oldest
        return f"ruby{version}" if is_usual else self._runtime_without_ruby

    def find_handler(self, folder: Path) -> str:
        texts = {path.stem: path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("*.rb"))}
        found = {name: match[1] for name, text in texts.items() if (match := self._handler.search(text))}
        return choose_handler(folder, found, self._likely)

    def build(self, order: Order, builder: Builder) -> Sequence[Path]:
        if not (order.folder / "Gemfile").is_file():
            return [order.folder]
        made = order.scratch / "package"
        # A copy: the customer's own gems are for development as well, and perhaps for another Ruby.
        try:
            shutil.copytree(order.folder, made, symlinks=True, ignore=self._not_copied(order.folder))
        except shutil.Error as error:
            source, _, why = error.args[0][0]
            raise CommandFailed(f"{source}: cannot be copied: {why}") from error
        is_locked = (made / "Gemfile.lock").is_file()
        builder.run(
            Tool("bundle", "`gem install bundler`, or `apt install ruby-bundler`"),
            *("install", "--quiet"),
            folder=made,
            variables={
                "BUNDLE_GEMFILE": str(made / "Gemfile"),
                "BUNDLE_PATH": "vendor/bundle",
                "BUNDLE_WITHOUT": "development:test",
                "BUNDLE_FROZEN": "true" if is_locked else "false",
                # What was downloaded is in the gems themselves; a second copy would only fill the package.
                "BUNDLE_NO_CACHE": "true",
            },
            shown="bundle install",
        )
        self._settle(made / "vendor" / "bundle" / "ruby", order.runtime)
        return [made]

    def _settle(self, gems: Path, runtime: str) -> None:
        """
        Let gems lie where the runtime looks for them: below its own version.

        Raises:
            CommandFailed: they were compiled for another one.
        """
        wanted = f"{runtime.removeprefix('ruby')}.0"
        for folder in gems.glob("*/cache"):
            shutil.rmtree(folder)
        found = [folder for folder in gems.glob("*") if folder.name != wanted]
        for folder in found:
            if any(folder.glob("extensions/*/*/*")):
                version = folder.name.removesuffix(".0")
                raise CommandFailed(
                    f"some gems are compiled, and by Ruby {version}, whose `bundle` is the first on the PATH: put that "
                    f"of Ruby {wanted.removesuffix('.0')} before it"
                )
            # What is not compiled runs on any version.
            folder.rename(gems / wanted)

    def _not_copied(self, folder: Path) -> Callable[[str, list[str]], set[str]]:
        def names(parent: str, found: list[str]) -> set[str]:
            installed = {".bundle"} if Path(parent) == folder else set()
            if Path(parent) == folder / "vendor":
                installed = {"bundle"}
            return set(found) & (LEFT_OUT | installed)

        return names
