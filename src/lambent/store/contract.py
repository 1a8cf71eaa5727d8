"""
What a store promises. The suites in `lambent.testing.conformance` (`store`, `aliases_layers_policies`) run on every
adapter. A table of promises: it stays whole.

Common to all methods: a write that returned is on disk (full sync); a cancelled call either happened
whole or not at all; nothing here relies on an in-process lock for being correct; failures of the
database arrive as `DependencyError`.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from lambent.domain.alias import Alias
from lambent.domain.caller import Scope
from lambent.domain.concurrency import Claims, ProvisionedConcurrency
from lambent.domain.event_invoke import EventInvokeConfig
from lambent.domain.function import Function, FunctionName, FunctionVersion
from lambent.domain.layer import LayerName, LayerVersion
from lambent.domain.resource_policy import ResourcePolicy


class Conflict(Exception):
    """A row that was to be new exists, or one that was to be replaced changed meanwhile."""


class ScopeUsage(msgspec.Struct, frozen=True):
    """What a scope's functions and layers take. Every published version counts its own copy of the package."""

    function_count: int
    code_bytes: int


class AliasRows(Protocol):
    """The aliases of one scope's functions. A write tells `on_change` of the function."""

    async def get(self, name: FunctionName, alias: str) -> Alias | None: ...

    async def save(self, alias: Alias) -> None:
        """
        Insert or replace an alias.

        Raises:
            Conflict: there is no such function.
        """
        ...

    async def delete(self, name: FunctionName, alias: str) -> bool:
        """Remove an alias; False when there was none. Its policy and its event invoke config go with it."""
        ...

    async def list(
        self, name: FunctionName, *, version: str | None = None, after: str | None = None, limit: int = 1_000_000
    ) -> Sequence[Alias]:
        """
        Return aliases of a function by name (byte order).

        Args:
            version: only those that point at it; where weights lead does not count.
        """
        ...


class PolicyRows(Protocol):
    """The resource policies of one scope's functions, one for each qualifier."""

    async def get(self, name: FunctionName, qualifier: str | None) -> ResourcePolicy | None:
        """Return the policy of a function as a whole (None), a version or an alias."""
        ...

    async def save(self, name: FunctionName, qualifier: str | None, policy: ResourcePolicy | None) -> None:
        """
        Insert, replace, or with None remove a policy. It goes when its function, version or alias goes.

        Raises:
            Conflict: there is no such function.
        """
        ...


class EventInvokeConfigRows(Protocol):
    """
    What the qualifiers of one scope's functions say of asynchronous events: `$LATEST`, versions and aliases.

    Each goes when its function, version or alias goes.
    """

    async def get(self, name: FunctionName, qualifier: str) -> EventInvokeConfig | None: ...

    async def save(self, config: EventInvokeConfig) -> None:
        """
        Insert or replace one.

        Raises:
            Conflict: there is no such function.
        """
        ...

    async def delete(self, name: FunctionName, qualifier: str) -> bool:
        """Remove one; False when there was none."""
        ...

    async def list(
        self, name: FunctionName, *, after: str | None = None, limit: int = 1_000_000
    ) -> Sequence[EventInvokeConfig]:
        """Return those of a function by qualifier (byte order)."""
        ...


class LayerRows(Protocol):
    """The layers of one scope."""

    async def next_number(self, name: LayerName) -> int:
        """Return the number of a layer's next version, counted for ever: also after all versions are gone."""
        ...

    async def save(self, version: LayerVersion) -> None:
        """Insert or replace one version."""
        ...

    async def get(self, name: LayerName, number: int) -> LayerVersion | None: ...

    async def delete(self, name: LayerName, number: int) -> bool:
        """Remove one version; False when there was none."""
        ...

    async def list(self, name: LayerName, *, before: int | None, limit: int) -> Sequence[LayerVersion]:
        """Return a layer's versions, newest first, below number `before`."""
        ...

    async def names(self, *, after: LayerName | None, limit: int) -> Sequence[LayerName]:
        """Return layers that have a version, by name (byte order)."""
        ...


