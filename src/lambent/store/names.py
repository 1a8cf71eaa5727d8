"""Conditions on columns of names, whose order is that of their bytes."""

from typing import Any


def starts_with(column: Any, prefix: str) -> list[Any]:
    """
    Return the conditions for names that start with `prefix`: a range, which an index answers.

    Not LIKE: it has wildcards, and SQLite's has no regard to case.
    """
    if not prefix:
        return []
    # The first name after all that start so: the prefix with its last character raised. The highest one of Unicode
    # cannot be raised; no name lies between it and its predecessor raised, so it may be left away.
    head = prefix.rstrip("\U0010ffff")
    if not head:
        return [column >= prefix]
    raised = ord(head[-1]) + 1
    # Surrogates are no characters: bytes go on after them.
    return [column >= prefix, column < head[:-1] + chr(0xE000 if raised == 0xD800 else raised)]
