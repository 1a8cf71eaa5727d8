"""The function behind a mapping: when it can run, and how a run goes."""

from pathlib import Path

import msgspec
from unit.dispatch.async_bench import SCOPE
from unit.event_sources.mapping_bench import Bench, tell

from lambent.domain.function import FunctionName, State
from lambent.domain.invocation import Invocation, InvocationOutcome, RestoreFailure
from lambent.domain.trace import next_trace
from lambent.domain.traced import Accepted, Linked
from lambent.errors.families import DependencyError
from lambent.event_sources.mapped_function import MappedFunction, NotRun
from lambent.fleet.contract import Throttled
from lambent.testing.traces import LeftTraces

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


async def function_of(bench: Bench) -> MappedFunction:
    await bench.function(reserved_executions=2)
    await bench.queue()
    uuid = await bench.mapping(Enabled=False)
    async with bench.store.snapshot(SCOPE) as reading:
        mapping = await reading.event_source_mappings.get(uuid)
    assert mapping is not None
    return MappedFunction(bench.dispatcher, bench.clock, mapping)


def test_when_it_can_run(tmp_path: Path) -> None:
    """While it is Active; as much as its reservation leaves."""

    async def story(bench: Bench) -> None:
        function = await function_of(bench)
        assert await function.version() is not None
        assert (await function.room(), function.room_nowait()) == (2, 2)
        await bench.set_state("f", State.FAILED)
        assert await function.version() is None
        async with bench.store.transaction(SCOPE) as tx:
            await tx.delete_function(FunctionName("f"))
        assert await function.version() is None
        # Made anew so that its callers name a tenant, which no queue can.
        await bench.function(for_tenants=True)
        assert await function.version() is None

    tell(tmp_path, story)


def test_what_is_no_run(tmp_path: Path) -> None:
    """A refusal, a machine that fails, and an environment that cannot be restored are not the function's fault."""

    async def story(bench: Bench) -> None:
        function = await function_of(bench)
        version = await function.version()
        assert version is not None
        bench.fleet.refusal = Throttled("x")
        assert await function.run(version, b"{}", "") == NotRun(is_throttled=True)
        bench.fleet.refusal = DependencyError("no room", retryable=True)
        assert await function.run(version, b"{}", "") == NotRun(is_throttled=False)
        bench.fleet.refusal = None

        async def not_restored(invocation: Invocation) -> InvocationOutcome:
            return InvocationOutcome(b"", "1", restore_failure=RestoreFailure.TIMED_OUT)

        bench.fleet.does = not_restored
        assert await function.run(version, b"{}", "") == NotRun(is_throttled=False)

    tell(tmp_path, story)


def test_a_chain_is_counted(tmp_path: Path) -> None:
    """By the lineage in the header; sixteen passes are let through, unless the function may recurse."""

    async def story(bench: Bench) -> None:
        function = await function_of(bench)
        assert (function.passes(""), function.passes("Root=1-2-3")) == (1, 1)
        header = next_trace("Root=1-2-3", 0, "", "", ARN).header
        assert function.passes(header) == 2
        assert await function.may_run(16)
        assert not await function.may_run(17)
        async with bench.store.transaction(SCOPE) as tx:
            stored = await tx.function(FunctionName("f"))
            assert stored is not None
            await tx.save_function(msgspec.structs.replace(stored, may_recurse=True))
        assert await function.may_run(17)

    tell(tmp_path, story)


def test_a_sampled_run_is_left_once_it_has_run(tmp_path: Path) -> None:
    """With the producers that are sampled and name a segment, each once; a run that was refused leaves nothing."""
    producers = [f"Root=1-654c0557-{digit * 24};Parent={digit * 16};Sampled=1" for digit in "aab"]
    others = ["", "Root=1-2-3", f"Root=1-654c0557-{'d' * 24};Sampled=1", producers[0].replace("Sampled=1", "Sampled=0")]

    async def story(bench: Bench) -> None:
        traces = bench.dispatcher.traces = LeftTraces(bench.clock)
        function = await function_of(bench)
        version = await function.version()
        assert version is not None
        bench.fleet.refusal = Throttled("x")
        await function.run(version, b"{}", producers[0], producers=producers)
        assert traces.left == []
        bench.fleet.refusal = None
        await function.run(version, b"{}", producers[0], producers=[*producers, *others])
        *linked, accepted = traces.left
        assert isinstance(accepted, Accepted)
        assert [link.segment_id for link in accepted.links] == ["a" * 16, "b" * 16]
        assert [(one.trace_id, one.id) for one in linked if isinstance(one, Linked)] == [
            tuple(x) for x in accepted.links
        ]
        assert accepted.parent_id == ""
        # None of them is sampled: nor is this one, in a trace of its own.
        await function.run(version, b"{}", others[3], producers=[others[3]])
        await function.run(version, b"{}", "", producers=[])
        assert len(traces.left) == 3
        roots = {invocation.trace_header.partition(";")[0] for _, invocation in bench.fleet.ran}
        assert len(roots) == len(bench.fleet.ran)

    tell(tmp_path, story)
