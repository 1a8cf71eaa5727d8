"""
Who may import whom: imports point down the table, and two packages on one row do not know each other.

ARCHITECTURE.md shows the same table. Imports inside functions and for type checking count as well.
"""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "src"

ROWS: tuple[frozenset[str], ...] = (
    frozenset({"__main__"}),
    frozenset({"cli"}),
    frozenset({"app"}),
    frozenset({"assembly"}),
    frozenset({"gateway", "event_sources"}),
    frozenset({"services"}),
    frozenset({"dispatch"}),
    frozenset({"fleet"}),
    frozenset({"execution", "destinations"}),
    frozenset({"sandbox", "runtime_api", "runtimes"}),
    frozenset({"telemetry", "access", "neighbours"}),
    frozenset({"store"}),
    frozenset({"protocol"}),
    frozenset({"domain"}),
    frozenset({"function_user"}),
    frozenset({"errors", "clock", "settings"}),
)
"""Uppermost first. `testing` stands beside the table."""

NEIGHBOURS_THAT_MAY = frozenset({("settings", "errors")})
"""Pairs on one row of which the first knows the second: a setting that cannot be obeyed is one of the families."""

BEHIND_A_CONTRACT = frozenset({"store", "sandbox", "runtimes", "fleet", "destinations"})
"""Packages of which others see `contract` and `<part>_contract` alone: parts meet in app.py and assembly/."""

CLI_MAY_IMPORT = frozenset({"cli", "errors", "clock", "settings"})
"""What every command may import: it is a client like any other."""

