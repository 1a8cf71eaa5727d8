"""Queries that are saved under a name. Unlike results, they are kept in the store."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

from lambent.clock import Clock
from lambent.domain.caller import Caller
from lambent.errors.api.logs import InvalidParameterException, LimitExceededException, ResourceNotFoundException
from lambent.protocol.shapes.logs import (
    DeleteQueryDefinitionRequest,
    DescribeQueryDefinitionsRequest,
    PutQueryDefinitionRequest,
)
from lambent.services.logs.queries import GROUPS_MAX, LANGUAGE
from lambent.services.operation import operation
from lambent.store.query_definitions_contract import QueryDefinition, QueryDefinitions

_OF_TOKENS: Final = UUID("6f2b7c1e-3d0a-4a55-9d61-1f0c7e2a9b34")
"""Ours, so that ids of tokens are nobody else's."""

DEFINITIONS_MAX: Final = 1_000
"""Documented: CloudWatch Logs quotas, saved queries of an account in a region."""


class SavedQueries:
    """Saved queries. What they say is not looked at before it runs, as on AWS."""

    def __init__(self, store: QueryDefinitions, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("PutQueryDefinition")
    async def put(self, caller: Caller, request: PutQueryDefinitionRequest) -> Mapping[str, Any]:
        language = request.get("queryLanguage", LANGUAGE)
        if language != LANGUAGE:
            raise InvalidParameterException(f"queryLanguage {language} is not offered by this version of Lambent")
        groups = request.get("logGroupNames", ())
        if len(groups) > GROUPS_MAX:
            raise InvalidParameterException(f"A query can have at most {GROUPS_MAX} log groups.")
        given_id = request.get("queryDefinitionId")
        token = request.get("clientToken")
        definition = QueryDefinition(
            # Documented: PutQueryDefinition: what is sent twice with one token is saved once.
            id=given_id or (self._clock.new_id() if token is None else str(uuid5(_OF_TOKENS, token))),
            name=request["name"],
            query=request["queryString"],
            groups=tuple(groups),
            modified_ms=int(self._clock.now() * 1_000),
            parameters=tuple(dict(each) for each in request.get("parameters", ())),
        )
        saved = await self._store.put(caller.scope, definition, is_new=given_id is None, most=DEFINITIONS_MAX)
        if not saved and given_id is not None:
            raise _missing()
        if not saved:
            raise LimitExceededException(f"There are {DEFINITIONS_MAX} saved queries already: delete one first.")
        return {"queryDefinitionId": definition.id}

    @operation("DeleteQueryDefinition")
    async def delete(self, caller: Caller, request: DeleteQueryDefinitionRequest) -> Mapping[str, Any]:
        if not await self._store.delete(caller.scope, request["queryDefinitionId"]):
            raise _missing()
        return {"success": True}

    @operation("DescribeQueryDefinitions")
    async def describe(self, caller: Caller, request: DescribeQueryDefinitionsRequest) -> Mapping[str, Any]:
        if request.get("queryLanguage", LANGUAGE) != LANGUAGE:
            return {"queryDefinitions": []}
        limit = request.get("maxResults", DEFINITIONS_MAX)
        found = await self._store.list(
            caller.scope,
            prefix=request.get("queryDefinitionNamePrefix", ""),
            after=_parse_token(request["nextToken"]) if "nextToken" in request else None,
            limit=limit + 1,
        )
        answer: dict[str, Any] = {"queryDefinitions": [_described(definition) for definition in found[:limit]]}
        if len(found) > limit:
            answer["nextToken"] = _token(found[limit - 1])
        return answer


def _described(definition: QueryDefinition) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "queryLanguage": LANGUAGE,
        "queryDefinitionId": definition.id,
        "name": definition.name,
        "queryString": definition.query,
        "lastModified": definition.modified_ms,
        "logGroupNames": list(definition.groups),
    }
    if definition.parameters:
        shown["parameters"] = list(definition.parameters)
    return shown


def _token(definition: QueryDefinition) -> str:
    return base64.urlsafe_b64encode(f"{definition.id} {definition.name}".encode()).decode()


def _parse_token(token: str) -> tuple[str, str]:
    try:
        query_id, _, name = base64.b64decode(token, altchars=b"-_", validate=True).decode().partition(" ")
    except (binascii.Error, ValueError):
        # Observed: recordings of the service, of other listings.
        raise InvalidParameterException("The specified nextToken is invalid.") from None
    return name, query_id


def _missing() -> ResourceNotFoundException:
    # Assumed: the text; the code is documented (test_query_definitions).
    return ResourceNotFoundException("The specified query definition does not exist.")
