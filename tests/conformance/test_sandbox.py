"""Every sandbox driver passes the shared suite."""

import pytest

from lambent.sandbox import DRIVERS
from lambent.sandbox.probe import gather, lacks_of
from lambent.testing.conformance.sandbox import SandboxConformance


def _needs(driver: str) -> None:
    if lacks := lacks_of(gather(), driver):
        pytest.skip(f"needs:{driver}:{lacks[0].what}")


class TestProcess(SandboxConformance):
    """The driver `process`."""

    driver_path = DRIVERS["process"]


class TestNamespace(SandboxConformance):
    """The driver `namespace`."""

    driver_path = DRIVERS["namespace"]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _possible(cls) -> None:
        _needs("namespace")


class TestRootless(SandboxConformance):
    """The driver `rootless`, here with root's own processes in a user namespace."""

    driver_path = DRIVERS["rootless"]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _possible(cls) -> None:
        _needs("rootless")
