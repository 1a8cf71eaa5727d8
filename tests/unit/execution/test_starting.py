"""What a start takes from a deployment: package, merged layers, directories."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lambent.domain.caller import Scope
from lambent.domain.function import LATEST, Code, Configuration, Deployment, FileSystem, FunctionName
from lambent.domain.layer import AttachedLayer
from lambent.errors.families import DependencyError
from lambent.execution.starting import StartPlan, assignment, plan_start
from lambent.runtimes import contract as runtimes
from lambent.runtimes.contract import LayersAt, RuntimeCommand
from lambent.sandbox.contract import Ahead, Exit
from lambent.testing.credentials import function_credentials
from lambent.testing.scripted_sandbox import ScriptedRuntime, ScriptedSandbox
from lambent.testing.virtual_clock import VirtualClock

ARN = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
DEPLOYMENT = Deployment(
    Scope("000000000000", "us-east-1"),
    FunctionName("f"),
    LATEST,
    "f-1",
    Configuration("python3.13", "app.handler", "role"),
    Code("0" * 64, 1),
)


class Machine:
    """Packages and runtimes; remembers what was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder_of_layers = folder
        self.is_merged = False
        self.merged: list[tuple[str, ...]] = []
        self.asked: list[Any] = []
        self.starts_ahead = False

    def folder_nowait(self, sha256: str) -> Path:
        return Path("/package")

    def layers_nowait(self, sha256s: tuple[str, ...]) -> Path | None:
        return self.folder_of_layers if self.is_merged else None

    async def layers(self, sha256s: tuple[str, ...]) -> Path:
        self.merged.append(sha256s)
        self.is_merged = True
        return self.folder_of_layers

    async def command(self, *arguments: Any, memory_mib: int) -> RuntimeCommand:
        self.asked.append(arguments[-1])
        ahead = runtimes.Ahead(("bootstrap",), (("MIB", str(memory_mib)),)) if self.starts_ahead else None
        return RuntimeCommand(["bootstrap"], {}, {}, ahead=ahead)


async def _idle(runtime: ScriptedRuntime) -> Exit:
    return await runtime.next()  # type: ignore[return-value]


def plan(machine: Any, offered: dict[str, str] | None = None, **changes: Any) -> StartPlan:
    """Plan the start of a function with a changed configuration."""
    name = changes.pop("name", DEPLOYMENT.name)
    configuration = msgspec.structs.replace(DEPLOYMENT.configuration, **changes)
    deployment = msgspec.structs.replace(DEPLOYMENT, configuration=configuration, name=name)
    sandbox = ScriptedSandbox(_idle, VirtualClock())
    return asyncio.run(plan_start(deployment, sandbox, machine, machine, offered or {}))


def attached(*sha256s: str) -> tuple[AttachedLayer, ...]:
    return tuple(AttachedLayer(f"arn:{sha256}", sha256, 1) for sha256 in sha256s)


def test_without_layers_nothing_is_merged(tmp_path: Path) -> None:
    """Nor is the runtime told of any."""
    machine = Machine(tmp_path)
    found = plan(machine)
    assert (found.layers, found.file_systems, machine.merged, machine.asked) == (None, (), [], [None])


def test_layers_are_merged_in_their_order_once(tmp_path: Path) -> None:
    """The runtime learns where they are on the machine and where the function sees them."""
    machine = Machine(tmp_path)
    for _ in range(2):
        assert plan(machine, layers=attached("a", "b")).layers == tmp_path
    assert machine.merged == [("a", "b")]
    assert machine.asked[0] == LayersAt(tmp_path, str(tmp_path))


def test_what_runs_ahead_is_of_the_kind(tmp_path: Path) -> None:
    """Functions of another MemorySize find another kind of parked environment; others find one with nothing in it."""
    machine = Machine(tmp_path)
    assert plan(machine).kind.ahead is None
    machine.starts_ahead = True
    assert plan(machine, memory_mib=512).kind.ahead == Ahead(("bootstrap",), (("MIB", "512"),))
    assert plan(machine, memory_mib=512).kind != plan(machine, memory_mib=128).kind


def test_a_file_system_is_the_operators_directory(tmp_path: Path) -> None:
    """By its ARN; what it is assigned with holds the path inside and the directory."""
    found = plan(Machine(tmp_path), {ARN: "/srv/data"}, file_systems=(FileSystem(ARN, "/mnt/data"),))
    assert found.file_systems == (("/mnt/data", "/srv/data"),)

    async def assigned() -> Any:
        sandbox = ScriptedSandbox(_idle, VirtualClock())
        environment = await sandbox.park(found.kind)
        made = assignment(
            msgspec.structs.replace(found, layers=tmp_path),
            DEPLOYMENT,
            environment,
            await function_credentials(VirtualClock()).begin(DEPLOYMENT),
            log_stream="stream",
            endpoint="http://127.0.0.1:1",
            initialization_type="on-demand",
        )
        await sandbox.close()
        return made

    made = asyncio.run(assigned())
    assert (made.layers, made.file_systems) == (tmp_path, (("/mnt/data", "/srv/data"),))


def test_a_file_system_that_is_not_offered_any_more(tmp_path: Path) -> None:
    """The operator restarted the server without it: the start says what to do."""
    with pytest.raises(DependencyError, match=f"{ARN} is not offered any more: see --file-system") as refused:
        plan(Machine(tmp_path), file_systems=(FileSystem(ARN, "/mnt/data"),))
    assert not refused.value.retryable


def test_extensions_of_a_layer_are_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They are not started: the log says so when a function's layers are first looked at, not at each start."""
    (tmp_path / "extensions/own").mkdir(parents=True)
    for name in ("agent", "line\nbreak"):
        (tmp_path / "extensions" / name).touch()
    with caplog.at_level(logging.WARNING, logger="lambent.execution"):
        for name in ("with-extension", "with-extension", "another"):
            plan(Machine(tmp_path), layers=attached("a"), name=FunctionName(name))
    assert caplog.messages == [
        rf"layer.extensions_not_started function={name} names=['agent', 'line\nbreak']"
        for name in ("with-extension", "another")
    ]


def test_many_extensions_do_not_flood_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first ten have names."""
    (tmp_path / "extensions").mkdir()
    for number in range(50):
        (tmp_path / f"extensions/{number:02}").touch()
    with caplog.at_level(logging.WARNING, logger="lambent.execution"):
        plan(Machine(tmp_path), layers=attached("a"))
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith("'09'] more=40")


@pytest.mark.parametrize("what", ["nothing", "empty", "file"])
def test_layers_without_extensions_say_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str) -> None:
    """Nor do those whose extensions are none."""
    if what == "empty":
        (tmp_path / "extensions/folder").mkdir(parents=True)
    elif what == "file":
        (tmp_path / "extensions").touch()
    with caplog.at_level(logging.WARNING, logger="lambent.execution"):
        plan(Machine(tmp_path), layers=attached("a"))
    assert caplog.messages == []
