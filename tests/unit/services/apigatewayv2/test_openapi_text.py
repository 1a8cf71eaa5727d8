"""Definitions as text: JSON and YAML, AWS's variables, and what would take too long."""

import contextlib
import sys

import pytest

from lambent.domain.caller import Scope
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.openapi_text import as_text, read_definition, write_yaml

SCOPE = Scope("111122223333", "eu-west-1")


def test_json_and_yaml_are_the_same() -> None:
    """Texts that look like dates stay texts, and AWS's variables are replaced in both."""
    expected = {"openapi": "3.0.1", "a": "arn:aws:x:eu-west-1:111122223333", "at": "2020-01-02", "n": [1, True]}
    partition = "arn:${AWS::Partition}:x:${AWS::Region}:${AWS::AccountId}"
    assert read_definition(
        f'{{"openapi": "3.0.1", "a": "{partition}", "at": "2020-01-02", "n": [1, true]}}', SCOPE
    ) == (expected)
    assert read_definition(f"openapi: 3.0.1\na: '{partition}'\nat: 2020-01-02\nn: [1, true]\n", SCOPE) == expected
    assert read_definition(write_yaml(expected).decode(), SCOPE) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "text",
        "a: [",
        "a: b: c",
        "!!python/object:os.system {}",
        '{"a":' * 100_000,
        "- " * 100_000,
        "[" * 100_000,
        "a: " + "9" * 5_000,
    ],
    ids=range(11),
)
def test_what_is_no_definition(text: str) -> None:
    """Each ends in a refusal, however deep it goes."""
    with pytest.raises(BadRequestException):
        read_definition(text, SCOPE)


def test_a_definition_has_a_limit() -> None:
    """In bytes."""
    with pytest.raises(BadRequestException, match="at most 6291456 bytes"):
        read_definition("{" + " " * 6_291_456 + "}", SCOPE)


def test_merges_do_not_grow_without_end() -> None:
    """A few lines of YAML, each of which multiplies the one before, are read or refused before they fill the memory."""
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 50)}]" for n in range(1, 30)]
    with contextlib.suppress(BadRequestException):
        # Newer versions of the library keep each key once.
        assert read_definition("\n".join(lines), SCOPE)["a29"] == {"k": "v"}
    many = ", ".join(["*a"] * 101)
    with pytest.raises(BadRequestException, match="too much is merged"):
        read_definition(f"a: &a {{k: v}}\nb:\n  <<: [{many}]\n", SCOPE)
    assert read_definition("a: &a {k: v}\nb:\n  <<: *a\n  l: w\n", SCOPE)["b"] == {"k": "v", "l": "w"}


def test_yaml_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the refusal names the extra; JSON goes on."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(BadRequestException, match=r"lambent\[apis\]"):
        read_definition("openapi: 3.0.1", SCOPE)
    with pytest.raises(BadRequestException, match=r"lambent\[apis\]"):
        write_yaml({})
    assert read_definition("{}", SCOPE) == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", "a"), (1.0, "1.0"), (200, "200"), (True, "true"), (None, None), ([], None), ({}, None), (10**5000, None)],
    ids=range(8),
)
def test_scalars_as_text(value: object, expected: str | None) -> None:
    """What YAML made of an unquoted text."""
    assert as_text(value) == expected
