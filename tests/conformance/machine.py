"""What this machine has for the suites of runtimes."""

import shutil
import tempfile
from pathlib import Path

import pytest

from lambent.clock import SystemClock
from lambent.runtimes.registry import HostRuntimes
from lambent.sandbox.probe import gather, lacks_of


def walled_driver() -> str:
    """Return the best driver of this machine whose environments have a root of their own."""
    facts = gather()
    if not lacks_of(facts, "namespace"):
        return "namespace"
    if lacks := lacks_of(facts, "rootless"):
        pytest.skip(f"needs:rootless:{lacks[0].what}")
    return "rootless"


class RuntimesHome:
    """A folder for clients, where functions can read them."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lambent-runtimes-"))
        self._folder.chmod(0o711)

    def runtimes(self, fallback: str, has_own_root: bool, preload: tuple[str, ...] = ()) -> HostRuntimes:
        return HostRuntimes(
            self._folder / "runtimes", "nobody", fallback, SystemClock(), has_own_root=has_own_root, preload=preload
        )

    def remove(self) -> None:
        shutil.rmtree(self._folder)
