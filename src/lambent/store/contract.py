"""
What a store promises. The suites in `lambent.testing.conformance` (`store`, `aliases_layers_policies`,
`function_urls`, `http_apis`, `identities`, `event_source_mappings`, `event_queue`) run on every adapter. A table of
promises: it stays whole.

Common to all methods: a write that returned is on disk (full sync); a cancelled call either happened
whole or not at all; nothing here relies on an in-process lock for being correct; failures of the
database arrive as `DependencyError`.
"""

import mmap
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum, StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

import msgspec

from lambent.domain.alias import Alias
from lambent.domain.bucket_notification import BucketNotification
from lambent.domain.caller import Scope
from lambent.domain.concurrency import Claims, ProvisionedConcurrency
from lambent.domain.event_invoke import EventInvokeConfig
from lambent.domain.event_source_mapping import EventSourceMapping
from lambent.domain.function import Function, FunctionName, FunctionVersion
from lambent.domain.function_url import FunctionUrl
from lambent.domain.http_api import ApiDomain, HttpApi, Part
from lambent.domain.identity import AccessKey, Account, Identity, Role
from lambent.domain.layer import LayerName, LayerVersion
from lambent.domain.metric import MetricPoint
from lambent.domain.resource_policy import ResourcePolicy
from lambent.domain.stream_position import ShardPosition
from lambent.domain.usage import UsageClass
from lambent.store.usage_contract import NOTHING_USED, NewUsage

P = TypeVar("P", bound=Part)
N = TypeVar("N", bound=Identity)


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
        """Remove an alias; False when there was none. Its policy, event invoke config and URL go with it."""
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


class FunctionUrlRows(Protocol):
    """
    The URLs of one scope's functions and aliases. A write tells `on_change` of the function.

    Each goes when its function or alias goes.
    """

    async def get(self, name: FunctionName, qualifier: str) -> FunctionUrl | None:
        """Return the URL of an alias, or with an empty qualifier that of the function."""
        ...

    async def save(self, url: FunctionUrl) -> None:
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
    ) -> Sequence[FunctionUrl]:
        """Return those of a function by qualifier (byte order), its own first."""
        ...


class HttpApiRows(Protocol):
    """
    The HTTP APIs and custom domains of one scope. A write tells `on_api_change`.

    Ids of APIs and names of domains are unique over all scopes; what belongs to another one is not seen.
    """

    async def get(self, api_id: str) -> HttpApi | None: ...

    async def save(self, api: HttpApi) -> None:
        """
        Insert or replace one.

        Raises:
            Conflict: another scope has its id.
        """
        ...

    async def delete(self, api_id: str) -> bool:
        """Remove one with all that it consists of; False when there was none."""
        ...

    async def list(self, *, after: str = "", limit: int = 1_000_000) -> Sequence[HttpApi]:
        """Return those whose id sorts after `after`, by id (byte order)."""
        ...

    async def part(self, kind: type[P], api_id: str, part_id: str) -> P | None:
        """Return a part of an API, which is one of this scope."""
        ...

    async def part_by_key(self, kind: type[P], api_id: str, key: str) -> P | None: ...

    async def parts(self, kind: type[P], api_id: str, *, after: str = "", limit: int = 1_000_000) -> Sequence[P]:
        """Return an API's parts of one kind whose id sorts after `after`, by id (byte order)."""
        ...

    async def save_part(self, api_id: str, part: Part) -> None:
        """
        Insert or replace one.

        Raises:
            Conflict: another part of its kind has its key, or there is no such API in this scope.
        """
        ...

    async def replace_parts(self, api_id: str, kinds: Sequence[type[Part]], parts: Sequence[Part]) -> None:
        """
        Put parts in the place of all that an API has of some kinds, in a few statements, however many they are.

        Raises:
            Conflict: two of them have one id or key, or there is no such API in this scope.
        """
        ...

    async def delete_part(self, kind: type[Part], api_id: str, part_id: str) -> bool:
        """Remove one; False when there was none."""
        ...

    async def domain(self, name: str) -> ApiDomain | None: ...

    async def save_domain(self, domain: ApiDomain) -> None:
        """
        Insert or replace one with its mappings.

        Raises:
            Conflict: another scope has its name.
        """
        ...

    async def delete_domain(self, name: str) -> bool:
        """Remove one; False when there was none."""
        ...

    async def domains(self, *, after: str = "", limit: int = 1_000_000) -> Sequence[ApiDomain]:
        """Return those whose name sorts after `after`, by name (byte order)."""
        ...


