"""Functions in C# and F#."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lambent.cli.build_tool import Builder, Tool
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Order

_REMEDY = "`apt install dotnet-sdk-8.0`, or dotnet-install.sh, or the SDK from dotnet.microsoft.com"


class Dotnet:
    """A project that `dotnet publish` makes a package of."""

    title = ".NET"
    mark = "a .csproj or .fsproj file"
    runtimes = r"dotnet\d+"

    _tool = Tool("dotnet", _REMEDY)
    _endings = (".csproj", ".fsproj")

    # Enough of C# for what AWS's templates make; whatever else there is, --handler names it.
    _namespace = re.compile(r"^\s*namespace\s+([\w.]+)", re.MULTILINE)
    _class = re.compile(r"\bpublic\s+(?:(?:sealed|static|partial)\s+)*(?:class|record|struct)\s+(\w+)")
    _method = re.compile(
        r"\bpublic\s+(?:(?:static|async|virtual|override)\s+)*[\w<>\[\],.?: ]+?\s+(\w+)\s*\(([^()]*)\)"
    )
    _usual = "FunctionHandler"
    """What AWS's templates call it. Documented: developer guide, Define Lambda function handler in C#."""

    def is_in(self, folder: Path) -> bool:
        return bool(self._projects(folder))

    def default_runtime(self, builder: Builder) -> str:
        return "dotnet8"

    def find_handler(self, folder: Path) -> str:
        project = self._project(folder)
        described = project.read_text(encoding="utf-8", errors="replace")
        assembly = self._property(described, "AssemblyName") or project.stem
        if (self._property(described, "OutputType") or "").lower() == "exe":
            # Its own program serves events.
            return assembly
        found = [f"{assembly}::{name}" for name in self._methods(folder)]
        usual = [name for name in found if name.endswith(f"::{self._usual}")] or found
        if len(usual) == 1:
            return usual[0]
        why = (
            f"several methods may be it ({', '.join(usual)})"
            if usual
            else f"no public method in it takes an ILambdaContext or is called {self._usual}"
        )
        raise CommandFailed(
            f"{folder}: which method is the handler? {why}: say --handler ASSEMBLY::NAMESPACE.CLASS::METHOD",
            exit_code=2,
        )

    def build(self, order: Order, builder: Builder) -> Sequence[Path]:
        project = self._project(order.folder)
        self._check_version(project, order.runtime)
        if builder.has(self._tool.program) and not builder.ask("dotnet", "--list-sdks", folder=order.folder):
            raise CommandFailed(f"this machine's dotnet runs programs, but has no SDK to build them with: {_REMEDY}")
        made = order.scratch / "package"
        builder.run(
            self._tool,
            # The last: a library has no runtimeconfig.json of its own accord, and the runtime looks for one.
            *("publish", str(project), "-c", "Release", "-o", str(made), "--nologo"),
            "-p:GenerateRuntimeConfigurationFiles=true",
            folder=order.folder,
            variables={"DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1"},
            shown="dotnet publish -c Release",
        )
        if not made.is_dir():
            raise CommandFailed(f"{order.folder}: dotnet publish has left nothing in the folder that it was given")
        return [made]

    def _check_version(self, project: Path, runtime: str) -> None:
        target = self._property(project.read_text(encoding="utf-8", errors="replace"), "TargetFramework") or ""
        found = re.fullmatch(r"net(\d+)\.0", target)
        wanted = runtime.removeprefix("dotnet")
        if found is not None and int(found[1]) > int(wanted):
            raise CommandFailed(
                f"{project.name} is for .NET {found[1]}, which {runtime} does not run: say --runtime dotnet{found[1]}, "
                f"or make its TargetFramework net{wanted}.0",
                exit_code=2,
            )

    def _projects(self, folder: Path) -> list[Path]:
        return [path for path in sorted(folder.iterdir()) if path.suffix in self._endings and path.is_file()]

    def _project(self, folder: Path) -> Path:
        found = self._projects(folder)
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise CommandFailed(f"{folder}: holds several projects ({names}): a function is one, in its own folder")
        return found[0]

    def _property(self, described: str, name: str) -> str | None:
        found = re.search(rf"<{name}>\s*([^<]*?)\s*</{name}>", described)
        return found[1] if found else None

    def _methods(self, folder: Path) -> Iterator[str]:
        """Yield `Namespace.Class::Method` of what may be a handler in the files beside the project."""
        for path in sorted(folder.rglob("*.cs")):
            if {"bin", "obj"} & set(path.relative_to(folder).parts):
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            namespace = self._namespace.search(text)
            for method in self._method.finditer(text):
                if "ILambdaContext" not in method[2] and method[1] != self._usual:
                    continue
                classes = list(self._class.finditer(text, 0, method.start()))
                if classes:
                    owner = f"{namespace[1]}.{classes[-1][1]}" if namespace else classes[-1][1]
                    yield f"{owner}::{method[1]}"
