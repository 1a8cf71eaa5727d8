"""
The door for S3 events that were made elsewhere: of writes that went round the gateway, straight to the S3 server.

Takes what MinIO and others send to a webhook, and treats it as if the request had passed here.
"""

import hmac
import os
import stat
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from lambent.clock import Clock
from lambent.errors.families import SettingsError
from lambent.gateway.own_answers import answered, problem
from lambent.protocol.wire import WireRequest, WireResponse
from lambent.services.s3.errors import SlowDown
from lambent.services.s3.events import Origin, occurrences_of
from lambent.services.s3.notifications import BucketNotifications, host_id_of

_BODY_MAX_BYTES = 1_048_576
"""A thousand events of a kilobyte; servers send one at a time."""
_TOKEN_MAX_BYTES = 4096


class S3EventsDoor:
    """
    Answers `/_lambent/s3/events`.

    Args:
        token: whoever has it is believed; None: the door is closed.
    """

    def __init__(self, notifications: BucketNotifications, token: str | None, clock: Clock) -> None:
        self._notifications = notifications
        self._token = token
        self._clock = clock

    async def answer(self, request: WireRequest) -> WireResponse:
        """Take events in; a 200 says that they are on disk, all of them."""
        if request.method in {"GET", "HEAD"}:
            # Some servers ask whether anybody is there before they send.
            return problem(200 if self._token is not None else 404, "events are posted here")
        if request.method != "POST":
            return problem(405, "only POST is answered here")
        if self._token is None:
            await request.discard()
            return problem(404, "this door is closed: --s3-events-token-file opens it")
        if not self._is_allowed(request.headers.get("authorization", "")):
            await request.discard()
            return problem(403, "send the token of --s3-events-token-file as `Authorization: Bearer <token>`")
        body = await _read(request)
        if body is None:
            return problem(413, f"a body has {_BODY_MAX_BYTES} bytes at most")
        try:
            document = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            return problem(400, f"this is no JSON: {error}")
        records = document.get("Records") if isinstance(document, Mapping) else None
        if not isinstance(records, list):
            return problem(400, "this is no S3 event: there are no Records")
        try:
            occurred = occurrences_of(records)
        except ValueError as error:
            return problem(400, f"this is no S3 event: {error}")
        delivered = 0
        try:
            for record, (bucket, occurrence) in zip(records, occurred, strict=True):
                notification = await self._notifications.of(bucket)
                if notification is not None and notification.wanting(occurrence.event, occurrence.key):
                    origin = self._origin(record, request, notification.scope.account)
                    await self._notifications.deliver(notification, [occurrence], origin, None)
                    delivered += 1
        except SlowDown as error:
            return problem(503, error.message)
        return answered({"events": len(records), "delivered": delivered})

    def _is_allowed(self, authorization: str) -> bool:
        assert self._token is not None
        given = authorization.removeprefix("Bearer ").strip()
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _origin(self, record: Mapping[str, Any], request: WireRequest, account: str) -> Origin:
        request_id = self._clock.new_id()
        return Origin(
            principal=_text(record, "userIdentity", "principalId") or f"AWS:{account}",
            address=_text(record, "requestParameters", "sourceIPAddress") or request.client,
            request_id=_text(record, "responseElements", "x-amz-request-id") or request_id,
            host_id=_text(record, "responseElements", "x-amz-id-2") or host_id_of(request_id),
            time=_time(record.get("eventTime")) or self._clock.now(),
        )


def read_token(path: Path | None, where: str = "--s3-events-token-file") -> str | None:
    """
    Read a token that opens a door.

    Args:
        where: the setting that names the file.

    Raises:
        SettingsError: the file cannot be read, holds none, or is open to others.
    """
    if path is None:
        return None
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            token = stream.read(_TOKEN_MAX_BYTES).decode().strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{where}: {path}: {error}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise SettingsError(f"{where}: {path} is open to others; run `chmod 600 {path}`")
    if not token:
        raise SettingsError(f"{where}: {path} is empty")
    return token


async def _read(request: WireRequest) -> bytes | None:
    """Return the body, None when it is too long; then it has been read away."""
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > _BODY_MAX_BYTES:
            await request.discard()
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _text(record: Mapping[str, Any], member: str, name: str) -> str:
    inner = record.get(member)
    found = inner.get(name) if isinstance(inner, Mapping) else None
    return found if isinstance(found, str) else ""


def _time(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
