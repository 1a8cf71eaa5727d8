"""
Times freeze and thaw of one idle environment; prints the two medians in seconds.

Run as `python -m bench.freeze FOLDER`: in a process of its own, since the driver is used directly.
"""

import asyncio
import statistics
import sys
import time
from pathlib import Path

from lambent.clock import SystemClock
from lambent.sandbox.contract import Assignment, DriverSettings, ParkedKind
from lambent.sandbox.namespace import NamespaceSandbox

_ROUNDS = 200


async def _measure(folder: Path) -> tuple[float, float]:
    package = folder / "package"
    package.mkdir(mode=0o755)
    driver = NamespaceSandbox(DriverSettings(run_folder=folder / "run", egress="none"), SystemClock())
    try:
        environment = await driver.park(ParkedKind())
        work = Assignment(
            argv=["/bin/sleep", "3600"], environ={}, working_directory="/", package=package, memory_mib=128
        )
        await driver.assign(environment, work)
        freezes, thaws = [], []
        for _ in range(_ROUNDS):
            begin = time.perf_counter()
            driver.freeze(environment)
            middle = time.perf_counter()
            driver.thaw(environment)
            thaws.append(time.perf_counter() - middle)
            freezes.append(middle - begin)
        return statistics.median(freezes), statistics.median(thaws)
    finally:
        await driver.close()


if __name__ == "__main__":
    freeze_s, thaw_s = asyncio.run(_measure(Path(sys.argv[1])))
    print(freeze_s, thaw_s)
