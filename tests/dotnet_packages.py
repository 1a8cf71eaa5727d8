"""
What the tests of .NET share, in both environments: the assemblies that tools/dotnet.py builds, as `dotnet publish` lays
them out. Without a .NET, or a compiler, they are left out.
"""

import json
import os
import shutil
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
BUILT = CHECKOUT / ".cache" / "dotnet-functions"
RUNTIME = CHECKOUT / ".cache" / "dotnet-runtime"

LIBRARIES = ("Amazon.Lambda.Core", "Amazon.Lambda.Serialization.SystemTextJson")
_TARGET = ".NETCoreApp,Version=v8.0"


def require() -> None:
    """Leave a test out where nothing has been built."""
    if not (BUILT / "sources").is_file() or not (RUNTIME / "dotnet").is_file():
        pytest.skip("needs:dotnet:make test on Linux on x86-64, where pip and npm reach a package index")


def install(runtimes_dir: Path) -> None:
    """Put the .NET of the tests where servers look, and functions can read it."""
    target = runtimes_dir / "dotnet8"
    if target.exists():
        return
    runtimes_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    partial = runtimes_dir / f".dotnet8-{os.getpid()}"
    shutil.copytree(RUNTIME, partial, copy_function=_linked)
    try:
        partial.rename(target)
    except OSError:
        # Another run of the tests was quicker.
        shutil.rmtree(partial)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def described(name: str, *, version: str = "8.0.0") -> dict[str, str]:
    """Return the files with which `dotnet publish` describes an assembly and what it needs."""
    libraries = {name: f"{name}.dll", **{library: f"lib/net8.0/{library}.dll" for library in LIBRARIES}}
    dependencies = {
        "runtimeTarget": {"name": _TARGET, "signature": ""},
        "targets": {_TARGET: {f"{one}/1.0.0": {"runtime": {path: {}}} for one, path in libraries.items()}},
        "libraries": {
            f"{one}/1.0.0": {"type": "project" if one == name else "package", "serviceable": False, "sha512": ""}
            for one in libraries
        },
    }
    framework = {"name": "Microsoft.NETCore.App", "version": version}
    config = {"runtimeOptions": {"tfm": "net8.0", "framework": framework}}
    return {
        f"{name}.deps.json": json.dumps(dependencies),
        f"{name}.runtimeconfig.json": json.dumps(config),
    }


def package(name: str) -> dict[str, str | bytes]:
    """Return the files of a function: an assembly of tests/dotnet or examples/dotnet, as it is deployed."""
    files: dict[str, str | bytes] = dict(described(name))
    for one in (name, *LIBRARIES):
        files[f"{one}.dll"] = (BUILT / f"{one}.dll").read_bytes()
    return files
