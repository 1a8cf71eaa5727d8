"""
The API Gateway API, 2015-07-09, of REST APIs: nothing of it is offered, and each operation says so.

A client of HTTP APIs signs with the same name, and takes the paths below `/v2`.
"""

from lambent.errors.families import ValidationException
from lambent.services.apigateway.not_offered import NOT_OFFERED
from lambent.services.operation import Service


def service() -> Service:
    """Make the service."""
    return Service(name="apigateway", handlers={}, not_offered=NOT_OFFERED, shape_violation=ValidationException)
