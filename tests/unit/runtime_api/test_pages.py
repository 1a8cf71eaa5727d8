"""Which requests a browser sends for a page."""

import pytest

from lambent.runtime_api.pages import is_sent_by_a_page


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"host": b"127.0.0.1:9001"},
        {b"host": b"169.254.100.1:9001"},
        {b"host": b"[::1]:9001"},
        {b"host": b"LOCALHOST."},
        {b"host": b"lambda"},
        {b"host": b"sandbox.localdomain:9001"},
        {b"host": b""},
        # Typed in by somebody; and what fetch of Node.js says, which is no browser.
        {b"host": b"127.0.0.1:9001", b"sec-fetch-site": b"none"},
        {b"host": b"127.0.0.1:9001", b"sec-fetch-mode": b"cors"},
    ],
)
def test_what_clients_send(fields: dict[bytes, bytes]) -> None:
    assert not is_sent_by_a_page(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {b"host": b"127.0.0.1:9001", b"origin": b"https://evil.example"},
        {b"host": b"127.0.0.1:9001", b"origin": b"null"},
        {b"host": b"localhost:9001", b"sec-fetch-site": b"cross-site"},
        {b"host": b"localhost:9001", b"sec-fetch-site": b"same-site"},
        {b"host": b"evil.example:9001"},
        {b"host": b"evil.example."},
        {b"host": b"127.0.0.1.evil.example"},
        {b"host": b"localhost.Evil.example:9001"},
    ],
)
def test_what_browsers_send(fields: dict[bytes, bytes]) -> None:
    assert is_sent_by_a_page(fields)
