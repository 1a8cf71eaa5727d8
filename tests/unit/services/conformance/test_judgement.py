"""The table of judgements: where a member is looked up."""

import pytest

from lambent.services.conformance.judgement import Judgement, Judgements, Verdict

TABLE = Judgements(
    acting={"Put": "Name Code.Zip Items[].Arn", "Get": "Name"},
    remarks={"Name": "any", "Get:Name": "short ones"},
    echoed={"Role": "no roles"},
    taken={"Hint": "no hints"},
    refused={"Trace": "no traces", "Items[].Extra": "no extras", "Put:Mode": "no modes"},
    given="Refused",
    never={"no keys": "KeyGone KeyLost"},
    shown_otherwise={},
)


@pytest.mark.parametrize(
    ("operation", "path", "expected"),
    [
        ("Put", "Name", Judgement(Verdict.ACTS, "any")),
        ("Get", "Name", Judgement(Verdict.ACTS, "short ones")),
        ("Put", "Code.Zip", Judgement(Verdict.ACTS)),
        ("Get", "Code.Zip", None),
        ("Put", "Code", None),
        ("Put", "Role", Judgement(Verdict.ECHOED, "no roles")),
        ("Get", "Hint", Judgement(Verdict.TAKEN, "no hints")),
        ("Put", "Trace", Judgement(Verdict.REFUSED, "no traces")),
        ("Put", "Trace.Mode", Judgement(Verdict.REFUSED, "no traces")),
        ("Put", "Items[].Extra", Judgement(Verdict.REFUSED, "no extras")),
        ("Put", "Items[].Arn", Judgement(Verdict.ACTS)),
        ("Put", "Mode", Judgement(Verdict.REFUSED, "no modes")),
        ("Get", "Mode", None),
        ("Put", "Unheard", None),
    ],
)
def test_where_a_member_is_looked_up(operation: str, path: str, expected: Judgement | None) -> None:
    """What an operation says of its own goes first; a structure that is judged as a whole judges its members."""
    assert TABLE.judge(operation, path) == expected


def test_why_an_error_is_never_given() -> None:
    """The reason is that of the row that names it; a part of a name is no name."""
    assert TABLE.why_never("KeyLost") == "no keys"
    assert TABLE.why_never("Key") is None
