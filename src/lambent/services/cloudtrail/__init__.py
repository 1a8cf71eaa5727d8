"""
The CloudTrail API, 2013-11-01: who called what, looked up in the audit trail.

In: a caller and validated parameters. Out: output shapes as plain mappings. Never: HTTP, files.
"""

from lambent.clock import Clock
from lambent.errors.api.cloudtrail import (
    InvalidEventCategoryException,
    InvalidLookupAttributesException,
    InvalidMaxResultsException,
)
from lambent.errors.families import ApiError, ValidationException
from lambent.services.cloudtrail.demands import DEMANDS
from lambent.services.cloudtrail.lookup import EventHistory
from lambent.services.cloudtrail.not_offered import NOT_OFFERED
from lambent.services.operation import BodyLimit, Service, collect_handlers
from lambent.telemetry.trail import Trail

_BODY = BodyLimit(65_536, 65_536)
"""Assumed: one attribute of 2,000 characters, two times and a token (test_cloudtrail)."""


def service(trail: Trail | None, clock: Clock) -> Service:
    """
    Put the CloudTrail service together.

    Args:
        trail: None: nothing is recorded here.
    """
    return Service(
        name="cloudtrail",
        handlers=collect_handlers(EventHistory(trail, clock)),
        not_offered=NOT_OFFERED,
        shape_violation=_shape_violation,
        demands=DEMANDS,
        default_body_limit=_BODY,
    )


def _shape_violation(text: str) -> ApiError:
    """Documented: CloudTrail API reference, LookupEvents: an error of its own for each parameter."""
    for member, error in (
        ("maxResults", InvalidMaxResultsException),
        ("lookupAttributes", InvalidLookupAttributesException),
        ("eventCategory", InvalidEventCategoryException),
    ):
        if f"'{member}" in text:
            return error(text)
    return ValidationException(text)