class FunctionTransaction(Protocol):
    """
    Reads and writes of one scope that happen together or not at all.

    Reads see the writes of the same transaction. Inside it, await only the store.
    """

    @property
    def aliases(self) -> AliasRows: ...

    @property
    def policies(self) -> PolicyRows: ...

    @property
    def event_invoke_configs(self) -> EventInvokeConfigRows: ...

    @property
    def layers(self) -> LayerRows: ...

    async def function(self, name: FunctionName) -> Function | None: ...

    async def version(self, name: FunctionName, version: str) -> FunctionVersion | None:
        """Return one version, `$LATEST` or digits."""
        ...

    async def create(self, function: Function, latest: FunctionVersion) -> None:
        """
        Store a new function with its `$LATEST`.

        Raises:
            Conflict: the name is taken in this scope.
        """
        ...

    async def save_function(self, function: Function) -> None:
        """Replace the function's row."""
        ...

    async def save_version(self, version: FunctionVersion) -> None:
        """Insert or replace one version's row."""
        ...

    async def delete_function(self, name: FunctionName) -> None:
        """Remove the function with its versions, aliases, policies and event invoke configs; absent is fine."""
        ...

    async def delete_version(self, name: FunctionName, version: str) -> None:
        """Remove one version, its policy and its event invoke config; absent is fine."""
        ...

    async def list_latest(self, *, after: FunctionName | None, limit: int) -> Sequence[FunctionVersion]:
        """Return `$LATEST` of the functions whose name sorts after `after`, by name (byte order)."""
        ...

    async def list_all_versions(
        self, *, after: tuple[FunctionName, int] | None, limit: int
    ) -> Sequence[FunctionVersion]:
        """
        Return every version of every function, by name, `$LATEST` (as number 0) first, then ascending numbers.

        Args:
            after: name and number (0 for `$LATEST`) of the last one already seen.
        """
        ...

    async def list_versions(self, name: FunctionName, *, after: int | None, limit: int) -> Sequence[FunctionVersion]:
        """Return versions of one function, `$LATEST` (as number 0) first, then ascending numbers after `after`."""
        ...

    async def usage(self) -> ScopeUsage: ...

    async def claims(self) -> Claims:
        """Return the reserved and the provisioned concurrency of every function that has some."""
        ...

    async def save_provisioned(self, provisioned: ProvisionedConcurrency) -> None:
        """
        Insert or replace a version's provisioned concurrency. It goes when its version goes.

        Raises:
            Conflict: there is no such version.
        """
        ...

    async def delete_provisioned(self, name: FunctionName, version: str) -> bool:
        """Remove a version's provisioned concurrency; False when there was none."""
        ...

    async def list_provisioned(self, name: FunctionName) -> Sequence[ProvisionedConcurrency]:
        """Return the provisioned concurrency of a function's versions, ascending numbers."""
        ...


class FunctionChange(msgspec.Struct, frozen=True):
    """A notice that a function's rows changed. It carries no data: whoever caches reads again."""

    scope: Scope
    name: FunctionName


class FunctionStore(Protocol):
    """Functions and versions of all scopes."""

    def transaction(self, scope: Scope) -> AbstractAsyncContextManager[FunctionTransaction]:
        """
        Open a transaction that commits when its block ends and rolls back when it raises.

        Transactions that write are serialised, so what was read inside one is still true at its commit.
        """
        ...

    def snapshot(self, scope: Scope) -> AbstractAsyncContextManager[FunctionTransaction]:
        """Open a read-only transaction; it waits for no writer and its writing methods must not be called."""
        ...

    async def unsettled(self) -> Sequence[FunctionVersion]:
        """Return, over all scopes, versions that are Pending or have an update InProgress."""
        ...

    async def kept(self) -> Sequence[FunctionChange]:
        """Name, over all scopes, the functions with provisioned concurrency or with published versions of SnapStart."""
        ...

    def on_change(self, callback: Callable[[FunctionChange], None]) -> None:
        """Call back, on the event loop, after every commit that changed a function. In order of commits."""
        ...

    async def some(self, limit: int) -> Sequence[FunctionVersion]:
        """Return `$LATEST` of some functions, at most so many, over all scopes."""
        ...

    async def function_count(self) -> int:
        """Return how many functions exist, over all scopes."""
        ...


