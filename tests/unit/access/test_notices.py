"""An operator is told who gets in, where that may surprise."""

import pytest

from lambent.access.notices import about_access
from lambent.settings import load_settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, []),
        ({"auth": "required"}, []),
        ({"auth": "required", "iam": "enforce"}, []),
        ({"iam": "audit"}, ["--iam audit without --auth required"]),
        ({"host": "0.0.0.0"}, ["no TLS at 0.0.0.0"]),
        ({"host": "0.0.0.0", "tls": "self-signed"}, []),
        ({"host": "0.0.0.0", "insecure": True}, ["insecure: no signature is verified at 0.0.0.0", "no TLS"]),
        ({"host": "0.0.0.0", "insecure": True, "auth": "required"}, ["no TLS at 0.0.0.0"]),
    ],
)
def test_what_is_said(given: dict[str, object], said: list[str]) -> None:
    """One line for each."""
    lines = about_access(load_settings(given, {})).splitlines()
    assert len(lines) == len(said)
    assert all(line.startswith(text) for line, text in zip(lines, said, strict=True))
