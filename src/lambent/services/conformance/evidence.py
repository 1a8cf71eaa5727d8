"""
What tests with real clients have shown, by service: the committed files beside this module.

`tests/wire/observing.py` writes down what clients ask and get; `make conformance` makes these files of it.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent


class OperationEvidence(msgspec.Struct, frozen=True):
    """What was seen of one operation, each with a test file that shows it, a path from `tests/`."""

    members: Mapping[str, str] = {}
    """Input members of requests that were answered with a status of 2xx; written as in `Judgements`."""
    errors: Mapping[str, str] = {}
    """Codes of error answers."""


Evidence = Mapping[str, OperationEvidence]
"""By operation. One that was never called has no entry; one that was has one, though it may have no members."""


def path_of(service: str) -> Path:
    """Return where the evidence of a service is kept."""
    return FOLDER / f"{service}.json"


def load(service: str) -> Evidence:
    """Read the evidence of a service; without a file there is none."""
    path = path_of(service)
    if not path.is_file():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, OperationEvidence])


def write(evidence: Evidence) -> str:
    """Return evidence as the text of its file: sorted, one fact a line."""
    document = {
        operation: {
            "members": dict(sorted(found.members.items())),
            "errors": dict(sorted(found.errors.items())),
        }
        for operation, found in sorted(evidence.items())
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"
