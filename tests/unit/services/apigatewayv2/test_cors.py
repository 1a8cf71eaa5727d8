"""CORS configurations of HTTP APIs."""

from typing import Any

import pytest

from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.cors import parse_cors


def test_methods_in_lower_case() -> None:
    """They are kept as they were given, and told as browsers compare them."""
    cors = parse_cors({"AllowMethods": ["GET", "put", "*"], "AllowOrigins": ["https://a.example"]})
    assert cors is not None and cors.allow_methods == ("GET", "put", "*")
    told = dict(cors.rules().preflight("https://a.example"))
    assert told[b"access-control-allow-methods"] == b"GET,PUT,*"


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://*",
        "http://localhost:3000",
        "https://[::1]:8443",
        "capacitor://localhost",
        "chrome-extension://abc",
    ],
)
def test_origins(origin: str) -> None:
    """What a browser may say it is, or all with a scheme."""
    cors = parse_cors({"AllowOrigins": [origin]})
    assert cors is not None and cors.allow_origins == (origin,)


def test_nothing_is_none() -> None:
    """As a browser is told nothing then."""
    assert parse_cors({}) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"AllowMethods": ["brew"]},
        {"AllowOrigins": ["a.example"]},
        {"AllowOrigins": ["https://a.example/"]},
        {"AllowOrigins": ["https://a.example/path"]},
        {"AllowOrigins": ["https://*.a.example"]},
        {"AllowOrigins": ["https://"]},
        {"AllowOrigins": ["https://user@a.example"]},
        {"AllowOrigins": ["https://a.example?q"]},
        {"AllowOrigins": ["*"], "AllowCredentials": True},
        {"AllowHeaders": ["a,b"]},
        {"ExposeHeaders": [""]},
        {"AllowHeaders": ["a"] * 101},
        {"AllowHeaders": ["a" * 512] * 17},
    ],
    ids=lambda wrong: str(wrong)[:60],
)
def test_what_no_browser_could_be_told(wrong: dict[str, Any]) -> None:
    """Each is refused."""
    with pytest.raises(BadRequestException):
        parse_cors(wrong)
