"""`lambent serve` over TLS: with a certificate of its own and with one that is given, as real clients use it."""

import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import SSLError
from wire.edges import BEHIND, DOORS, MALFORMED, answers_of, doors, read_all
from wire.support import (
    LAMBENT,
    REGION,
    FunctionMaker,
    Server,
    invoke,
    new_data_dir,
    newest_python,
    wait_for,
)
from wire.urls import make_url

HELLO = "def handler(e, c): return {'hello': e}"
# Asks the gateway, as a function's SDK does, for itself.
CALLS_BACK = """
import json, os, urllib.request

def handler(event, context):
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    path = f"/2015-03-31/functions/{context.function_name}/configuration"
    with urllib.request.urlopen(endpoint + path, timeout=10) as answer:
        return [endpoint, json.load(answer)["FunctionName"]]
"""


class TlsServer(Server):
    """A server over TLS, whose clients trust what is named: `certificate`, by default the one that it made."""

    certificate = None

    @property
    def trusted(self):
        return str(self.certificate or self.data_dir / "tls" / "certificate.pem")

    @property
    def context(self):
        return ssl.create_default_context(cafile=self.trusted)

    def health(self):
        with urllib.request.urlopen(self.endpoint + "/_lambent/health", timeout=30, context=self.context) as answer:
            return json.load(answer)

    def client(self, service, **config):
        return boto3.client(
            service, region_name=REGION, endpoint_url=self.endpoint, verify=self.trusted,
            aws_access_key_id="test", aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=120, **config),
        )  # fmt: skip


@pytest.fixture
def tls_server():
    """Makes servers for one test; what the test leaves is removed."""
    made = []

    def make(*options):
        made.append(TlsServer(None, *options))
        return made[-1]

    yield make
    for server in made:
        server.discard()


@pytest.fixture(scope="module")
def secured():
    """A server with a certificate of its own that most tests share; clients have four seconds for a handshake."""
    server = TlsServer(None, "--tls", "self-signed", "--client-head-s", "4").start()
    yield server
    assert server.stop() == 0, "".join(server.log)
    assert not [line for line in server.log if re.search("Traceback|ERROR", line)], "".join(server.log)
    server.discard()


@pytest.fixture
def function(secured, runtime, unique_name):
    maker = FunctionMaker(secured.client("lambda"), runtime, unique_name)
    yield maker
    for client, name in maker.made:
        client.delete_function(FunctionName=name)


def test_the_start_says_what_to_trust(secured):
    """Whoever has read the line with the endpoint has read where the certificate is; its key is for nobody else."""
    assert secured.endpoint.startswith("https://127.0.0.1:")
    (line,) = [line for line in secured.log if line.startswith("certificate ")]
    assert line.split()[1] == secured.trusted
    assert (secured.data_dir / "tls" / "key.pem").stat().st_mode & 0o777 == 0o600


def test_boto3_creates_and_invokes(secured, function):
    """And all URLs that come back are of the same scheme."""
    name, client = function(HELLO), secured.client("lambda")
    assert invoke(client, name, "you")[1] == {"hello": "you"}
    link = client.get_function(FunctionName=name)["Code"]["Location"]
    assert link.startswith(secured.endpoint + "/")
    with urllib.request.urlopen(link, timeout=30, context=secured.context) as answer:
        assert answer.read(2) == b"PK"
    sqs = secured.client("sqs")
    queue = sqs.create_queue(QueueName="secured")["QueueUrl"]
    assert queue.startswith(secured.endpoint + "/")
    sqs.send_message(QueueUrl=queue, MessageBody="m")
    assert [message["Body"] for message in sqs.receive_message(QueueUrl=queue)["Messages"]] == ["m"]


def test_boto3_takes_the_certificate_from_its_variable(secured, monkeypatch):
    """AWS_CA_BUNDLE is what every SDK of AWS for Python looks at; without it the server is not trusted."""
    monkeypatch.setenv("AWS_CA_BUNDLE", secured.trusted)
    given = {"region_name": REGION, "endpoint_url": secured.endpoint, "aws_access_key_id": "test"}
    client = boto3.session.Session().client("lambda", aws_secret_access_key="test", **given)
    assert "Functions" in client.list_functions()
    monkeypatch.delenv("AWS_CA_BUNDLE")
    with pytest.raises(SSLError):
        boto3.session.Session().client("lambda", aws_secret_access_key="test", **given).list_functions()


def run(command, secured, **variables):
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(secured.data_dir), "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION, "AWS_PAGER": "",
        "AWS_EC2_METADATA_DISABLED": "true", "LAMBENT_ENDPOINT": secured.endpoint, **variables,
    }  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120, check=False)


