"""The tags that a resource may be given."""

from collections.abc import Mapping

from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException

_RESERVED_PREFIX = "aws:"

EGRESS = "lambent:egress"
"""The tag of a function that says whether it may reach the internet. Ours: AWS asks for a VPC without a way out."""

_EGRESS_VALUES = {"nat": True, "none": False}


def check_tags(tags: Mapping[str, str], quotas: Quotas) -> None:
    """
    Refuse tags that a request may not give, or a resource may not have.

    TagResource asks twice: for what it was given, and for what the resource would have with it. CreateFunction, where
    no tags are fine, does not ask for none. The spelling of keys and values is the protocol's to check.

    Args:
        tags: key to value.
        quotas: the limits of this account and region.

    Raises:
        InvalidParameterValueException: there are none, a key is reserved, there are more than `quotas.tags_max`, or
            `lambent:egress` has a value without a meaning.

    Source: Lambda API reference, CreateFunction and TagResource; Lambda quotas.
    """
    if not tags:
        # Observed: localstack/localstack TestLambdaTags.test_tag_exceptions (recorded): this unhelpful text.
        raise InvalidParameterValueException("An error occurred and the request cannot be processed.")
    # Documented: tag naming limits, keys must not begin with aws: in any case.
    # Assumed: the text; other services refuse such keys with these words (test_tags).
    if any(key.lower().startswith(_RESERVED_PREFIX) for key in tags):
        raise InvalidParameterValueException("aws: prefixed tag key names are not allowed for external use.")
    if len(tags) > quotas.tags_max:
        # Observed: localstack/localstack TestLambdaTags.test_tag_limits (recorded).
        raise InvalidParameterValueException("Number of tags exceeds resource tag limit.")
    egress = tags.get(EGRESS)
    if egress is not None and egress not in _EGRESS_VALUES:
        raise InvalidParameterValueException(
            f"Value '{egress}' of tag '{EGRESS}' has no meaning: it must be 'none' or 'nat'"
        )


def allows_egress(tags: Mapping[str, str]) -> bool:
    """Return whether a function with these tags, which `check_tags` has passed, may reach the internet."""
    # An earlier version took any value of the tag, and none of them acted.
    return _EGRESS_VALUES.get(tags.get(EGRESS, "nat"), True)
