"""tests/unit mirrors the tree: a reader finds the test of a module without a search."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_A_MODULE = frozenset(
    {
        # botocore against the whole engine, there and back: parser, validator and serializer together.
        "protocol/test_oracle_answers.py",
        "protocol/test_oracle_requests.py",
        # Bad input through the gateway's pipeline, every service and the store at once.
        "services/test_fuzz.py",
    }
)
"""Test files of tests/unit that belong to no single module, each with its reason beside it. Only shrinks."""


def _unit_tests() -> list[str]:
    folder = ROOT / "tests" / "unit"
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob("test_*.py"))]


def _has_module(test: str) -> bool:
    path = Path(test)
    return (ROOT / "src" / "lambent" / path.parent / path.name.removeprefix("test_")).is_file()


def test_every_unit_test_stands_where_its_module_does() -> None:
    """tests/unit/store/test_archive.py covers store/archive.py, and so on for all."""
    assert [test for test in _unit_tests() if not _has_module(test) and test not in WITHOUT_A_MODULE] == []


def test_exemptions_are_still_needed() -> None:
    """An exemption whose test has gone, or has a module by now, leaves the list."""
    assert [test for test in sorted(WITHOUT_A_MODULE) if test not in _unit_tests() or _has_module(test)] == []
