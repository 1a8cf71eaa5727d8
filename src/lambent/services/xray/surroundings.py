"""What clients ask of X-Ray beside traces: encryption, where segments go, insights."""

from collections.abc import Mapping
from typing import Any

from lambent.domain.caller import Caller
from lambent.errors.api.xray import InvalidRequestException
from lambent.protocol.shapes.xray import GetInsightSummariesRequest, PutEncryptionConfigRequest
from lambent.services.operation import operation
from lambent.services.xray.filters import Filters
from lambent.services.xray.reading import requested_range
from lambent.services.xray.tokens import refuse_token
from lambent.store.traces_contract import TraceSettings

_ENCRYPTION = {"EncryptionConfig": {"Status": "ACTIVE", "Type": "NONE"}}


class Surroundings:
    """Answers that are the same for everybody."""

    def __init__(self, settings: TraceSettings) -> None:
        self._filters = Filters(settings)

    @operation("GetEncryptionConfig")
    async def encryption(self, caller: Caller, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return _ENCRYPTION

    @operation("PutEncryptionConfig")
    async def put_encryption(self, caller: Caller, request: PutEncryptionConfigRequest) -> Mapping[str, Any]:
        if request["Type"] != "NONE" or request.get("KeyId") is not None:
            raise InvalidRequestException("Encryption with a key is not offered by this version of Lambent.")
        return _ENCRYPTION

    @operation("GetTraceSegmentDestination")
    async def destination(self, caller: Caller, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"Destination": "XRay", "Status": "ACTIVE"}

    @operation("GetInsightSummaries")
    async def insights(self, caller: Caller, request: GetInsightSummariesRequest) -> Mapping[str, Any]:
        # Nothing here looks for insights: consoles that poll for them are told that there are none.
        refuse_token(request)
        requested_range(request)
        await self._filters.of_group(caller.scope, request)
        return {"InsightSummaries": []}
