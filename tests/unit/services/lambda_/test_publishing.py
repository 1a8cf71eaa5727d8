"""What a published version begins with."""

from pathlib import Path

import msgspec
import pytest
from unit.services.lambda_.function_bench import ACTIVE, SCOPE, UPDATING, Bench, F, tell

from lambent.domain.function import FunctionVersion, State, UpdateStatus
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import CodeStorageExceededException
from lambent.services.lambda_.publishing import CREATING, publish

FAILED_UPDATE = msgspec.structs.replace(
    UPDATING,
    last_update_status=UpdateStatus.FAILED,
    last_update_status_reason="no runtime",
    last_update_status_reason_code="InvalidRuntime",
)
SNAP_START = msgspec.structs.replace(ACTIVE.configuration, snap_start=True)


async def published(bench: Bench, latest: FunctionVersion, code_total_max_bytes: int = 2) -> FunctionVersion:
    """Publish a function whose package has one byte."""
    quotas = Quotas(code_total_max_bytes=code_total_max_bytes)
    await bench.save(latest)
    async with bench.store.transaction(SCOPE) as tx:
        function = await tx.function(F)
        assert function is not None
        return await publish(tx, function, latest, bench.clock, quotas, description=None)


@pytest.mark.parametrize(
    "latest",
    [
        UPDATING,
        FAILED_UPDATE,
        msgspec.structs.replace(ACTIVE, configuration=SNAP_START),
        msgspec.structs.replace(FAILED_UPDATE, configuration=SNAP_START),
    ],
)
def test_what_is_not_prepared_is_pending(tmp_path: Path, latest: FunctionVersion) -> None:
    """While `$LATEST` serves something older, and with SnapStart: as a new function is, whatever failed before."""

    async def story(bench: Bench) -> None:
        version = await published(bench, latest)
        assert (version.state, version.state_reason, version.state_reason_code) == (State.PENDING, *CREATING)
        assert (version.last_update_status, version.last_update_status_reason) == (None, None)
        assert version.serving is None
        assert await bench.version("1") == version

    tell(tmp_path, story)


def test_what_serves_is_published_active(tmp_path: Path) -> None:
    """A version of what `$LATEST` serves needs nothing more."""

    async def story(bench: Bench) -> None:
        version = await published(bench, ACTIVE)
        assert (version.state, version.last_update_status) == (State.ACTIVE, UpdateStatus.SUCCESSFUL)

    tell(tmp_path, story)


def test_every_version_takes_its_copy_of_the_package(tmp_path: Path) -> None:
    """Where there is no room for one more, nothing is published; publishing the same again takes none."""

    async def story(bench: Bench) -> None:
        with pytest.raises(CodeStorageExceededException):
            await published(bench, ACTIVE, code_total_max_bytes=1)
        first = await published(bench, ACTIVE, code_total_max_bytes=2)
        assert (await published(bench, ACTIVE, code_total_max_bytes=2)).version == first.version == "1"

    tell(tmp_path, story)
