"""The report as Markdown: what docs/conformance.md holds and `lambent conformance` prints."""

from collections.abc import Iterable, Iterator, Sequence

from lambent.services.conformance.judgement import Verdict
from lambent.services.conformance.report import (
    FULL,
    ErrorReport,
    MemberReport,
    OperationReport,
    Report,
    ServiceReport,
)

_HEAD = """\
# Conformance

What this version does with every operation, input member and error of the service models that it answers. Written by
`lambent conformance` from botocore's models, from the tables beside the services, and from what tests with real clients
were answered; not edited by hand. `make conformance` brings it up to date.

| verdict | means |
|---|---|
| acts | it does what AWS documents of it, as far as the remark goes |
| echoed only | it is kept and shown, and changes nothing |
| taken | it is accepted, and there is nothing here that it could change |
| refused | a request that sets it to anything but AWS's default is refused by name |
| not offered | the operation is answered 501, with the reason, whatever is sent |

*Shown by* names a test below `tests/`. It sent the member in a request that was answered 2xx, and there may be more of
them; what it then expected of the member is written there. Members are shown two levels deep. A member that a client
sends and that the model of this version does not hold is ignored.
"""

_FRONT_DOOR = """\
## Errors of the front door

Any operation may be answered one of these, whether its model holds it or not; and `{full}`, 429, while the
server is full.
"""


def render(report: Report) -> str:
    """Return the whole page, with a line feed at its end."""
    parts = [_HEAD, _summary(report.services)]
    for service in report.services:
        parts += _service(service)
    rows = [(f"`{error.name}`", str(error.status), error.meaning) for error in report.front_door]
    parts += [_FRONT_DOOR.format(full=FULL), _table(("error", "status", "meaning"), rows)]
    return "\n".join(parts)


def _summary(services: Sequence[ServiceReport]) -> str:
    columns = (Verdict.ACTS, Verdict.ECHOED, Verdict.TAKEN, Verdict.REFUSED)
    rows = []
    for service in services:
        offered = [operation for operation in service.operations if operation.is_offered]
        leaves = [member for operation in offered for member in leaves_of(operation)]
        given = sum(error.is_given for error in service.errors)
        rows.append(
            (
                f"`{service.name}`",
                f"{len(offered)} of {len(service.operations)}",
                *(str(sum(member.verdict is verdict for member in leaves)) for verdict in columns),
                f"{given} of {len(service.errors)}",
            )
        )
    headings = ("service", "operations offered", *(f"members: {verdict}" for verdict in columns), "errors given")
    return _table(headings, rows)


def leaves_of(operation: OperationReport) -> list[MemberReport]:
    """Return the members that no other member stands for: structures count by what they hold."""
    paths = [member.path for member in operation.members]
    return [
        member
        for member in operation.members
        if not any(path.startswith((f"{member.path}.", f"{member.path}[].")) for path in paths)
    ]


def _service(service: ServiceReport) -> Iterator[str]:
    yield f"## {service.name}, API version {service.api_version}\n"
    yield "### Operations that are offered\n"
    for operation in service.operations:
        if operation.is_offered:
            yield _operation(operation)
    yield "### Operations that are not offered\n"
    yield _table(("operations", "reason"), _reasons(service.operations))
    yield f"### Errors of {service.name}\n"
    yield _table(
        ("error", "status", "given", "by these operations in tests, or why never"), map(_error, service.errors)
    )


def _operation(operation: OperationReport) -> str:
    lines = [f"#### {operation.name}\n"]
    if operation.members:
        rows = (
            (f"`{member.path}`", member.verdict.value, member.remark, _code(member.shown_by))
            for member in operation.members
        )
        lines.append(_table(("member", "verdict", "remark", "shown by"), rows))
    else:
        lines.append("It has no input.\n")
    if operation.errors:
        lines.append(f"Errors that tests have seen: {_codes(operation.errors)}.\n")
    if operation.unseen:
        lines.append(f"Errors of its model that no client's test has seen here: {_codes(operation.unseen)}.\n")
    return "\n".join(lines)


def _reasons(operations: Iterable[OperationReport]) -> list[tuple[str, str]]:
    """Return the operations that are not offered in rows of one reason each."""
    by_reason: dict[str, list[str]] = {}
    for operation in operations:
        if not operation.is_offered:
            by_reason.setdefault(operation.reason, []).append(f"`{operation.name}`")
    return [(", ".join(names), reason) for reason, names in sorted(by_reason.items())]


def _error(error: ErrorReport) -> tuple[str, str, str, str]:
    if not error.is_given:
        return f"`{error.name}`", str(error.status or ""), "never", error.reason
    where = ", ".join(f"`{operation}`" for operation in error.operations) or f"shown by {_code(error.shown_by)}"
    return f"`{error.name}`", str(error.status), "yes", where


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


def _code(text: str | None) -> str:
    return "" if text is None else f"`{text}`"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_row(headings), "|" + "---|" * len(headings), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