class Blob(msgspec.Struct, frozen=True):
    """A stored blob by content."""

    sha256: str
    size_bytes: int


class Blobs(Protocol):
    """Immutable byte strings by SHA-256."""

    async def put(self, body: bytes) -> Blob:
        """Store `body`; on return it is synced to disk. Storing the same bytes again is cheap and fine."""
        ...

    def open(self, sha256: str) -> AsyncIterator[bytes]:
        """
        Stream a blob in chunks.

        Raises:
            KeyError: no such blob.
        """
        ...

    async def read(self, sha256: str) -> bytes:
        """Return a whole blob. Raises KeyError when there is none."""
        ...


class PackageRefused(Exception):
    """
    A deployment package that cannot be used. The message is AWS's text for it.

    `too_large_zipped` tells the 413 from the 400.
    """

    def __init__(self, message: str, *, too_large_zipped: bool = False) -> None:
        super().__init__(message)
        self.too_large_zipped = too_large_zipped


class Packages(Protocol):
    """Deployment packages: a blob and, beside it, the folder that it unpacks to."""

    async def add(self, archive: bytes) -> Blob:
        """
        Check a zip, keep it and unpack it.

        On return the zip is synced to disk and its folder is complete. Nothing is left behind when it raises.

        Raises:
            PackageRefused: not a zip, empty, too large, or with entries that leave the folder.
        """
        ...

    async def check(self, archive: bytes) -> Blob:
        """Check a zip like `add`, keep nothing. Raises PackageRefused."""
        ...

    async def folder(self, sha256: str) -> Path:
        """
        Return the folder that a package unpacks to, unpacking it when it is not there.

        Concurrent calls for one package unpack once. The folder is never written to afterwards.

        Raises:
            KeyError: no such package.
        """
        ...

    async def unzipped_bytes(self, sha256: str) -> int:
        """Return the size of a package's files, unpacking it when it is not there. Raises KeyError: no such package."""
        ...

    def folder_nowait(self, sha256: str) -> Path | None:
        """Return the folder when it is unpacked already. Plain memory look-up, for the invoke path."""
        ...

    async def layers(self, sha256s: tuple[str, ...]) -> Path:
        """
        Return a folder with the content of several packages, at least one; of equal paths the last one's stays.

        Raises:
            KeyError: no such package.
            DependencyError: the disk failed, or a package in it is damaged.
        """
        ...

    def layers_nowait(self, sha256s: tuple[str, ...]) -> Path | None:
        """Return that folder when it is made already. Plain memory look-up, for the invoke path."""
        ...


class LogGroup(msgspec.Struct, frozen=True):
    """One log group."""

    scope: Scope
    name: str
    created_ms: int
    retention_days: int | None = None
    stored_bytes: int = 0


class LogStream(msgspec.Struct, frozen=True):
    """One log stream; the times are None while it holds no event."""

    name: str
    created_ms: int
    first_event_ms: int | None = None
    last_event_ms: int | None = None
    last_ingestion_ms: int | None = None


class LogEvent(msgspec.Struct, frozen=True):
    """One stored event. `sequence` is unique per store and rises with arrival."""

    stream: str
    timestamp_ms: int
    ingestion_ms: int
    sequence: int
    message: str

    @property
    def event_id(self) -> str:
        """
        The 56 decimal digits that name the event: they sort by timestamp, then ingestion, then arrival.

        Observed: decoded from published subscription samples
        (timestamp << 144 | ingestion << 80 | request << 16 | index).
        """
        number = self.timestamp_ms << 144 | self.ingestion_ms << 80 | self.sequence << 16
        return f"{number:056d}"


