"""
Make the evidence of `lambent conformance` of what tests with real clients wrote down.

    python tools/observed.py write FILE...   what was observed becomes the evidence
    python tools/observed.py add FILE...     it joins the evidence that is there
    python tools/observed.py check FILE...   writes nothing; ends with 1 where evidence was not observed any more

A FILE is what LAMBENT_TEST_OBSERVED named in a run of the tests. `write` and `check` take whole runs, in which
nothing was left out; `add` takes any. `write` and `add` write docs/conformance.md anew as well.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from lambent.protocol.service_model import ServiceModel  # noqa: E402
from lambent.services.conformance import evidence  # noqa: E402
from lambent.services.conformance.evidence import Evidence, OperationEvidence  # noqa: E402
from lambent.services.conformance.markdown import render  # noqa: E402
from lambent.services.conformance.report import SERVICES, members_of, report  # noqa: E402

PAGE = ROOT / "docs" / "conformance.md"

TIMED = frozenset({"ResourceConflictException", "TooManyRequestsException", "ResourceNotFoundException"})
"""Errors that may come or not with the speed of a run: that one operation had one is kept, and not asked for again."""


NO_EVIDENCE = frozenset({"wire/test_conformance.py", "wire/test_observing.py", "wire/test_concurrent_updates.py"})
"""Tests that are about the report itself, and one whose clients race for who is refused."""


def gather(calls: Iterable[Mapping[str, Any]], service: str, before: Evidence) -> dict[str, OperationEvidence]:
    """
    Sum up what was observed of one service.

    Where several tests show the same, the one that `before` names stays, so that evidence changes only where tests did;
    otherwise the first by name.

    Args:
        calls: as tests/wire/observing.py writes them, each with service, operation, members, status, error and test.
        before: the evidence that is there.
    """
    known = {
        name: {path for path, _ in members_of(operation)}
        for name, operation in ServiceModel(service).operations.items()
        if name in SERVICES[service][1].acting
    }
    # Services of the query protocol answer codes that are not the shapes' names.
    shapes = {
        shape.traits.get("error", {}).get("code", name): name for name, shape in ServiceModel(service).errors.items()
    }
    members: dict[str, dict[str, set[str]]] = {}
    errors: dict[str, dict[str, set[str]]] = {}
    for call in calls:
        operation = call["operation"]
        if call["service"] != service or operation not in known or not call["test"] or call["test"] in NO_EVIDENCE:
            continue
        seen = members.setdefault(operation, {})
        if call["error"] is not None:
            error = shapes.get(call["error"], call["error"])
            errors.setdefault(operation, {}).setdefault(error, set()).add(call["test"])
        elif 200 <= call["status"] < 300:
            # The clients' model may be newer than the one that the server reads.
            for path in known[operation].intersection(call["members"]):
                seen.setdefault(path, set()).add(call["test"])
    summed = {}
    for operation, seen in members.items():
        old = before.get(operation, OperationEvidence())
        summed[operation] = OperationEvidence(
            _choose(seen, old.members), _choose(errors.get(operation, {}), old.errors)
        )
    return summed


def _choose(tests: Mapping[str, set[str]], before: Mapping[str, str]) -> dict[str, str]:
    return {what: before[what] if before.get(what) in found else min(found) for what, found in tests.items()}


def join(before: Evidence, found: Evidence) -> dict[str, OperationEvidence]:
    """Return what either holds; where both do, what `before` says stays."""
    joined = dict(found)
    for operation, old in before.items():
        new = found.get(operation, OperationEvidence())
        joined[operation] = OperationEvidence({**new.members, **old.members}, {**new.errors, **old.errors})
    return joined


def missing(claimed: Evidence, found: Evidence) -> Iterator[str]:
    """Yield what evidence claims and a whole run did not observe, a line each."""
    for operation, claim in sorted(claimed.items()):
        seen = found.get(operation)
        if seen is None:
            yield f"{operation} was not called"
            continue
        for path, test in sorted(claim.members.items()):
            if path not in seen.members:
                yield f"{operation}: {path} was in no request that was answered 2xx; it was in {test}"
        for code, test in sorted(claim.errors.items()):
            if code not in seen.errors and code not in TIMED:
                yield f"{operation}: {code} was not answered; it was in {test}"


def read(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Read what tests wrote down."""
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def check(paths: Sequence[Path]) -> list[str]:
    """Compare a whole run with the evidence; return what is not there any more, a line each."""
    calls = read(paths)
    return [
        f"{service}: {line}"
        for service in SERVICES
        for claimed in (evidence.load(service),)
        for line in missing(claimed, gather(calls, service, claimed))
    ]


def main(arguments: Sequence[str]) -> int:
    if len(arguments) < 2 or arguments[0] not in {"write", "add", "check"}:
        print(__doc__)
        return 2
    paths = [Path(argument) for argument in arguments[1:]]
    if arguments[0] == "check":
        lines = check(paths)
        for line in lines:
            print(line)
        return 1 if lines else 0
    calls = read(paths)
    for service in SERVICES:
        before = evidence.load(service)
        found = gather(calls, service, before)
        if arguments[0] == "add":
            found = join(before, found)
        evidence.path_of(service).write_text(evidence.write(found))
    PAGE.write_text(render(report()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
