"""Java: which class is the handler, and what each tool's build becomes."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.cli.build_tool import Builder
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Order
from lambent.cli.languages.java import Java

HANDLER = "package x.y;\n\npublic class Hello\n        implements RequestHandler<Hello.In, String> {\n}"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"Hello.java": HANDLER}, "x.y.Hello"),
        (
            {"src/main/java/x/y/Hello.java": HANDLER, "src/test/java/T.java": "class T implements RequestHandler {"},
            "x.y.Hello",
        ),
        (
            {"S.java": "class S extends B implements Closeable, RequestStreamHandler {", "Other.java": "class Other {"},
            "S",
        ),
    ],
)
def test_the_handler_is_found(folder: Path, files: dict[str, str], expected: str) -> None:
    """The one class with an interface for handlers, with its package."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    assert Java().is_in(folder)
    assert Java().find_handler(folder) == expected


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"A.java": "class A {}"}, "no class implements RequestHandler"),
        (
            {"A.java": HANDLER, "B.java": HANDLER.replace("Hello", "B")},
            r"several classes may be it \(x.y.Hello, x.y.B\)",
        ),
    ],
)
def test_a_handler_that_cannot_be_told(folder: Path, files: dict[str, str], told: str) -> None:
    """Nothing is guessed."""
    for name, content in files.items():
        (folder / name).write_text(content)
    with pytest.raises(CommandFailed, match=told):
        Java().find_handler(folder)


@pytest.mark.parametrize(
    ("version", "expected"), [("17.0.15", "java17"), ("19.0.1", "java21"), ("25", "java25"), ("26", "java25")]
)
def test_the_runtime_is_that_of_javac(fake: Callable[..., Path], builder: Builder, version: str, expected: str) -> None:
    """The oldest that runs what it makes."""
    fake("javac", f"echo javac {version}")
    assert Java().default_runtime(builder) == expected


def test_sources_by_themselves(fake: Callable[..., Path], builder: Builder, order: Order) -> None:
    """Compiled with the jars of lib, which come along."""
    (order.folder / "A.java").touch()
    (order.folder / "lib").mkdir()
    (order.folder / "lib" / "core.jar").write_text("core")
    fake("javac", 'echo "$@" > "$3/A.class"')
    (package,) = Java().build(order, builder)
    told = (package / "A.class").read_text().split()
    assert told[3:] == ["-cp", f"{order.folder}/lib/*", str(order.folder / "A.java")]
    assert (package / "lib" / "core.jar").read_text() == "core"


def test_a_project_of_maven(fake: Callable[..., Path], builder: Builder, order: Order) -> None:
    """Its jar and those that it needs at run time are in lib; what lies beside the jar is not."""
    (order.folder / "pom.xml").touch()
    fake(
        "mvn",
        "/bin/mkdir -p target; touch target/own-1.jar target/own-1-sources.jar target/original-own-1.jar\n"
        'for one; do case "$one" in -DoutputDirectory=*) to=${one#*=};; esac; done\n'
        '/bin/mkdir -p "$to"; touch "$to/core.jar"',
    )
    (package,) = Java().build(order, builder)
    assert {path.name for path in (package / "lib").iterdir()} == {"own-1.jar", "core.jar"}


@pytest.mark.parametrize("file", ["build.gradle", "build.gradle.kts"])
@pytest.mark.parametrize(
    ("makes", "expected"),
    [
        ("/bin/mkdir -p build/libs; touch build/libs/own.jar build/libs/own-plain.jar", {"lib/own.jar"}),
        ("/bin/mkdir -p build/libs; touch build/libs/own.jar build/libs/own-all.jar", {"lib/own-all.jar"}),
        ("/bin/mkdir -p build/distributions; cp own.zip build/distributions", {"A.class", "lib/core.jar"}),
    ],
    ids=["jar", "shadow", "zip"],
)
def test_a_project_of_gradle(builder: Builder, order: Order, file: str, makes: str, expected: set[str]) -> None:
    """By its own wrapper: the jar with everything in it, or the zip of AWS's task buildZip."""
    (order.folder / file).touch()
    with zipfile.ZipFile(order.folder / "own.zip", "w") as archive:
        archive.writestr("A.class", "")
        archive.writestr("lib/core.jar", "")
    wrapper = order.folder / "gradlew"
    wrapper.write_text(f"#!/bin/sh\n{makes}\n")
    wrapper.chmod(0o755)
    (package,) = Java().build(order, builder)
    assert {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()} == expected


def test_a_build_that_leaves_nothing_to_choose(fake: Callable[..., Path], builder: Builder, order: Order) -> None:
    """Two jars, of which neither is the whole."""
    (order.folder / "pom.xml").touch()
    fake("mvn", "/bin/mkdir -p target; touch target/a.jar target/b.jar")
    with pytest.raises(CommandFailed, match=r"which jar is the function\? The build left a.jar, b.jar"):
        Java().build(order, builder)
