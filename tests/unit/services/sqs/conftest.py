"""The SQS service over a real event queue, on a clock that stands still."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lambent.testing.sqs import SqsBench


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqsBench]:
    """For tables of what is refused: one for all rows, which change nothing."""
    bench = SqsBench(tmp_path_factory.mktemp("sqs"))
    yield bench
    bench.close()


@pytest.fixture
def sqs(tmp_path: Path) -> Iterator[SqsBench]:
    bench = SqsBench(tmp_path)
    yield bench
    bench.close()
