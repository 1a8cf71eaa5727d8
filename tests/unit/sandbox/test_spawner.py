"""The spawner keeps no more zygotes than it needs."""

import asyncio
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.sandbox.contract import DriverSettings, ParkedKind
from lambent.sandbox.namespace import NamespaceSandbox
from lambent.sandbox.probe import gather, lacks_of
from lambent.sandbox.process_table import descendants
from lambent.sandbox.spawner import ZYGOTES_MAX


def test_zygotes_of_owners_that_are_gone_end(tmp_path: Path) -> None:
    """Many owners, one after the other, leave a bounded number behind; one with an environment is never ended."""
    if lacks := lacks_of(gather(), "namespace"):
        pytest.skip(f"needs:namespace:{lacks[0].what}")

    async def play() -> None:
        driver = NamespaceSandbox(DriverSettings(run_folder=tmp_path / "run", egress="none"), SystemClock())
        try:
            kept = await driver.park(ParkedKind(owner="kept"))
            for number in range(ZYGOTES_MAX + 5):
                environment = await driver.park(ParkedKind(owner=str(number)))
                driver.kill(environment)
                await driver.wait(environment)
                driver.release(environment)
            link = driver._spawner
            assert link is not None
            # Of the kept environment there are process 1 and its runtime beside the zygotes.
            assert len(descendants(link._process.pid)) <= ZYGOTES_MAX + 2
            assert not kept.ended.done()
        finally:
            await driver.close()

    asyncio.run(play())
