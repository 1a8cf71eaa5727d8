"""Who can start which runtime."""

import asyncio
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.runtimes.catalogue import CATALOGUE
from lambent.runtimes.contract import Runtimes, RuntimeUnavailable
from lambent.runtimes.registry import HostRuntimes


@pytest.fixture
def runtimes(tmp_path: Path) -> Runtimes:
    return HostRuntimes(tmp_path / "runtimes", "nobody", "none", SystemClock())


def test_known_and_offered(runtimes: Runtimes) -> None:
    """The catalogue is known; Python from 3.9, Node.js from 18, Ruby from 3.2 on and what packages bring is offered."""
    offered = {runtime for runtime in runtimes.identifiers() if runtimes.is_offered(runtime)}
    assert offered >= {
        *(f"python3.{minor}" for minor in range(9, 16)),
        "provided.al2023",
        "provided.al2",
        "provided",
        "go1.x",
    }
    assert offered >= {"nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x"}
    assert offered >= {"ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0"}
    assert not offered & {"nodejs16.x", "nodejs26.x", "python3.8", "ruby2.7", "custom"}
    assert runtimes.is_known("ruby2.7")
    assert not runtimes.is_known("cobol85")
    assert not runtimes.is_offered("cobol85")


def test_other_families_are_refused_by_name(runtimes: Runtimes) -> None:
    """A known runtime that this version cannot run is not called unknown."""
    with pytest.raises(RuntimeUnavailable, match=r"ruby2\.7 is not offered by this version of Lambent"):
        asyncio.run(runtimes.prepare("ruby2.7"))


def test_availability_covers_the_catalogue(runtimes: Runtimes) -> None:
    """A row for each identifier; what is not available has a reason, what could be has a remedy."""
    rows = asyncio.run(runtimes.availability())
    assert [row.runtime for row in rows] == list(CATALOGUE)
    assert all(row.detail for row in rows)
    assert all(row.remedy for row in rows if row.provider == "host" and not row.available)


def test_the_label_of_init_start(runtimes: Runtimes) -> None:
    """Family, version, and a number after the v."""
    assert runtimes.version_label("python3.13") == "python:3.13.v422"
    assert runtimes.version_label("nodejs22.x") == "nodejs:22.v1"
    assert runtimes.version_label("ruby3.4") == "ruby:3.4.v1"
    assert runtimes.version_label("provided.al2023") == "provided:al2023.v1"
    assert runtimes.version_label("provided") == "provided:al1.v1"
    assert runtimes.version_label("go1.x") == "go:1.x.v1"