class EventSourceMappingRows(Protocol):
    """
    The event source mappings of one scope. A write tells `on_mapping_change` of the mapping.

    They outlive their functions.
    """

    async def get(self, uuid: str) -> EventSourceMapping | None: ...

    async def find(self, source_arn: str, function_arn: str) -> EventSourceMapping | None:
        """Return the one mapping of a source to a function, qualified as it is."""
        ...

    async def save(self, mapping: EventSourceMapping) -> None:
        """
        Insert or replace one.

        Raises:
            Conflict: its source and function have another one.
        """
        ...

    async def delete(self, uuid: str) -> bool:
        """Remove one, and where its poller stands in its stream; False when there was none."""
        ...

    async def list(
        self,
        *,
        source_arn: str | None = None,
        function_arn: str | None = None,
        after: str | None = None,
        limit: int,
    ) -> Sequence[EventSourceMapping]:
        """Return mappings by UUID, those of a source or a function where one is given."""
        ...


class StreamReading(msgspec.Struct, frozen=True):
    """Where a mapping's poller begins."""

    epoch: int
    """To be named when positions are saved."""
    positions: Sequence[ShardPosition]
    """By shard; none at all where nothing was ever read."""


class StreamPositions(Protocol):
    """
    How far the mappings of streams have come.

    Calls that come while a commit is under way share the next one. What a call wrote is on disk when it returns.
    """

    async def begin(self, scope: Scope, uuid: str) -> StreamReading:
        """Raise a mapping's epoch, so that whoever read for it before moves nothing any more; return its positions."""
        ...

    async def save(
        self,
        scope: Scope,
        uuid: str,
        epoch: int,
        positions: Sequence[ShardPosition] = (),
        *,
        forget: Sequence[str] = (),
        result: str | None = None,
    ) -> bool:
        """
        Write positions of some shards, drop those of others, write what the last batch came to.

        All or nothing; False, and nothing, where the epoch is not the mapping's any more, or the mapping is gone.
        """
        ...

    async def results(self, scope: Scope, uuids: Sequence[str]) -> Mapping[str, str]:
        """Return what the last batches of mappings came to, of those that had one."""
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


class BucketNotificationRows(Protocol):
    """Notification configurations of buckets, whose names are unique: of all scopes, whatever the transaction's."""

    async def get(self, bucket: str) -> BucketNotification | None: ...

    async def save(self, notification: BucketNotification) -> None:
        """Store a bucket's configuration in the place of what it had."""
        ...

    async def delete(self, bucket: str) -> bool:
        """Drop a bucket's configuration; say whether it had one."""
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
    def function_urls(self) -> FunctionUrlRows: ...

    @property
    def http_apis(self) -> HttpApiRows: ...

    @property
    def event_source_mappings(self) -> EventSourceMappingRows: ...

    @property
    def bucket_notifications(self) -> BucketNotificationRows: ...

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
        """Remove the function with its versions, aliases, policies, event invoke configs and URLs; absent is fine."""
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


class MappingChange(msgspec.Struct, frozen=True):
    """A notice that an event source mapping's row changed, or went. It carries no data: whoever follows reads again."""

    scope: Scope
    uuid: str


