"""Clients for a Lambent server, botocore's and one for its own paths, and how their failures look as one line."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode, urlsplit

import typer

from lambent.cli.failure import CommandFailed

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from urllib.error import HTTPError

DEFAULT_ENDPOINT = "http://127.0.0.1:4566"
INVOKE_TIMEOUT_MAX_S = 900
OWN_PATH_TIMEOUT_S = 60
_NO_KEY = "test"
"""Key and secret where there are none: any will do where signatures are not verified."""
_STRANGERS = frozenset(
    {
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)
_MISMATCHES = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch"})
"""Codes of a server that does not know who asks, and of one that knows better."""
LOOPBACK = {"127.0.0.1", "::1", "localhost"}

Endpoint = Annotated[
    str,
    typer.Option(
        "--endpoint",
        help=rf"The server's address. \[default: {DEFAULT_ENDPOINT}]",
        envvar="LAMBENT_ENDPOINT",
        metavar="URL",
        show_default=False,
    ),
]


def connect(service: str, endpoint: str) -> Any:
    """
    Return a botocore client of one service.

    Credentials and region are those that the AWS CLI would use here, else `test` and us-east-1: where signatures are
    not verified any will do, but region and account key decide which functions are seen.

    Args:
        service: botocore's name for it.
        endpoint: where the server listens.
    """
    from botocore.config import Config

    host = _host_of(endpoint)
    session = _session()
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=INVOKE_TIMEOUT_MAX_S + 30,
        # A proxy of the environment is for the internet; it could not reach this machine's loopback.
        proxies={} if host in LOOPBACK else None,
    )
    region = session.get_config_variable("region") or "us-east-1"
    trusted = session.get_config_variable("ca_bundle") or _trusted()
    return session.create_client(service, region_name=region, endpoint_url=endpoint, config=config, verify=trusted)


def _session() -> Any:
    """Return botocore's session, with credentials in any case."""
    import botocore.session

    session = botocore.session.Session()
    # Without this, a machine that has no credentials would be asked for those of an EC2 instance: seconds of silence.
    session.get_component("credential_provider").remove("iam-role")
    if session.get_credentials() is None:
        session.set_credentials(_NO_KEY, _NO_KEY)
    return session


