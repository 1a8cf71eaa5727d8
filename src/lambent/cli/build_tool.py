"""
The tools that build functions and install runtimes: run with progress, silent when all is well, their last words when
it is not.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from lambent.cli.failure import CommandFailed
from lambent.clock import Clock

HEARTBEAT_S = 10.0
"""How long a build may be silent before it is said that it goes on. Long enough to say nothing of a quick one."""

LAST_WORDS_LINES = 20
LINE_MAX_BYTES = 2000
"""What is kept of a failed build: enough for a compiler's error, and no more than a terminal shows."""

_READER_GRACE_S = 2.0
"""A daemon that a tool leaves behind (a compiler's cache) may hold its output open: it is not waited for longer."""

_FUNCTION_UMASK = 0o022
"""Functions run as another user, who has to read what was built, whatever this user's own umask is."""


@dataclass(frozen=True)
class Tool:
    """A program that a build needs."""

    program: str
    """Its name on PATH, or its path."""
    remedy: str
    """The command that installs it."""


@dataclass(frozen=True)
class Builder:
    """
    Runs tools, and says on stderr what is going on.

    Args:
        clock: measures how long they take.
        verbose: whether their output is shown as it comes.
        command: the command of Lambent that runs them.
        undone: what their failure means.
    """

    clock: Clock
    verbose: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    command: str = "deploy"
    undone: str = "nothing has been deployed"

    def say(self, line: str) -> None:
        """Print one line of progress."""
        print(f"{self.command}: {line}", file=sys.stderr, flush=True)

    def has(self, program: str) -> bool:
        """Whether a program is on the PATH."""
        return shutil.which(program, path=self.environ.get("PATH")) is not None

    def ask(self, *command: str, folder: Path) -> str | None:
        """Return what a quick command prints, without the line's end; None when it is missing or fails."""
        try:
            done = subprocess.run(
                command, cwd=folder, env=self.environ, capture_output=True, stdin=subprocess.DEVNULL, check=False
            )
        except OSError:
            return None
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None

    def run(
        self,
        tool: Tool,
        *arguments: str,
        folder: Path,
        shown: str,
        variables: Mapping[str, str] | None = None,
        has_answer: bool = False,
    ) -> bytes:
        """
        Run a tool to its end.

        Args:
            tool: what to run.
            arguments: what follows its name.
            folder: where it runs.
            shown: the command as progress and failure name it, without paths that nobody typed.
            variables: environment variables beside those of this process.
            has_answer: whether its stdout is for a program, and its stderr alone for people.

        Returns: what it wrote to stdout, where that is an answer.

        Raises:
            CommandFailed: it is not installed, or it failed: its last lines have then been printed.
        """
        if not self.has(tool.program):
            raise CommandFailed(f"{tool.program} is not installed, and this function is built with it: {tool.remedy}")
        self.say(f"running `{shown}`")
        began = self.clock.monotonic()
        words: deque[str] = deque(maxlen=LAST_WORDS_LINES)
        with tempfile.TemporaryFile() as answer:
            # Into a file, which takes any amount without somebody who reads along.
            output = answer if has_answer else None
            code = self._follow([tool.program, *arguments], folder, variables or {}, output, words)
            if code != 0:
                self._print_last_words(words)
                how = f"exit code {code}" if code > 0 else f"signal {-code}"
                raise CommandFailed(f"`{shown}` failed with {how}: {self.undone}")
            self.say(f"done after {self.clock.monotonic() - began:.1f} s")
            answer.seek(0)
            return answer.read()

    def _follow(
        self,
        command: Sequence[str],
        folder: Path,
        variables: Mapping[str, str],
        answer: IO[bytes] | None,
        words: deque[str],
    ) -> int:
        """Run a command, collect the last lines that it has for people, say that it goes on; return its code."""
        began = self.clock.monotonic()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**self.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if answer is None else answer,
            stderr=subprocess.STDOUT if answer is None else subprocess.PIPE,
            umask=_FUNCTION_UMASK,
        )
        said = process.stdout or process.stderr
        assert said is not None
        reader = threading.Thread(target=self._read, args=(said, words), daemon=True)
        try:
            reader.start()
            while True:
                try:
                    code = process.wait(HEARTBEAT_S)
                    break
                except subprocess.TimeoutExpired:
                    newest = f": {words[-1].strip()}" if words and not self.verbose else ""
                    self.say(f"still running after {self.clock.monotonic() - began:.0f} s{newest}")
        finally:
            # Ctrl-C, or another end of this command: nothing goes on building.
            if process.poll() is None:
                process.terminate()
                process.wait()
            if reader.ident is not None:
                reader.join(_READER_GRACE_S)
        return code

    def _read(self, stream: IO[bytes], words: deque[str]) -> None:
        with stream:
            for line in iter(lambda: stream.readline(LINE_MAX_BYTES), b""):
                text = line.decode(errors="replace").rstrip()
                words.append(text)
                if self.verbose:
                    self._print_word(text)

    def _print_last_words(self, words: deque[str]) -> None:
        if not self.verbose:
            for line in words:
                self._print_word(line)

    def _print_word(self, line: str) -> None:
        print("    " + line, file=sys.stderr, flush=True)