class ApiChange(msgspec.Struct, frozen=True):
    """A notice that an HTTP API or anything of it changed, or a custom domain. Whoever caches reads again."""

    name: str
    """The API's id, or the domain's name."""


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
        """
        Call back, on the event loop, after every commit that changed a function. In order of commits.

        Also after one that failed: it may have come through.
        """
        ...

    def on_changing(self, callback: Callable[[FunctionChange], None]) -> None:
        """
        Call back, on the event loop, before every such commit; `on_change` follows.

        Readers may see it in between: who remembers what was read is not to know less than they do.
        """
        ...

    def on_mapping_change(self, callback: Callable[[MappingChange], None]) -> None:
        """Call back, on the event loop, after every commit that changed an event source mapping."""
        ...

    def on_api_change(self, callback: Callable[[ApiChange], None]) -> None:
        """Call back, on the event loop, after every commit that changed an HTTP API or a custom domain."""
        ...

    async def mappings(self, *, after: MappingChange | None, limit: int) -> Sequence[MappingChange]:
        """Name the event source mappings of all scopes, by scope and UUID."""
        ...

    async def function_url(self, url_id: str) -> FunctionUrl | None:
        """
        Return the URL of an id, whatever its scope; None: there is none.

        Of the aliases that a function has lost, the URL that went last is returned as well, with `is_lost`.
        """
        ...

    async def http_api(self, api_id: str) -> HttpApi | None:
        """Return the HTTP API of an id, whatever its scope; None: there is none."""
        ...

    async def api_domains(self) -> Sequence[ApiDomain]:
        """Return the custom domains of all scopes, by name (byte order)."""
        ...

    async def some(self, limit: int) -> Sequence[FunctionVersion]:
        """Return `$LATEST` of some functions, at most so many, over all scopes."""
        ...

    async def function_count(self) -> int:
        """Return how many functions exist, over all scopes."""
        ...


class IdentityRows(Protocol):
    """
    Users, groups, roles, policies, instance profiles and access keys of one account, and the account itself.

    Names are found without regard to case. A write tells `on_change` of the account.
    """

    async def get(self, kind: type[N], name: str) -> N | None:
        """Return one by its name, its key's id or the account's number."""
        ...

    async def by_id(self, kind: type[N], unique_id: str) -> N | None: ...

    async def list(self, kind: type[N], *, after: str = "", limit: int = 1_000_000) -> Sequence[N]:
        """Return those whose `key` sorts after `after`, by it (byte order)."""
        ...

    async def count(self, kind: type[Identity]) -> int: ...

    async def keys_of(self, owner_id: str) -> Sequence[AccessKey]:
        """Return the access keys of a user, or with the account's number those of root, by id."""
        ...

    async def save(self, identity: Identity) -> None:
        """
        Insert one, or replace that with its unique id.

        Raises:
            Conflict: another one of its kind has its name.
        """
        ...

    async def touch(self, identity: AccessKey | Role) -> None:
        """Replace one that is only known to have been used: `on_change` is told nothing. Fine where it is gone."""
        ...

    async def delete(self, kind: type[Identity], name: str) -> bool:
        """Remove one; False when there was none."""
        ...


class IdentityStore(Protocol):
    """The identities of all accounts."""

    def transaction(self, account: str) -> AbstractAsyncContextManager[IdentityRows]:
        """Open a transaction that commits when its block ends and rolls back when it raises. As `FunctionStore`'s."""
        ...

    def snapshot(self, account: str) -> AbstractAsyncContextManager[IdentityRows]:
        """Open a read-only transaction; its writing methods must not be called."""
        ...

    async def accounts(self) -> Sequence[Account]:
        """Return all accounts that were made, by number."""
        ...

    async def has_keys(self) -> bool:
        """Say whether there is any access key, whosesoever."""
        ...

    def on_change(self, callback: Callable[[str], None]) -> None:
        """Call back, on the event loop, with the account's number after every commit that changed one of it."""
        ...


class Blob(msgspec.Struct, frozen=True):
    """A stored blob by content."""

    sha256: str
    size_bytes: int


class Blobs(Protocol):
    """Immutable byte strings by SHA-256."""

    async def put(self, body: "Archive") -> Blob:
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


class MappedArchive(mmap.mmap):
    """
    A zip in a file, mapped into memory: read where it lies, so that a large one is nowhere whole.

    With what `bytes` has and a mapping lacks, as far as archives are looked at by it. Reading it as a file is for one
    reader at a time.
    """

    def __new__(cls, descriptor: int, size_bytes: int) -> "MappedArchive":
        return super().__new__(cls, descriptor, size_bytes, access=mmap.ACCESS_READ)

    def count(self, part: bytes, begin: int = 0, end: int | None = None) -> int:
        """Return how often a part occurs, without overlap."""
        end = len(self) if end is None else end
        found, at = 0, self.find(part, begin, end)
        while at >= 0:
            found, at = found + 1, self.find(part, at + len(part), end)
        return found

    def startswith(self, part: bytes, begin: int = 0) -> bool:
        return self[begin : begin + len(part)] == part

    def endswith(self, part: bytes) -> bool:
        return self[-len(part) :] == part

    def seekable(self) -> bool:
        return True


