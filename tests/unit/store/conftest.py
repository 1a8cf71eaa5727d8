"""What tests of the store share."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest


@pytest.fixture
def small_disk(tmp_path: Path, leave_out: Callable[[str, str], NoReturn]) -> Iterator[Path]:
    """Give a file system of eight megabytes of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "lambent-test", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        leave_out("mount", "run the tests as root where file systems can be mounted")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
