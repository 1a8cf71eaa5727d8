"""What environment variables a function may have. Case EV-01."""

import pytest

from lambent.domain.environment_variables import RESERVED_NAMES, check_environment
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException

OPENING = (
    "Lambda was unable to configure your environment variables because the environment variables you have provided "
)


def refusal(variables: dict[str, str]) -> str:
    with pytest.raises(InvalidParameterValueException) as refused:
        check_environment(variables, Quotas())
    return refused.value.message


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_reserved_names_are_refused(name: str) -> None:
    """EV-01: what Lambda sets itself cannot be set."""
    assert refusal({"OK": "1", name: "x"}) == (
        f"{OPENING}contains reserved keys that are currently not supported for modification. "
        f"Reserved keys used in this request: {name}"
    )


def test_all_reserved_names_are_listed() -> None:
    """EV-01: one answer names every reserved key, in the order of the request."""
    message = refusal({"_HANDLER": "a.b", "FINE": "1", "AWS_REGION": "us-east-1"})

    assert message.endswith("Reserved keys used in this request: _HANDLER, AWS_REGION")


def test_names_that_only_look_reserved_are_allowed() -> None:
    """EV-01: runtimes' own knobs and the SDK's endpoint are the user's; names are case-sensitive."""
    names = ("TZ", "LANG", "PATH", "PYTHONPATH", "NODE_OPTIONS", "AWS_LAMBDA_EXEC_WRAPPER", "AWS_ENDPOINT_URL")

    check_environment({**dict.fromkeys(names, "x"), "aws_region": "x"}, Quotas())
    check_environment({}, Quotas())


def test_the_limit_is_4096_bytes_of_compact_json() -> None:
    """EV-01: braces, quotes, colons and commas count."""
    fits = {"A1": "x" * 2000, "B1": "y" * (4096 - 2000 - len('{"A1":"","B1":""}'))}
    check_environment(fits, Quotas())

    over = {**fits, "B1": fits["B1"] + "y"}
    measured = '{"A1":"' + over["A1"] + '","B1":"' + over["B1"] + '"}'
    assert len(measured) == 4097
    assert refusal(over) == f"{OPENING}exceeded the 4KB limit. String measured: {measured}"


def test_characters_count_as_json_writes_them() -> None:
    """EV-01: a quote takes two bytes, a letter beyond ASCII its UTF-8 bytes."""
    room = 4096 - len('{"KK":""}')

    check_environment({"KK": "é" * (room // 2)}, Quotas())
    assert "4KB limit" in refusal({"KK": "é" * (room // 2 + 1)})
    check_environment({"KK": '"' * (room // 2)}, Quotas())
    assert "4KB limit" in refusal({"KK": '"' * (room // 2 + 1)})


def test_the_limit_is_the_accounts() -> None:
    """The quota decides, not the number in the text."""
    check_environment({"KK": "x" * 5000}, Quotas(environment_max_bytes=8192))
