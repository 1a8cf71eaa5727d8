"""Functions in Go."""

from collections.abc import Sequence
from pathlib import Path

from lambent.cli.build_tool import Builder, Tool
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import BOOTSTRAP, Order, Provided


class Go(Provided):
    """A Go module whose own folder is a program."""

    title = "Go"
    mark = "go.mod"
    _tool = Tool("go", "`apt install golang-go`")

    def is_in(self, folder: Path) -> bool:
        return (folder / "go.mod").is_file()

    def build(self, order: Order, builder: Builder) -> Sequence[Path]:
        target = order.scratch / BOOTSTRAP
        # Documented: developer guide, Deploy Go Lambda functions with .zip file archives: no C library, and without
        # the RPC client that only the old go1.x runtime used. -trimpath and -buildvcs make the same program of each
        # checkout; besides, git refuses to tell the revision of a folder that is another user's.
        builder.run(
            self._tool,
            *("build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-o", str(target), "."),
            folder=order.folder,
            variables={"CGO_ENABLED": "0"},
            shown="CGO_ENABLED=0 go build -tags lambda.norpc -o bootstrap .",
        )
        if not target.is_file() or target.read_bytes()[:7] == b"!<arch>":
            raise CommandFailed(f"{order.folder}: holds a library: a function is a `package main` with a `func main()`")
        target.chmod(0o755)
        return [order.scratch]
