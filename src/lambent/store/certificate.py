"""
The certificate that a server makes for itself, in the folder `tls` of its data folder: made once, and renewed in time.

    certificate.pem   for everybody: what clients are told to trust
    key.pem           the server's alone; not in backups, since a key is one machine's
    made              names and end of both, written last: without it, and where it is of others, they are made anew

`python -m lambent.store.certificate` makes one: the library that does it would stay in a server's memory for ever, some
ten megabytes, for what happens every other year.
"""

import hashlib
import importlib.util
import ipaddress
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from lambent.clock import Clock
from lambent.errors.families import DependencyError, SettingsError
from lambent.store.data_folder import DataFolder, set_mode, sync_folder, write_durably

VALID_DAYS = 825
"""Documented: support.apple.com, HT210176: no client of theirs takes a certificate for longer. Both ends count."""

_RENEWED_S = 30 * 86_400
"""A certificate that ends sooner is replaced at a start. Assumed: a month is longer than servers run on without one."""

_EARLIER = timedelta(hours=1)
"""How long before now it begins, for clients whose clocks are slow."""

_LIBRARY = "cryptography"


class Certificate(NamedTuple):
    """Where a certificate and its key lie."""

    certificate: Path
    key: Path


class _Made(msgspec.Struct, frozen=True):
    """What is known of a pair without reading it."""

    names: list[str]
    begins: float
    ends: float
    sha256: str
    """Of certificate and key, one behind the other."""


def certificate_of(path: Path) -> Path:
    """Return where a data folder's certificate is, or would be."""
    return path / "tls" / "certificate.pem"


def names_for(host: str, domain: str, region: str) -> list[str]:
    """
    Return the DNS names and addresses that a server answers by.

    Args:
        host: `--host`.
        domain: the name that function URLs are below.
        region: the only one for which they are named: a wildcard stands for one part of a name.
    """
    names = ["localhost", "*.localhost"]
    for above in dict.fromkeys(("localhost", domain)):
        names += [above, f"*.lambda-url.{region}.{above}", f"*.execute-api.{region}.{above}"]
    names += ["127.0.0.1", "::1"]
    if _is_address(host) and not ipaddress.ip_address(host).is_unspecified:
        names.append(str(ipaddress.ip_address(host)))
    return list(dict.fromkeys(names))


def own_certificate(folder: DataFolder, names: Sequence[str], clock: Clock) -> Certificate:
    """
    Return a certificate of these names; the one that is there, if it fits and does not end soon.

    Raises:
        SettingsError: the library that makes one is not installed.
        DependencyError: it could not be made or written.
    """
    pair = Certificate(certificate_of(folder.path), folder.tls / "key.pem")
    try:
        if _fits(pair, names, clock.now()):
            return pair
        _make(pair, names, clock)
    except OSError as error:
        raise DependencyError(f"the certificate in {folder.tls}: {error}", retryable=False) from error
    return pair


def _fits(pair: Certificate, names: Sequence[str], now: float) -> bool:
    try:
        made = msgspec.json.decode((pair.key.with_name("made")).read_bytes(), type=_Made)
        is_whole = made.sha256 == _sha256(pair.certificate.read_bytes(), pair.key.read_bytes())
        set_mode(pair.key, 0o600)
    except (FileNotFoundError, msgspec.MsgspecError):
        return False
    return is_whole and made.names == list(names) and made.begins <= now < made.ends - _RENEWED_S


def _make(pair: Certificate, names: Sequence[str], clock: Clock) -> None:
    if importlib.util.find_spec(_LIBRARY) is None:
        raise SettingsError(
            f"--tls: self-signed needs the library {_LIBRARY}: `pip install 'lambent[tls]'` (`make serve`) adds it"
        )
    begins = datetime.fromtimestamp(int(clock.now()), UTC) - _EARLIER
    ends = begins + timedelta(days=VALID_DAYS, seconds=-1)
    serial = clock.token_hex(16)
    order = msgspec.json.encode([list(names), begins.timestamp(), ends.timestamp(), serial])
    done = subprocess.run([sys.executable, "-m", __name__], input=order, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2] or "it said nothing"
        raise DependencyError(f"a certificate could not be made: {said}", retryable=False)
    certificate, key = msgspec.json.decode(done.stdout, type=tuple[str, str])
    folder = pair.key.parent
    folder.mkdir(mode=0o755, exist_ok=True)
    set_mode(folder, 0o755)
    sync_folder(folder.parent)
    write_durably(pair.key, key.encode())
    write_durably(pair.certificate, certificate.encode(), 0o644)
    made = _Made(list(names), begins.timestamp(), ends.timestamp(), _sha256(certificate.encode(), key.encode()))
    write_durably(folder / "made", msgspec.json.encode(made))


def _sha256(certificate: bytes, key: bytes) -> str:
    return hashlib.sha256(certificate + key).hexdigest()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def self_signed(names: Sequence[str], begins: datetime, ends: datetime, serial: int) -> tuple[bytes, bytes]:
    """Return a certificate and its key, both in PEM. It signs itself and nothing else."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own: an authority's that two certificates share would have clients mix them up.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Lambent {serial:032x}")])
    named: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(name)) if _is_address(name) else x509.DNSName(name) for name in names
    ]
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName(named), critical=False)
        # No authority: whoever trusts it trusts this server, and no name that its key could sign.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def main() -> None:
    """Make what standard input asks for, and write it to standard output."""
    names, begins, ends, serial = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[list[str], float, float, str])
    made = self_signed(
        names, datetime.fromtimestamp(begins, UTC), datetime.fromtimestamp(ends, UTC), int(serial, 16) or 1
    )
    sys.stdout.buffer.write(msgspec.json.encode([part.decode() for part in made]))


if __name__ == "__main__":
    main()
