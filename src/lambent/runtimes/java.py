"""
The Java runtimes: a JVM of this machine and a client of our own, `java_client`.

The client is compiled on first use, by a JDK of this machine. Beside it lies an archive of classes for each JVM that
runs it, from which they are mapped instead of loaded: both are made once, and used by every cold start.
"""

import asyncio
import logging
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from lambent.clock import Clock
from lambent.function_user import FunctionUser
from lambent.runtimes.catalogue import CatalogueEntry
from lambent.runtimes.contract import LayersAt, RuntimeCommand, RuntimeUnavailable
from lambent.runtimes.interpreters import Interpreter, is_ours_alone
from lambent.runtimes.java_interpreters import language
from lambent.runtimes.language import LanguageRuntimes, path_inside
from lambent.runtimes.managed import (
    LAYERS_ROOT,
    RUNTIME_DIR,
    finish_client_folder,
    host_variables,
    new_client_folder,
    own_root_variables,
    reserved,
    run_command,
    wrapper,
)
from lambent.runtimes.own_client import digest_of

_log = logging.getLogger(__name__)

_SOURCES = Path(__file__).with_name("java_client")
_JAR = "client.jar"
_JARS = {"lambent": _JAR, "com": "core.jar"}
"""The packages of the sources to the jars of them: functions load the interfaces of AWS's core library, and no more."""
_MAIN = "lambent.runtime.Main"

_JAVAC_FLAGS = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC")
"""For the JVM that javac itself runs in, which ends before it would have compiled itself well: half the time."""

_COMPILE = ("--release", "17", "-XDstringConcat=inline", "-proc:none", "-nowarn")
"""Concatenation of strings by plain calls: what javac makes otherwise loads much of the JDK's invocation machinery."""

_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:+TieredCompilation",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ErrorFileToStderr",
    "-Xshare:auto",
    # For its descriptor of log records, as on AWS.
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    # Not a file in /tmp for tools that nobody attaches, at each start.
    "-XX:-UsePerfData",
)
"""Observed: command lines of functions of 2023 and 2024 that people printed, for all but the last one."""

_LOCALE = {"LC_ALL": "C.UTF-8"}
_LOCALE_FLAGS = ("-Duser.language=en", "-Duser.country=US")
"""
LANG is en_US.UTF-8, as on AWS, which this machine may lack: Java would then read variables and names of files as ASCII.
C.UTF-8 is everywhere, and what it does not say is said by the flags, where the function's JAVA_TOOL_OPTIONS do not.
"""

_BOOTSTRAP = (
    'set -- "$@" -XX:MaxHeapSize=$((AWS_LAMBDA_FUNCTION_MEMORY_SIZE * 1024 * 85 / 100))k '
    f'{_MAIN} "$0" "$_LAMBDA_TELEMETRY_LOG_FD"; '
    'unset _LAMBDA_TELEMETRY_LOG_FD; exec "$@"'
)
"""
Start Java, or the wrapper with it, with a heap of 85 % of MemorySize. Observed: 445645k for 512 MB.
A JVM cannot change its own environment, so the shell takes out what programs of the function have no use for. The
layers' folder comes as $0, for a name that the shell would give it might be one of the user's variables.
"""

_ENVIRON = {"PATH": "/usr/bin:/bin", **_LOCALE}
"""For programs of a JDK: options in the server's variables are not the functions'."""

_TRAINING = "lambent.runtime.Training"
_FROM_TASK_ROOT = "../runtime"
"""
The client's folder from /var/task, where the JVM starts. An archive is taken only where the path of the jar is what it
was when the archive was made, and nothing on this machine lies in /var/runtime. JDK 19 and newer ask less.
"""

_ARCHIVE_TIMEOUT_S = 60.0
"""Assumed: an archive takes about a second to make, on a busy machine several."""