@pytest.mark.parametrize("program", ["aws_cli_1", "aws_cli_2"])
def test_the_aws_cli_trusts_by_its_option(secured, function, program, request, tmp_path):
    """--ca-bundle, and not without."""
    aws = [request.getfixturevalue(program), "--endpoint-url", secured.endpoint, "--output", "json"]
    name = function(HELLO)
    asked = ["lambda", "invoke", "--function-name", name, str(tmp_path / "answer")]
    done = run([*aws, "--ca-bundle", secured.trusted, *asked], secured)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "answer").read_text()) == {"hello": {}}
    refused = run([*aws, *asked], secured)
    assert refused.returncode != 0 and "SSL" in refused.stderr


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_lambents_own_commands_trust_by_a_variable(secured, function, variable, tmp_path):
    """Those that speak AWS's API and those that ask the server's own paths; untrusted it is one line."""
    name = function(HELLO)
    trusting = {variable: secured.trusted}
    done = run([LAMBENT, "invoke", name, "--payload", '"you"'], secured, **trusting)
    assert (done.returncode, json.loads(done.stdout or "null")) == (0, {"hello": "you"}), done.stderr
    assert run([LAMBENT, "queue", "depth", "--json"], secured, **trusting).returncode == 0
    for command in (["ls"], ["queue", "depth"]):
        refused = run([LAMBENT, *command], secured)
        assert refused.returncode != 0 and "AWS_CA_BUNDLE" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1


def test_curl_reaches_a_function_by_its_own_name(secured, function, leave_out):
    """A name below localhost is in the certificate, and the function sees that it was https."""
    if shutil.which("curl") is None:
        leave_out("curl", "apt install curl")
    client = secured.client("lambda")
    url = make_url(client, function("def handler(e, c): return e"))
    parts = urlsplit(url)
    assert (parts.scheme, parts.port) == ("https", secured.port)
    curl = ["curl", "-sS", "--noproxy", "*", "--cacert", secured.trusted, "--resolve", f"{parts.netloc}:127.0.0.1"]
    done = run([*curl, url + "a?b=c"], secured)
    assert done.returncode == 0, done.stderr
    event = json.loads(done.stdout)
    assert (event["rawPath"], event["rawQueryString"]) == ("/a", "b=c")
    assert event["headers"]["x-forwarded-proto"] == "https"
    assert event["headers"]["x-forwarded-port"] == str(secured.port)
    assert event["requestContext"]["domainName"] == parts.hostname
    named = ["-H", f"Host: {parts.netloc}", secured.endpoint + "/by-header"]
    assert json.loads(run([*curl, *named], secured).stdout)["rawPath"] == "/by-header"


@pytest.mark.parametrize("sandbox", ["auto", "process"])
def test_functions_call_back_without_a_certificate(tls_server, sandbox):
    """AWS_ENDPOINT_URL leads to the gateway in every sandbox: behind it nobody listens who is to be trusted first."""
    server = tls_server("--tls", "self-signed", "--sandbox", sandbox).start()
    client = server.client("lambda")
    name = FunctionMaker(client, newest_python(sandbox), "calls-back")(CALLS_BACK)
    answer, (endpoint, found) = invoke(client, name)
    assert "FunctionError" not in answer and found == name
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", endpoint)
    assert server.stop() == 0


def test_tls_1_2_and_newer(secured):
    """What is older is refused; what is chosen is HTTP/1.1, also of a client that would rather have HTTP/2."""
    for version, is_taken in (
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ):
        context = secured.context
        # OpenSSL itself would not go below without.
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        with pytest.warns(DeprecationWarning) if not is_taken else contextlib.nullcontext():
            context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2", "http/1.1"])
        with socket.create_connection(("127.0.0.1", secured.port), timeout=10) as plain:
            if not is_taken:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    context.wrap_socket(plain, server_hostname="127.0.0.1")
                continue
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                assert connection.selected_alpn_protocol() == "http/1.1"


