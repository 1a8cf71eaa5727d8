"""What all managed runtimes have in common."""

import os
import stat
from pathlib import Path

from lambent.clock import SystemClock
from lambent.runtimes.managed import (
    finish_client_folder,
    host_variables,
    new_client_folder,
    own_root_variables,
    reserved,
    wrapped,
)


def test_a_wrapper_gets_the_command() -> None:
    """AWS_LAMBDA_EXEC_WRAPPER is started by a shell, with the command as its arguments; without it nothing changes."""
    assert wrapped(("/bin/x", "y"), {}) == ("/bin/x", "y")
    assert list(wrapped(("/bin/x", "y"), {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/w"}))[-3:] == ["/opt/w", "/bin/x", "y"]


def test_paths_are_lambdas() -> None:
    """PATH and LD_LIBRARY_PATH as recorded; those of layers come last."""
    inside = own_root_variables("/var/task")
    assert inside["PATH"] == "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"
    assert inside["LD_LIBRARY_PATH"] == (
        "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
    )
    outside = host_variables(Path("/l/bin"), Path("/client"), "/task", "/layers")
    assert outside["PATH"] == "/l/bin:/usr/local/bin:/usr/bin/:/bin:/layers/bin"
    assert outside["LD_LIBRARY_PATH"] == "/client:/client/lib:/task:/task/lib:/layers/lib"


def test_the_runtime_is_named() -> None:
    """AWS_EXECUTION_ENV names what was asked for."""
    assert reserved("nodejs22.x", "/c") == {"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs22.x", "LAMBDA_RUNTIME_DIR": "/c"}


def test_a_folder_gets_its_name_when_it_is_complete(tmp_path: Path) -> None:
    """Every user can read it; a second one of that name is dropped; one that lacks its entry is in the way."""
    clock = SystemClock()
    unfinished = new_client_folder(tmp_path / "runtimes", clock)
    (unfinished / "entry").write_text("x")
    (unfinished / "entry").chmod(0o600)
    finish_client_folder(unfinished, tmp_path / "runtimes/client", "entry")
    assert [path.name for path in (tmp_path / "runtimes").iterdir()] == ["client"]
    assert stat.S_IMODE((tmp_path / "runtimes/client").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "runtimes/client/entry").stat().st_mode) == 0o644
    second = new_client_folder(tmp_path / "runtimes", clock)
    (second / "entry").write_text("y")
    finish_client_folder(second, tmp_path / "runtimes/client", "entry")
    assert (tmp_path / "runtimes/client/entry").read_text() == "x"


def test_what_a_server_left_behind_is_removed(tmp_path: Path) -> None:
    """A folder that nobody has finished for a day, and none that is younger."""
    clock = SystemClock()
    old, young = new_client_folder(tmp_path, clock), new_client_folder(tmp_path, clock)
    os.utime(old, (0, 0))
    new_client_folder(tmp_path, clock)
    assert not old.exists()
    assert young.exists()
