"""Functions in Python."""

import ast
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from lambent.cli.build_tool import Builder, Tool
from lambent.cli.languages.contract import Order, choose_handler


class Python:
    """Modules beside each other, with what requirements.txt asks for."""

    title = "Python"
    mark = "requirements.txt or a .py file"
    runtimes = r"python3\.\d+"

    _likely = ("lambda_function", "app", "handler", "main", "index")
    """Modules in which a handler is looked for first; the first is the name that AWS's console gives."""
    _functions = ("lambda_handler", "handler")
    _never = re.compile(r"setup|conftest|test_.*|.*_test")
    """Modules beside a function that are not its own."""
    _pip_oldest = (3, 10)
    """What a current pip runs on; for an older Python it only chooses wheels. Observed: pypa/pip's metadata."""

    def is_in(self, folder: Path) -> bool:
        return (folder / "requirements.txt").is_file() or any(folder.glob("*.py"))

    def default_runtime(self, builder: Builder) -> str:
        return f"python{sys.version_info.major}.{sys.version_info.minor}"

    def find_handler(self, folder: Path) -> str:
        found = {path.stem: name for path in sorted(folder.glob("*.py")) if (name := self._handler_in(path))}
        return choose_handler(folder, found, self._likely)

    def _handler_in(self, path: Path) -> str | None:
        if self._never.fullmatch(path.stem):
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Of the code, which whoever runs it will hear.
                module = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError):
            return None  # Perhaps of a newer Python than this one. --handler names it all the same.
        defined = set(self._names(module))
        return next((name for name in self._functions if name in defined), None)

    def _names(self, module: ast.Module) -> Iterator[str]:
        """Yield the names that a module defines at its top, imported ones included."""
        for node in module.body:
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    yield name
                case ast.Assign(targets=targets):
                    yield from (target.id for target in targets if isinstance(target, ast.Name))
                case ast.AnnAssign(target=ast.Name(id=name)):
                    yield name
                case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                    yield from (alias.asname or alias.name for alias in aliases)

    def build(self, order: Order, builder: Builder) -> Sequence[Path]:
        if not (order.folder / "requirements.txt").is_file():
            return [order.folder]
        pip = Tool(sys.executable, "it is the Python that Lambent runs on")
        interpreter, choice = self._for_version(order, builder)
        builder.run(
            pip,
            *("-m", "pip", *interpreter, "install", "--no-input", "--disable-pip-version-check", "--no-compile"),
            *("--root-user-action", "ignore", *choice, "--target", str(order.scratch), "-r", "requirements.txt"),
            folder=order.folder,
            # A configuration that says `user = true` does not go with a target.
            variables={"PIP_USER": "0"},
            shown=" ".join(["pip install", *choice, "-r requirements.txt"]),
        )
        return [order.scratch, order.folder]

    def _for_version(self, order: Order, builder: Builder) -> tuple[list[str], list[str]]:
        """Return pip's options before and after `install` that make it choose for a runtime's Python."""
        version = order.runtime.removeprefix("python")
        numbers = tuple(int(number) for number in version.split("."))
        if numbers == sys.version_info[:2]:
            return [], []
        if numbers >= self._pip_oldest:
            # Asked and not looked up: pyenv has a python3.12 on the PATH that only says that there is none.
            ask = ("-c", "import sys; print(sys.executable)")
            if interpreter := builder.ask(f"python{version}", *ask, folder=order.folder):
                return ["--python", interpreter], []
        return [], ["--python-version", version, "--implementation", "cp", "--only-binary", ":all:"]
