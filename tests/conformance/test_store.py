"""The store's suites on SQLite, and on the fake that tests of telemetry use."""

from pathlib import Path

import pytest

from lambent.testing.conformance.aliases_layers_policies import (
    AliasStoreConformance,
    BucketNotificationStoreConformance,
    EventInvokeConfigStoreConformance,
    LayerStoreConformance,
    PolicyStoreConformance,
)
from lambent.testing.conformance.event_source_mappings import EventSourceMappingStoreConformance
from lambent.testing.conformance.function_urls import FunctionUrlStoreConformance
from lambent.testing.conformance.http_apis import HttpApiStoreConformance
from lambent.testing.conformance.identities import IdentityStoreConformance
from lambent.testing.conformance.log_filters import LogFilterStoreConformance
from lambent.testing.conformance.store import FunctionStoreConformance, LogStoreConformance, StoreAdapter
from lambent.testing.stores import make_sqlite


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "state.db"
    make_sqlite(path)
    return str(path)


@pytest.fixture
def adapter(database: str) -> StoreAdapter:
    return StoreAdapter(opener="lambent.testing.stores:open_sqlite", address=database)


class TestFunctionsOnSqlite(FunctionStoreConformance):
    """Functions and versions in a SQLite file."""


class TestAliasesOnSqlite(AliasStoreConformance):
    """Aliases in a SQLite file."""


class TestEventInvokeConfigsOnSqlite(EventInvokeConfigStoreConformance):
    """Event invoke configs in a SQLite file."""


class TestFunctionUrlsOnSqlite(FunctionUrlStoreConformance):
    """Function URLs in a SQLite file."""


class TestHttpApisOnSqlite(HttpApiStoreConformance):
    """Function URLs in a SQLite file."""


class TestLogFiltersOnSqlite(LogFilterStoreConformance):
    """Metric and subscription filters in a SQLite file."""


class TestIdentitiesOnSqlite(IdentityStoreConformance):
    """Users, roles, policies, keys and accounts in a SQLite file."""


class TestEventSourceMappingsOnSqlite(EventSourceMappingStoreConformance):
    """Event source mappings in a SQLite file."""


class TestBucketNotificationsOnSqlite(BucketNotificationStoreConformance):
    """Notification configurations of buckets in a SQLite file."""


class TestPoliciesOnSqlite(PolicyStoreConformance):
    """Resource policies in a SQLite file."""


class TestLayersOnSqlite(LayerStoreConformance):
    """Layers in a SQLite file."""


class TestLogsOnSqlite(LogStoreConformance):
    """Log groups, streams and events in a SQLite file."""


class TestLogsInMemory(LogStoreConformance):
    """`MemoryLogStore`, so that a fake is as honest as the real thing."""

    @pytest.fixture
    def adapter(self, database: str) -> StoreAdapter:
        return StoreAdapter(opener="lambent.testing.stores:open_with_logs_in_memory", address=database)
