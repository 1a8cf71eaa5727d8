"""Tags of APIs, stages and custom domains, by ARN."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from lambent.domain.caller import Caller
from lambent.domain.http_api import ApiDomain, HttpApi, Stage
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.protocol.shapes.apigatewayv2 import GetTagsRequest, TagResourceRequest, UntagResourceRequest
from lambent.services.apigatewayv2.limits import TAGS_MAX
from lambent.services.apigatewayv2.refusals import existing_api, missing_domain, missing_stage
from lambent.services.operation import operation
from lambent.store.contract import FunctionStore, FunctionTransaction

_ARN = re.compile(
    r"arn:aws[a-z-]*:apigateway:(?P<region>[a-z0-9-]+)::/"
    r"(?:apis/(?P<api>[a-z0-9]{1,64})(?:/stages/(?P<stage>[A-Za-z0-9_$-]{1,128}))?|domainnames/(?P<domain>[^/]{1,512}))"
)
_TEXT = re.compile(r"[\w\s.:/=+\-@]*")
# Documented: API Gateway developer guide, tag restrictions.


class Tags:
    """Tags by the ARN of what has them. See the API Gateway v2 API reference for each operation."""

    def __init__(self, store: FunctionStore) -> None:
        self._store = store

    @operation("GetTags")
    async def get(self, caller: Caller, request: GetTagsRequest) -> Mapping[str, Any]:
        async with self._store.snapshot(caller.scope) as reading:
            _, tagged = await _existing(reading, caller, request["ResourceArn"])
        return {"Tags": dict(tagged.tags)}

    @operation("TagResource")
    async def tag(self, caller: Caller, request: TagResourceRequest) -> Mapping[str, Any]:
        given = request.get("Tags", {})
        async with self._store.transaction(caller.scope) as tx:
            api_id, tagged = await _existing(tx, caller, request["ResourceArn"])
            tags = {**tagged.tags, **given}
            check_tags(given)
            check_tags(tags)
            await _save(tx, api_id, msgspec.structs.replace(tagged, tags=tags))
        return {}

    @operation("UntagResource")
    async def untag(self, caller: Caller, request: UntagResourceRequest) -> Mapping[str, Any]:
        gone = set(request["TagKeys"])
        async with self._store.transaction(caller.scope) as tx:
            api_id, tagged = await _existing(tx, caller, request["ResourceArn"])
            left = {key: value for key, value in tagged.tags.items() if key not in gone}
            await _save(tx, api_id, msgspec.structs.replace(tagged, tags=left))
        return {}


def check_tags(tags: Mapping[str, str]) -> None:
    """
    Refuse tags that nothing may have.

    Raises:
        BadRequestException: there are too many, or one is too long or has characters that it may not have.
    """
    # Assumed: the texts (test_tags). Documented: API Gateway developer guide, tag restrictions.
    if len(tags) > TAGS_MAX:
        raise BadRequestException(f"A resource may have {TAGS_MAX} tags")
    for key, value in tags.items():
        if key.lower().startswith("aws:"):
            raise BadRequestException("aws: prefixed tag key names are not allowed for external use.")
        if not 1 <= len(key) <= 128 or _TEXT.fullmatch(key) is None:
            raise BadRequestException(f"Invalid tag key {key[:128]}")
        if len(value) > 256 or _TEXT.fullmatch(value) is None:
            raise BadRequestException(f"Invalid value of the tag {key}")


async def _existing(reading: FunctionTransaction, caller: Caller, arn: str) -> tuple[str, HttpApi | Stage | ApiDomain]:
    """
    Return what an ARN names, with the id of its API where it is a stage.

    Raises:
        BadRequestException: it names nothing that has tags here.
        NotFoundException: it is not there.
    """
    found = _ARN.fullmatch(arn)
    if found is None or found["region"] != caller.scope.region:
        # Assumed: the text (test_tags).
        raise BadRequestException(
            "Invalid ARN specified in the request: tags are for APIs, stages and custom domains of this region"
        )
    if found["domain"] is not None:
        domain = await reading.http_apis.domain(found["domain"])
        if domain is None:
            raise missing_domain()
        return "", domain
    api = await existing_api(reading, found["api"])
    if found["stage"] is None:
        return "", api
    stage = await reading.http_apis.part(Stage, api.api_id, found["stage"])
    if stage is None:
        raise missing_stage()
    return api.api_id, stage


async def _save(tx: FunctionTransaction, api_id: str, tagged: HttpApi | Stage | ApiDomain) -> None:
    if isinstance(tagged, Stage):
        await tx.http_apis.save_part(api_id, tagged)
    elif isinstance(tagged, HttpApi):
        await tx.http_apis.save(tagged)
    else:
        await tx.http_apis.save_domain(tagged)