Archive: TypeAlias = bytes | MappedArchive
"""A zip: as it came in a request, or read from elsewhere, where its zipped size has no limit of its own."""


class Packages(Protocol):
    """Deployment packages: a blob and, beside it, the folder that it unpacks to."""

    async def add(self, archive: Archive) -> Blob:
        """
        Check a zip, keep it and unpack it.

        On return the zip is synced to disk and its folder is complete. Nothing is left behind when it raises.

        Raises:
            PackageRefused: not a zip, empty, too large, or with entries that leave the folder.
        """
        ...

    async def check(self, archive: Archive) -> Blob:
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
    log_class: str = "STANDARD"
    """What the API calls it; cannot change."""
    is_protected: bool = False
    """Whether it must not be deleted."""
    kms_key: str = ""
    """The ARN of a key that is associated; nothing is encrypted with it."""
    tags: Mapping[str, str] = {}


class LogResourcePolicy(msgspec.Struct, frozen=True):
    """A policy of one account and region that says who may write to its logs."""

    name: str
    document: str
    updated_ms: int


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


class NewLogEvent(msgspec.Struct, frozen=True, gc=False):
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
    function: str = ""
    qualifier: str = ""
    """As the caller addressed the function; empty without one."""
    of: UsageClass = UsageClass()
    """Says what it costs."""


class EventCursor(msgspec.Struct, frozen=True, order=True):
    """A place between events: everything that sorts after it follows."""

    timestamp_ms: int
    ingestion_ms: int
    sequence: int


class MessagePattern(Protocol):
    """What a reader looks for in messages; `lambent.domain.filter_pattern` makes them."""

    @property
    def literals(self) -> Sequence[str]:
        """What each message that matches surely holds."""

    @property
    def plain_literals(self) -> Sequence[str]:
        """The same for a message without a backslash, which may be more."""

    def matches(self, message: str) -> bool: ...


class LogPage(msgspec.Struct, frozen=True):
    """A page of events."""

    events: Sequence[LogEvent]
    next: EventCursor | None
    """Where to go on: `after`, or `before` when reading newest first. None: there is nothing more."""


class LogBatch(msgspec.Struct, frozen=True):
    """Events of one group."""

    group: str
    events: Sequence[LogEvent]
    """In order."""


