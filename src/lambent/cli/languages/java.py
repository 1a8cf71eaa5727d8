"""Functions in Java."""

import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

from lambent.cli.build_tool import Builder, Tool
from lambent.cli.deployment_package import LEFT_OUT
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Order

_MAVEN = Tool("mvn", "`apt install maven`")
_JAVAC = Tool("javac", "`apt install openjdk-17-jdk-headless`")
_GRADLE = Tool("gradle", "add Gradle's wrapper to the project, or `sdk install gradle`")
_GRADLE_FILES = ("build.gradle", "build.gradle.kts")


class Java:
    """A project of Maven or Gradle, or sources with the jars that they need in `lib`."""

    title = "Java"
    mark = "pom.xml, build.gradle or a .java file"
    runtimes = r"java[12]\d(\.al\d+)?"

    _versions = (17, 21, 25)
    _handler = re.compile(r"\bclass\s+(\w+)[^{;]*\bimplements\b[^{;]*\bRequest(?:Stream)?Handler\b")
    _package = re.compile(r"^\s*package\s+([\w.]+)\s*;", re.MULTILINE)
    _beside = re.compile(r"original-.*|.*-(sources|javadoc|tests|plain)")
    """Jars that builds leave beside the one that is meant."""

    def is_in(self, folder: Path) -> bool:
        # Further down, modules of other languages may have some.
        usual = folder / "src" / "main" / "java"
        return self._has_project(folder) or usual.is_dir() or any(folder.glob("*.java"))

    def default_runtime(self, builder: Builder) -> str:
        version = re.match(r"javac (\d+)", builder.ask("javac", "-version", folder=Path("/")) or "")
        # What an older javac makes runs on a newer JVM.
        fitting = [one for one in self._versions if version is not None and one >= int(version[1])]
        return f"java{fitting[0] if fitting else self._versions[-1]}"

    def find_handler(self, folder: Path) -> str:
        found = []
        for path in self._sources(folder):
            text = path.read_text(encoding="utf-8", errors="replace")
            package = self._package.search(text)
            prefix = "" if package is None else f"{package[1]}."
            found += [prefix + match[1] for match in self._handler.finditer(text)]
        if len(found) == 1:
            return found[0]
        why = f"several classes may be it ({', '.join(found)})" if found else "no class implements RequestHandler"
        raise CommandFailed(f"{folder}: which class is the handler? {why}: say --handler PACKAGE.CLASS", exit_code=2)

    def build(self, order: Order, builder: Builder) -> Sequence[Path]:
        if (order.folder / "pom.xml").is_file():
            return self._build_with_maven(order, builder)
        if self._has_project(order.folder):
            return self._build_with_gradle(order, builder)
        made = order.scratch / "package"
        made.mkdir()
        libraries = order.folder / "lib"
        path = [] if not libraries.is_dir() else ["-cp", f"{libraries}/*"]
        sources = [str(source) for source in self._sources(order.folder)]
        builder.run(
            _JAVAC, "-proc:none", "-d", str(made), *path, *sources, folder=order.folder, shown="javac -d package ..."
        )
        if libraries.is_dir():
            shutil.copytree(libraries, made / "lib")
        return [made]

    def _build_with_maven(self, order: Order, builder: Builder) -> Sequence[Path]:
        libraries = order.scratch / "package" / "lib"
        # Documented: developer guide, Deploy Java Lambda functions: jars are found in lib.
        builder.run(
            _MAVEN,
            *("--batch-mode", "--quiet", "-Dstyle.color=never", "package", "dependency:copy-dependencies"),
            *("-DincludeScope=runtime", f"-DoutputDirectory={libraries}", "-DskipTests"),
            folder=order.folder,
            shown="mvn package dependency:copy-dependencies",
        )
        libraries.mkdir(parents=True, exist_ok=True)
        jar = self._choose(order.folder / "target")
        shutil.copy(jar, libraries / jar.name)
        return [libraries.parent]

    def _build_with_gradle(self, order: Order, builder: Builder) -> Sequence[Path]:
        own = order.folder / "gradlew"
        tool = Tool(str(own), _GRADLE.remedy) if own.is_file() else _GRADLE
        builder.run(tool, "build", "-x", "test", folder=order.folder, shown=f"{Path(tool.program).name} build")
        made = order.scratch / "package"
        archives = sorted((order.folder / "build" / "distributions").glob("*.zip"))
        if len(archives) == 1:
            # Documented: developer guide, the task buildZip: classes, and what they need in lib.
            with zipfile.ZipFile(archives[0]) as archive:
                archive.extractall(made)
            return [made]
        (made / "lib").mkdir(parents=True)
        jar = self._choose(order.folder / "build" / "libs")
        shutil.copy(jar, made / "lib" / jar.name)
        return [made]

    def _choose(self, folder: Path) -> Path:
        """Return the jar that a build made: the one with everything in it, where there is one."""
        found = [path for path in sorted(folder.glob("*.jar")) if not self._beside.fullmatch(path.stem)]
        whole = [path for path in found if path.stem.endswith(("-all", "-jar-with-dependencies", "-shaded"))]
        if len(whole or found) == 1:
            return (whole or found)[0]
        names = ", ".join(path.name for path in found) or "none"
        raise CommandFailed(f"{folder}: which jar is the function? The build left {names}: remove the others")

    def _has_project(self, folder: Path) -> bool:
        return any((folder / name).is_file() for name in ("pom.xml", *_GRADLE_FILES))

    def _sources(self, folder: Path) -> list[Path]:
        usual = folder / "src" / "main" / "java"
        if usual.is_dir():
            return sorted(usual.rglob("*.java"))
        if self._has_project(folder):
            return []
        return sorted(path for path in folder.rglob("*.java") if not LEFT_OUT & set(path.relative_to(folder).parts))
