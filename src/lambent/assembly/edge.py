"""Where the server listens, and what it speaks there."""

import socket
import ssl
from collections.abc import Sequence

from lambent.clock import Clock
from lambent.domain.function_url import parse_url_domain
from lambent.errors.families import DependencyError, SettingsError
from lambent.gateway.server import bound_port
from lambent.gateway.tls import server_context
from lambent.sandbox.contract import Sandbox
from lambent.settings import (
    ServerSettings,
    Settings,
)
from lambent.store.certificate import names_for, own_certificate
from lambent.store.data_folder import DataFolder


class Edge:
    """
    Where the server listens, and what it speaks there.

    Raises:
        SettingsError: the address cannot be had, or TLS not be spoken.
    """

    def __init__(self, settings: Settings, folder: DataFolder, clock: Clock) -> None:
        self.listeners = [_bind(settings.server, settings.sandbox.allow_host)]
        """The first is everybody's; TLS is spoken there alone."""
        try:
            self.tls = _tls(settings, folder, clock)
        except BaseException:
            self.close()
            raise
        self.scheme = "http" if self.tls is None else "https"
        self.port = bound_port(self.listeners[0])
        self.endpoint = self.endpoint_inside = f"{self.scheme}://{_url_host(settings.server.host)}:{self.port}"

    def open_inside(self, sandbox: Sandbox) -> None:
        """Let functions that share the host's network in without TLS: they do not trust any certificate of ours."""
        if self.tls is not None and not sandbox.has_own_root:
            self.listeners.append(_bind(ServerSettings(port=0), ()))
            self.endpoint_inside = f"http://127.0.0.1:{bound_port(self.listeners[1])}"

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()


def _bind(server: ServerSettings, allow_host: Sequence[str]) -> socket.socket:
    """
    Listen.

    Args:
        allow_host: ports that functions may reach. The server's must not be one: what comes there bears no sign of the
            environment that it left, and may do everything.

    Raises:
        SettingsError: the address cannot be had, or functions would reach it.
    """
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((server.host, server.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise SettingsError(f"--port: cannot listen on {server.host}:{server.port}: {error.strerror}") from error
    if (port := bound_port(listener)) in map(int, allow_host):
        listener.close()
        raise SettingsError(
            f"--allow-host: {port} is this server's own port; functions reach the server by AWS_ENDPOINT_URL without it"
        )
    listener.setblocking(False)
    return listener


def _tls(settings: Settings, folder: DataFolder, clock: Clock) -> ssl.SSLContext | None:
    """
    Return what TLS is spoken with; None where it is not.

    Raises:
        SettingsError: a certificate or key cannot be used, or none can be made.
    """
    server, api = settings.server, settings.api
    if server.tls_cert is not None:
        assert server.tls_key is not None
        return server_context(server.tls_cert, server.tls_key)
    if server.tls == "off":
        return None
    names = names_for(server.host, parse_url_domain(api.url_domain, 0).name, api.region)
    try:
        return server_context(*own_certificate(folder, names, clock))
    except DependencyError as error:
        raise SettingsError(f"--tls: {error}") from error


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
