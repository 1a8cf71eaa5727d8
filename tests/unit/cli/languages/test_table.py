"""What is recognised in a folder."""

from pathlib import Path

import pytest

from lambent.cli.build_tool import Builder
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.table import PROGRAMS, recognise


@pytest.mark.parametrize(
    ("files", "runtime", "expected"),
    [
        (["go.mod", "main.go", "tool.py"], None, "Go"),
        (["Cargo.toml", "src"], None, "Rust"),
        (["Shop.csproj", "Function.cs", "tool.py"], None, ".NET"),
        (["bootstrap", "helper.py", "helper.js"], None, "custom runtime"),
        (["app.py"], None, "Python"),
        (["requirements.txt"], None, "Python"),
        (["package.json"], None, "Node.js"),
        (["index.mjs"], None, "Node.js"),
        (["pom.xml", "src"], None, "Java"),
        (["build.gradle.kts"], "java21", "Java"),
        (["Gemfile"], None, "Ruby"),
        (["lambda_function.rb", "helper.py"], "ruby3.4", "Ruby"),
        (["go.mod", "bootstrap"], None, "Go"),
        (["go.mod", "tool.py"], "python3.12", "Python"),
        (["go.mod"], "provided.al2", "Go"),
        (["bootstrap", "helper.py"], "python3.9", "Python"),
        (["app.py", "package.json"], "nodejs22.x", "Node.js"),
    ],
)
def test_a_folder_is_recognised(folder: Path, files: list[str], runtime: str | None, expected: str) -> None:
    """By its mark, the first in the order of the table; --runtime leaves those that it can run."""
    for name in files:
        (folder / name).touch()
    assert recognise(folder, runtime).title == expected


@pytest.mark.parametrize(
    ("files", "runtime", "expected"),
    [
        (
            ["composer.json", "src"],
            None,
            r"nothing in it is recognised.*: looked for go\.mod \(Go\); Cargo\.toml \(Rust\); .*Node",
        ),
        (["app.py"], "provided.al2023", r"nothing in it is recognised.*an executable bootstrap \(custom runtime\)$"),
        (
            ["app.py"],
            "java8",
            r"^--runtime: .* for python3\.x, nodejsXX\.x, javaXX, rubyX\.Y, dotnetX and provided\.\*, not for 'java8'$",
        ),
        (["app.py", "package.json"], None, r"holds files of Python and of Node\.js: say --runtime to choose$"),
    ],
)
def test_what_is_not_clear_is_refused(folder: Path, files: list[str], runtime: str | None, expected: str) -> None:
    """The line says what was looked for."""
    for name in files:
        (folder / name).touch()
    with pytest.raises(CommandFailed, match=expected) as failed:
        recognise(folder, runtime)
    assert failed.value.exit_code == 2


def test_what_is_no_folder_is_refused(folder: Path) -> None:
    """A missing one and a file are told apart."""
    (folder / "app.py").touch()
    with pytest.raises(CommandFailed, match=r"project/nowhere: no such folder$"):
        recognise(folder / "nowhere", None)
    with pytest.raises(CommandFailed, match=r"app\.py: not a folder$"):
        recognise(folder / "app.py", None)


def test_programs_need_no_handler(folder: Path, builder: Builder) -> None:
    """The runtime starts bootstrap, whatever the handler says."""
    assert {(entry.default_runtime(builder), entry.find_handler(folder)) for entry in PROGRAMS} == {
        ("provided.al2023", "bootstrap")
    }