class LogStore(Protocol):
    """Log groups, streams and events of all scopes."""

    async def fold(
        self,
        events: Sequence[NewLogEvent],
        opened: Sequence[OpenInvocation],
        closed: Sequence[str],
        position: LogPosition,
        *,
        points: Sequence[MetricPoint] = (),
        usage: NewUsage = NOTHING_USED,
    ) -> None:
        """
        Store events, invocations that opened and request ids that closed, metric points and usage that follow from
        them, and the position they end at: all in one commit, so that a crash folds nothing twice. Missing groups and
        streams are made. An invocation that is in both lists has closed.

        Raises:
            Conflict: the store stands at `position` or beyond (a call that was cancelled or raced had folded this
                already); nothing was stored. Go on from `position()`.
        """
        ...

    async def position(self) -> LogPosition: ...

    async def open_invocations(self) -> Sequence[OpenInvocation]: ...

    async def group(self, scope: Scope, name: str) -> LogGroup | None: ...

    async def list_groups(
        self,
        scope: Scope,
        *,
        prefix: str = "",
        pattern: str = "",
        log_class: str | None = None,
        after: str | None,
        limit: int,
    ) -> Sequence[LogGroup]:
        """Return groups of a class by name whose name starts with `prefix` and contains `pattern`."""
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

    async def page(
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
        pattern: MessagePattern | None = None,
        limit: int,
        bytes_max: int | None = None,
        seconds_max: float | None = None,
    ) -> LogPage:
        """
        Return events like `events`, and where the next page begins.

        Args:
            pattern: only events whose messages match.
            seconds_max: how long to look; then the page may be short, even empty, and says where to go on.
        """
        ...

    async def event(self, scope: Scope, group: str, place: EventCursor) -> LogEvent | None:
        """Return the event at a place; None when there is none any more."""
        ...

    def scan(
        self,
        scope: Scope,
        groups: Sequence[str],
        *,
        from_ms: int,
        before_ms: int,
        pattern: MessagePattern | None = None,
    ) -> AsyncIterator[LogBatch]:
        """
        Give the events of groups in some thousands at a time, in no promised order of batches.

        Each event that was there at the beginning, and is not deleted meanwhile, is given once. What is held at once is
        one batch. An iterator that is not read to its end is to be closed.
        """
        ...

    async def create_group(self, group: LogGroup) -> bool:
        """Make an empty group; False when there is one of that name."""
        ...

    async def update_group(self, scope: Scope, name: str, change: Callable[[LogGroup], LogGroup]) -> LogGroup | None:
        """
        Replace what is set of a group: retention, protection, key and tags; return it, None when there is none.

        Args:
            change: called in the transaction; what it raises leaves all as it was.
        """
        ...

    async def delete_group(self, scope: Scope, name: str) -> bool:
        """Remove a group with all it holds; False when there was none."""
        ...

    async def create_stream(self, scope: Scope, group: str, name: str) -> bool | None:
        """Make an empty stream; False when there is one of that name, None when there is no such group."""
        ...

    async def delete_stream(self, scope: Scope, group: str, name: str) -> bool:
        """Remove a stream with its events; False when there was none."""
        ...

    async def set_retention(self, scope: Scope, name: str, days: int | None) -> bool:
        """Set a group's retention; False when there is no such group."""
        ...

    async def drop_expired(self, now_ms: int) -> int:
        """
        Delete events beyond their group's retention, for about a second; return how many, 0 when none are left.
        """
        ...

    async def resource_policies(self, scope: Scope) -> Sequence[LogResourcePolicy]:
        """Return the policies of a scope by name."""
        ...

    async def put_resource_policy(self, scope: Scope, policy: LogResourcePolicy, *, most: int) -> bool:
        """Insert or replace a policy; False when it would be one more than `most`."""
        ...

    async def delete_resource_policy(self, scope: Scope, name: str) -> bool: ...


class QueueFull(Exception):
    """A queue, or all queues together, hold as many events as they may. Put again when some are finished."""


class NoSuchQueue(Exception):
    """The queue was never defined, or is removed."""


class QueueKind(StrEnum):
    """What a queue is for. Queues of different kinds never share a name."""

    ASYNC = "async"
    """Asynchronous invocations of one function. Named by the function's `function_id` after its name
    (`<name>/<function_id>`), so that a function made anew gets no event of the one that was deleted."""
    DESTINATION = "destination"
    """Records on their way to a destination or a dead-letter queue."""
    SQS = "sqs"
    """A queue of the SQS API, by its name."""


MADE_BY_PUT = frozenset({QueueKind.ASYNC, QueueKind.DESTINATION})
"""Queues of these kinds come into being with their first event, under `QueueRules()`; the others by `define`."""


class QueueName(msgspec.Struct, frozen=True, order=True):
    """What names a queue."""

    scope: Scope
    kind: QueueKind
    name: str
    """1 to 512 characters, without NUL."""


QUEUE_EVENTS_MAX = 5_000_000
"""Events in one queue unless its rules say otherwise. Assumed: hours of backlog at thousands a second."""

BODY_INLINE_MAX_BYTES = 32 * 1024
"""Longer bodies are blobs; whoever puts and claims sees no difference."""

BODY_LARGE_BYTES = 1024 * 1024
"""What a longer body counts as where a claim's bytes are limited: the longest message of SQS."""

ATTRIBUTES_MAX_BYTES = 64 * 1024
"""What does not fit belongs into the body."""

DOCUMENT_MAX_BYTES = 256 * 1024
"""What may be kept with a queue's definition."""

