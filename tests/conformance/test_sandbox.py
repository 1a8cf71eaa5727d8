"""Every sandbox driver passes the shared suite."""

from lambent.sandbox import DRIVERS
from lambent.testing.conformance.sandbox import SandboxConformance


class TestProcess(SandboxConformance):
    """The driver `process`."""

    driver_path = DRIVERS["process"]
