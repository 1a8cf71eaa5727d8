"""Node.js: which function is the handler, and what npm is asked for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.cli.build_tool import Builder
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Order
from lambent.cli.languages.nodejs import Nodejs


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"index.mjs": "export const handler = async () => 1"}, "index.handler"),
        ({"app.js": "exports.handler = (event, context, callback) => {}"}, "app.handler"),
        ({"app.js": "module.exports.handler = f", "index.js": "const handler = 1"}, "app.handler"),
        ({"main.cjs": "module.exports = {\n  other,\n  handler,\n}"}, "main.handler"),
        ({"zoo.mjs": "export async function handler(event) {}"}, "zoo.handler"),
        ({"zoo.mjs": "import f from './f.mjs'\nexport { f as handler }"}, "zoo.handler"),
        ({"index.js": "exports.handler = 1", "jest.config.js": "exports.handler = 1"}, "index.handler"),
    ],
)
def test_the_handler_is_found(folder: Path, files: dict[str, str], expected: str) -> None:
    """Exported in one of the ways that modules of both kinds have."""
    for name, content in files.items():
        (folder / name).write_text(content)
    assert Nodejs().find_handler(folder) == expected


@pytest.mark.parametrize("content", ["function handler() {}", "exports.handlers = 1", "export const handlerOf = 1"])
def test_what_is_not_exported_is_no_handler(folder: Path, content: str) -> None:
    """Nothing is guessed."""
    (folder / "index.js").write_text(content)
    with pytest.raises(CommandFailed, match="no file in it defines one: say --handler"):
        Nodejs().find_handler(folder)


@pytest.mark.parametrize(
    ("version", "expected"),
    [("v20.19.2", "nodejs20.x"), ("v24.1.0", "nodejs24.x"), ("v23.1.0", "nodejs22.x"), ("v16.1.0", "nodejs22.x")],
)
def test_the_runtime_is_that_of_node(fake: Callable[..., Path], builder: Builder, version: str, expected: str) -> None:
    """Where it is a version that has a runtime; without any, one that has."""
    assert Nodejs().default_runtime(builder) == "nodejs22.x"
    fake("node", f"echo {version}")
    assert Nodejs().default_runtime(builder) == expected


def test_without_a_package_json_the_folder_is_the_package(builder: Builder, order: Order) -> None:
    """Its node_modules with it: somebody put it there."""
    (order.folder / "index.js").touch()
    assert Nodejs().build(order, builder) == [order.folder]


@pytest.mark.parametrize(
    ("lock", "expected"), [("package-lock.json", ["ci", "--omit=dev"]), (None, ["install", "--omit=dev"])]
)
def test_dependencies_are_installed_beside_a_copy(
    fake: Callable[..., Path], builder: Builder, order: Order, lock: str | None, expected: list[str]
) -> None:
    """What is locked is obeyed; what the customer has installed to develop with stays, and stays out."""
    (order.folder / "package.json").write_text('{"dependencies": {"left-pad": "1"}, "devDependencies": {"jest": "1"}}')
    (order.folder / "lib" / "node_modules").mkdir(parents=True)
    (order.folder / "lib" / "node_modules" / "own").touch()
    (order.folder / "node_modules").mkdir()
    (order.folder / "node_modules" / "jest").touch()
    (order.folder / "latest").symlink_to("lib")
    if lock is not None:
        (order.folder / lock).touch()
    noted = fake("npm", 'printf "" > installed-here')
    (made,) = Nodejs().build(order, builder)
    assert noted.read_text().split()[:2] == expected
    assert (made / "installed-here").exists()
    assert (made / "latest").is_symlink()
    assert (made / "lib" / "node_modules" / "own").exists()
    assert not (made / "node_modules").exists()
    assert (order.folder / "node_modules" / "jest").exists()


def test_without_dependencies_npm_is_not_needed(builder: Builder, order: Order) -> None:
    """A package.json that only says `"type": "module"` is frequent."""
    (order.folder / "package.json").write_text('{"type": "module", "devDependencies": {"jest": "1"}}')
    (made,) = Nodejs().build(order, builder)
    assert (made / "package.json").exists()


def test_a_package_json_that_is_none_is_named(builder: Builder, order: Order) -> None:
    """With the place of the mistake."""
    (order.folder / "package.json").write_text("{dependencies}")
    with pytest.raises(CommandFailed, match=r"package\.json: is not JSON: .*line 1 column 2"):
        Nodejs().build(order, builder)