LEASE_MAX_S = 43_200
"""The longest lease. Documented: SQS developer guide, visibility timeout."""

DELAY_MAX_S = 1_209_600
"""The longest delay before a first or next claim: as long as SQS keeps a message."""

DEDUPLICATION_S = 300
"""How long a deduplication id is remembered. Documented: SQS developer guide, FIFO queues."""

CLAIMS_MAX = 1_000
"""Events that one call of `claim` returns at most, over all its queues."""


class QueueRules(msgspec.Struct, frozen=True):
    """How one queue behaves. All but `is_fifo` may be changed while it holds events, and then apply to these too."""

    is_fifo: bool = False
    """Every event has a `group`; see `EventQueue.claim` for the order. Fixed once the queue is defined."""
    deduplicates_by_group: bool = False
    """Deduplication ids are those of a group and not of the queue."""
    retention_s: int | None = None
    """Events that entered longer ago are never claimed and get swept, leased or not; None: kept until finished."""
    events_max: int = QUEUE_EVENTS_MAX
    """Beyond it, `QueueFull`."""
    in_flight_max: int | None = None
    """Claims give nothing while so many events are leased."""
    redrive_to: QueueName | None = None
    """Where events go that were claimed `redrive_after` times, instead of being claimed once more. While that queue
    does not exist or is full they stay and are claimed."""
    redrive_after: int = 0


class QueueDefinition(msgspec.Struct, frozen=True):
    """A queue with its rules and what its owner keeps with it."""

    queue: QueueName
    rules: QueueRules
    document: bytes
    """The owner's own, opaque here, at most `DOCUMENT_MAX_BYTES`; empty for queues that came into being with a put."""
    revision: int
    """Counts the definitions, from 1."""


class NewEvent(msgspec.Struct, frozen=True):
    """One event to put."""

    queue: QueueName
    id: str
    """Request id, message id: the owner's name for it, at most 128 characters. Nothing here needs it to be unique."""
    body: bytes
    attributes: bytes = b""
    """The owner's own, opaque here; at most `ATTRIBUTES_MAX_BYTES`."""
    delay_s: float = 0
    """Not to be claimed before; at most `DELAY_MAX_S`."""
    group: str | None = None
    """The message group; FIFO queues only, and there required."""
    deduplication_id: str | None = None
    """Within `DEDUPLICATION_S` the next event with the same one is not put; FIFO queues only."""


class Put(msgspec.Struct, frozen=True):
    """What became of an event that was put."""

    id: str
    """The event's own id; that of the first one where it is a duplicate."""
    sequence: int
    """Rises with every event of a queue, is never reused; that of the first one where it is a duplicate."""
    is_duplicate: bool = False


class Receipt(msgspec.Struct, frozen=True):
    """The right of one claim. Plain values: it may travel, and come back after a restart."""

    queue: QueueName
    sequence: int
    epoch: int
    """The number of claims of this event so far, this one included; counted on through a redrive."""


class Claim(msgspec.Struct, frozen=True):
    """One event, leased."""

    receipt: Receipt
    id: str
    body: bytes
    attributes: bytes
    group: str | None
    deduplication_id: str | None
    receive_count: int
    """How many times it was claimed, this one included; counted on through a redrive."""
    sent_ms: int
    """Wall time of its put."""
    first_claimed_ms: int
    """Wall time of its first claim."""
    age_s: float
    """Since its put, by the engine's own time: the wall clock's jumps do not show."""
    redriven_from: QueueName | None = None
    """The queue that gave it up, where this is a queue that events are redriven to."""

    @property
    def queue(self) -> QueueName:
        return self.receipt.queue

    @property
    def sequence(self) -> int:
        return self.receipt.sequence


class Claimed(msgspec.Struct, frozen=True):
    """What a call of `claim` got, in the order in which the events are to be worked on."""

    claims: tuple[Claim, ...]
    next_due_s: Mapping[QueueName, float]
    """For each queue that gave less than it was asked for and holds more events: in how many seconds the first of
    them can be claimed if nothing else happens. A queue that is absent here and gave less has none: `on_due` tells."""


