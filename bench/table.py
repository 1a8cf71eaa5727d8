"""The table, and what the figures were measured on."""

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bound:
    """A line that a figure should be on the right side of."""

    limit: float
    is_upper: bool = True
    """True: the figure may not exceed the limit. False: it may not fall below."""

    def holds(self, figure: float) -> bool:
        return figure <= self.limit if self.is_upper else figure >= self.limit

    def __str__(self) -> str:
        return f"{'<=' if self.is_upper else '>='} {self.limit:g}"


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str
    measured: str
    yardstick: str
    ratio: float | None = None
    required: Bound | None = None
    """What this version must reach."""
    goal: Bound | None = None
    """What a later version shall reach."""
    is_met: bool | None = None
    """For lines without a ratio: whether what is required holds."""
    required_text: str = ""

    @classmethod
    def of_times(
        cls,
        what: str,
        measured_s: float,
        yardstick_s: float,
        yardstick: str,
        *,
        required: Bound | None = None,
        goal: Bound | None = None,
    ) -> "Line":
        """Return the line of a duration and of the one that it is held against."""
        return cls(
            what,
            milliseconds(measured_s),
            f"{milliseconds(yardstick_s)}, {yardstick}",
            measured_s / yardstick_s,
            required=required,
            goal=goal,
        )

    @property
    def is_missed(self) -> bool:
        """Whether something required does not hold."""
        if self.is_met is not None:
            return not self.is_met
        return self.required is not None and self.ratio is not None and not self.required.holds(self.ratio)

    def cells(self) -> list[str]:
        """Return the line's cells in the order of the heading."""
        required = self.required_text or ("-" if self.required is None else str(self.required))
        if required != "-":
            required += " **missed**" if self.is_missed else " met"
        goal = "-" if self.goal is None else str(self.goal)
        if self.goal is not None and self.ratio is not None:
            goal += " met" if self.goal.holds(self.ratio) else " not yet"
        return [
            self.what,
            self.measured,
            self.yardstick,
            "-" if self.ratio is None else f"{self.ratio:.2f}",
            required,
            goal,
        ]


HEADING = ["what", "measured", "yardstick", "ratio", "required", "goal"]


def render(heading: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns line up."""
    rows = [list(heading), *[list(line) for line in lines]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heading))]
    texts = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    texts.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(texts)


def milliseconds(seconds: float) -> str:
    """Return a duration with three digits that mean something."""
    return f"{seconds * 1000:.2f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def mebibytes(size_bytes: float) -> str:
    return f"{size_bytes / 2**20:.1f} MiB"


def machine() -> str:
    """Return one line on the machine, with the load that others put on it."""
    cpu = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"server on Python {platform.python_version()} ({os.path.realpath(sys.executable)}), "
        f"load average {os.getloadavg()[0]:.2f}"
    )


def file_system(path: Path) -> str:
    """Return the type of the file system that holds `path`; a sync costs nothing on some of them."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mounted_at, found, *_ = line.split()
        is_above = str(path.resolve()).startswith(mounted_at.rstrip("/") + "/")
        if is_above and len(mounted_at) >= len(best):
            best, kind = mounted_at, found
    return kind
