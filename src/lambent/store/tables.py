"""
The tables, as the newest migration leaves them.

Columns exist for what is searched, ordered, summed or constrained; the rest of a value is one JSON column,
kept as text and encoded by msgspec. Each row carries its scope (a log event through its stream) and a
`revision` that counts its writes, so that a row's age can be compared without reading its JSON. Every
construct here is one that PostgreSQL accepts as well. A new database is made from here (`new_database`);
`migrations/` holds the way of an older one, and tests compare the two.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    or_,
)

SCHEMA = 17
"""The schema number that this release reads and writes; the newest migration's number. Rises with each migration."""

APPLICATION_ID = 0x4C616D62
"""SQLite's application id of our databases ("Lamb"), by which a foreign one is told from ours."""

metadata = MetaData()

# Names sort by bytes. That is SQLite's habit; PostgreSQL has to be told, since a locale may order otherwise.
_NAME = String().with_variant(String(collation="C"), "postgresql")

# SQLite makes ever-rising numbers for a column of exactly the type INTEGER only.
_SERIAL = BigInteger().with_variant(Integer(), "sqlite")

functions = Table(
    "functions",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    # Null where nothing is reserved.
    Column("reserved_executions", BigInteger),
)

HAS_RESERVATION = functions.c.reserved_executions.is_not(None)
"""True of the functions that reserve concurrency."""

# The few reservations of a scope are read without touching a row of the many functions that have none.
Index(
    "functions_reserved",
    functions.c.account,
    functions.c.region,
    functions.c.name,
    functions.c.reserved_executions,
    sqlite_where=HAS_RESERVATION,
)

