"""How the CloudWatch API words what it refuses."""

from lambent.errors.api.monitoring import (
    InvalidParameterCombinationException,
    InvalidParameterValueException,
    MissingRequiredParameterException,
    ValidationException,
)


def shape_violation(text: str) -> ValidationException:
    """Return the error of a request that breaks the model's constraints. Observed: recordings of the service."""
    return ValidationException(text)


def invalid_value(value: object, parameter: str) -> InvalidParameterValueException:
    """Observed: field reports of refused values."""
    return InvalidParameterValueException(f"The value {value} for parameter {parameter} is invalid.")


def combination(text: str) -> InvalidParameterCombinationException:
    """Return the error of parameters that do not go together."""
    return InvalidParameterCombinationException(text)


def missing(parameter: str) -> MissingRequiredParameterException:
    """Assumed: the text (test_metric_data)."""
    return MissingRequiredParameterException(f"The parameter {parameter} is required.")


def invalid_token() -> InvalidParameterValueException:
    """Observed: emulators whose authors looked at the service."""
    return InvalidParameterValueException("Request parameter NextToken is invalid")