class Hold(Enum):
    """How firmly a receipt must still hold its event, for a step to happen."""

    UNEXPIRED = "unexpired"
    """The lease has not run out."""
    CURRENT = "current"
    """The lease may have run out, but the event was not claimed again since."""
    ANY = "any"
    """Whoever claimed it since."""


class Done(msgspec.Struct, frozen=True):
    """The event is finished, well or for good: remove it, and in the same transaction put what follows from it."""

    receipt: Receipt
    then: tuple[NewEvent, ...] = ()
    hold: Hold = Hold.CURRENT


class Retry(msgspec.Struct, frozen=True):
    """Give the event back, to be claimed again after a while; it then counts as delayed and no longer as in flight."""

    receipt: Receipt
    delay_s: float = 0
    attributes: bytes | None = None
    """Replaces the event's attributes, where given."""
    then: tuple[NewEvent, ...] = ()
    hold: Hold = Hold.CURRENT


class Extend(msgspec.Struct, frozen=True):
    """Let the lease end so many seconds from now, sooner or later than it did; 0 gives the event back at once."""

    receipt: Receipt
    lease_s: float
    hold: Hold = Hold.CURRENT


Step: TypeAlias = Done | Retry | Extend
"""What may be done with a claimed event."""


class Outcome(Enum):
    """What became of one step. All but `HAPPENED`: nothing of it happened, the events that were to follow included."""

    HAPPENED = "happened"
    LOST = "lost"
    """The event was claimed again since."""
    EXPIRED = "expired"
    """The lease ran out, and `Hold.UNEXPIRED` was asked for."""
    GONE = "gone"
    """There is no such event in this queue (any more): finished, purged, beyond its retention, or redriven."""
    FULL = "full"
    """
    An event that was to follow met `QueueFull`. What follows from one that is `Done` meets the limit of its queue only:
    it was let in with that one.
    """
    NO_QUEUE = "no queue"
    """An event that was to follow met `NoSuchQueue`."""


class Depth(msgspec.Struct, frozen=True):
    """What one queue holds. The three counts add up to all events."""

    waiting: int = 0
    """Can be claimed, but for events before them in their group."""
    delayed: int = 0
    in_flight: int = 0
    oldest_age_s: float | None = None
    """Age of the event that has waited longest; None when none waits."""


class WaitingEvent(msgspec.Struct, frozen=True):
    """One event as `peek` shows it, without claiming it."""

    id: str
    sequence: int
    body: bytes
    attributes: bytes
    group: str | None
    receive_count: int
    sent_ms: int
    due_s: float
    """In how many seconds it can be claimed; 0 or less: now."""
    is_in_flight: bool


