"""What several resources refuse, in one wording each."""

from collections.abc import Sized

from lambent.errors.api.iam import (
    EntityAlreadyExistsException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
    UnmodifiableEntityException,
)
from lambent.errors.families import AccessDeniedException, ApiError, FrameworkError


class ValidationError(FrameworkError):
    """A request violates the model's constraints, as query services name it; no shape of the model holds it."""

    code = "ValidationError"
    status = 400


def shape_violation(broken: str) -> ApiError:
    return ValidationError(broken)


MISSING = {
    # Observed: hashicorp/terraform-provider-aws, aws/chalice issues quote them.
    "role": "The role with name {} cannot be found.",
    "user": "The user with name {} cannot be found.",
    "group": "The group with name {} cannot be found.",
    "instance-profile": "Instance Profile {} cannot be found.",
}
"""By kind of identity, the text for a name that nobody has."""

_TAKEN = {
    "role": "Role with name {} already exists.",
    "user": "User with name {} already exists.",
    # Assumed: the two below (test_iam_users, test_iam_account).
    "group": "Group with name {} already exists.",
    "instance-profile": "Instance Profile {} already exists.",
    "policy": "A policy called {} already exists. Duplicate names are not allowed.",
}


def missing(kind: str, name: str) -> NoSuchEntityException:
    return NoSuchEntityException(MISSING[kind].format(name))


def taken(kind: str, name: str) -> EntityAlreadyExistsException:
    return EntityAlreadyExistsException(_TAKEN[kind].format(name))


def missing_policy(arn: str) -> NoSuchEntityException:
    # Observed: localstack/localstack tests/aws/services/iam (recorded).
    return NoSuchEntityException(f"Policy {arn} was not found.")


def not_attachable(arn: str) -> NoSuchEntityException:
    # Observed: localstack/localstack tests/aws/services/iam (recorded).
    return NoSuchEntityException(f"Policy {arn} does not exist or is not attachable.")


def unparseable_arn() -> ValidationError:
    # Observed: localstack/localstack tests/aws/services/iam (recorded), with its two blanks.
    return ValidationError("Invalid ARN:  Could not be parsed!")


def check_quota(have: int | Sized, quota: str, at_most: int) -> None:
    """
    Refuse one more of what there may be only so many of.

    Raises:
        LimitExceededException: there are `at_most` already.
    """
    count = have if isinstance(have, int) else len(have)
    if count >= at_most:
        raise beyond(quota, at_most)


def beyond(quota: str, at_most: int) -> LimitExceededException:
    # Observed: hashicorp/terraform-provider-aws issues quote PoliciesPerRole, ACLSizePerRole, PolicySize.
    return LimitExceededException(f"Cannot exceed quota for {quota}: {at_most}")


def protected_role(name: str) -> UnmodifiableEntityException:
    # Observed: hashicorp/terraform-provider-aws issues quote it.
    return UnmodifiableEntityException(
        f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
    )


def invalid_value(value: str, parameter: str) -> ValidationError:
    # Assumed: other implementations have the text for permissions boundaries (test_iam_roles).
    return ValidationError(f"Value ({value}) for parameter {parameter} is invalid.")


def duplicate_tags() -> InvalidInputException:
    # Assumed: STS is known to use this text (test_iam_account).
    return InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")


def not_yours(principal_arn: str, action: str, policy_arn: str) -> AccessDeniedException:
    """Return the error for changing a policy of AWS's, which nobody may. Assumed: the text (test_iam_policies)."""
    return AccessDeniedException(
        f"User: {principal_arn} is not authorized to perform: iam:{action} on resource: policy {policy_arn}"
    )
