"""What usage comes to: the list of prices, the machine's cost, and the door to both."""

import os
import stat
from collections.abc import Awaitable, Callable
from decimal import Decimal
from importlib import resources
from pathlib import Path

from lambent.clock import Clock
from lambent.domain.machine_cost import MachineSize
from lambent.domain.price_list import InvalidPriceList, PriceList, parse_price_list
from lambent.errors.families import SettingsError
from lambent.gateway.own_access import OwnAccess
from lambent.gateway.usage_paths import UsagePaths
from lambent.services import billing
from lambent.services.billing.bills import Bills
from lambent.settings import UsageSettings
from lambent.store.usage_contract import UsageStore

_PRICE_FILE_MAX_BYTES = 4 << 20
"""Assumed: ten thousand rows and their comments."""


class Billing:
    """What tells what usage comes to."""

    def __init__(self, settings: UsageSettings, prices: PriceList, store: UsageStore, clock: Clock) -> None:
        # A float has at most 17 digits that somebody may have written; repr finds the shortest.
        cost_per_hour = Decimal(repr(settings.machine_cost_per_hour))
        self.bills = Bills(store, prices, cost_per_hour, _machine_size(), clock)
        self._store = store
        self._clock = clock

    def paths(self, access: OwnAccess, settle: Callable[[], Awaitable[None]]) -> UsagePaths:
        """
        Return what answers questions.

        Args:
            settle: returns once what happened before the call is in the store.
        """
        return UsagePaths(self.bills, self._store, settle, access, self._clock)


def read_prices(path: Path | None) -> PriceList:
    """
    Return the list that is in force: of a file, or the built-in one.

    Raises:
        SettingsError: the file cannot be read or used; one line names it and the row.
    """
    if path is None:
        return parse_price_list(resources.files(billing).joinpath("aws_lambda_prices.toml").read_text("utf-8"))
    try:
        content = _read_regular(path, _PRICE_FILE_MAX_BYTES + 1)
        if len(content) > _PRICE_FILE_MAX_BYTES:
            raise InvalidPriceList(f"longer than {_PRICE_FILE_MAX_BYTES >> 20} MiB")
        return parse_price_list(content.decode("utf-8"))
    except OSError as exc:
        raise SettingsError(f"--price-file: {path}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        line = content[: exc.start].count(b"\n") + 1
        raise SettingsError(f"--price-file: {path}: no UTF-8 (at line {line})") from exc
    except InvalidPriceList as exc:
        raise SettingsError(f"--price-file: {path}: {exc}") from exc


def _read_regular(path: Path, most_bytes: int) -> bytes:
    """
    Return the beginning of a file.

    Raises:
        InvalidPriceList: it is a pipe, a device or a folder: reading would wait for somebody, or never end.
        OSError: it cannot be read.
    """
    # Before it is opened, since opening alone makes some devices act; and after, since another may be there by then.
    if stat.S_ISREG(path.stat().st_mode):
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read(most_bytes)
    raise InvalidPriceList("not a regular file")


def _machine_size() -> MachineSize:
    """Return what the machine has, as the kernel tells it. What a container is kept from using counts as its own."""
    memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return MachineSize(os.cpu_count() or 1, memory_mib)
