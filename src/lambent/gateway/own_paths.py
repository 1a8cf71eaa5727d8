"""The gateway's own paths, below `/_lambent/`."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from lambent.access.links import CodeLinks
from lambent.domain.caller import Scope
from lambent.errors.families import ApiError, DependencyError
from lambent.gateway.access_paths import AccessPaths
from lambent.gateway.budget_paths import BudgetPaths
from lambent.gateway.own_access import OwnAccess, is_function
from lambent.gateway.own_answers import answered, problem, with_first
from lambent.gateway.s3_events_door import S3EventsDoor
from lambent.gateway.usage_paths import UsagePaths
from lambent.protocol.wire import ClientGone, WireRequest, WireResponse, media_type
from lambent.store.contract import BackupInProgress, Backups, Blobs, QueueKind, QueueName
from lambent.telemetry.exposition import CONTENT_TYPE, Exposition
from lambent.telemetry.figures import EDGES_MS
from lambent.telemetry.queues import QueueView

_log = logging.getLogger("lambent.gateway")

PREFIX = "/_lambent/"
BACKUP_PATH = PREFIX + "backup"


class OwnPaths:
    """
    Health, metrics, functions, queues, usage, events of S3 servers, backups, packages by signed link.

    Health and packages are everybody's, the latter by their links; events of S3 servers have a token of their own. For
    all else `access` lets in.

    Args:
        health: returns what `/_lambent/health` shows, awaited.
    """

    def __init__(
        self,
        blobs: Blobs,
        links: CodeLinks,
        health: Callable[[], Any],
        queues: QueueView,
        exposition: Exposition,
        backups: Backups,
        s3_events: S3EventsDoor,
        access: OwnAccess,
        keys: AccessPaths | None = None,
        usage: UsagePaths | None = None,
        budgets: BudgetPaths | None = None,
    ) -> None:
        self._blobs = blobs
        self._links = links
        self._health = health
        self._queues = queues
        self._exposition = exposition
        self._s3_events = s3_events
        self._keys = keys
        self._usage = usage
        self._budgets = budgets
        self._backups = backups
        self._access = access
        self._leaving: set[asyncio.Task[None]] = set()
        """Each waits until the client of a backup has left; a response that is over ends it, too."""

    async def answer(self, request: WireRequest, request_id: str) -> WireResponse:
        """Answer a request whose path begins with `/_lambent/`. Raises ClientGone alone."""
        try:
            return await self._answer(request, request_id)
        except ApiError as error:
            answer = problem(error.status, error.message, code=error.code)
        except DependencyError as error:
            _log.error("request.dependency_failed request_id=%s reason=%s", request_id, error)
            answer = problem(503, "unavailable now: see the server's log")
        except ClientGone:
            raise
        except Exception:
            _log.exception("request.failed request_id=%s", request_id)
            answer = problem(500, f"a defect: see the server's log for {request_id}")
        await request.discard()
        return answer

    async def _answer(self, request: WireRequest, request_id: str) -> WireResponse:
        rest = request.path[len(PREFIX) :]
        if rest == "queues/purge":
            return await self._purge(request, request_id)
        if rest == "s3/events":
            return await self._s3_events.answer(request)
        if rest.startswith("access/") and self._keys is not None:
            return await self._keys.answer(request, rest[len("access/") :], request_id)
        if rest.startswith("budgets/") and self._budgets is not None:
            return await self._budgets.answer(request, rest[len("budgets/") :], request_id)
        if request.path == BACKUP_PATH:
            return await self._backup(request, request_id)
        if request.method not in {"GET", "HEAD"}:
            return problem(405, "only GET is answered here")
        if rest == "health":
            return answered(await self._health())
        if rest == "metrics":
            if not self._access.is_scraper(request):
                await self._access.admit(request, "GetMetrics", request_id)
            text = (b"content-type", CONTENT_TYPE.encode())
            return WireResponse(200, [text], await self._exposition.text())
        if rest == "functions":
            # The same figures, of those that Prometheus gets, for whoever draws them at once.
            await self._access.admit(request, "GetMetrics", request_id)
            shown = {"edges_ms": EDGES_MS, "functions": self._exposition.functions()}
            return answered(shown)
        if rest == "queues":
            await self._access.admit(request, "GetQueues", request_id)
            return answered(await self._queues.figures())
        if rest == "queues/peek":
            await self._access.admit(request, "PeekQueue", request_id)
            return await self._peek(request)
        if rest.startswith("code/"):
            return await self._code(rest[len("code/") :], request)
        if self._usage is not None and rest.partition("/")[0] == "usage":
            answer = await self._usage.answer(request, rest.removeprefix("usage").removeprefix("/"), request_id)
            if answer is not None:
                return answer
        return problem(404, f"there is no {PREFIX}{rest[:100]}")

    async def _peek(self, request: WireRequest) -> WireResponse:
        queue, parameters = _queue_of(request)
        limit = parameters.get("limit", "10")
        if queue is None or not (limit.isascii() and limit.isdigit() and len(limit) < 4):
            return problem(400, _QUEUE_WANTED)
        return answered(await self._queues.peek(queue, int(limit)))

    async def _purge(self, request: WireRequest, request_id: str) -> WireResponse:
        if not _is_deliberate(request):
            return problem(405, _POST_WANTED)
        await self._access.admit(request, "PurgeQueue", request_id)
        queue, _ = _queue_of(request)
        if queue is None:
            return problem(400, _QUEUE_WANTED)
        if not await self._queues.purge(queue):
            return problem(404, f"there is no queue {queue.name}")
        return answered({})

    async def _backup(self, request: WireRequest, request_id: str) -> WireResponse:
        if not _is_deliberate(request):
            return problem(405, _POST_WANTED)
        if request.inside is not None:
            # It holds every function's variables.
            return problem(403, "functions get no backup")
        caller = await self._access.admit(request, "CreateBackup", request_id)
        if is_function(caller):
            return problem(403, "functions get no backup")
        is_there = self._presence(request)
        try:
            backup = await self._backups.begin(is_there)
        except BackupInProgress as error:
            return problem(409, str(error), code="BackupInProgressException")
        except DependencyError as error:
            if not is_there():
                _log.warning("backup.broken_off reason=%s", error)
                raise ClientGone from error
            _log.error("backup.failed reason=%s", error)
            return problem(503, str(error), code="BackupFailedException")
        length = (b"content-length", str(backup.size_bytes).encode())
        return WireResponse(200, [(b"content-type", b"application/x-tar"), length], backup)

    def _presence(self, request: WireRequest) -> Callable[[], bool]:
        """Return what says whether a request's client is still there."""
        if request.wait_gone is None:
            return lambda: True
        leaving = asyncio.ensure_future(request.wait_gone())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        return lambda: not leaving.done()

    async def _code(self, sha256: str, request: WireRequest) -> WireResponse:
        if not self._links.verify(sha256, request.query):
            return problem(403, "this link is not valid or has expired: ask GetFunction for a new one")
        try:
            chunks = self._blobs.open(sha256)
            first = await anext(chunks)
        except KeyError:
            return problem(404, "this package is gone")
        except StopAsyncIteration:
            return WireResponse(200, [(b"content-type", b"application/zip")], b"")
        body = b"" if request.method == "HEAD" else with_first(first, chunks)
        return WireResponse(200, [(b"content-type", b"application/zip")], body)


_POST_WANTED = "only POST with Content-Type: application/json is answered here"
_QUEUE_WANTED = "name a queue by kind, account, region and queue, as /_lambent/queues shows them"


def _queue_of(request: WireRequest) -> tuple[QueueName | None, dict[str, str]]:
    """Return the queue that a query names, None where it names none, and all parameters."""
    parameters = dict(parse_qsl(request.query))
    try:
        scope = Scope(parameters["account"], parameters["region"])
        queue = QueueName(scope, QueueKind(parameters["kind"]), parameters["queue"])
    except (KeyError, ValueError):
        return None, parameters
    is_sound = all("/" not in part for part in (scope.account, scope.region)) and len(queue.name) <= 512
    return (queue if is_sound and "\0" not in queue.name else None), parameters


def _is_deliberate(request: WireRequest) -> bool:
    # No page of the web can have a browser send this on its own: it would ask for leave first, and get none.
    return request.method == "POST" and media_type(request) == "application/json"
