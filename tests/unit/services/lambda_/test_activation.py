"""From Pending to Active or Failed, whatever happens meanwhile."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
from unit.services.lambda_.function_bench import ACTIVE, PENDING, SCOPE, UPDATING, Bench, F, tell

from lambent.domain.function import FunctionVersion, State, UpdateStatus
from lambent.errors.families import DependencyError
from lambent.execution.environment import InitFailure
from lambent.runtimes.contract import RuntimeUnavailable

UNAVAILABLE = RuntimeUnavailable("python3.99 is not on this machine")


@pytest.fixture
def story(tmp_path: Path) -> Callable[..., None]:
    """Give a function that runs a coroutine with a bench over a real store."""
    return partial(tell, tmp_path)


def is_active(version: FunctionVersion) -> bool:
    return version.state is State.ACTIVE


def test_a_new_function_becomes_active(story: Callable[..., None]) -> None:
    """The reason goes, the update counts as successful, and the revision is new."""

    async def tell(bench: Bench) -> None:
        await bench.save(PENDING)
        settled = await bench.settle()
        assert settled == msgspec.structs.replace(ACTIVE, revision_id=settled.revision_id)
        assert settled.revision_id != "r1"

    story(tell)


def test_versions_published_of_it_settle_with_it(story: Callable[..., None]) -> None:
    """CreateFunction with Publish makes two versions of one preparation."""

    async def tell(bench: Bench) -> None:
        await bench.save(PENDING, msgspec.structs.replace(PENDING, version="1"))
        await bench.settle()
        assert (await bench.version("1")).state is State.ACTIVE
        assert len(bench.machine.prepared) == 1

    story(tell)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(UNAVAILABLE, str(UNAVAILABLE)), (KeyError("1"), "the deployment package is missing from the data folder")],
)
def test_what_cannot_run_is_failed_with_the_reason(story: Callable[..., None], failure: Exception, reason: str) -> None:
    """The reason is where GetFunction shows it."""

    async def tell(bench: Bench) -> None:
        await bench.save(PENDING)
        settled = await bench.settle()
        assert (settled.state, settled.state_reason, settled.state_reason_code) == (
            State.FAILED,
            reason,
            "InvalidRuntime",
        )
        assert (settled.last_update_status, settled.last_update_status_reason) == (UpdateStatus.FAILED, reason)

    story(tell, failure)


def test_an_update_takes_over_when_it_is_ready(story: Callable[..., None]) -> None:
    """Until then the old deployment serves."""

    async def tell(bench: Bench) -> None:
        await bench.save(UPDATING)
        assert (await bench.version()).deployment().deployment_id == "d1"
        settled = await bench.settle()
        assert (settled.state, settled.last_update_status) == (State.ACTIVE, UpdateStatus.SUCCESSFUL)
        assert settled.deployment().deployment_id == "d2"

    story(tell)


def test_an_update_that_failed_leaves_the_old_one_serving(story: Callable[..., None]) -> None:
    """The function stays Active; what was asked for is shown as failed."""

    async def tell(bench: Bench) -> None:
        await bench.save(UPDATING)
        settled = await bench.settle()
        assert (settled.state, settled.last_update_status) == (State.ACTIVE, UpdateStatus.FAILED)
        assert settled.last_update_status_reason == str(UNAVAILABLE)
        assert settled.deployment().deployment_id == "d1"

    story(tell, UNAVAILABLE)


def test_what_is_settled_is_not_touched(story: Callable[..., None]) -> None:
    """Asking twice writes once."""

    async def tell(bench: Bench) -> None:
        await bench.save(ACTIVE)
        assert await bench.settle() == ACTIVE

    story(tell)


def test_what_changed_meanwhile_is_left_to_the_change(story: Callable[..., None]) -> None:
    """The result of an older preparation says nothing about the new deployment."""

    async def tell(bench: Bench) -> None:
        await bench.save(PENDING)
        newer = msgspec.structs.replace(PENDING, deployment_id="d9", revision_id="r9")
        bench.machine.meanwhile = lambda: bench.save(newer)
        assert await bench.settle() == newer
        bench.machine.meanwhile = None
        assert (await bench.settle()).state is State.ACTIVE

    story(tell)


def test_what_was_deleted_meanwhile_does_not_come_back(story: Callable[..., None]) -> None:
    """Nor is a function that never was a failure."""

    async def tell(bench: Bench) -> None:
        async def delete() -> None:
            async with bench.store.transaction(SCOPE) as tx:
                await tx.delete_function(F)

        await bench.save(PENDING)
        bench.machine.meanwhile = delete
        await bench.activation.settle(SCOPE, F)
        await bench.activation.settle(SCOPE, F)
        assert await bench.store.function_count() == 0

    story(tell)


@pytest.mark.parametrize("left", [PENDING, msgspec.structs.replace(UPDATING, state=State.PENDING)])
def test_a_crash_in_the_middle_is_taken_up(story: Callable[..., None], left: FunctionVersion) -> None:
    """Nobody asks for it: the start finds what is unsettled."""

    async def tell(bench: Bench) -> None:
        await bench.save(left)
        await bench.run_until(is_active)

    story(tell)


def test_a_store_that_failed_is_asked_again(story: Callable[..., None]) -> None:
    """A failure of ours is no failure of the function: it stays Pending and is tried again."""

    async def tell(bench: Bench) -> None:
        await bench.save(PENDING)
        await bench.run_until(is_active)
        assert bench.machine.failures == []

    story(tell, DependencyError("disk full", retryable=True), DependencyError("disk full", retryable=True))


def test_a_failure_that_nobody_foresaw_ends_nothing(story: Callable[..., None]) -> None:
    """It is logged and tried again, and the task that settles all functions goes on."""

    async def tell(bench: Bench) -> None:
        await bench.save(PENDING)
        await bench.run_until(is_active)

    story(tell, RuntimeError("a fault of ours"))


SNAP_STARTED = msgspec.structs.replace(
    PENDING,
    version="1",
    deployment_id="d7",
    configuration=msgspec.structs.replace(PENDING.configuration, snap_start=True),
)


def test_a_version_with_snap_start_waits_for_its_first_init(story: Callable[..., None]) -> None:
    """`$LATEST` being ready is not enough: the version is Pending until its own init has run."""

    async def tell(bench: Bench) -> None:
        await bench.save(ACTIVE, SNAP_STARTED)
        (pending,) = await bench.activation.settle(SCOPE, F)
        assert (await bench.version("1")).state is State.PENDING
        await bench.activation.initialise(pending)
        settled = await bench.version("1")
        assert (settled.state, settled.state_reason, settled.last_update_status) == (
            State.ACTIVE, None, UpdateStatus.SUCCESSFUL,
        )  # fmt: skip
        assert bench.machine.first_inits == ["1"]
        assert list(await bench.activation.settle(SCOPE, F)) == []

    story(tell)


@pytest.mark.parametrize(
    ("failure", "reason", "code"),
    [
        (InitFailure("Runtime.Unknown", b'{"errorMessage":"no"}'), "no", "FunctionError.RuntimeInitError"),
        (InitFailure("", b'{"errorMessage":"Init timed out"}'), "Init timed out", "FunctionError.InitTimeout"),
        (
            InitFailure("Runtime.InvalidEntrypoint", b"?"),
            "Runtime.InvalidEntrypoint",
            "FunctionError.InvalidEntryPoint",
        ),
    ],
)
def test_a_first_init_that_fails_fails_the_version(
    story: Callable[..., None], failure: InitFailure, reason: str, code: str
) -> None:
    """State, reason and code say so; `$LATEST` is as it was."""

    async def tell(bench: Bench) -> None:
        await bench.save(ACTIVE, SNAP_STARTED)
        bench.machine.init_failures.append(failure)
        await bench.activation.initialise(SNAP_STARTED)
        settled = await bench.version("1")
        assert (settled.state, settled.state_reason, settled.state_reason_code) == (State.FAILED, reason, code)
        assert await bench.version() == ACTIVE

    story(tell)


def test_a_version_that_was_deleted_during_its_init_does_not_come_back(story: Callable[..., None]) -> None:
    """The init's end stores nothing."""

    async def tell(bench: Bench) -> None:
        async def delete() -> None:
            async with bench.store.transaction(SCOPE) as tx:
                await tx.delete_version(F, "1")

        await bench.save(ACTIVE, SNAP_STARTED)
        bench.machine.meanwhile = delete
        await bench.activation.initialise(SNAP_STARTED)
        async with bench.store.snapshot(SCOPE) as reading:
            assert await reading.version(F, "1") is None

    story(tell)


