"""A folder to build, and tools that are scripts which note how they are run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.cli.build_tool import Builder
from lambent.cli.languages.contract import Order
from lambent.clock import SystemClock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    return made


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """The only folder on the PATH but for the shell's programs."""
    made = tmp_path / "bin"
    made.mkdir()
    for program in ("sh", "cat", "cp", "chmod", "printf", "touch"):
        found = shutil.which(program)
        assert found
        (made / program).symlink_to(found)
    return made


@pytest.fixture
def builder(bin_folder: Path) -> Builder:
    return Builder(SystemClock(), environ={"PATH": str(bin_folder)})


@pytest.fixture
def order(folder: Path, tmp_path: Path) -> Order:
    (tmp_path / "scratch").mkdir()
    return Order(folder, tmp_path / "scratch", "provided.al2023", "hello")


@pytest.fixture
def fake(bin_folder: Path) -> Callable[[str, str], Path]:
    """Put a script on the PATH that writes its arguments, one a line, to the file that is returned."""

    def make(program: str, script: str) -> Path:
        noted = bin_folder / f"{program}.arguments"
        path = bin_folder / program
        path.write_text(f"#!{shutil.which('sh')}\nprintf '%s\\n' \"$@\" > {noted}\n{script}\n")
        path.chmod(0o755)
        return noted

    return make
