"""What a configuration has a function URL answer to browsers."""

import pytest

from lambent.domain.cors import Cors, HttpHeaders, is_preflight

ORIGIN = "https://a.example"
NAMED = Cors(True, ("x-k", "x-l"), ("GET", "PUT"), (ORIGIN,), ("x-e",), 60)
ANY = Cors(allow_origins=("*",))
TO_NAMED = [
    (b"access-control-allow-origin", ORIGIN.encode()),
    (b"access-control-allow-credentials", b"true"),
]
TO_ANY = [(b"access-control-allow-origin", b"*")]
VARY = (b"vary", b"Origin")


@pytest.mark.parametrize(
    ("cors", "origin", "headers"),
    [
        (
            NAMED,
            ORIGIN,
            [
                *TO_NAMED,
                (b"access-control-allow-methods", b"GET,PUT"),
                (b"access-control-allow-headers", b"x-k,x-l"),
                (b"access-control-max-age", b"60"),
                VARY,
            ],
        ),
        (NAMED, "https://b.example", [VARY]),
        (NAMED, ORIGIN + ".evil", [VARY]),
        (NAMED, "null", [VARY]),
        (ANY, "https://b.example", [*TO_ANY, VARY]),
        (Cors(max_age_s=0), ORIGIN, [VARY]),
        (Cors(allow_origins=("*",), max_age_s=0), ORIGIN, [*TO_ANY, (b"access-control-max-age", b"0"), VARY]),
    ],
)
def test_a_preflight(cors: Cors, origin: str, headers: HttpHeaders) -> None:
    """Of an origin that is allowed, all that is configured; of another one nothing."""
    assert cors.preflight(origin) == headers


def test_beside_an_answer() -> None:
    """What a browser needs to let its page read it."""
    assert NAMED.beside_answer(ORIGIN) == [*TO_NAMED, (b"access-control-expose-headers", b"x-e")]
    assert NAMED.beside_answer("https://b.example") == []
    assert ANY.beside_answer("null") == TO_ANY


def test_what_a_preflight_is() -> None:
    """OPTIONS, from an origin, for a method."""
    headers = {"origin": ORIGIN, "access-control-request-method": "GET"}
    assert is_preflight("OPTIONS", headers)
    assert not is_preflight("GET", headers)
    for name, value in headers.items():
        assert not is_preflight("OPTIONS", {name: value})
