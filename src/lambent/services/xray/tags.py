"""Tags of groups and sampling rules."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lambent.domain.arn import sampling_rule_arn
from lambent.domain.caller import Caller, Scope
from lambent.domain.xray import group, sampling
from lambent.domain.xray.group import TraceGroup
from lambent.domain.xray.sampling import SamplingRule
from lambent.errors.api.xray import InvalidRequestException, ResourceNotFoundException, TooManyTagsException
from lambent.protocol.shapes.xray import ListTagsForResourceRequest, Tag, TagResourceRequest, UntagResourceRequest
from lambent.services.operation import operation
from lambent.services.xray.tokens import refuse_token
from lambent.store.traces_contract import TraceSettings

_TAGS_MAX = 50
"""Documented: X-Ray API reference, TagResource."""


class Tags:
    """Tags of what there is."""

    def __init__(self, settings: TraceSettings) -> None:
        self._settings = settings

    @operation("TagResource")
    async def tag(self, caller: Caller, request: TagResourceRequest) -> Mapping[str, Any]:
        given = checked_tags(request["Tags"])
        async with self._settings.change(caller.scope) as rows:
            tagged = _find(caller.scope, await rows.list(SamplingRule), await rows.list(TraceGroup), request)
            await rows.save(_with_tags(tagged, _bounded({**tagged.tags, **given})))
        return {}

    @operation("UntagResource")
    async def untag(self, caller: Caller, request: UntagResourceRequest) -> Mapping[str, Any]:
        gone = set(request["TagKeys"])
        async with self._settings.change(caller.scope) as rows:
            tagged = _find(caller.scope, await rows.list(SamplingRule), await rows.list(TraceGroup), request)
            await rows.save(_with_tags(tagged, {key: tagged.tags[key] for key in tagged.tags.keys() - gone}))
        return {}

    @operation("ListTagsForResource")
    async def list(self, caller: Caller, request: ListTagsForResourceRequest) -> Mapping[str, Any]:
        refuse_token(request)
        scope, list_ = caller.scope, self._settings.list
        tagged = _find(scope, await list_(scope, SamplingRule), await list_(scope, TraceGroup), request)
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tagged.tags.items())]}


def checked_tags(given: Sequence[Tag] | None) -> dict[str, str]:
    """
    Return the tags of a request.

    Raises:
        InvalidRequestException: a key is reserved.
        TooManyTagsException: there are too many.
    """
    tags = {tag["Key"]: tag["Value"] for tag in given or ()}
    # Documented: X-Ray API reference, TagResource: keys do not begin with it.
    if any(key.lower().startswith("aws:") for key in tags):
        raise InvalidRequestException("Keys that begin with aws: are reserved.")
    return _bounded(tags)


def _bounded(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > _TAGS_MAX:
        raise TooManyTagsException(f"A resource has at most {_TAGS_MAX} tags.")
    return tags


def _find(
    scope: Scope, rules: Sequence[SamplingRule], groups: Sequence[TraceGroup], request: Mapping[str, Any]
) -> SamplingRule | TraceGroup:
    """
    Return what a request names.

    Raises:
        ResourceNotFoundException: there is no such thing.
    """
    arn = request["ResourceARN"]
    for rule in sampling.with_default(rules):
        if sampling_rule_arn(scope, rule.name) == arn:
            return rule
    for one in group.with_default(groups):
        if one.arn(scope) == arn:
            return one
    # Assumed: the text (test_xray).
    raise ResourceNotFoundException("There is no such resource.", fields={"ResourceName": arn})


def _with_tags(tagged: SamplingRule | TraceGroup, tags: dict[str, str]) -> SamplingRule | TraceGroup:
    return msgspec.structs.replace(tagged, tags=tags)
