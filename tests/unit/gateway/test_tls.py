"""TLS on the way in: which files are taken, and what becomes of clients that do not speak it, or slowly."""

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lambent.clock import SystemClock
from lambent.errors.families import SettingsError
from lambent.gateway.admission import Admission
from lambent.gateway.connection import Waits
from lambent.gateway.server import Gateway, GatewayServer, bound_port
from lambent.gateway.tls import server_context
from lambent.protocol.wire import WireResponse
from lambent.store.certificate import self_signed

REQUEST = b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate and its key, another key, an encrypted one, and no PEM."""
    folder = tmp_path_factory.mktemp("tls")
    begins = datetime.now(UTC) - timedelta(hours=1)
    for name in ("own", "other"):
        certificate, key = self_signed(["localhost", "127.0.0.1"], begins, begins + timedelta(days=2), 7)
        (folder / f"{name}.pem").write_bytes(certificate)
        (folder / f"{name}.key").write_bytes(key)
    unlike = rsa.generate_private_key(65537, 2048)
    encryption = serialization.BestAvailableEncryption(b"secret")
    for name, how in (("encrypted", encryption), ("rsa", serialization.NoEncryption())):
        (folder / f"{name}.key").write_bytes(
            unlike.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
        )
    (folder / "text").write_text("no PEM\n")
    return folder


@pytest.mark.parametrize(
    ("certificate", "key", "flag", "said"),
    [
        ("absent", "own.key", "--tls-cert", "cannot be read: No such file"),
        ("own.pem", "absent", "--tls-key", "cannot be read: No such file"),
        (".", "own.key", "--tls-cert", "cannot be read: Is a directory"),
        ("text", "own.key", "--tls-cert", "holds no certificate in PEM"),
        ("own.key", "own.key", "--tls-cert", "holds no certificate in PEM"),
        ("own.pem", "text", "--tls-key", "holds no private key in PEM"),
        ("own.pem", "own.pem", "--tls-key", "holds no private key in PEM"),
        ("own.pem", "other.key", "--tls-key", "is not the key of"),
        ("own.pem", "rsa.key", "--tls-key", "is not the key of"),
        ("own.pem", "encrypted.key", "--tls-key", "is encrypted"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(files: Path, certificate: str, key: str, flag: str, said: str) -> None:
    """One line, with the setting first."""
    with pytest.raises(SettingsError) as refused:
        server_context(files / certificate, files / key)
    assert re.fullmatch(f"{flag}: [^\n]*{said}[^\n]*", str(refused.value))


class Stage:
    """A server that speaks TLS on its first socket, and answers everything with `ok`."""

    def __init__(self, files: Path, connections_max: int = 100, waits: Waits = Waits(head_s=0.3)) -> None:  # noqa: B008
        nowhere: Any = None

        async def answer(*_: Any) -> WireResponse:
            self.answered += 1
            return WireResponse(200, [], b"ok" * self.times)

        self.answered, self.times = 0, 1
        pipeline: Any = type("Pipeline", (), {"answer": staticmethod(answer)})
        apis: Any = type("NoApis", (), {"is_current": True, "is_for_api": staticmethod(lambda request: False)})
        gateway = Gateway(pipeline, nowhere, nowhere, apis, Admission(100, 10_000_000), SystemClock())
        context = server_context(files / "own.pem", files / "own.key")
        self.server = GatewayServer(
            gateway, connections_max=connections_max, shutdown_grace_s=20, waits=waits, tls=context
        )
        self.sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.client = ssl.create_default_context(cafile=files / "own.pem")

    async def open(self, *, tls: bool, number: int = 0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = self.client if tls else None
        return await asyncio.open_connection("127.0.0.1", bound_port(self.sockets[number]), ssl=context)


def run(files: Path, story: Callable[[Stage], Awaitable[None]], **given: Any) -> None:
    async def tell() -> None:
        stage = Stage(files, **given)
        serving = asyncio.create_task(stage.server.serve(sockets=stage.sockets))
        try:
            await asyncio.wait_for(story(stage), 120)
        finally:
            stage.server.stop()
            await asyncio.wait_for(serving, 60)

    asyncio.run(tell())


async def ask(stage: Stage, **how: Any) -> bytes:
    reader, writer = await stage.open(**how)
    writer.write(REQUEST)
    got = await asyncio.wait_for(reader.readuntil(b"ok"), 60)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return got


def test_the_first_socket_speaks_tls_and_no_other(files: Path) -> None:
    """The others are for functions of this machine, which trust no certificate of ours."""

    async def story(stage: Stage) -> None:
        assert (await ask(stage, tls=True)).startswith(b"HTTP/1.1 200 ")
        assert (await ask(stage, tls=False, number=1)).startswith(b"HTTP/1.1 200 ")

    run(files, story)


def test_what_is_no_tls_is_closed(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    """HTTP, nothing, or noise: the connection ends, nothing is answered, and the log is as it was."""

    async def story(stage: Stage) -> None:
        for sent in (REQUEST, b"", b"\x16\x03\x01\xff\xff" + bytes(600), b"\x00" * 10):
            reader, writer = await stage.open(tls=False)
            writer.write(sent)
            got = b""
            with contextlib.suppress(ConnectionError):
                got = await asyncio.wait_for(reader.read(), 60)
            assert b"HTTP" not in got
            writer.close()
        assert (await ask(stage, tls=True)).startswith(b"HTTP/1.1 200 ")
        assert stage.answered == 1

    with caplog.at_level(logging.INFO):
        run(files, story)
    assert not [record for record in caplog.records if record.name != "uvicorn.error"]


def test_who_has_not_shaken_hands_counts(files: Path) -> None:
    """Handshakes that do not go on take places, for as long as a head may take; who comes meanwhile is dropped."""

    async def story(stage: Stage) -> None:
        silent = [await stage.open(tls=False) for _ in range(4)]
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await stage.open(tls=True)
        for reader, writer in silent:
            assert await asyncio.wait_for(reader.read(), 60) == b""
            writer.close()
        assert (await ask(stage, tls=True)).startswith(b"HTTP/1.1 200 ")

    run(files, story, connections_max=4)


def test_a_client_that_says_no_farewell_keeps_no_server(files: Path) -> None:
    """It is idle and does not read: the server tells it that it ends, and does."""

    async def story(stage: Stage) -> None:
        with socket.create_connection(("127.0.0.1", bound_port(stage.sockets[0]))) as plain:
            idle = await asyncio.to_thread(stage.client.wrap_socket, plain, server_hostname="127.0.0.1")
            await asyncio.to_thread(idle.sendall, REQUEST)
            assert (await asyncio.to_thread(idle.recv, 12)) == b"HTTP/1.1 200"
            began = asyncio.get_running_loop().time()
            stage.server.stop()
            while stage.server.connection_count:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.05)
            assert asyncio.get_running_loop().time() - began < 15
            idle.close()

    run(files, story)


def test_a_slow_reader_gets_all_of_the_last_answer(files: Path) -> None:
    """What was written before the connection ends is what the client waits for, however long it takes."""

    async def story(stage: Stage) -> None:
        stage.times = 4_000_000
        with socket.create_connection(("127.0.0.1", bound_port(stage.sockets[0]))) as plain:
            slow = await asyncio.to_thread(stage.client.wrap_socket, plain, server_hostname="127.0.0.1")
            await asyncio.to_thread(slow.sendall, REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
            # Longer than the server waits for a farewell.
            await asyncio.sleep(1.5)
            got = await asyncio.to_thread(read_all, slow)
            slow.close()
        assert got.endswith(b"ok") and len(got) > 8_000_000

    run(files, story)


def read_all(connection: ssl.SSLSocket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_what_comes_behind_the_end_is_not_run(files: Path) -> None:
    """Over TLS bytes are handed on that came before the server closed, in another packet too."""

    async def story(stage: Stage) -> None:
        reader, writer = await stage.open(tls=True)
        writer.write(b"nonsense\r\n\r\n")
        await asyncio.sleep(0)
        writer.write(REQUEST)
        with contextlib.suppress(ConnectionError):
            got = await asyncio.wait_for(reader.read(), 60)
            assert got.startswith(b"HTTP/1.1 400 ") and got.count(b"HTTP/1.1") == 1
        assert stage.answered == 0
        writer.close()

    run(files, story)