class EventQueue(Protocol):
    """
    Events of all scopes in durable queues: put, leased by a claim, and finished or given back.

    Calls that come while a commit is under way share the next one, each for itself: one that is refused refuses no
    other. What a call did is on disk when it returns. An event is delivered at least once: its lease may run out while
    it is worked on. Every claim raises the event's epoch; a receipt with an older one cannot finish it.

    Time is the engine's own: it never goes back, not over restarts either, and does not follow a wall clock that jumps.
    Durations go in and come out as seconds from now.
    """

    async def define(
        self, queue: QueueName, rules: QueueRules, document: bytes = b"", *, revision: int | None = None
    ) -> int:
        """
        Insert or replace a queue's definition; return its new revision.

        Args:
            revision: the one that it must have; 0: it must be new; None: whatever it has.

        Raises:
            Conflict: it has another revision, or is defined and `is_fifo` would change.
        """
        ...

    async def definition(self, queue: QueueName) -> QueueDefinition | None: ...

    async def definitions(
        self,
        kind: QueueKind,
        *,
        scope: Scope | None = None,
        prefix: str = "",
        after: QueueName | None = None,
        limit: int,
    ) -> Sequence[QueueDefinition]:
        """Return queues by scope and name (byte order); those of all scopes with None."""
        ...

    async def remove(self, queue: QueueName) -> bool:
        """Drop a queue, its definition and all it holds; False when there is none. As cheap with a million events."""
        ...

    async def purge(self, queue: QueueName) -> bool:
        """Drop all that a queue holds, deduplication ids included; False when there is none. As cheap as `remove`."""
        ...

    async def put(self, events: Sequence[NewEvent]) -> Sequence[Put]:
        """
        Store events, all or none, in the order given; return one result for each.

        Events of one queue that are put in turn have rising sequences, and FIFO groups keep that order.

        Raises:
            QueueFull: they do not fit.
            NoSuchQueue: one of the queues is not defined, and not of a kind in `MADE_BY_PUT`.
        """
        ...

    async def claim(self, room: Mapping[QueueName, int], lease_s: float, *, bytes_max: int | None = None) -> Claimed:
        """
        Lease events that are due, from each queue at most as many as it has room for.

        Standard queues give what is due longest first. FIFO queues give from one group as far as possible, then from
        the next, the group first that has been available longest: within a group in order, and not past an event that
        is leased or delayed. Costs what the named queues and the returned events cost, not what waits. A queue that
        does not exist gives nothing. Of a call that is cancelled the events may be leased.

        Args:
            room: at most `CLAIMS_MAX` in all is given.
            lease_s: 0 to `LEASE_MAX_S`. With 0 the events are claimed and can be claimed again at once.
            bytes_max: what bodies and attributes take together at most, each longer body as `BODY_LARGE_BYTES`; one
                event is given all the same. None: no limit.
        """
        ...

    async def settle(self, steps: Sequence[Step]) -> Sequence[Outcome]:
        """
        Finish, give back or extend claimed events, each step for itself and whole or not at all; all in one commit.

        Repeating a step harms nothing: it finds its event `GONE`, or does the same again.
        """
        ...

    async def peek(self, queue: QueueName, *, limit: int) -> Sequence[WaitingEvent]:
        """Return some events without claiming them: what can be claimed or will, soonest first, then what is leased."""
        ...

    async def depth(self, queues: Sequence[QueueName]) -> Mapping[QueueName, Depth]:
        """Count what queues hold; those that do not exist are absent."""
        ...

    async def filled(self, kind: QueueKind) -> Mapping[QueueName, float]:
        """
        Name every queue of a kind that holds events, with the seconds until the first can be claimed (0: now).

        What a dispatcher begins with after a restart. Costs what there are queues, not events.
        """
        ...

    async def give_back(self, kind: QueueKind) -> int:
        """
        End the leases of all events in standard queues of a kind; return how many there were.

        For a server that starts and knows that nobody else serves this store: what an earlier one held when it died
        need not wait for its leases to run out.
        """
        ...

    def on_due(self, callback: Callable[[QueueName, float], None]) -> None:
        """
        Call back, on the event loop, after every commit that put events into a queue, gave some back, moved the end of
        a lease or freed a group: with the queue, and the seconds until the first of these can be claimed.

        Tells of commits through this object only. A lease that runs out is not told: `next_due_s` of a claim told when.
        """
        ...

    async def sweep(self) -> None:
        """
        Delete, in small commits, what is no longer needed: events beyond retention, of queues removed or purged,
        deduplication ids whose time is over, bodies that no event refers to. To be called every few seconds to minutes.
        """
        ...


class BackupInProgress(Exception):
    """One backup at a time."""


class BackupStream(Protocol):
    """A backup as it is read, by one reader. Closed by whoever began it; also when nothing was read."""

    @property
    def size_bytes(self) -> int:
        """How many bytes it has, to the end."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """
        Iterate over the bytes, in pieces. Ends early when it is no longer wanted.

        Raises:
            DependencyError: a file is damaged or cannot be read. What was read so far is no backup.
        """
        ...

    async def aclose(self) -> None:
        """Leave nothing of it on the disk, and let the next one begin. Idempotent."""
        ...


class Backups(Protocol):
    """Copies of all that lasts, taken while the server runs."""

    async def begin(self, is_wanted: Callable[[], bool]) -> BackupStream:
        """
        Begin a backup of the state at some moment between call and return: what was committed before is in it.

        Cancelled, it leaves nothing behind.

        Args:
            is_wanted: asked now and then, on any thread; False ends the work.

        Raises:
            BackupInProgress: another one has begun and is not closed.
            DependencyError: the store fails, the disk is full, or a file that the state needs is lost.
        """
        ...
