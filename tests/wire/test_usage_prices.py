"""A list of prices of one's own: in force when it can be used, and else the start ends with one line naming the row."""

import os
import re
import socket
import urllib.request

import pytest
from wire.test_start import data_dir, refusal  # noqa: F401


def printed(server):
    """Return the list in force, as the server prints it."""
    with urllib.request.urlopen(server.endpoint + "/_lambent/usage/prices", timeout=30) as answer:
        assert answer.headers["content-type"] == "application/toml"
        return answer.read().decode()


@pytest.fixture
def built_in(server):
    """The list that is in force where nobody names one."""
    return printed(server)


ARM = 'what = "duration"\narchitecture = "arm64"\nunit = "GB-second"\n'

BROKEN = {
    "unknown key": (lambda text: text.replace(ARM, ARM + "colour = 1\n", 1), "price 3: colour: unknown; there are "),
    "wrong type": (
        lambda text: text.replace("amount = 0.20", 'amount = "0.20"', 1),
        "price 1 (request): amount: a number is wanted",
    ),
    "negative": (
        lambda text: text.replace("amount = 0.0000120001", "amount = -0.0000120001", 1),
        "price 3 (duration, arm64): tier 2: amount: -0.0000120001 is not from 0 to 1000000",
    ),
    "not a number": (
        lambda text: text.replace("amount = 0.20", "amount = nan", 1),
        "price 1 (request): amount: NaN is not from 0 to 1000000",
    ),
    "tiers fall": (
        lambda text: text.replace("up_to = 18_750_000_000", "up_to = 7_000_000_000", 1),
        "price 3 (duration, arm64): tier 2: up_to: 7000000000 is not more than 7500000000: tiers ascend",
    ),
    "row twice": (
        lambda text: text + '\n[[price]]\nwhat = "tmp"\nunit = "GB-second"\namount = 1\n',
        r"price \d+ \(tmp\): price 4 says that already",
    ),
    "row missing": (
        lambda text: text.replace('what = "streamed"', 'what = "streamed"\nregions = ["eu-west-1"]', 1),
        "price (streamed, x86_64): a row without regions is missing",
    ),
    "no such thing": (lambda text: text.replace('"request"', '"requests"', 1), "price 1: what: none of request, "),
    "no TOML": (lambda text: 'name = "a"\n\n[[price\n' + text, r"no TOML: .*\(at line 3, column "),
    "bad date": (
        lambda text: re.sub(r"(?m)^date = .*$", 'date = "lately"', text),
        "date: a date as 2026-01-31, without quotation marks, is wanted",
    ),
    "no such day": (lambda text: re.sub(r"(?m)^date = .*$", "date = 2026-02-31", text), "no TOML: "),
    "no text": (lambda text: text.encode()[:200] + b"\xff\n", r"no UTF-8 \(at line \d+\)"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_list_stops_the_start(built_in, data_dir, case):  # noqa: F811
    """The line names the setting, the file, and the row or the line in it; nothing was begun."""
    broken, said = BROKEN[case]
    path = data_dir.parent / "prices.toml"
    content = broken(built_in)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    line = refusal(data_dir, "--price-file", str(path))
    assert line.startswith(f"--price-file: {path}: ")
    told = line.removeprefix(f"--price-file: {path}: ")
    assert told.startswith(said) or re.match(said, told), line
    assert not data_dir.exists()


def test_a_list_that_is_not_there_stops_the_start(data_dir):  # noqa: F811
    """As the machine says it."""
    path = data_dir.parent / "nowhere.toml"
    assert refusal(data_dir, "--price-file", str(path)) == f"--price-file: {path}: No such file or directory"


def bind(path):
    """Leave a socket's name behind."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


UNREADABLE = {
    # Nobody writes into it, and nobody ever will.
    "pipe": (os.mkfifo, "not a regular file"),
    "folder": (os.mkdir, "not a regular file"),
    "socket": (bind, "not a regular file"),
    # Gives for ever.
    "device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "terminal": (lambda path: path.symlink_to("/dev/ptmx"), "not a regular file"),
    # Holes: a file of gigabytes on a disk that has none.
    "gigabytes": (lambda path: (path.touch(), os.truncate(path, 8 << 30)), "longer than 4 MiB"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_is_no_file_of_prices_stops_the_start_at_once(data_dir, case):  # noqa: F811
    """It neither waits for what never comes nor takes all that comes."""
    make, said = UNREADABLE[case]
    path = data_dir.parent / "prices.toml"
    make(path)
    assert refusal(data_dir, "--price-file", str(path)) == f"--price-file: {path}: {said}"
    assert not data_dir.exists()


def test_a_changed_copy_is_in_force(built_in, own_server, tmp_path):
    """What is printed, changed and given back is what is printed then."""
    changed = built_in.replace("amount = 0.20", "amount = 0.25", 1).replace('currency = "USD"', 'currency = "EUR"')
    assert changed != built_in
    path = tmp_path / "prices.toml"
    path.write_text(changed, "utf-8")
    assert printed(own_server(None, "--price-file", str(path)).start()) == changed
