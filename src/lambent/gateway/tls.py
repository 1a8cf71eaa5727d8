"""TLS on the way in: what certificate and key say, the handshake, and the end of a connection that had one."""

import logging
import ssl
from asyncio import Protocol, Task, get_running_loop
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

from lambent.errors.families import SettingsError
from lambent.gateway.connection import Connection, Waits

_log = logging.getLogger("lambent.gateway")

_FLUSH_S = 900.0
"""How long a client may take for what was written for it before its connection was closed: as without TLS."""

_FAREWELL_S = 1.0
"""How long a client that has everything may take to say that it has, before its connection is closed all the same."""


_MISFITS = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
"""What OpenSSL says of a key of another certificate, the last where it is of another kind."""


class _PasswordWanted(Exception):
    """A key is encrypted. Without this, OpenSSL would ask at the terminal."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """
    Return what TLS is spoken with: 1.2 or newer, and the ssl module's choice of ciphers.

    Args:
        certificate: PEM, with the certificates between it and a known authority behind it.
        key: PEM, not encrypted.

    Raises:
        SettingsError: one cannot be used, or they do not fit.
    """
    for flag, path in (("--tls-cert", certificate), ("--tls-key", key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise SettingsError(f"{flag}: {path} cannot be read: {error.strerror}") from error
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=certificate)
    except ssl.SSLError as error:
        raise SettingsError(f"--tls-cert: {certificate} holds no certificate in PEM ({_said(error)})") from error
    try:
        context.load_cert_chain(certificate, key, password=_refuse_password)
    except _PasswordWanted as error:
        raise SettingsError(f"--tls-key: {key} is encrypted; give one that is not, mode 0600") from error
    except ssl.SSLError as error:
        if error.reason in _MISFITS:
            raise SettingsError(f"--tls-key: {key} is not the key of {certificate}") from error
        if error.reason is not None and error.reason.startswith(("EE_", "CA_")):
            raise SettingsError(f"--tls-cert: {certificate} is refused by OpenSSL ({_said(error)})") from error
        raise SettingsError(
            f"--tls-key: {key} holds no private key in PEM that can be used ({_said(error)})"
        ) from error
    return context


def _refuse_password() -> str:
    raise _PasswordWanted


def _said(error: ssl.SSLError) -> str:
    return (error.reason or "no reason is told").lower().replace("_", " ")


class _Begun:
    """A coroutine that has run up to its first wait, to be awaited from there on, once."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._waits_for = coroutine.send(None)

    def __await__(self) -> Generator[Any, Any, Any]:
        waits_for = self._waits_for
        while True:
            try:
                try:
                    sent = yield waits_for
                except BaseException as error:
                    waits_for = self._coroutine.throw(error)
                else:
                    waits_for = self._coroutine.send(sent)
            except StopIteration as end:
                return end.value


class Handshake(Protocol):
    """
    A connection that was accepted, until TLS is agreed on; then it is a `SecuredConnection`.

    Args:
        under_way: all handshakes; this one is in it from its connection to its end.
        new_connection: makes what the connection becomes; None: there are as many as may be, and it is dropped.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        waits: Waits,
        under_way: "set[Handshake]",
        new_connection: "Callable[[], SecuredConnection] | None",
    ) -> None:
        self._context = context
        self._waits = waits
        self._under_way = under_way
        self._new_connection = new_connection
        self._early: list[bytes] = []
        """What came with the last message of the handshake."""
        self._is_over = False
        self._shaking: Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        if self._new_connection is None:
            self._is_over = True
            transport.abort()
            return
        loop = get_running_loop()
        starting = loop.start_tls(
            transport,
            self,
            self._context,
            server_side=True,
            ssl_handshake_timeout=self._waits.head_s,
            ssl_shutdown_timeout=_FLUSH_S,
        )
        # Begun here and not by the task: uvloop reads as soon as this returns, whatever is paused, and what came before
        # TLS is there to read it would be lost.
        begun = _Begun(starting)
        self._under_way.add(self)
        self._shaking = loop.create_task(self._shake(begun, transport, self._new_connection))
        self._shaking.add_done_callback(lambda _: self._under_way.discard(self))

    def data_received(self, data: bytes) -> None:
        self._early.append(data)

    def eof_received(self) -> None:
        self._is_over = True

    def connection_lost(self, _: Exception | None) -> None:
        self._is_over = True

    def close(self) -> None:
        """Drop the connection. Idempotent."""
        if self._shaking is not None:
            self._shaking.cancel()

    async def _shake(self, begun: "_Begun", transport: Any, new_connection: "Callable[[], SecuredConnection]") -> None:
        try:
            secured = await begun
        except (OSError, RuntimeError) as error:
            # No TLS, or none that both know, or the client has left: RuntimeError is what uvloop says of a transport
            # that was closed meanwhile.
            _log.debug("tls.no_handshake reason=%s", error)
            transport.abort()
            return
        if secured is None or self._is_over:
            transport.abort()
            return
        connection = new_connection()
        secured.set_protocol(connection)
        connection.below = transport
        connection.connection_made(secured)
        if self._early:
            connection.data_received(b"".join(self._early))


class SecuredConnection(Connection):
    """
    A connection over TLS.

    Its end is said to the client, and is not waited for: a client that is idle, or takes nothing more, would keep the
    connection, and a server that stops, for as long as the transport allows.
    """

    below: Any = None
    """The transport that the encrypted bytes leave by."""

    def _close(self) -> None:
        super()._close()
        self.loop.call_later(_FAREWELL_S, self._part)

    def _part(self) -> None:
        if self not in self.connections:
            return
        if self.transport.get_write_buffer_size() or self.below.get_write_buffer_size():
            self.loop.call_later(_FAREWELL_S, self._part)
        else:
            self.transport.abort()
