"""Functions in Rust."""

import json
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from lambent.cli.build_tool import Builder, Tool
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import BOOTSTRAP, Order, Provided


class Rust(Provided):
    """A Cargo package with a program."""

    title = "Rust"
    mark = "Cargo.toml"
    _tool = Tool("cargo", "`apt install cargo`, or rustup for a newer one")

    def is_in(self, folder: Path) -> bool:
        return (folder / "Cargo.toml").is_file()

    def build(self, order: Order, builder: Builder) -> Sequence[Path]:
        target = self._static_target(order.folder, builder)
        options = [] if target is None else ["--target", target]
        answer = builder.run(
            self._tool,
            *("build", "--release", *options, "--message-format", "json-render-diagnostics"),
            folder=order.folder,
            shown=" ".join(["cargo build --release", *options]),
            has_answer=True,
        )
        program = self._choose(dict(self._programs(answer)), order)
        made = order.scratch / BOOTSTRAP
        made.write_bytes(program.read_bytes())
        made.chmod(0o755)
        return [order.scratch]

    def _static_target(self, folder: Path, builder: Builder) -> str | None:
        """Return the target that needs no C library where functions run, None when it is not installed."""
        if sys.platform != "linux" or "CARGO_BUILD_TARGET" in builder.environ:
            return None
        target = f"{platform.machine()}-unknown-linux-musl"
        libraries = builder.ask("rustc", "--print", "target-libdir", "--target", target, folder=folder)
        return target if libraries and Path(libraries).is_dir() else None

    def _programs(self, answer: bytes) -> Iterator[tuple[str, Path]]:
        """Yield (name, path) of the programs that cargo says it built, one JSON object a line."""
        for line in answer.splitlines():
            try:
                message = json.loads(line)
            except ValueError:
                continue  # A build script may print what it likes.
            if isinstance(message, dict) and message.get("executable") and "bin" in message["target"]["kind"]:
                yield message["target"]["name"], Path(message["executable"])

    def _choose(self, programs: dict[str, Path], order: Order) -> Path:
        for name in (BOOTSTRAP, order.name):
            if name in programs:
                return programs[name]
        if len(programs) == 1:
            return next(iter(programs.values()))
        if not programs:
            raise CommandFailed(f"{order.folder}: holds a library: a function is a program, with a src/main.rs")
        raise CommandFailed(
            f"{order.folder}: holds several programs ({', '.join(sorted(programs))}): the function's is the one "
            f"that is called {BOOTSTRAP}, or as the function is (--name)"
        )
