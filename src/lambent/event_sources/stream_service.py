"""How readers ask the service of a stream: one JSON request, and its answer, through the table of neighbours."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, TypeVar

import msgspec

from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.errors.families import FrameworkError
from lambent.event_sources.stream_reader import Shard, StreamUnavailable
from lambent.neighbours.client import Neighbours
from lambent.neighbours.message import Outgoing

_ANSWER_S = 30.0
"""How long an answer may take. Assumed: no operation of these services waits for records."""

ANSWER_MAX_BYTES = 16 << 20
"""Of an answer: 10 MB of records, base64, and what is said of them."""

SHARDS_MAX = 10_000
PAGES_MAX = 100
"""Of one stream, and answers that list them. Assumed: AWS's quotas are hundreds, and as many at once."""

ShardId = Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9_.-]{1,128}\Z")]
"""Documented: Kinesis API reference, Shard; those of DynamoDB streams have fewer characters. It stands in keys of rows
and of objects."""

LATEST_MOMENT = 253_402_300_799
"""Seconds since the epoch: later there are no dates."""

Moment = Annotated[float, msgspec.Meta(ge=0, le=LATEST_MOMENT)]

_Answer = TypeVar("_Answer")


class Refused(Exception):
    """
    The service said no.

    Args:
        code: e.g. `ResourceNotFoundException`.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Error(msgspec.Struct):
    type: str = msgspec.field(name="__type", default="")
    message: str = ""
    Message: str = ""


class StreamService:
    """
    Args:
        service: in the table of neighbours.
        target: what stands before an operation's name in `X-Amz-Target`.
        version: of the JSON protocol.
    """

    def __init__(self, neighbours: Neighbours, service: str, target: str, version: str) -> None:
        self._neighbours = neighbours
        self._service = service
        self._target = target
        self._type = f"application/x-amz-json-{version}"

    async def ask(
        self, mapping: EventSourceMapping, operation: str, request: Mapping[str, Any], answer: type[_Answer]
    ) -> _Answer:
        """
        Send a request in the mapping's scope; return its answer.

        Raises:
            Refused: the service said no, with a code of its own.
            AnswerTooLarge: it has more than `ANSWER_MAX_BYTES`.
            StreamUnavailable: it does not answer, or not as it should.
        """
        neighbour = self._neighbours.of(self._service)
        if neighbour is None:
            raise StreamUnavailable(f"{self._service} is not offered by this server: --neighbour {self._service}=URL")
        outgoing = Outgoing(
            "POST",
            "/",
            headers={"content-type": self._type, "x-amz-target": f"{self._target}.{operation}"},
            body=msgspec.json.encode(request),
            is_own=True,
        )
        try:
            async with asyncio.timeout(_ANSWER_S):
                incoming = await self._neighbours.send(neighbour, outgoing, mapping.scope)
                try:
                    body = await incoming.read(ANSWER_MAX_BYTES)
                finally:
                    await incoming.aclose()
        except TimeoutError:
            raise StreamUnavailable(f"{self._service}: no answer within {_ANSWER_S:.0f} s") from None
        except FrameworkError as error:
            raise StreamUnavailable(error.message) from error
        try:
            if incoming.status == 200:
                return msgspec.json.decode(body, type=answer)
            said = msgspec.json.decode(body, type=_Error)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise StreamUnavailable(
                f"{self._service} answers {incoming.status}, and what is not understood: {error}"
            ) from None
        code = said.type.rpartition("#")[2]
        if not code or incoming.status >= 500:
            raise StreamUnavailable(f"{self._service}: {code or incoming.status}: {said.message or said.Message}")
        raise Refused(code, f"{self._service}: {code}: {said.message or said.Message}")


def parents_first(shards: Iterable[Shard]) -> Sequence[Shard]:
    """
    Return shards in an order in which parents come first; servers list them by id, which mostly is one.

    Raises:
        StreamUnavailable: there is no such order.
    """
    known = {shard.shard_id: shard for shard in shards}
    order = TopologicalSorter(
        {name: [parent for parent in shard.parents if parent in known] for name, shard in known.items()}
    )
    try:
        return [known[name] for name in order.static_order()]
    except CycleError:
        raise StreamUnavailable("shards of the stream are their own parents") from None
