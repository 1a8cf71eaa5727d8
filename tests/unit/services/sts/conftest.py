from pathlib import Path

import pytest
from unit.services.sts.sts_bench import StsBench

from lambent.testing.stores import make_sqlite


@pytest.fixture
def sts(tmp_path: Path) -> StsBench:
    make_sqlite(tmp_path / "state.db")
    return StsBench(tmp_path / "state.db")
