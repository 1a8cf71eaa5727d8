"""The certificate that a server makes for itself: what it says, when it is kept, and when it is made anew."""

import ipaddress
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from lambent.errors.families import DependencyError, SettingsError
from lambent.store import certificate as module
from lambent.store.certificate import Certificate, certificate_of, names_for, own_certificate
from lambent.store.data_folder import DataFolder
from lambent.testing.virtual_clock import VirtualClock

DAY_S = 86_400
NAMES = names_for("127.0.0.1", "localhost", "us-east-1")


class Folder:
    """As much of a data folder as has a certificate."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tls = path / "tls"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    found: object = Folder(tmp_path)
    yield found  # type: ignore[misc]


def both(pair: Certificate) -> tuple[bytes, bytes]:
    return pair.certificate.read_bytes(), pair.key.read_bytes()


def test_names_are_those_that_clients_use() -> None:
    """Wildcards stand for one part of a name: function URLs and APIs have entries of their own."""
    assert names_for("0.0.0.0", "localhost", "eu-west-1") == [
        "localhost", "*.localhost", "*.lambda-url.eu-west-1.localhost", "*.execute-api.eu-west-1.localhost",
        "127.0.0.1", "::1",
    ]  # fmt: skip
    named = names_for("10.0.0.7", "fn.example.com", "us-east-1")
    assert {"fn.example.com", "*.lambda-url.us-east-1.fn.example.com", "10.0.0.7", "localhost"} <= set(named)
    assert "name" not in names_for("name", "localhost", "us-east-1")


def test_the_certificate_says_what_clients_look_for(folder: DataFolder) -> None:
    """Its names, at most 825 days with both ends, no authority, and a key that only its owner reads."""
    clock = VirtualClock()
    pair = own_certificate(folder, NAMES, clock)
    made = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    names = made.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert isinstance(names, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == NAMES[:-2]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address(name) for name in NAMES[-2:]]
    begins, ends = made.not_valid_before_utc.timestamp(), made.not_valid_after_utc.timestamp()
    assert begins < clock.now() and ends - begins + 1 <= 825 * DAY_S
    constraints = made.extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS).value
    assert isinstance(constraints, x509.BasicConstraints) and not constraints.ca
    assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(pair.certificate.stat().st_mode) == 0o644
    assert pair.certificate == certificate_of(folder.path)
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*pair)


def test_it_is_made_once(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients trust this one: a start, also long after, leaves it, and needs no library for that."""
    clock = VirtualClock()
    before = both(own_certificate(folder, NAMES, clock))
    monkeypatch.setattr(module, "_LIBRARY", "no_such_library")
    clock.set_wall(790 * DAY_S)
    assert both(own_certificate(folder, NAMES, clock)) == before


@pytest.mark.parametrize("why", ["it ends soon", "it has not begun", "other names", "another key", "no key", "damage"])
def test_it_is_made_anew(folder: DataFolder, why: str) -> None:
    """Where it ends within a month or names something else, and where the two files are no pair."""
    clock, names = VirtualClock(), NAMES
    pair = own_certificate(folder, names, clock)
    before = both(pair)
    if why == "it ends soon":
        clock.set_wall(796 * DAY_S)
    elif why == "it has not begun":
        clock.set_wall(-2 * DAY_S)
    elif why == "other names":
        names = names_for("127.0.0.1", "fn.example.com", "us-east-1")
    elif why == "another key":
        pair.key.write_bytes(before[1][::-1])
    elif why == "no key":
        pair.key.unlink()
    else:
        (folder.tls / "made").write_text("{")
    after = both(own_certificate(folder, names, clock))
    assert after[0] != before[0] and after[1] != before[1]
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*pair)


def test_without_the_library_the_extra_is_named(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, with what to do; nothing is left behind."""
    monkeypatch.setattr(module, "_LIBRARY", "no_such_library")
    with pytest.raises(SettingsError, match=r"^--tls: [^\n]*no_such_library[^\n]*lambent\[tls\][^\n]*$"):
        own_certificate(folder, NAMES, VirtualClock())
    assert not folder.tls.exists()


def test_a_failure_to_make_it_is_told(folder: DataFolder) -> None:
    """Such as a folder that cannot be written to."""
    folder.tls.write_text("a file")
    with pytest.raises(DependencyError, match="the certificate in"):
        own_certificate(folder, NAMES, VirtualClock())


def test_the_server_does_not_load_the_library() -> None:
    """It is loaded by the process that makes a certificate, and ends."""
    code = "import sys, lambent.store.certificate; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
