"""What a function's settings must satisfy beyond the service model's shapes."""

from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.errors.families import ValidationException

_NAME_MAX = 64


def check_new_name(name: str) -> None:
    """
    Refuse a bare name beyond 64 characters.

    Raises:
        InvalidParameterValueException: it is longer. Observed: recorded; this one is no ValidationException.
    """
    if len(name) > _NAME_MAX:
        raise InvalidParameterValueException(
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_NAME_MAX}"
        )


def check_timeout(timeout_s: int, quotas: Quotas) -> None:
    """
    Refuse a timeout beyond the quota: the model's own maximum is that of managed instances.

    Raises:
        ValidationException: it is longer.
    """
    _check_most("timeout", timeout_s, quotas.timeout_max_s)


def check_memory(memory_mib: int, quotas: Quotas) -> None:
    """
    Refuse a memory size beyond the quota: the model's own maximum is that of managed instances.

    Raises:
        ValidationException: it is more.
    """
    _check_most("memorySize", memory_mib, quotas.memory_max_mib)


def check_ephemeral_storage(tmp_mib: int, quotas: Quotas) -> None:
    """
    Refuse a size of /tmp beyond the quota: the model's own maximum is that of functions with accelerators.

    Raises:
        ValidationException: it is more.
    """
    _check_most("ephemeralStorage.size", tmp_mib, quotas.ephemeral_storage_max_mib)


def _check_most(member: str, value: int, most: int) -> None:
    # Assumed: the wording is that of shape violations, which these were while the model held these maxima.
    if value > most:
        raise ValidationException(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
            f"Member must have value less than or equal to {most}"
        )