class NewLogEvent(msgspec.Struct, frozen=True):
    """One event to store."""

    scope: Scope
    group: str
    stream: str
    timestamp_ms: int
    ingestion_ms: int
    message: str


class LogPosition(msgspec.Struct, frozen=True):
    """How far the segment files have been folded into the store."""

    segment: int
    offset: int


class OpenInvocation(msgspec.Struct, frozen=True):
    """An invocation that has started and not ended, as far as folded records tell."""

    request_id: str
    scope: Scope
    group: str
    stream: str
    version: str
    started_ms: int
    memory_mib: int
    timeout_s: int
    system_level: str = ""
    """Of the platform's records, where the function logs in JSON; empty with the text format."""


class EventCursor(msgspec.Struct, frozen=True, order=True):
    """A place between events: everything that sorts after it follows."""

    timestamp_ms: int
    ingestion_ms: int
    sequence: int


class LogStore(Protocol):
    """Log groups, streams and events of all scopes."""

    async def fold(
        self,
        events: Sequence[NewLogEvent],
        opened: Sequence[OpenInvocation],
        closed: Sequence[str],
        position: LogPosition,
    ) -> None:
        """
        Store events, invocations that opened and request ids that closed, and the position they end at: all in
        one commit, so that a crash folds nothing twice. Missing groups and streams are made. An invocation that is
        in both lists has closed.

        Raises:
            Conflict: the store stands at `position` or beyond (a call that was cancelled or raced had folded this
                already); nothing was stored. Go on from `position()`.
        """
        ...

    async def position(self) -> LogPosition: ...

    async def open_invocations(self) -> Sequence[OpenInvocation]: ...

    async def group(self, scope: Scope, name: str) -> LogGroup | None: ...

    async def list_groups(
        self, scope: Scope, *, prefix: str = "", pattern: str = "", after: str | None, limit: int
    ) -> Sequence[LogGroup]:
        """Return groups by name whose name starts with `prefix` and contains `pattern`."""
        ...

    async def list_streams(
        self,
        scope: Scope,
        group: str,
        *,
        prefix: str = "",
        by_last_event: bool,
        descending: bool,
        offset: int,
        limit: int,
    ) -> Sequence[LogStream]:
        """Return a group's streams. Ordered by name or, with `by_last_event`, by the newest event's time."""
        ...

    async def stream(self, scope: Scope, group: str, name: str) -> LogStream | None: ...

    async def events(
        self,
        scope: Scope,
        group: str,
        *,
        streams: Sequence[str] | None = None,
        stream_prefix: str | None = None,
        from_ms: int | None = None,
        before_ms: int | None = None,
        after: EventCursor | None = None,
        before: EventCursor | None = None,
        newest_first: bool = False,
        limit: int,
        bytes_max: int | None = None,
    ) -> Sequence[LogEvent]:
        """
        Return events in the order timestamp, ingestion, sequence (reversed with `newest_first`).

        Args:
            streams: only these; None means all. `stream_prefix` narrows likewise.
            from_ms: first millisecond, inclusive. Events past the group's retention are never returned.
            before_ms: last millisecond, exclusive.
            after, before: exclusive cursors.
            bytes_max: stop before the event with which UTF-8 messages plus 26 bytes each would exceed this; the
                first event is returned in any case.
        """
        ...

    async def delete_group(self, scope: Scope, name: str) -> bool:
        """Remove a group with all it holds; False when there was none."""
        ...

    async def set_retention(self, scope: Scope, name: str, days: int | None) -> bool:
        """Set a group's retention; False when there is no such group."""
        ...

    async def drop_expired(self, now_ms: int) -> int:
        """Delete events beyond their group's retention; return how many."""
        ...
