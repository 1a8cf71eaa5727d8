"""The page: what a report looks like in Markdown."""

from lambent.services.conformance.judgement import Verdict
from lambent.services.conformance.markdown import leaves_of, render
from lambent.services.conformance.report import (
    ErrorReport,
    FrontDoorError,
    MemberReport,
    OperationReport,
    Report,
    ServiceReport,
)

PUT = OperationReport(
    "Put",
    is_offered=True,
    members=(
        MemberReport("Name", Verdict.ACTS, "short ones", "wire/test_a.py"),
        MemberReport("Code", Verdict.PARTLY),
        MemberReport("Code.Zip", Verdict.ACTS, "", "wire/test_a.py"),
        MemberReport("Code.Bucket", Verdict.REFUSED, "no buckets"),
    ),
    errors={"Gone": "wire/test_b.py", "Denied": "wire/test_b.py"},
    unseen=("Odd",),
)
SERVICE = ServiceReport(
    "things",
    "2026-01-01",
    operations=(
        OperationReport("Count", is_offered=True),
        OperationReport("Drop", is_offered=False, reason="later"),
        OperationReport("Move", is_offered=False, reason="later"),
        PUT,
    ),
    errors=(
        ErrorReport("Gone", 404, is_given=True, operations=("Put",)),
        ErrorReport("Odd", 400, is_given=True, shown_by="wire/test_raw.py"),
        ErrorReport("Lost", 502, is_given=False, reason="nothing is lost"),
    ),
)
PAGE = render(Report((SERVICE,), (FrontDoorError("Denied", 403, "Not you."),)))


def test_rows() -> None:
    """Each member, operation and error has its row."""
    for row in (
        "| `things` | 2 of 4 | 2 | 0 | 0 | 1 | 2 of 3 |",
        "| `Name` | acts | short ones | `wire/test_a.py` |",
        "| `Code` | see its members |  |  |",
        "| `Code.Bucket` | refused | no buckets |  |",
        "| `Drop`, `Move` | later |",
        "| `Gone` | 404 | yes | `Put` |",
        "| `Odd` | 400 | yes | shown by `wire/test_raw.py` |",
        "| `Lost` | 502 | never | nothing is lost |",
        "| `Denied` | 403 | Not you. |",
        "Errors that tests have seen: `Gone`, `Denied`.",
        "Errors of its model that no client's test has seen here: `Odd`.",
    ):
        assert f"\n{row}\n" in PAGE


def test_the_page_is_one_that_people_can_read() -> None:
    """Headings stand alone, a table follows a blank line, and there is one line feed at the end."""
    lines = PAGE.splitlines()
    assert PAGE.endswith("|\n") and not PAGE.endswith("\n\n")
    for before, line, after in zip(lines, lines[1:], lines[2:], strict=False):
        if line.startswith("#"):
            assert (before, after) == ("", "")
        if line.startswith("|---"):
            assert before.startswith("|") and before.count("|") == line.count("|")
    assert "\n\n\n" not in PAGE


def test_structures_count_by_what_they_hold() -> None:
    """`Code` stands for its members: it is none of its own."""
    assert [member.path for member in leaves_of(PUT)] == ["Name", "Code.Zip", "Code.Bucket"]