def _trusted() -> str | None:
    """Return the file of the certificates that this command trusts; None: those that come with the library."""
    return os.environ.get("AWS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or None


def _host_of(endpoint: str) -> str:
    from botocore.utils import is_valid_endpoint_url, is_valid_ipv6_endpoint_url

    try:
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            raise ValueError
        if not (is_valid_endpoint_url(endpoint) or is_valid_ipv6_endpoint_url(endpoint)):
            raise ValueError
    except ValueError:
        raise CommandFailed(f"--endpoint: {endpoint!r} is not a URL such as {DEFAULT_ENDPOINT}", exit_code=2) from None
    return parts.hostname


@contextmanager
def answers(endpoint: str) -> Iterator[None]:
    """
    Turn what botocore raises inside the block into one line for the terminal.

    Raises:
        CommandFailed: exit code 1 where there is no server, 2 where it refused or the request could not be written.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

    try:
        yield
    except ClientError as error:
        refusal = error.response.get("Error", {})
        code, message = str(refusal.get("Code", "Unknown")), str(refusal.get("Message") or "no further explanation")
        raise CommandFailed(_about_credentials(endpoint, code, message) or f"{code}: {message}", exit_code=2) from error
    except (ConnectionError, HTTPClientError) as error:
        raise CommandFailed(_line_for(endpoint, error)) from error
    except UnicodeEncodeError as error:
        raise CommandFailed("an argument is not UTF-8", exit_code=2) from error
    except BotoCoreError as error:
        # Refused by botocore itself, before anything was sent: a parameter that the model does not allow.
        raise CommandFailed(" ".join(str(error).split()), exit_code=2) from error


def _about_credentials(endpoint: str, code: str, message: str) -> str:
    """Return what to do about credentials that a server does not take; nothing where that is not what it refused."""
    wanted = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, name one that it knows"
    if code in {"ExpiredToken", "ExpiredTokenException"}:
        return f"{code}: the session of these credentials is over: get new ones"
    if code not in _STRANGERS | _MISMATCHES:
        return ""
    key = _session().get_credentials().access_key
    if key == _NO_KEY:
        return f"{code}: {endpoint} verifies signatures, and no credentials were found: {wanted}"
    if code in _STRANGERS:
        return f"{code}: {endpoint} does not know the access key {key}: {wanted}"
    if message.startswith("Signature "):
        return f"{code}: {' '.join(message.split())}: compare this machine's clock with the server's"
    return (
        f"{code}: this is not the secret of the access key {key}, or something on the way to {endpoint} changes "
        "requests: `lambent serve --public-host` is for a proxy that renames the server"
    )


def _line_for(endpoint: str, error: Exception) -> str:
    from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, SSLError

    if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return _untrusted(endpoint)
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError):
        return f"no server at {endpoint}: start one with `lambent serve`"
    return f"{endpoint}: the connection broke: {' '.join(str(error).split())}"


def _untrusted(endpoint: str) -> str:
    said = "AWS_CA_BUNDLE names the file of what is, and `lambent serve` says where its own is"
    return f"{endpoint}: the certificate is not trusted; {said}"


def open_own_path(
    endpoint: str,
    path: str,
    query: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
    *,
    posts: bool = False,
    body: bytes = b"{}",
    timeout_s: float = OWN_PATH_TIMEOUT_S,
) -> "HTTPResponse":
    """
    Ask one of the server's own paths, signed as `connect` says; return its answer, still to be read.

    Args:
        endpoint: where the server listens.
        path: what follows `/_lambent/`.
        query: its parameters.
        posts: whether something is to be done, not only looked at.
        body: what is posted, JSON.
        timeout_s: how long to wait for each piece of the answer.

    Raises:
        CommandFailed: nobody answers, the connection breaks, or the answer is a refusal.
    """
    from http.client import HTTPException
    from ssl import create_default_context
    from urllib.error import HTTPError
    from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

    host = _host_of(endpoint)
    url = f"{endpoint.rstrip('/')}/_lambent/{path}?{urlencode(query or {})}"
    method, sent = ("POST", body) if posts else ("GET", None)
    with answers(endpoint):
        request = Request(url, sent, _signed(method, url, sent), method=method)
    # As botocore's clients have it.
    proxies = [ProxyHandler({})] if host in LOOPBACK else []
    try:
        https = HTTPSHandler(context=create_default_context(cafile=_trusted()))
        answer: HTTPResponse = build_opener(https, *proxies).open(request, timeout=timeout_s)
    except HTTPError as error:
        code, message = _refusal(error)
        line = _about_credentials(endpoint, code, message)
        raise CommandFailed(line or message or str(error), exit_code=2) from error
    except OSError as error:
        raise CommandFailed(_line_for_own_path(endpoint, error, timeout_s)) from error
    except (HTTPException, ValueError) as error:
        raise CommandFailed(f"{endpoint}: this is no Lambent server") from error
    return answer


def _signed(method: str, url: str, body: bytes | None) -> dict[str, str]:
    """Return the headers of a request to one of the server's own paths."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    session = _session()
    region = session.get_config_variable("region") or "us-east-1"
    # The host as it will be sent, also where it names the port that needs no name.
    headers = {"Content-Type": "application/json", "Host": urlsplit(url).netloc}
    request = AWSRequest(method, url, headers, data=body or b"")
    SigV4Auth(session.get_credentials(), "lambent", region).add_auth(request)
    return dict(request.headers.items())


def _line_for_own_path(endpoint: str, error: OSError, timeout_s: float) -> str:
    from ssl import SSLCertVerificationError

    # What fails before the whole request is sent, urllib wraps; what fails later comes as it is.
    reason = getattr(error, "reason", error)
    if isinstance(reason, ConnectionRefusedError):
        return f"no server at {endpoint}: start one with `lambent serve`"
    if isinstance(reason, SSLCertVerificationError):
        return _untrusted(endpoint)
    if isinstance(reason, TimeoutError):
        return f"{endpoint}: no answer within {timeout_s:g} seconds"
    said = getattr(reason, "strerror", None) or reason
    broke = isinstance(reason, ConnectionError)
    return f"{endpoint}: {'the connection broke' if broke else 'cannot be reached'}: {' '.join(str(said).split())}"


def _refusal(refusal: "HTTPError") -> tuple[str, str]:
    """Return the code and the text of an answer, empty where it has none."""
    from http.client import HTTPException

    try:
        said = json.loads(refusal.read())
        return str(said.get("code", "")), str(said["message"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError):
        return "", ""
