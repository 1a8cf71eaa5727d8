"""How versions of functions are numbered in the tables."""

from lambent.domain.function import LATEST


def number_of(version: str) -> int | None:
    """Return the number that stands for a version's name, 0 for `$LATEST`; None when no version can be called so."""
    if version == LATEST:
        return 0
    # Neither "01" nor "0" names a version, and more than 18 digits would not fit the column.
    is_number = version.isascii() and version.isdigit() and not version.startswith("0") and len(version) <= 18
    return int(version) if is_number else None