def test_a_first_init_that_was_nobodys_fault_is_tried_again(story: Callable[..., None]) -> None:
    """A failing sandbox, or no room, leaves the version Pending until it works; a start takes it up, too."""

    async def tell(bench: Bench) -> None:
        await bench.save(ACTIVE, SNAP_STARTED)
        bench.machine.init_failures.append(DependencyError("no room", retryable=True))
        await bench.run_until(is_active, "1")
        assert bench.machine.first_inits == ["1", "1"]

    story(tell)


NEW_RUNTIME = msgspec.structs.replace(UPDATING.configuration, runtime="python3.99")


def test_a_failing_update_leaves_a_version_in_its_first_init_alone(story: Callable[..., None]) -> None:
    """`$LATEST` has moved on from what the version was published of: what it asks for now is not the version's."""

    async def tell(bench: Bench) -> None:
        await bench.save(msgspec.structs.replace(UPDATING, configuration=NEW_RUNTIME), SNAP_STARTED)
        bench.machine.failures.append(UNAVAILABLE)
        (pending,) = await bench.activation.settle(SCOPE, F)
        assert (await bench.version()).last_update_status is UpdateStatus.FAILED
        assert await bench.version("1") == pending == SNAP_STARTED
        await bench.activation.initialise(pending)
        assert is_active(await bench.version("1"))

    story(tell)


def test_a_version_with_snap_start_is_prepared_before_its_first_init(story: Callable[..., None]) -> None:
    """Its runtime need not be that of `$LATEST`; where it cannot be had, the version fails and no init runs."""

    async def tell(bench: Bench) -> None:
        await bench.save(msgspec.structs.replace(ACTIVE, configuration=NEW_RUNTIME), SNAP_STARTED)
        bench.machine.failures.append(UNAVAILABLE)
        await bench.activation.initialise(SNAP_STARTED)
        failed = await bench.version("1")
        assert (failed.state, failed.state_reason, failed.state_reason_code) == (
            State.FAILED, str(UNAVAILABLE), "InvalidRuntime",
        )  # fmt: skip
        assert bench.machine.first_inits == []
        await bench.save(SNAP_STARTED)
        await bench.activation.initialise(SNAP_STARTED)
        assert bench.machine.prepared == ["python3.11"]
        assert bench.machine.first_inits == ["1"]

    story(tell)