def test_plain_http_gets_nothing(secured):
    """Its connection ends; nothing is run, and nothing is in the log."""
    lines = len(secured.log)
    with socket.create_connection(("127.0.0.1", secured.port), timeout=30) as connection:
        connection.sendall(b"GET /_lambent/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP" not in read_all(connection)
    wait_for(lambda: secured.health()["requests_in_flight"] == 1)
    assert secured.log[lines:] == []


def test_slow_handshakes_hold_nobody_up(secured):
    """Half a greeting, or none: others are answered meanwhile, and these have their time and no more."""
    began = time.monotonic()
    silent = [socket.create_connection(("127.0.0.1", secured.port), timeout=30) for _ in range(50)]
    for connection in silent[::2]:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01")
    secured.health()
    assert time.monotonic() - began < 4, "none of them was at an end by itself"
    for connection in silent:
        assert read_all(connection) == b""
        connection.close()
    assert 3.5 < time.monotonic() - began < 20


@pytest.fixture(scope="module")
def secured_doors(secured, runtime):
    yield from doors(secured, runtime, "tls-edge", secured.context)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("what", ["both lengths", "a chunk longer than it says", "two hosts", "no HTTP", "HTTP/2.0"])
def test_the_edge_is_the_same_behind_tls(secured_doors, door, what):
    """A refusal in its turn, the end of the connection, and nothing of what stands behind."""
    door = secured_doors[door]
    before = door.now()
    with door.connect() as connection:
        connection.sendall(door.request("first") + door.filled(MALFORMED[what]))
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for _ in range(20):
                connection.sendall(door.filled(BEHIND))
        answers = answers_of(read_all(connection))
    # What the server did not read any more resets the connection: the answers may be lost with it.
    assert [status // 100 for status, _, _ in answers] in ([2, 4], [2], [])
    assert door.seen_since(before) in (["first"], [])


def test_a_client_that_keeps_its_connection_does_not_hold_the_end_up(tls_server):
    """It is idle, does not read, and does not say farewell."""
    server = tls_server("--tls", "self-signed", "--shutdown-grace-s", "60").start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
        idle = server.context.wrap_socket(plain, server_hostname="127.0.0.1")
        idle.sendall(b"GET /_lambent/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
        server.process.terminate()
        assert server.process.wait(15) == 0
        idle.close()


# Certificates --------------------------------------------------------------------------------------------------------


def test_the_certificate_outlives_a_restart_and_follows_the_domain(tls_server):
    """Clients trust this one; another domain needs another."""
    server = tls_server("--tls", "self-signed").start()
    made = (server.data_dir / "tls" / "certificate.pem").read_bytes()
    server.stop()
    server.restart()
    assert (server.data_dir / "tls" / "certificate.pem").read_bytes() == made
    server.stop()
    server.options = (*server.options, "--url-domain", "fn.example.com")
    server.restart()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
        name = "abc.lambda-url.us-east-1.fn.example.com"
        server.context.wrap_socket(plain, server_hostname=name).close()
    assert server.stop() == 0


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Certificates as an operator has them, made by openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("needs:openssl:apt install openssl")
    folder = tmp_path_factory.mktemp("given")
    for name in ("own", "other"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
             "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
             "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")],
            check=True, capture_output=True,
        )  # fmt: skip
    subprocess.run(
        ["openssl", "rsa", "-aes256", "-passout", "pass:secret", "-in", str(folder / "own.key"),
         "-out", str(folder / "encrypted.key")],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "text").write_text("no PEM\n")
    return folder


def test_a_certificate_that_is_given(tls_server, given):
    """It is what clients see; none is made, and no line says what to trust."""
    server = tls_server("--tls-cert", str(given / "own.pem"), "--tls-key", str(given / "own.key"))
    server.certificate = given / "own.pem"
    server.start()
    assert server.client("lambda").list_functions()["Functions"] == []
    assert server.health()["functions"] == 0
    assert not (server.data_dir / "tls").exists()
    assert not [line for line in server.log if line.startswith("certificate ")]
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--tls", "on"), "--tls: 'on' is neither off nor self-signed"),
        (("--tls", "self-signed", "--tls-cert", "own.pem", "--tls-key", "own.key"), "--tls: self-signed makes"),
        (("--tls-cert", "own.pem"), "--tls-cert: needs --tls-key"),
        (("--tls-key", "own.key"), "--tls-key: needs --tls-cert"),
        (("--tls-cert", "absent", "--tls-key", "own.key"), "--tls-cert: "),
        (("--tls-cert", "own.pem", "--tls-key", "absent"), "--tls-key: "),
        (("--tls-cert", "text", "--tls-key", "own.key"), "--tls-cert: "),
        (("--tls-cert", "own.pem", "--tls-key", "other.key"), "--tls-key: "),
        (("--tls-cert", "own.pem", "--tls-key", "encrypted.key"), "--tls-key: "),
    ],
)
def test_what_cannot_be_obeyed_stops_the_start(given, options, said):
    """Exit code 2, and one line that names the setting; no question at the terminal."""
    folder = new_data_dir()
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("LAMBENT_", "AWS_"))}
    done = subprocess.run(
        [LAMBENT, "serve", "--port", "0", "--data-dir", str(folder), *options],
        capture_output=True, text=True, cwd=given, env=environ, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    shutil.rmtree(folder)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"lambent: {said}")
