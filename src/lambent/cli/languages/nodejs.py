"""Functions in Node.js."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from lambent.cli.build_tool import Builder, Tool
from lambent.cli.deployment_package import LEFT_OUT
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Order, choose_handler


class Nodejs:
    """Modules beside each other, with what package.json depends on."""

    title = "Node.js"
    mark = "package.json or a .js, .mjs or .cjs file"
    runtimes = r"nodejs\d+\.x"

    _suffixes = (".mjs", ".cjs", ".js")
    _likely = ("index", "app", "handler", "main", "lambda")
    """Modules in which a handler is looked for first; the first is the name that AWS's console gives."""
    _never = re.compile(r".*\.(config|test|spec)")
    """Modules beside a function that are not its own."""
    _handler = re.compile(
        r"\bexport\s+(?:(?:const|let|var|(?:async\s+)?function\*?)\s+handler\b|\{[^}]*\bhandler\b)"
        r"|\bexports\.handler\s*=|\bmodule\.exports\s*=\s*\{[^}]*\bhandler\b"
    )
    _runtime_without_node = "nodejs22.x"
    """Where there is no `node` to go by; what else the server has, it says itself."""

    def is_in(self, folder: Path) -> bool:
        return (folder / "package.json").is_file() or any(self._modules(folder))

    def default_runtime(self, builder: Builder) -> str:
        version = builder.ask("node", "--version", folder=Path("/")) or ""
        found = re.match(r"v(\d+)\.", version)
        # Odd versions never become a runtime. Documented: developer guide, Lambda runtimes.
        is_usual = found is not None and int(found[1]) >= 18 and int(found[1]) % 2 == 0
        return f"nodejs{found[1]}.x" if found is not None and is_usual else self._runtime_without_node

    def find_handler(self, folder: Path) -> str:
        found = {
            path.stem: "handler"
            for path in self._modules(folder)
            if self._handler.search(path.read_text(encoding="utf-8", errors="replace"))
        }
        return choose_handler(folder, found, self._likely)

    def _modules(self, folder: Path) -> list[Path]:
        return [
            path
            for path in sorted(folder.iterdir())
            if path.suffix in self._suffixes and path.is_file() and not self._never.fullmatch(path.stem)
        ]

    def build(self, order: Order, builder: Builder) -> Sequence[Path]:
        if not (order.folder / "package.json").is_file():
            return [order.folder]
        made = order.scratch / "package"
        # A copy: the customer's own node_modules has what is needed to develop as well, and is to keep it.
        try:
            shutil.copytree(order.folder, made, symlinks=True, ignore=self._not_copied(order.folder))
        except shutil.Error as error:
            source, _, why = error.args[0][0]
            raise CommandFailed(f"{source}: cannot be copied: {why}") from error
        if self._has_dependencies(order.folder / "package.json"):
            is_locked = any((made / name).is_file() for name in ("package-lock.json", "npm-shrinkwrap.json"))
            command = ("ci" if is_locked else "install", "--omit=dev")
            builder.run(
                Tool("npm", "`apt install npm`"),
                *(*command, "--no-audit", "--no-fund", "--no-update-notifier"),
                folder=made,
                shown=" ".join(["npm", *command]),
            )
        return [made]

    def _not_copied(self, folder: Path) -> Callable[[str, list[str]], set[str]]:
        def names(parent: str, found: list[str]) -> set[str]:
            installed = {"node_modules"} if Path(parent) == folder else set()
            return set(found) & (LEFT_OUT | installed)

        return names

    def _has_dependencies(self, path: Path) -> bool:
        try:
            described = json.loads(path.read_bytes())
        except ValueError as error:
            raise CommandFailed(f"{path}: is not JSON: {error}") from error
        return isinstance(described, dict) and any(
            described.get(kind) for kind in ("dependencies", "optionalDependencies")
        )
