"""The tags that an identity may have."""

from collections.abc import Iterable, Mapping, Sequence

from lambent.errors.api.iam import InvalidInputException, LimitExceededException
from lambent.protocol.shapes.iam import Tag
from lambent.services.iam.limits import TAGS_MAX
from lambent.services.iam.refusals import duplicate_tags

_RESERVED_PREFIX = "aws:"


def tagged(before: Mapping[str, str], given: Sequence[Tag]) -> dict[str, str]:
    """
    Return an identity's tags with those that a request gives.

    Documented: IAM user guide, tags: keys are compared without regard to case, so that `Department` takes the place of
    `department`; an identity has at most fifty.

    Raises:
        InvalidInputException: a key comes twice, or is reserved.
        LimitExceededException: there would be too many.
    """
    keys = [tag["Key"].lower() for tag in given]
    if len(set(keys)) < len(keys):
        raise duplicate_tags()
    if any(key.startswith(_RESERVED_PREFIX) for key in keys):
        # Assumed: the text; other services refuse such keys with these words (test_tagging).
        raise InvalidInputException("aws: prefixed tag key names are not allowed for external use.")
    after = {**untagged(before, keys), **{tag["Key"]: tag["Value"] for tag in given}}
    if len(after) > TAGS_MAX:
        # Assumed: other implementations have the text (test_tagging).
        raise LimitExceededException("The number of tags has reached the maximum limit.")
    return after


def untagged(before: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    """Return an identity's tags without those of some keys, in any case."""
    gone = {key.lower() for key in keys}
    return {key: value for key, value in before.items() if key.lower() not in gone}