CLI_MODULES_MAY_IMPORT = {
    "lambent.cli.backup": {"lambent.store.data_folder"},
    "lambent.cli.serving": {"lambent.app"},
    "lambent.cli.runtimes": {
        "lambent.runtimes.catalogue",
        "lambent.runtimes.contract",
        "lambent.runtimes.registry",
        "lambent.sandbox.probe",
    },
    "lambent.cli.runtimes_install": {
        "lambent.runtimes.additions",
        "lambent.runtimes.catalogue",
        "lambent.runtimes.contract",
        "lambent.runtimes.managed",
    },
    "lambent.cli.conformance": {"lambent.services.conformance.markdown", "lambent.services.conformance.report"},
    "lambent.cli.demo": {"lambent.runtimes.contract"},
    "lambent.cli.keys_offline": {
        "lambent.access.clients",
        "lambent.access.secrets",
        "lambent.store.data_folder",
        "lambent.store.database",
        "lambent.store.identities",
    },
    "lambent.cli.restore": {"lambent.store.backup_format", "lambent.store.restore"},
    "lambent.cli.host_facts": {
        "lambent.neighbours.embedded",
        "lambent.neighbours.endpoints",
        "lambent.runtimes.contract",
        "lambent.function_user",
        "lambent.sandbox",
        "lambent.sandbox.probe",
        "lambent.sandbox.walls",
    },
}
"""
What single commands import beyond that: one starts the server, one reports what the services do with their
models, of which no server can be asked, one fills a data folder without a server, one makes a key in
one, one has its own file on disk as the store has those of a data folder, the others probe this machine or add
runtimes to it.
"""


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    found = {}
    for path in sorted((SOURCES / "lambent").rglob("*.py")):
        parts = path.relative_to(SOURCES).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported_modules(source: str, importer: str, known: Sequence[str]) -> Iterator[str]:
    """
    Yield the modules of lambent that a module imports, wherever in it the import stands.

    Args:
        source: its text.
        importer: its dotted name.
        known: all modules, to tell `from package import module` from `from module import name`.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "lambent")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{importer}: relative imports hide where they lead"
            assert node.module is not None
            if node.module.split(".")[0] == "lambent":
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    yield whole if whole in known else node.module


def row_of(package: str) -> int:
    return next(number for number, row in enumerate(ROWS) if package in row)


def fault(importer: str, imported: str) -> str | None:
    """Return why one module may not import another, None when it may."""
    own, other = package_of(importer), package_of(imported)
    if other in {own, "lambent"} or own == "testing":
        return None
    if own == "lambent":
        return "the package's own __init__ imports nothing"
    if other == "testing":
        return "only tests and authors of plug-ins import testing"
    if own == "cli":
        may = other in CLI_MAY_IMPORT or imported in CLI_MODULES_MAY_IMPORT.get(importer, set())
        return None if may else "commands are clients: they see settings and errors"
    if row_of(other) < row_of(own):
        return "upward"
    if row_of(other) == row_of(own) and (own, other) not in NEIGHBOURS_THAT_MAY:
        return "two packages on one row"
    if (
        other in BEHIND_A_CONTRACT
        and own not in {"app", "assembly"}
        and not imported.endswith((".contract", "_contract"))
    ):
        return f"of {other}, others see its contracts alone"
    return None


def package_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "lambent"


def test_imports_point_down_the_table() -> None:
    """No module of the package imports what stands above it, beside it or behind a contract."""
    known = modules()
    faults = [
        f"{importer} imports {imported}: {why}"
        for importer, path in known.items()
        for imported in imported_modules(path.read_text(), importer, list(known))
        if (why := fault(importer, imported)) is not None
    ]
    assert faults == []


def test_every_package_has_a_row() -> None:
    """A new package enters the table before it enters the tree."""
    in_table = {package for row in ROWS for package in row} | {"testing", "lambent"}
    assert {package_of(module) for module in modules()} <= in_table


def test_exemptions_are_still_needed() -> None:
    """An exemption that nothing uses any more leaves the list."""
    known = modules()
    unused = [
        f"{importer} -> {imported}"
        for importer, allowed in CLI_MODULES_MAY_IMPORT.items()
        for imported in allowed
        if imported not in set(imported_modules(known[importer].read_text(), importer, [*known, imported]))
    ]
    assert unused == []


@pytest.mark.parametrize(
    ("importer", "imported", "is_allowed"),
    [
        ("lambent.dispatch.dispatcher", "lambent.fleet.contract", True),
        ("lambent.dispatch.dispatcher", "lambent.fleet.local", False),
        ("lambent.telemetry.metrics", "lambent.store.metrics_contract", True),
        ("lambent.telemetry.metrics", "lambent.store.metrics", False),
        ("lambent.app", "lambent.fleet.local", True),
        ("lambent.assembly.telemetry", "lambent.store.metrics", True),
        ("lambent.assembly.telemetry", "lambent.app", False),
        ("lambent.domain.function", "lambent.store.contract", False),
        ("lambent.sandbox.process", "lambent.runtimes.contract", False),
        ("lambent.store.repository", "lambent.store.tables", True),
        ("lambent.gateway.server", "lambent.services.operation", True),
        ("lambent.cli.ls", "lambent.app", False),
        ("lambent.cli.serving", "lambent.app", True),
        ("lambent.services.lambda_.invoke", "lambent.testing.clock", False),
        ("lambent.testing.clock", "lambent.execution.pool", True),
    ],
)
def test_the_rules_themselves(importer: str, imported: str, is_allowed: bool) -> None:
    """Each rule allows what it should and refuses what it should."""
    assert (fault(importer, imported) is None) is is_allowed


def test_imports_are_found_wherever_they_stand() -> None:
    """Imports in functions and for type checking are seen, and a module is told from a name in it."""
    source = """
import lambent.clock
from lambent import app
from lambent.store.contract import Blobs

def later():
    from lambent.fleet import local
"""
    known = ["lambent.app", "lambent.fleet.local", "lambent.store.contract"]
    found = set(imported_modules(source, "lambent.x", known))
    assert found == {"lambent.clock", "lambent.app", "lambent.store.contract", "lambent.fleet.local"}
