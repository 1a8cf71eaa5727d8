"""How long a presigned URL is good."""

import pytest

from lambent.errors.families import ApiError
from lambent.gateway.presigned import AccessDenied, AuthorizationQueryParametersError, check_expiry

NOON = 1_767_268_800.0
"""2026-01-01T12:00:00Z"""
V4 = "X-Amz-Date=20260101T120000Z&X-Amz-Expires={}&X-Amz-Signature=00"
V2 = "AWSAccessKeyId=a&Signature=b&Expires={}"


@pytest.mark.parametrize(
    ("query", "now"),
    [
        ("", NOON),
        ("Expires=1", NOON),
        ("response-expires=1&Expires=1", NOON),
        (V4.format(60), NOON + 60),
        (V4.format(604_800), NOON + 604_000),
        (V2.format(int(NOON)), NOON),
    ],
)
def test_what_is_good_passes(query: str, now: float) -> None:
    """As does what is no presigned URL."""
    check_expiry(query, now)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (V4.format(60), AccessDenied),
        (V2.format(int(NOON)), AccessDenied),
        (V4.format(604_801), AuthorizationQueryParametersError),
        (V4.format(-1), AuthorizationQueryParametersError),
        (V4.format("soon"), AuthorizationQueryParametersError),
        ("X-Amz-Expires=60&X-Amz-Signature=00", AuthorizationQueryParametersError),
        (V2.format("soon"), AuthorizationQueryParametersError),
    ],
)
def test_what_is_over_or_makes_no_sense_is_refused(query: str, error: type[ApiError]) -> None:
    """Also where the signature is going to be made anew."""
    with pytest.raises(error):
        check_expiry(query, NOON + 61)