class JavaRuntimes(LanguageRuntimes):
    """All `javaXX` identifiers that the client runs. See `LanguageRuntimes`."""

    family = "java"
    interpreter_name = "Java"

    def __init__(
        self, runtimes_dir: Path, user: FunctionUser, fallback: str, clock: Clock, *, has_own_root: bool = False
    ) -> None:
        super().__init__(
            runtimes_dir,
            user,
            fallback,
            clock,
            has_own_root=has_own_root,
            language=language(runtimes_dir.absolute()),
        )
        self._making = asyncio.Lock()
        self._archives: dict[Interpreter, str] = {}
        """By JVM: the name of its archive in the client's folder; empty where there is none."""

    def version_label(self, entry: CatalogueEntry) -> str:
        """Return e.g. `java:21.v1`. Assumed: the number has no meaning here, AWS counts its own images."""
        return f"java:{entry.version}.v1"

    def _version(self, entry: CatalogueEntry) -> str:
        # java17.al2023 is java17 on another Linux.
        return entry.version.partition(".")[0]

    async def _command(
        self,
        runtime: str,
        handler: str,
        interpreter: Interpreter,
        client: Path,
        task_root: str,
        variables: Mapping[str, str],
        layers: LayersAt | None,
    ) -> RuntimeCommand:
        archive = self._archives.get(interpreter, "")
        if not self._has_own_root:
            opt = LAYERS_ROOT if layers is None else layers.root
            return RuntimeCommand(
                argv=_argv(interpreter.path, str(client), str(client), archive, opt, variables),
                environ={**host_variables(interpreter.path.parent, client, task_root, opt), **_LOCALE},
                reserved=reserved(runtime, str(client)),
            )
        path, folders = path_inside(interpreter)
        return RuntimeCommand(
            argv=_argv(path, RUNTIME_DIR, _FROM_TASK_ROOT, archive, LAYERS_ROOT, variables),
            environ={**own_root_variables(task_root), **_LOCALE},
            reserved=reserved(runtime, RUNTIME_DIR),
            folders=((RUNTIME_DIR, str(client)), *folders),
        )

    # -- the client ---------------------------------------------------------------------------------------------

    async def _client(self, interpreter: Interpreter) -> Path:
        folder = self._runtimes_dir / f"java-client-{_digest()}"
        if not (folder / _JAR).is_file():
            async with self._making:
                if not (folder / _JAR).is_file():
                    await self._compile(interpreter, folder)
        self._refuse_closed(folder, _JAR)
        if interpreter not in self._archives:
            async with self._making:
                if interpreter not in self._archives:
                    self._archives[interpreter] = await self._archive(interpreter, folder)
        return folder

    async def _compile(self, interpreter: Interpreter, folder: Path) -> None:
        began = self._clock.monotonic()
        javac = await self._compiler(interpreter)
        _log.info("runtimes.client_compiling runtime=java with=%s folder=%s", javac, folder)
        try:
            unfinished = new_client_folder(self._runtimes_dir, self._clock)
        except OSError as error:
            raise RuntimeUnavailable(f"no folder for the client of Java: {error}") from error
        try:
            classes = unfinished / "classes"
            sources = sorted(map(str, _SOURCES.rglob("*.java")))
            command = [str(javac), *_JAVAC_FLAGS, *_COMPILE, "-d", str(classes), *sources]
            status, output = await run_command(command, environ=_ENVIRON)
            if status:
                raise RuntimeUnavailable(f"{javac} could not compile the client of Java: {output[-400:].strip()}")
            await asyncio.to_thread(_pack, classes, unfinished)
            await asyncio.to_thread(finish_client_folder, unfinished, folder, _JAR)
        finally:
            await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
        _log.info("runtimes.client_compiled runtime=java seconds=%.1f", self._clock.monotonic() - began)

    async def _archive(self, interpreter: Interpreter, client: Path) -> str:
        """Return the name of the archive of classes for a JVM, made if need be; empty: it has to do without."""
        place = "own-root" if self._has_own_root else "host"
        name = f"{place}-{interpreter.version_text}-{await asyncio.to_thread(_build, interpreter)}.jsa"
        if (client / name).is_file():
            return name
        version = interpreter.version_text
        # It is made with the server's rights.
        is_ours = await asyncio.to_thread(interpreter.is_ours_alone)
        if not is_ours or not await asyncio.to_thread(is_ours_alone, client / _JAR):
            _log.info("runtimes.not_trusted runtime=java%s path=%s", version, interpreter.path)
            return ""
        began = self._clock.monotonic()
        _log.info("runtimes.archive_making runtime=java%s folder=%s", version, client)
        try:
            scratch = new_client_folder(self._runtimes_dir, self._clock)
            try:
                await self._train(interpreter, client, scratch, name)
            finally:
                await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
        except (OSError, TimeoutError) as error:
            _log.warning("runtimes.archive_failed runtime=java%s error=%r", version, error)
            return ""
        _log.info("runtimes.archive_made runtime=java%s seconds=%.1f", version, self._clock.monotonic() - began)
        return name

    async def _train(self, interpreter: Interpreter, client: Path, scratch: Path, name: str) -> None:
        """Run a life of a function in a JVM, and keep the archive of its classes in the folder of the client."""
        # As environments have them beside each other: the path of the jar has to be the same, letter by letter.
        task = scratch / "task"
        task.mkdir()
        (scratch / "runtime").symlink_to(client)
        jar = f"{_FROM_TASK_ROOT if self._has_own_root else client}/{_JAR}"
        with zipfile.ZipFile(client / _JAR) as archive:
            # Any class will do to load one as those of functions are.
            sample = archive.namelist()[0]
            archive.extract(sample, task)
        made = scratch / name
        java = (str(interpreter.path), *_FLAGS, "-Xlog:cds*=off", "-cp", jar)
        life = (_TRAINING, str(task), sample.removesuffix(".class").replace("/", "."))
        commands: list[tuple[str, ...]]
        if (interpreter.prefix / "lib" / "server" / "classes.jsa").is_file():
            commands = [(*java, f"-XX:ArchiveClassesAtExit={made}", *life)]
        else:
            # One that lacks its own archive, which the other would go on top of, gets one of everything.
            classes = scratch / "classes"
            dump = ("-Xshare:dump", f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={made}")
            commands = [(*java, f"-XX:DumpLoadedClassList={classes}", *life), (*java, *dump)]
        async with asyncio.timeout(_ARCHIVE_TIMEOUT_S):
            for command in commands:
                status, output = await run_command(command, task, _ENVIRON)
                if status:
                    raise OSError(f"exit status {status}: {output[-200:].strip()}")
        if not made.is_file():
            raise OSError(f"nothing was made: {output[-200:].strip()}")
        made.chmod(0o644)
        made.replace(client / name)

    async def _compiler(self, interpreter: Interpreter) -> Path:
        """
        Return a javac that may compile the client: the JVM's own, or that of another one here.

        It runs with the server's rights, hence only one that nobody else can have changed.
        """
        refused = ""
        for one in (interpreter, *await self._interpreters.find()):
            javac = one.path.with_name("javac")
            if not os.access(javac, os.X_OK):
                continue
            if await asyncio.to_thread(one.is_ours_alone) and await asyncio.to_thread(is_ours_alone, javac):
                return javac
            refused = f", but the one at {javac} can be changed by other users"
        raise RuntimeUnavailable(
            f"the client of Java has to be compiled once, and only a JDK has javac{refused}. "
            "To change that: `apt install openjdk-17-jdk-headless`, or a JDK of any vendor, 17 or newer"
        )


def _argv(
    java: Path, client: str, jar_folder: str, archive: str, opt: str, variables: Mapping[str, str]
) -> tuple[str, ...]:
    before = wrapper(variables)
    says_locale = "-Duser." in variables.get("JAVA_TOOL_OPTIONS", "")
    flags: tuple[str, ...] = _FLAGS if says_locale else (*_FLAGS, *_LOCALE_FLAGS)
    if archive and not before:
        # Where it does not fit any more, the JVM says nothing and does without it.
        flags = (*flags, f"-XX:SharedArchiveFile={client}/{archive}", "-Xlog:cds*=off")
    # A wrapper may change the folder.
    place = client if before else jar_folder
    return ("/bin/sh", "-c", _BOOTSTRAP, opt, *before, str(java), *flags, "-cp", f"{place}/{_JAR}")


def _build(interpreter: Interpreter) -> str:
    """Return what tells one build of a version from another. Blocks."""
    release = interpreter.prefix / "release"
    content = release.read_bytes() if release.is_file() else b""
    return digest_of({str(interpreter.prefix): content})


def _digest() -> str:
    contents = {str(path.relative_to(_SOURCES)): path.read_bytes() for path in sorted(_SOURCES.rglob("*.java"))}
    return digest_of({**contents, "": " ".join(_COMPILE).encode()})


def _pack(classes: Path, folder: Path) -> None:
    """Make jars of a folder of classes, and remove that. Not compressed: they are read at each start. Blocks."""
    for package, name in _JARS.items():
        with zipfile.ZipFile(folder / name, "w") as archive:
            for path in sorted((classes / package).rglob("*.class")):
                archive.writestr(zipfile.ZipInfo(str(path.relative_to(classes))), path.read_bytes())
    shutil.rmtree(classes)
