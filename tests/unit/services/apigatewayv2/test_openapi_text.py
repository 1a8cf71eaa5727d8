"""Definitions as text: JSON and YAML, AWS's variables, and what would take too long."""

import sys

import pytest

from lambent.domain.caller import Scope
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2 import openapi_text
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


_DOUBLED = "a0: &a0 [text]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
_MERGED = "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 50)}]\n" for n in range(1, 30))
_MERGED_OFTEN = f"a: &a {{{', '.join(f'k{n}: v' for n in range(2_000))}}}\nb:\n" + "- <<: *a\n" * 3_000


@pytest.mark.parametrize("text", [_DOUBLED, _MERGED, _MERGED_OFTEN], ids=range(3))
def test_aliases_count_as_what_they_stand_for(text: str) -> None:
    """A few lines of YAML, each of which multiplies the one before, are refused before they fill the memory."""
    with pytest.raises(BadRequestException, match="with its aliases written out"):
        read_definition(text, SCOPE)


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: [{c: *a}]}", "a: &a {? [*a] : b}"], ids=range(3))
def test_an_alias_of_what_it_is_in(text: str) -> None:
    """It has no end."""
    with pytest.raises(BadRequestException, match="an alias stands for what it is in"):
        read_definition(text, SCOPE)


def test_aliases_and_merges() -> None:
    """They are what they stand for, as often as they are named; so is a large definition without any."""
    assert read_definition("a: &a {k: v}\nb:\n  <<: *a\n  l: w\nc: [*a, *a]\n", SCOPE) == {
        "a": {"k": "v"},
        "b": {"k": "v", "l": "w"},
        "c": [{"k": "v"}, {"k": "v"}],
    }
    assert len(read_definition("".join(f"/{n}: a\n" for n in range(11_000)), SCOPE)) == 11_000


def test_there_may_be_so_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of two characters takes hundreds of bytes while it is read, and what is looked through for garbage."""
    monkeypatch.setattr(openapi_text, "_NODES_MAX", 1_000)
    assert len(read_definition("a: [" + "b," * 997 + "]", SCOPE)["a"]) == 997
    with pytest.raises(BadRequestException, match="more than 1000 values"):
        read_definition("a: [" + "b," * 998 + "]", SCOPE)
    monkeypatch.setattr(openapi_text, "_CONTAINERS_MAX", 1_000)
    assert len(read_definition('{"a": [' + "[]," * 998 + "1]}", SCOPE)["a"]) == 999
    with pytest.raises(BadRequestException, match="more than 1000 objects and lists"):
        read_definition('{"a": [' + "[]," * 999 + "1]}", SCOPE)


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
