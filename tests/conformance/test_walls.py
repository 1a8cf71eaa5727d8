"""Every sandbox driver holds off what it says that it holds off."""

import os
import subprocess
import sys

import pytest

from lambent.sandbox import DRIVERS
from lambent.sandbox.walls import Wall
from lambent.testing.conformance.walls import WallConformance

if sys.platform != "linux":
    pytest.skip("needs:linux:run the tests on Linux as well", allow_module_level=True)


def test_every_wall_has_its_attack() -> None:
    """A row of the table without a test would be a claim that nobody checks."""
    tests = {name for name, value in vars(WallConformance).items() if name.startswith("test_") and callable(value)}
    assert tests == {f"test_{wall.name.lower()}" for wall in Wall}


class TestProcess(WallConformance):
    """The driver `process`."""

    driver_path = DRIVERS["process"]


if os.geteuid() == 0:

    class TestNamespace(WallConformance):
        """The driver `namespace`, which wants root."""

        driver_path = DRIVERS["namespace"]


def _has_user_namespaces() -> bool:
    command = ["unshare", "--user", "--map-root-user", "true"]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


if _has_user_namespaces():

    class TestRootless(WallConformance):
        """The driver `rootless`, which wants user namespaces."""

        driver_path = DRIVERS["rootless"]
