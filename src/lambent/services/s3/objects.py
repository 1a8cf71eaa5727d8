"""Objects that the server itself reads: code of functions and of layers."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from lambent.domain.caller import Scope
from lambent.neighbours.client import Neighbours
from lambent.neighbours.message import AnswerTooLarge, Incoming, NeighbourUnavailable, Outgoing, header
from lambent.store.contract import Archive, MappedArchive

_ERROR_MAX_BYTES = 65_536
_OBJECTS_MAX = 4
"""Read at once; each takes up to 250 MB of the disk until it is unzipped. Assumed."""
_WAIT_S = 30.0
"""For one of these to end. Assumed: SDKs wait a minute for an answer, and try again at a 503."""


class S3Error(Exception):
    """
    S3 said no.

    Args:
        code: e.g. `NoSuchKey`.
        text: its message.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class ObjectTooLarge(Exception):
    """The object is larger than whoever reads it takes."""


class S3Objects:
    """
    Reads objects from the S3 of the table of neighbours.

    Args:
        folder: on whose file system they lie while they are read, without a name.
    """

    def __init__(self, neighbours: Neighbours, folder: Path) -> None:
        self._neighbours = neighbours
        self._folder = folder
        self._free = asyncio.Semaphore(_OBJECTS_MAX)

    @contextlib.asynccontextmanager
    async def open(
        self, scope: Scope, bucket: str, key: str, version: str | None, most_bytes: int
    ) -> AsyncIterator[Archive]:
        """
        Read an object, and give it in a file that is mapped into memory, not read.

        Args:
            scope: of who asks; the embedded server takes no bucket of another region.
            version: None: the newest.

        Raises:
            S3Error: S3 said no, or is not offered.
            ObjectTooLarge: it has more than `most_bytes`.
            NeighbourUnavailable: S3 does not answer, or as many objects as may be are being read.
        """
        neighbour = self._neighbours.of("s3")
        if neighbour is None:
            raise S3Error("NotImplemented", "s3 is not offered by this server: --neighbour s3=URL")
        path = f"/{quote(bucket, safe='')}/{quote(key, safe='/-_.~')}"
        query = "" if version is None else f"versionId={quote(version, safe='')}"
        async with self._turn():
            if neighbour.url is None:
                await self._check_region(scope, bucket)
            answer = await self._neighbours.send(neighbour, Outgoing("GET", path, query), scope)
            try:
                if answer.status != 200:
                    raise await error_in(answer)
                with tempfile.TemporaryFile(dir=self._folder) as file:
                    size = await _copy(answer, file, most_bytes)
                    if not size:
                        yield b""
                        return
                    file.flush()
                    # Not closed here: where the caller left, a thread may be at it still. It goes with its last user.
                    yield MappedArchive(file.fileno(), size)
            finally:
                await answer.aclose()

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._free.acquire()
        except TimeoutError:
            raise NeighbourUnavailable(
                f"{_OBJECTS_MAX} objects with code are being read, and that is as many as may be: try again"
            ) from None
        try:
            yield
        finally:
            self._free.release()

    async def _check_region(self, scope: Scope, bucket: str) -> None:
        """Refuse a bucket of another region, as Lambda does; a server by URL says so itself."""
        neighbour = self._neighbours.of("s3")
        assert neighbour is not None
        answer = await self._neighbours.send(neighbour, Outgoing("HEAD", f"/{quote(bucket, safe='')}"), scope)
        await answer.aclose()
        region = header(answer, "x-amz-bucket-region")
        if answer.status == 200 and region and region != scope.region:
            raise _elsewhere(region)


async def _copy(answer: Incoming, file: BinaryIO, most_bytes: int) -> int:
    size = 0
    async for piece in answer:
        size += len(piece)
        if size > most_bytes:
            raise ObjectTooLarge
        # Where the caller leaves, closing the file waits for the piece that is being written.
        await asyncio.to_thread(file.write, piece)
    return size


async def error_in(answer: Incoming) -> S3Error:
    """Return what an answer that is no success says."""
    try:
        body = await answer.read(_ERROR_MAX_BYTES)
    except AnswerTooLarge:
        body = b""
    region = header(answer, "x-amz-bucket-region")
    code, text = _error_of(body)
    if answer.status == 301 and region:
        return _elsewhere(region)
    return S3Error(code or f"HTTP{answer.status}", text)


def _error_of(body: bytes) -> tuple[str, str]:
    """Return code and message of an error in XML, empty where it is none."""
    # Here, since a server at rest has no use for it.
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return "", ""
    return root.findtext("Code") or "", root.findtext("Message") or ""


def _elsewhere(region: str) -> S3Error:
    # Observed: widely reported text of CreateFunction.
    return S3Error(
        "PermanentRedirect", f"The bucket is in this region: {region}. Please use this region to retry the request"
    )
