"""Tags of a session: those that were asked for, and those that ride along through a chain of roles. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.domain.principal import Session
from lambent.services.sts.errors import InvalidParameterValue

_TAGS_MAX = 50


def session_tags(
    given: Sequence[Mapping[str, Any]], transitive: Sequence[str], before: Session | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """
    Return the tags of a new session, and the keys of those that its own sessions will inherit.

    Args:
        given: the tags that were asked for.
        transitive: the keys of those that are to be inherited.
        before: the session that asks; None: it is none.

    Raises:
        InvalidParameterValue: keys that are there twice, that are missing, or that would replace what is inherited.

    Documented: IAM user guide, passing session tags: keys are not distinguished by case. Observed: the texts
    (recordings of the service).
    """
    keys = {tag["Key"].lower() for tag in given}
    if len(keys) < len(given):
        raise InvalidParameterValue("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if not {key.lower() for key in transitive} <= keys:
        raise InvalidParameterValue("The specified transitive tag key must be included in the requested tags.")
    inherited = _inherited(before)
    if keys & {key.lower() for key in inherited}:
        raise InvalidParameterValue(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from "
            "the calling session."
        )
    if len(given) + len(inherited) > _TAGS_MAX:
        # Assumed: the text; the number is documented, and inherited ones count (test_session_tags).
        raise InvalidParameterValue(f"A session may have {_TAGS_MAX} tags, those that it inherits included.")
    tags = {**inherited, **{tag["Key"]: tag["Value"] for tag in given}}
    wanted = {key.lower() for key in transitive}
    return tags, (*inherited, *(tag["Key"] for tag in given if tag["Key"].lower() in wanted))


def _inherited(before: Session | None) -> dict[str, str]:
    if before is None:
        return {}
    return {key: value for key, value in before.tags.items() if key in before.transitive_tag_keys}
