"""The condition keys that a policy asks for, as it writes them. Pure."""

import json
import re
from collections.abc import Iterator
from typing import Any

_VARIABLE = re.compile(r"\$\{([^}',*?$]{1,256})")
"""A variable's name. `${*}`, `${?}` and `${$}` are the characters. Documented: IAM user guide, policy variables."""


def context_keys(document: str) -> list[str]:
    """
    Return the keys of a policy's conditions and variables, each once, whatever its case, in the policy's order.

    Args:
        document: a policy that compiles.
    """
    policy = json.loads(document)
    found: dict[str, str] = {}
    for key in _keys(policy, has_variables=policy.get("Version") == "2012-10-17"):
        found.setdefault(key.lower(), key)
    return list(found.values())


def _keys(policy: Any, *, has_variables: bool) -> Iterator[str]:
    statements = policy["Statement"]
    for statement in [statements] if isinstance(statements, dict) else statements:
        texts = [statement.get("Resource"), statement.get("NotResource")]
        for wanted in (statement.get("Condition") or {}).values():
            yield from wanted
            texts += wanted.values()
        for value in texts if has_variables else ():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    yield from (name.strip() for name in _VARIABLE.findall(text))
