"""docs/conformance.md is what `lambent conformance` prints; everything in it is judged, and claims are shown."""

import re
from pathlib import Path

import pytest

from lambent.protocol.service_model import ServiceModel
from lambent.services.conformance.evidence import load
from lambent.services.conformance.judgement import Verdict
from lambent.services.conformance.markdown import leaves_of, render
from lambent.services.conformance.report import SERVICES, ServiceReport, members_of, report

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
SOURCES = ROOT / "src" / "lambent"

REPORT = report()
MODELS = {name: ServiceModel(name) for name in SERVICES}

by_service = pytest.mark.parametrize("service", REPORT.services, ids=lambda service: service.name)


def members(service: ServiceReport) -> dict[tuple[str, str], Verdict]:
    """Return the verdict on each member of the operations that are offered."""
    return {
        (operation.name, member.path): member.verdict
        for operation in service.operations
        for member in operation.members
    }


def test_the_page_is_fresh() -> None:
    """Models, tables or evidence have changed: `lambent conformance > docs/conformance.md` writes the page anew."""
    assert (ROOT / "docs" / "conformance.md").read_text() == render(REPORT)


@by_service
def test_every_operation_has_its_place(service: ServiceReport) -> None:
    """Offered or not offered with a reason: one of the two tables holds it, and neither holds anything else."""
    _, judgements, not_offered = SERVICES[service.name]
    assert set(judgements.acting).isdisjoint(not_offered)
    assert set(judgements.acting) | set(not_offered) == {operation.name for operation in service.operations}


@by_service
def test_every_member_is_judged(service: ServiceReport) -> None:
    """A member that a newer model brings is refused or acts: a line of services/<service>/conformance.py says which."""
    assert [where for where, verdict in members(service).items() if verdict is Verdict.UNKNOWN] == []


@by_service
def test_tables_hold_nothing_that_the_model_does_not(service: ServiceReport) -> None:
    """A name that was misspelt, or that a newer model lost, judges nothing."""
    judgements = SERVICES[service.name][1]
    known = {
        operation: {path for path, _ in members_of(MODELS[service.name].operations[operation])}
        for operation in judgements.acting
    }
    unknown = [
        f"{operation}:{path}"
        for operation, paths in judgements.acting.items()
        for path in paths.split()
        if path not in known[operation]
    ]
    anywhere = set().union(*known.values())
    for table in (judgements.remarks, judgements.echoed, judgements.taken, judgements.refused):
        for key in table:
            operation, _, path = key.rpartition(":")
            if path not in (known.get(operation, set()) if operation else anywhere):
                unknown.append(key)
    assert unknown == []


@by_service
def test_one_table_judges_a_member(service: ServiceReport) -> None:
    """What acts is in no other table, and what is in none of its own is in one of the others only."""
    judgements = SERVICES[service.name][1]
    others = (judgements.echoed, judgements.taken, judgements.refused)
    twice = [
        (operation, path)
        for operation, path in members(service)
        if (path in judgements.acting[operation].split())
        + sum(path in table or f"{operation}:{path}" in table for table in others)
        > 1
    ]
    assert twice == []


@by_service
def test_what_is_accepted_is_shown(service: ServiceReport) -> None:
    """
    A claim needs a test: with a real client, seen by `make conformance`, or named in the table where none can be.

    Structures count by what they hold.
    """
    unshown = [
        f"{operation.name}:{member.path}"
        for operation in service.operations
        for member in leaves_of(operation)
        if member.verdict is not Verdict.REFUSED and member.shown_by is None
    ]
    assert unshown == []


@by_service
def test_offered_operations_were_answered(service: ServiceReport) -> None:
    """Those without input as well."""
    found = load(service.name)
    assert [name for name in SERVICES[service.name][1].acting if name not in found] == []


@by_service
def test_every_error_has_its_place(service: ServiceReport) -> None:
    """Given, or never given with a reason: one of the two, and nothing that the model does not hold."""
    judgements = SERVICES[service.name][1]
    given, never = judgements.given.split(), " ".join(judgements.never.values()).split()
    assert sorted(given + never) == sorted(MODELS[service.name].errors)


@by_service
def test_errors_that_are_given_are_shown(service: ServiceReport) -> None:
    """Some operation answered each in a test, or the table names a test that does."""
    assert [
        error.name for error in service.errors if error.is_given and not error.operations and error.shown_by is None
    ] == []


@by_service
def test_errors_that_are_never_given_were_never_seen(service: ServiceReport) -> None:
    """No test saw one, and no code of the service names one."""
    module, judgements, _ = SERVICES[service.name]
    never = set(" ".join(judgements.never.values()).split())
    seen = {code for found in load(service.name).values() for code in found.errors}
    assert never & seen == set()
    folders = [SOURCES / "services" / module] + ([SOURCES / "domain"] if service.name == "lambda" else [])
    named = {
        word
        for folder in folders
        for path in folder.glob("*.py")
        if path.name != "conformance.py"
        for word in re.findall(r"\w+Exception\b", path.read_text())
    }
    assert never & named == set()


@by_service
def test_what_no_client_shows_is_shown_elsewhere(service: ServiceReport) -> None:
    """The test that the table names is there and names what it is to show; where a client shows it too, it goes."""
    judgements, found = SERVICES[service.name][1], load(service.name)
    faults = []
    for what, test in judgements.shown_otherwise.items():
        operation, _, name = what.rpartition(":")
        word = re.split(r"[.\[\]]+", name)[-1]
        if not (TESTS / test).is_file() or word not in (TESTS / test).read_text():
            faults.append(f"{test} does not show {what}")
        if operation and name in found[operation].members:
            faults.append(f"{what} is shown by a client's test: its line can go")
        if not operation and any(name in operations.errors for operations in found.values()):
            faults.append(f"{what} is shown by a client's test: its line can go")
    assert faults == []


@by_service
def test_evidence_is_of_this_tree(service: ServiceReport) -> None:
    """It speaks of operations that are offered, of members of the model, and of tests that there are."""
    judgements = SERVICES[service.name][1]
    known = members(service)
    stale = []
    for operation, found in load(service.name).items():
        if operation not in judgements.acting:
            stale.append(operation)
        stale += [f"{operation}:{path}" for path in found.members if (operation, path) not in known]
        stale += [test for test in (*found.members.values(), *found.errors.values()) if not (TESTS / test).is_file()]
    assert stale == []