function_versions = Table(
    "function_versions",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    # 0 stands for $LATEST, so that it sorts before the published ones.
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("state", String, nullable=False),
    Column("last_update_status", String),
    Column("code_bytes", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    # `PublishedVersions` for published versions whose init is kept, else null.
    Column("snap_start", String),
    ForeignKeyConstraint(
        ["account", "region", "name"],
        ["functions.account", "functions.region", "functions.name"],
        name="function_versions_function",
        ondelete="CASCADE",
    ),
)

# Pages of functions walk this index, and the usage of a scope is summed from it without touching a row.
Index(
    "function_versions_by_number",
    function_versions.c.account,
    function_versions.c.region,
    function_versions.c.number,
    function_versions.c.name,
    function_versions.c.code_bytes,
)

# Written with literals: neither database can prove that a query with parameters fits a partial index.
IS_UNSETTLED = or_(
    function_versions.c.state == literal_column("'Pending'"),
    function_versions.c.last_update_status == literal_column("'InProgress'"),
)
"""True of the versions whose preparation is not over."""

Index(
    "function_versions_unsettled",
    function_versions.c.account,
    function_versions.c.region,
    function_versions.c.name,
    function_versions.c.number,
    sqlite_where=IS_UNSETTLED,
)

IS_SNAP_STARTED = function_versions.c.snap_start.is_not(None)
"""True of the published versions that are kept initialised for SnapStart."""

Index(
    "function_versions_snap_started",
    function_versions.c.account,
    function_versions.c.region,
    function_versions.c.name,
    function_versions.c.number,
    sqlite_where=IS_SNAP_STARTED,
)

provisioned_concurrency = Table(
    "provisioned_concurrency",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("requested", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    ForeignKeyConstraint(
        ["account", "region", "name", "number"],
        [
            "function_versions.account",
            "function_versions.region",
            "function_versions.name",
            "function_versions.number",
        ],
        name="provisioned_concurrency_version",
        ondelete="CASCADE",
    ),
)

aliases = Table(
    "aliases",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("alias", _NAME, primary_key=True),
    # The number of the version that it points at, 0 for $LATEST.
    Column("number", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    ForeignKeyConstraint(
        ["account", "region", "name"],
        ["functions.account", "functions.region", "functions.name"],
        name="aliases_function",
        ondelete="CASCADE",
    ),
)

function_policies = Table(
    "function_policies",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    # A version's number or an alias; empty for the function as a whole.
    Column("qualifier", _NAME, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    ForeignKeyConstraint(
        ["account", "region", "name"],
        ["functions.account", "functions.region", "functions.name"],
        name="function_policies_function",
        ondelete="CASCADE",
    ),
)

event_invoke_configs = Table(
    "event_invoke_configs",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    # A version's number, an alias or $LATEST.
    Column("qualifier", _NAME, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    ForeignKeyConstraint(
        ["account", "region", "name"],
        ["functions.account", "functions.region", "functions.name"],
        name="event_invoke_configs_function",
        ondelete="CASCADE",
    ),
)

function_urls = Table(
    "function_urls",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    # An alias; empty for the function.
    Column("qualifier", _NAME, primary_key=True),
    # Unique over all accounts and regions.
    Column("url_id", _NAME, nullable=False),
    # 1 when the alias is gone, and the URL with it: only its id is still known.
    Column("lost_alias", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("url_id", name="function_urls_url_id"),
    ForeignKeyConstraint(
        ["account", "region", "name"],
        ["functions.account", "functions.region", "functions.name"],
        name="function_urls_function",
        ondelete="CASCADE",
    ),
)

http_apis = Table(
    "http_apis",
    metadata,
    # Unique over all accounts and regions.
    Column("api_id", _NAME, primary_key=True),
    Column("account", String, nullable=False),
    Column("region", String, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

Index("http_apis_of_scope", http_apis.c.account, http_apis.c.region, http_apis.c.api_id)

http_api_parts = Table(
    "http_api_parts",
    metadata,
    Column("api_id", _NAME, primary_key=True),
    # Routes, integrations, authorizers, stages, deployments and what these froze.
    Column("kind", String, primary_key=True),
    Column("part_id", _NAME, primary_key=True),
    # What else is unique in an API: the key of a route.
    Column("part_key", _NAME, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("api_id", "kind", "part_key", name="http_api_parts_key"),
    ForeignKeyConstraint(["api_id"], ["http_apis.api_id"], name="http_api_parts_api", ondelete="CASCADE"),
)

api_domains = Table(
    "api_domains",
    metadata,
    # Unique over all accounts and regions.
    Column("domain_name", _NAME, primary_key=True),
    Column("account", String, nullable=False),
    Column("region", String, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

Index("api_domains_of_scope", api_domains.c.account, api_domains.c.region, api_domains.c.domain_name)

identities = Table(
    "identities",
    metadata,
    # They are of an account, in all its regions.
    Column("account", String, primary_key=True),
    # Users, groups, roles, policies, instance profiles, access keys, and the account itself.
    Column("kind", String, primary_key=True),
    # The name in small letters, the key's id or the account's number.
    Column("key", _NAME, primary_key=True),
    Column("unique_id", _NAME, nullable=False),
    # Of access keys, whose they are; else null.
    Column("owner_id", _NAME),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("account", "kind", "unique_id", name="identities_unique_id"),
)

IS_OWNED = identities.c.owner_id.is_not(None)
"""True of access keys."""

Index("identities_of_owner", identities.c.account, identities.c.owner_id, identities.c.key, sqlite_where=IS_OWNED)

event_source_mappings = Table(
    "event_source_mappings",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("uuid", _NAME, primary_key=True),
    Column("source_arn", _NAME, nullable=False),
    # Qualified as the mapping is. No foreign key: a mapping outlives its function.
    Column("function_arn", _NAME, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    # By which the mappings of a source are found as well.
    UniqueConstraint(
        "account", "region", "source_arn", "function_arn", name="event_source_mappings_source_and_function"
    ),
)

Index(
    "event_source_mappings_function",
    event_source_mappings.c.account,
    event_source_mappings.c.region,
    event_source_mappings.c.function_arn,
    event_source_mappings.c.uuid,
)

stream_readings = Table(
    "stream_readings",
    metadata,
    # One row for each mapping whose stream was ever read. No foreign key: the mappings may be in another database.
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("uuid", _NAME, primary_key=True),
    # Of its poller: a replaced one has a lower one.
    Column("epoch", BigInteger, nullable=False),
    # What the last batch came to; empty before one.
    Column("result", String, nullable=False),
)

stream_positions = Table(
    "stream_positions",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("uuid", _NAME, primary_key=True),
    Column("shard_id", _NAME, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

bucket_notifications = Table(
    "bucket_notifications",
    metadata,
    # Unique over all accounts and regions.
    Column("bucket", _NAME, primary_key=True),
    Column("account", String, nullable=False),
    Column("region", String, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

layers = Table(
    "layers",
    metadata,
    # Stays when all versions are gone: their numbers are never reused.
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("last_number", BigInteger, nullable=False),
)

layer_versions = Table(
    "layer_versions",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("code_bytes", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

# What the layers of a scope take is summed from it without touching a row.
Index(
    "layer_versions_bytes",
    layer_versions.c.account,
    layer_versions.c.region,
    layer_versions.c.code_bytes,
)

log_groups = Table(
    "log_groups",
    metadata,
    # Never reused (see sqlite_autoincrement): events of a deleted group must not turn up in a later one.
    Column("id", _SERIAL, primary_key=True),
    Column("account", String, nullable=False),
    Column("region", String, nullable=False),
    Column("name", _NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("retention_days", Integer),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    # How much of it are rows of `log_events`: from some thousands on they are packed into a chunk.
    Column("loose_events", BigInteger, nullable=False, server_default="0"),
    Column("loose_bytes", BigInteger, nullable=False, server_default="0"),
    Column("log_class", String, nullable=False, server_default="STANDARD"),
    Column("document", Text, nullable=False, server_default="{}"),
    UniqueConstraint("account", "region", "name", name="log_groups_name"),
    sqlite_autoincrement=True,
)

log_streams = Table(
    "log_streams",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column(
        "group_id",
        BigInteger,
        ForeignKey("log_groups.id", name="log_streams_group", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("account", String, nullable=False),
    Column("region", String, nullable=False),
    Column("name", _NAME, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("first_event_ms", BigInteger),
    Column("last_event_ms", BigInteger),
    Column("last_ingestion_ms", BigInteger),
    Column("revision", BigInteger, nullable=False),
    UniqueConstraint("group_id", "name", name="log_streams_name"),
    sqlite_autoincrement=True,
)

Index("log_streams_by_last_event", log_streams.c.group_id, log_streams.c.last_event_ms, log_streams.c.name)

log_events = Table(
    "log_events",
    metadata,
    Column("sequence", _SERIAL, primary_key=True),
    # No foreign keys: a deleted group is gone with its one row, and its events are swept in small steps afterwards.
    # A cascade would hold every other writer up for as long as a million rows take.
    Column("group_id", BigInteger, nullable=False),
    Column("stream_id", BigInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("ingestion_ms", BigInteger, nullable=False),
    # What the event adds to its group's stored bytes, kept so that deleting need not read messages.
    Column("stored_bytes", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    sqlite_autoincrement=True,
)

Index(
    "log_events_by_group",
    log_events.c.group_id,
    log_events.c.timestamp_ms,
    log_events.c.ingestion_ms,
    log_events.c.sequence,
)
Index(
    "log_events_by_stream",
    log_events.c.stream_id,
    log_events.c.timestamp_ms,
    log_events.c.ingestion_ms,
    log_events.c.sequence,
)

log_chunks = Table(
    "log_chunks",
    metadata,
    # Some thousands of a group's events each; `log_chunks` the module says how they lie in it. Never reused, since
    # readers hold such numbers.
    Column("id", _SERIAL, primary_key=True),
    Column("group_id", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    # What the sequences in the columns count from.
    Column("base_sequence", BigInteger, nullable=False),
    Column("event_count", BigInteger, nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    # The numbers of its streams, in the order by which the columns refer to them.
    Column("streams", LargeBinary, nullable=False),
    Column("columns", LargeBinary, nullable=False),
    # Last: what stands before it is read without it.
    Column("text", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

# Each has all that a search by time looks at: no chunk is touched that has nothing to give.
Index("log_chunks_by_first", log_chunks.c.group_id, log_chunks.c.first_ms, log_chunks.c.id, log_chunks.c.last_ms)
Index("log_chunks_by_last", log_chunks.c.group_id, log_chunks.c.last_ms, log_chunks.c.id, log_chunks.c.first_ms)

log_chunk_streams = Table(
    "log_chunk_streams",
    metadata,
    # Which chunks have events of a stream.
    Column("stream_id", BigInteger, primary_key=True, autoincrement=False),
    Column("chunk_id", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

Index("log_chunk_streams_by_chunk", log_chunk_streams.c.chunk_id)

deleted_log_streams = Table(
    "deleted_log_streams",
    metadata,
    # Streams that are gone but for events that are still to be swept.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("group_id", BigInteger, nullable=False),
)

log_resource_policies = Table(
    "log_resource_policies",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("updated_ms", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

log_metric_filters = Table(
    "log_metric_filters",
    metadata,
    Column(
        "group_id",
        BigInteger,
        ForeignKey("log_groups.id", name="log_metric_filters_group", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("name", _NAME, primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

log_subscription_filters = Table(
    "log_subscription_filters",
    metadata,
    Column(
        "group_id",
        BigInteger,
        ForeignKey("log_groups.id", name="log_subscription_filters_group", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("name", _NAME, primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

metric_series = Table(
    "metric_series",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("account", String, nullable=False),
    Column("region", String, nullable=False),
    Column("namespace", _NAME, nullable=False),
    Column("name", _NAME, nullable=False),
    # JSON of pairs, by name: equal sets are equal texts.
    Column("dimensions", _NAME, nullable=False),
    Column("unit", String, nullable=False),
    # A digest of all these, by which many are found at once.
    Column("key", LargeBinary, nullable=False),
    # When its newest point's period begins.
    Column("last_s", BigInteger, nullable=False),
    UniqueConstraint("account", "region", "namespace", "name", "dimensions", "unit", name="metric_series_identity"),
    UniqueConstraint("key", name="metric_series_key"),
)

metric_points = Table(
    "metric_points",
    metadata,
    # No foreign key, as with log events.
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("period_s", Integer, primary_key=True, autoincrement=False),
    Column("at_s", BigInteger, primary_key=True, autoincrement=False),
    Column("samples", Float, nullable=False),
    Column("total", Float, nullable=False),
    Column("minimum", Float, nullable=False),
    Column("maximum", Float, nullable=False),
    Column("bins", LargeBinary),
    # The key is half of a row.
    sqlite_with_rowid=False,
)

metric_blocks = Table(
    "metric_blocks",
    metadata,
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("period_s", Integer, primary_key=True, autoincrement=False),
    Column("from_s", BigInteger, primary_key=True, autoincrement=False),
    # As `metric_blocks` packs them: all but the bins, and those.
    Column("basics", LargeBinary, nullable=False),
    Column("bins", LargeBinary),
)
Index("metric_blocks_by_age", metric_blocks.c.period_s, metric_blocks.c.from_s)

dashboards = Table(
    "dashboards",
    metadata,
    # Of an account, in all its regions.
    Column("account", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("body", Text, nullable=False),
    Column("modified_s", Float, nullable=False),
)

log_query_definitions = Table(
    "log_query_definitions",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("name", _NAME, nullable=False),
    Column("document", Text, nullable=False),
)

deleted_log_groups = Table(
    "deleted_log_groups",
    metadata,
    # Groups that are gone but for events that are still to be swept.
    Column("id", BigInteger, primary_key=True, autoincrement=False),
)

log_position = Table(
    "log_position",
    metadata,
    # One row, number 1, made by the migration: how far the segment files are folded.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("segment", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    # Of the next event: never given twice.
    Column("next_sequence", BigInteger, nullable=False, server_default="1"),
)

open_invocations = Table(
    "open_invocations",
    metadata,
    Column("request_id", String, primary_key=True),
    Column("account", String, nullable=False),
    Column("region", String, nullable=False),
    Column("document", Text, nullable=False),
)

event_queues = Table(
    "event_queues",
    metadata,
    # `<kind>/<account>/<region>/<name>`: one column, so that a batch finds all its queues with one list.
    Column("path", _NAME, primary_key=True),
    # What the rows of its content carry. Purging is a new number; what has the old one is swept in small steps.
    Column("content_id", BigInteger, nullable=False),
    # Counted along with every change: a limit must not cost a walk over a million rows.
    Column("event_count", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("rules", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),
    UniqueConstraint("content_id", name="event_queues_content"),
)

HOLDS_EVENTS = event_queues.c.event_count > literal_column("0")
"""True of the queues that are not empty."""

# What a start looks at: not the many queues in which nothing waits.
Index("event_queues_filled", event_queues.c.path, sqlite_where=HOLDS_EVENTS)

queued_events = Table(
    "queued_events",
    metadata,
    Column("sequence", _SERIAL, primary_key=True, autoincrement=False),
    # No foreign key, as with log events.
    Column("content_id", BigInteger, nullable=False),
    # 1: `due_us` is the end of a lease; 0: the moment from which it can be claimed.
    Column("is_leased", Integer, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    # By the engine's time; what retention and age count from.
    Column("entered_us", BigInteger, nullable=False),
    # By the wall clock, to be shown.
    Column("sent_ms", BigInteger, nullable=False),
    Column("first_claimed_ms", BigInteger),
    # The epoch as well.
    Column("claim_count", BigInteger, nullable=False),
    Column("id", String, nullable=False),
    Column("group_key", _NAME),
    Column("deduplication_id", String),
    # The path of the queue that gave it up.
    Column("redriven_from", String),
    Column("attributes", LargeBinary, nullable=False),
    # One of the two: the bytes, or the name of a blob.
    Column("body", LargeBinary),
    Column("body_sha256", String),
)

Index(
    "queued_events_due",
    queued_events.c.content_id,
    queued_events.c.is_leased,
    queued_events.c.due_us,
    queued_events.c.sequence,
)

IN_GROUP = queued_events.c.group_key.is_not(None)
"""True of the events of FIFO queues."""

Index(
    "queued_events_in_group",
    queued_events.c.content_id,
    queued_events.c.group_key,
    queued_events.c.sequence,
    sqlite_where=IN_GROUP,
)

HAS_BLOB = queued_events.c.body_sha256.is_not(None)
"""True of the events whose body is a blob."""

Index("queued_events_with_blob", queued_events.c.body_sha256, sqlite_where=HAS_BLOB)

event_groups = Table(
    "event_groups",
    metadata,
    # One row for each group of a FIFO queue that has events.
    Column("content_id", BigInteger, primary_key=True, autoincrement=False),
    Column("group_key", _NAME, primary_key=True),
    # When its first event can be claimed, and which one that is.
    Column("due_us", BigInteger, nullable=False),
    Column("head", BigInteger, nullable=False),
)

Index("event_groups_due", event_groups.c.content_id, event_groups.c.due_us, event_groups.c.head)

event_deduplications = Table(
    "event_deduplications",
    metadata,
    Column("content_id", BigInteger, primary_key=True, autoincrement=False),
    # The deduplication id, after the group where groups have their own.
    Column("key", _NAME, primary_key=True),
    Column("until_us", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("id", String, nullable=False),
)

Index("event_deduplications_until", event_deduplications.c.until_us)

dropped_event_contents = Table(
    "dropped_event_contents",
    metadata,
    # Contents of queues that were purged or removed, still to be swept.
    Column("content_id", BigInteger, primary_key=True, autoincrement=False),
)

event_numbers = Table(
    "event_numbers",
    metadata,
    # One row, number 1, made by the migration.
    Column("id", Integer, primary_key=True, autoincrement=False),
    # The next sequence, or content id: never given twice.
    Column("next_number", BigInteger, nullable=False),
    # The engine's time at the newest change: a start goes on from there, whatever the wall clock says.
    Column("latest_us", BigInteger, nullable=False),
)

traces = Table(
    "traces",
    metadata,
    # Rises with each new trace: by it the oldest are found. Given by us, so that many are inserted at once.
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("account", String, nullable=False),
    Column("region", String, nullable=False),
    Column("trace_id", _NAME, nullable=False),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    Column("created_s", Float, nullable=False),
    Column("updated_s", Float, nullable=False),
    Column("revision", BigInteger, nullable=False),
    # As they were sent, and as they are kept.
    Column("document_bytes", BigInteger, nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("is_cut", Integer, nullable=False),
    UniqueConstraint("account", "region", "trace_id", name="traces_identity"),
)

Index("traces_by_start_s", traces.c.account, traces.c.region, traces.c.start_s, traces.c.trace_id)
Index("traces_by_end_s", traces.c.account, traces.c.region, traces.c.end_s, traces.c.trace_id)
Index("traces_by_updated_s", traces.c.account, traces.c.region, traces.c.updated_s, traces.c.trace_id)

trace_documents = Table(
    "trace_documents",
    metadata,
    # No foreign key, as with log events.
    Column("trace_number", BigInteger, primary_key=True, autoincrement=False),
    # That the trace had when they came: their order.
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    # A JSON array of all that came at once, compressed.
    Column("content", LargeBinary, nullable=False),
)

trace_totals = Table(
    "trace_totals",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("stored_bytes", BigInteger, nullable=False),
)

trace_settings = Table(
    "trace_settings",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)
alarms = Table(
    "alarms",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    # How often it is looked at; null for composite alarms.
    Column("every_s", Integer),
    # Namespace and name of the one metric that it is on, with a line feed between; null where it computes.
    Column("metric", _NAME),
    Column("document", Text, nullable=False),
)

Index("alarms_of_metric", alarms.c.account, alarms.c.region, alarms.c.metric)

alarm_children = Table(
    "alarm_children",
    metadata,
    Column("account", String, primary_key=True),
    Column("region", String, primary_key=True),
    # That another alarm goes by. It need not be there.
    Column("child", _NAME, primary_key=True),
    Column("parent", _NAME, primary_key=True),
)

Index(
    "alarm_children_of_parent",
    alarm_children.c.account,
    alarm_children.c.region,
    alarm_children.c.parent,
    alarm_children.c.child,
)

alarm_history = Table(
    "alarm_history",
    metadata,
    Column("number", _SERIAL, primary_key=True),
    Column("account", String, nullable=False),
    Column("region", String, nullable=False),
    # No foreign key: it outlives its alarm.
    Column("alarm", _NAME, nullable=False),
    Column("alarm_type", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

Index(
    "alarm_history_of_alarm",
    alarm_history.c.account,
    alarm_history.c.region,
    alarm_history.c.alarm,
    alarm_history.c.number,
)

# For those who ask for all alarms of a scope.
Index(
    "alarm_history_in_time",
    alarm_history.c.account,
    alarm_history.c.region,
    alarm_history.c.at_ms,
    alarm_history.c.number,
)

alarm_actions = Table(
    "alarm_actions",
    metadata,
    # What is to be done because a state has changed, until it is done. Numbers are never reused.
    Column("number", _SERIAL, primary_key=True),
    Column("document", Text, nullable=False),
    sqlite_autoincrement=True,
)

usage_series = Table(
    "usage_series",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    # What tells it from others, in few bytes: all that follows.
    Column("key", LargeBinary, nullable=False),
    Column("account", String, nullable=False),
    Column("region", String, nullable=False),
    Column("function", _NAME, nullable=False),
    Column("version", String, nullable=False),
    Column("qualifier", _NAME, nullable=False),
    Column("tenant", _NAME, nullable=False),
    Column("memory_mib", BigInteger, nullable=False),
    Column("tmp_mib", BigInteger, nullable=False),
    Column("architecture", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("runtime", String, nullable=False),
    # The function's, when what they were used for was folded; a JSON object.
    Column("tags", Text, nullable=False),
    UniqueConstraint("key", name="usage_series_key"),
)

Index("usage_series_of_function", usage_series.c.account, usage_series.c.region, usage_series.c.function)

usage_records = Table(
    "usage_records",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    # No foreign key, as with log events.
    Column("series_id", BigInteger, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("init_us", BigInteger, nullable=False),
    Column("billed_ms", BigInteger, nullable=False),
    Column("cpu_us", BigInteger, nullable=False),
    Column("memory_peak_mib", BigInteger, nullable=False),
    Column("streamed_bytes", BigInteger, nullable=False),
    # How it ended, and whether a snapshot was restored for it.
    Column("flags", Integer, nullable=False),
    # The bytes of a UUID, or whatever else it is.
    Column("request_id", LargeBinary, nullable=False),
)

Index("usage_records_in_time", usage_records.c.started_ms)

usage_totals = Table(
    "usage_totals",
    metadata,
    # 60, 900, 3600 or 86400, and when such a period begins.
    Column("period_s", Integer, primary_key=True, autoincrement=False),
    Column("at_s", BigInteger, primary_key=True, autoincrement=False),
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("requests", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("cold_starts", BigInteger, nullable=False),
    Column("restores", BigInteger, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("init_us", BigInteger, nullable=False),
    Column("billed_ms", BigInteger, nullable=False),
    Column("cpu_us", BigInteger, nullable=False),
    Column("memory_peak_mib", BigInteger, nullable=False),
    Column("streamed_bytes", BigInteger, nullable=False),
    Column("billable_streamed_bytes", BigInteger, nullable=False),
    Column("allocated_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

usage_allocations = Table(
    "usage_allocations",
    metadata,
    # The last of each version: how far what is kept for it is counted. Not by series, which change with tags.
    Column("key", LargeBinary, primary_key=True),
    Column("document", Text, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("environments", BigInteger, nullable=False),
)

budgets = Table(
    "budgets",
    metadata,
    Column("account", String, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

budget_notices = Table(
    "budget_notices",
    metadata,
    # What is to be told because of a budget, until it is. Numbers are never reused.
    Column("number", _SERIAL, primary_key=True),
    Column("account", String, nullable=False),
    Column("budget", _NAME, nullable=False),
    Column("document", Text, nullable=False),
    sqlite_autoincrement=True,
)
