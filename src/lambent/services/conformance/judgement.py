"""The verdicts on members and errors of a service model, and the table in which a service holds its own."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """What becomes of an input member."""

    ACTS = "acts"
    """It does what AWS documents of it."""
    ECHOED = "echoed only"
    """It is kept and shown, and changes nothing."""
    TAKEN = "taken"
    """It is accepted, and there is nothing here that it could change."""
    REFUSED = "refused"
    """A request that sets it to anything but AWS's default is refused by name."""
    PARTLY = "see its members"
    """A structure whose members differ."""
    UNKNOWN = "unknown"
    """The model that is installed knows it, this version does not, and ignores it."""


class Judgement(msgspec.Struct, frozen=True):
    """A verdict, and why or how far."""

    verdict: Verdict
    remark: str = ""


class Judgements(msgspec.Struct, frozen=True):
    """
    What a service does with the members and errors of its model. `services/<service>/conformance.py` holds one each.

    Members of structures are written `Code.ZipFile`, of lists of structures `FileSystemConfigs[].Arn`, two levels deep.
    A structure is judged by its members, unless it is echoed, taken or refused as a whole.

    Keys of `remarks`, `echoed`, `taken` and `refused` are members, for every operation that has one of the name, or
    `Operation:Member`, for that operation alone.
    """

    acting: Mapping[str, str]
    """Every operation that is offered, to its members that act, blanks between them."""
    remarks: Mapping[str, str]
    """Member that acts to how far it does."""
    echoed: Mapping[str, str]
    """Member to the reason."""
    taken: Mapping[str, str]
    """Member to the reason."""
    refused: Mapping[str, str]
    """Member to the reason."""
    given: str
    """Error shapes that this version answers, blanks between them."""
    never: Mapping[str, str]
    """Reason to the error shapes that this version never answers because of it, blanks between them."""
    shown_otherwise: Mapping[str, str]
    """
    `Operation:Member`, or an error shape, to the test that shows it, a path from `tests/`: for what clients cannot
    send, or not without more than a server at rest. Only shrinks.
    """

    def judge(self, operation: str, path: str) -> Judgement | None:
        """Return the judgement on a member of an operation, None where neither it nor what holds it is in a table."""
        if path in self.acting.get(operation, "").split():
            return Judgement(Verdict.ACTS, _entry(self.remarks, operation, path) or "")
        outer, separator, _ = path.rpartition(".")
        for place in (path, outer.removesuffix("[]")) if separator else (path,):
            for verdict, table in (
                (Verdict.ECHOED, self.echoed),
                (Verdict.TAKEN, self.taken),
                (Verdict.REFUSED, self.refused),
            ):
                reason = _entry(table, operation, place)
                if reason is not None:
                    return Judgement(verdict, reason)
        return None

    def why_never(self, error: str) -> str | None:
        """Return why an error shape is never answered, None when the table does not say so."""
        return next((reason for reason, names in self.never.items() if error in names.split()), None)


def _entry(table: Mapping[str, str], operation: str, path: str) -> str | None:
    return table.get(f"{operation}:{path}", table.get(path))
