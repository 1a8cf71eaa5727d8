"""The list of prices that is in force, and what stops the start."""

import os
from decimal import Decimal
from pathlib import Path
from stat import S_ISREG

import pytest

from lambent.assembly.billing import read_prices
from lambent.domain.price_list import ARCHITECTURES, What
from lambent.errors.families import SettingsError


def test_the_built_in_list() -> None:
    """AWS's public prices for us-east-1, as several sources cite them."""
    prices = read_prices(None)
    found = {
        (what.value, architecture): [tier.amount for tier in prices.find(what, architecture, "us-east-1").tiers]
        for what in What
        for architecture in ARCHITECTURES
    }
    assert {place: list(map(str, amounts)) for place, amounts in found.items()} == {
        ("request", "x86_64"): ["0.20"],
        ("request", "arm64"): ["0.20"],
        ("duration", "x86_64"): ["0.0000166667", "0.000015", "0.0000133334"],
        ("duration", "arm64"): ["0.0000133334", "0.0000120001", "0.0000106667"],
        ("tmp", "x86_64"): ["3.09E-8"],
        ("tmp", "arm64"): ["3.09E-8"],
        ("provisioned", "x86_64"): ["0.0000041667"],
        ("provisioned", "arm64"): ["0.0000033334"],
        ("provisioned-duration", "x86_64"): ["0.0000097222"],
        ("provisioned-duration", "arm64"): ["0.0000077778"],
        ("streamed", "x86_64"): ["0.008"],
        ("streamed", "arm64"): ["0.008"],
        ("snapshot-cached", "x86_64"): ["0.0000015046"],
        ("snapshot-cached", "arm64"): ["0.0000015046"],
        ("snapshot-restored", "x86_64"): ["0.0001397998"],
        ("snapshot-restored", "arm64"): ["0.0001397998"],
    }
    assert tuple(prices.free) == (1_000_000, 400_000, 100)
    assert prices.find(What.DURATION, "x86_64", "ap-east-1").tiers[0].amount == Decimal("0.00002292")


def test_a_copy_of_the_built_in_list_can_be_used(tmp_path: Path) -> None:
    """What is printed is what is read."""
    path = tmp_path / "prices.toml"
    path.write_text(read_prices(None).text.replace("amount = 0.20", "amount = 0.21"), "utf-8")
    assert read_prices(path).find(What.REQUEST, "arm64", "us-east-1").tiers[0].amount == Decimal("0.21")


def test_a_file_that_cannot_be_used_is_named_with_the_row(tmp_path: Path) -> None:
    """One line each: what the file says, what the machine says, and what no text is."""
    path = tmp_path / "prices.toml"
    path.write_text(read_prices(None).text.replace("amount = 0.0000133334 }", "amount = nan }", 1), "utf-8")
    with pytest.raises(SettingsError) as refused:
        read_prices(path)
    assert str(refused.value) == (
        f"--price-file: {path}: price 2 (duration, x86_64): tier 3: amount: NaN is not from 0 to 1000000"
    )
    with pytest.raises(SettingsError, match=r"^--price-file: .*: No such file or directory$"):
        read_prices(tmp_path / "nowhere")
    path.write_bytes(b'name = "a"\ncurrency = "\xff"\n')
    with pytest.raises(SettingsError, match=r"^--price-file: .*: no UTF-8 \(at line 2\)$"):
        read_prices(path)
    path.write_bytes(b"#" * (5 << 20))
    with pytest.raises(SettingsError, match=r"^--price-file: .*: longer than 4 MiB$"):
        read_prices(path)


def test_a_pipe_that_takes_a_files_place_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the opening."""
    path = tmp_path / "prices.toml"
    path.touch()
    look = Path.stat

    def stat(self: Path) -> os.stat_result:
        found = look(self)
        if self == path and S_ISREG(found.st_mode):
            path.unlink()
            os.mkfifo(path)
        return found

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(SettingsError, match=r"^--price-file: .*: not a regular file$"):
        read_prices(path)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    """Devices, pipes, folders: what they do when they are opened, or read, is nothing that a start may wait for."""
    pipe, loop = tmp_path / "pipe", tmp_path / "loop"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero"), Path("/dev/ptmx")):
        with pytest.raises(SettingsError, match=r"^--price-file: .*: not a regular file$"):
            read_prices(path)
    loop.symlink_to(loop)
    with pytest.raises(SettingsError, match=r"^--price-file: .*: Too many levels of symbolic links$"):
        read_prices(loop)
