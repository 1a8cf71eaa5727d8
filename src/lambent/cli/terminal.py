"""What is printed: tables for people, JSON for programs."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any, Literal

import typer

_USUAL_WIDTH = 80
"""Of a terminal, in letters."""

AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON and nothing else.")]


def print_json(value: Any) -> None:
    """Print one JSON document; times become ISO 8601."""
    print(_escaped(json.dumps(value, indent=2, ensure_ascii=False, default=_plain)))


def print_json_line(value: Any) -> None:
    """Print one JSON document on one line, at once: for streams."""
    print(_escaped(json.dumps(value, ensure_ascii=False, default=_plain)), flush=True)


def _escaped(document: str) -> str:
    """Return JSON without signs that a terminal obeys: those that JSON may have as they are stand in strings only."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


_OBEYED = re.compile("[\x7f-\x9f]")


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = (), whole: Sequence[str] = ()
) -> None:
    """
    Print a table, its cells as they are: no markup in them is obeyed, since they may hold user data.

    Args:
        headings: one per column.
        rows: the cells, by row.
        right: headings of the columns that hold numbers.
        whole: headings of columns whose cells stay on one line in a terminal of the usual width, such as dates: others
            give them room.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    # In less room, others would have none at all.
    kept = whole if console.width >= _USUAL_WIDTH else ()
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in right else "left"
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=heading in kept)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[str, int, int | None], None]]:
    """
    Show on stderr how far something is, where that is a terminal.

    Args:
        what: what goes on before anything is known.

    Yields: what to call with what goes on now, how many bytes are done, and of how many.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)

        def show(now: str, done_bytes: int, total_bytes: int | None) -> None:
            progress.update(task, description=now, completed=done_bytes, total=total_bytes)

        yield show
