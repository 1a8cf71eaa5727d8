"""Tags of log groups: one set, by two families of operations."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec

from lambent.domain.caller import Caller
from lambent.errors.api.logs import InvalidParameterException, TooManyTagsException
from lambent.errors.families import ApiError
from lambent.protocol.shapes.logs import (
    ListTagsForResourceRequest,
    ListTagsLogGroupRequest,
    TagLogGroupRequest,
    TagResourceRequest,
    UntagLogGroupRequest,
    UntagResourceRequest,
)
from lambent.services.logs.naming import group_missing, named_group
from lambent.services.operation import operation
from lambent.store.contract import LogGroup, LogStore

TAGS_MAX = 50
"""Documented: TagResource."""


def check_tags(tags: Mapping[str, str], too_many: type[ApiError]) -> None:
    """
    Refuse tags that a group may not have. The spelling of keys and values is the protocol's to check.

    Raises:
        InvalidParameterException: a key is reserved. Documented: TagResource. Assumed: the text (test_tags).
        ApiError: there are too many; the error is the operation's.
    """
    if any(key.lower().startswith("aws:") for key in tags):
        raise InvalidParameterException("aws: prefixed tag key names are not allowed for external use.")
    if len(tags) > TAGS_MAX:
        # Assumed: the text; the codes are documented. Revisit: test_tags.
        raise too_many(f"A log group can have at most {TAGS_MAX} tags.")


class LogTags:
    """The tags of a group."""

    def __init__(self, store: LogStore, fold: Callable[[], Awaitable[None]]) -> None:
        self._store = store
        self._fold = fold

    @operation("TagResource")
    async def tag(self, caller: Caller, request: TagResourceRequest) -> Mapping[str, Any]:
        await self._add(caller, named_group(caller, request["resourceArn"]), request["tags"], TooManyTagsException)
        return {}

    @operation("UntagResource")
    async def untag(self, caller: Caller, request: UntagResourceRequest) -> Mapping[str, Any]:
        await self._remove(caller, named_group(caller, request["resourceArn"]), request["tagKeys"])
        return {}

    @operation("ListTagsForResource")
    async def list(self, caller: Caller, request: ListTagsForResourceRequest) -> Mapping[str, Any]:
        return {"tags": await self._tags(caller, named_group(caller, request["resourceArn"]))}

    @operation("TagLogGroup")
    async def tag_group(self, caller: Caller, request: TagLogGroupRequest) -> Mapping[str, Any]:
        await self._add(caller, request["logGroupName"], request["tags"], InvalidParameterException)
        return {}

    @operation("UntagLogGroup")
    async def untag_group(self, caller: Caller, request: UntagLogGroupRequest) -> Mapping[str, Any]:
        await self._remove(caller, request["logGroupName"], request["tags"])
        return {}

    @operation("ListTagsLogGroup")
    async def list_group(self, caller: Caller, request: ListTagsLogGroupRequest) -> Mapping[str, Any]:
        return {"tags": await self._tags(caller, request["logGroupName"])}

    async def _add(self, caller: Caller, name: str, new: Mapping[str, str], too_many: type[ApiError]) -> None:
        def change(group: LogGroup) -> LogGroup:
            tags = {**group.tags, **new}
            check_tags(tags, too_many)
            return msgspec.structs.replace(group, tags=tags)

        await self._change(caller, name, change)

    async def _remove(self, caller: Caller, name: str, keys: Iterable[str]) -> None:
        gone = set(keys)

        def change(group: LogGroup) -> LogGroup:
            left = {key: value for key, value in group.tags.items() if key not in gone}
            return msgspec.structs.replace(group, tags=left)

        await self._change(caller, name, change)

    async def _change(self, caller: Caller, name: str, change: Callable[[LogGroup], LogGroup]) -> None:
        # A function may have made the group with what it wrote a moment ago.
        await self._fold()
        if await self._store.update_group(caller.scope, name, change) is None:
            raise group_missing()

    async def _tags(self, caller: Caller, name: str) -> Mapping[str, str]:
        await self._fold()
        group = await self._store.group(caller.scope, name)
        if group is None:
            raise group_missing()
        return dict(group.tags)
