"""Backups over HTTP and by the command line: who gets one, what a client that leaves or a kill leaves behind."""

import http.client
import io
import json
import os
import socket
import subprocess
import tarfile
import urllib.error
import urllib.request

import pytest
from wire.support import LAMBENT, ROLE, invoke, wait_for, zip_of

JSON = {"Content-Type": "application/json"}


def ask(server, *, method="POST", headers=JSON):
    """Return status and body of one request for a backup."""
    connection = http.client.HTTPConnection(server.endpoint.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, "/_lambent/backup", b"{}" if method == "POST" else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def begin(server):
    """Begin a backup and read only the head of the answer; return the connection."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    connection.sendall(
        b"POST /_lambent/backup HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    )
    assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    return connection


LARGE_BYTES = 12_000_000
"""More than what sockets hold on the way to a client that reads nothing."""


def create(server, name, size_bytes):
    """Create a function with a package of a size."""
    archive = zip_of({"bootstrap": "x", "rest": os.urandom(size_bytes)}, {"bootstrap": 0o755})
    settings = {"Runtime": "provided.al2023", "Handler": "x", "Role": ROLE}
    server.client("lambda").create_function(FunctionName=name, Code={"ZipFile": archive}, **settings)


def left(server):
    return list((server.data_dir / "backup").iterdir())


@pytest.mark.parametrize(
    ("method", "headers"), [("GET", {}), ("POST", {}), ("POST", {"Content-Type": "text/plain"}), ("PUT", JSON)]
)
def test_it_has_to_be_meant(server, method, headers):
    """What a page of the web can have a browser send begins no backup."""
    status, body = ask(server, method=method, headers=headers)
    assert (status, json.loads(body)["message"]) == (
        405,
        "only POST with Content-Type: application/json is answered here",
    )


def test_the_answer_is_a_tar_of_known_length(server):
    """As any client reads it."""
    request = urllib.request.Request(server.endpoint + "/_lambent/backup", b"{}", JSON)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.headers["Content-Type"] == "application/x-tar"
        body = answer.read()
        assert len(body) == int(answer.headers["Content-Length"])
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        names = tar.getnames()
    assert names[0] == "lambent-backup.json"
    assert names[-1] == "manifest"


def test_no_function_gets_one(server, lambda_client, make_function):
    """It holds the variables of all functions, whoever they belong to."""
    source = """
import os, urllib.error, urllib.request
def handler(event, context):
    url = os.environ["AWS_ENDPOINT_URL"] + "/_lambent/backup"
    request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]
"""
    if server.sandbox["driver"] == "process":
        pytest.skip("needs:walls:a sandbox that tells who calls")
    assert invoke(lambda_client, make_function(source, Timeout=30, MemorySize=1769))[1] == [
        403, '{"message":"functions get no backup"}',
    ]  # fmt: skip


def test_one_at_a_time_and_a_client_that_leaves(own_server, unique_name, tmp_path):
    """
    While one is read a second is refused by name; a client that leaves in the middle ends its backup and leaves no
    file; what a killed server left goes with its next start; a server that is told to stop waits for none.
    """
    server = own_server(None, "--shutdown-grace-s", "3600").start()
    create(server, unique_name, LARGE_BYTES)
    with begin(server):
        status, body = ask(server)
        assert status == 409
        assert json.loads(body) == {
            "code": "BackupInProgressException",
            "message": "a backup is under way already: one at a time",
        }
        done = subprocess.run(
            [LAMBENT, "backup", str(tmp_path / "b"), "--endpoint", server.endpoint],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (2, "lambent: a backup is under way already: one at a time\n")
        # The refused ones may be on their way out.
        wait_for(lambda: server.health()["requests_in_flight"] == 2)
        assert left(server) != []
    wait_for(lambda: left(server) == [])
    assert list(tmp_path.iterdir()) == []
    wait_for(lambda: any("backup.broken_off" in line for line in server.log))

    with begin(server):
        server.kill()
    assert left(server) != []
    server.restart()
    assert left(server) == []
    status, body = ask(server)
    assert status == 200
    assert len(body) > LARGE_BYTES

    # Who has all of it knows so before the server has tidied up.
    wait_for(lambda: server.health()["requests_in_flight"] == 1)
    with begin(server):
        assert server.stop() == 0
    assert left(server) == []


def test_a_package_that_is_damaged_breaks_it_off(own_server, unique_name, tmp_path):
    """The client is told, keeps nothing, and the server's log has the name."""
    server = own_server().start()
    create(server, unique_name, 100_000)
    package = next((server.data_dir / "blobs").glob("*/*"))
    with package.open("r+b") as file:
        file.seek(50_000)
        file.write(b"something else")
    command = [LAMBENT, "backup", str(tmp_path / "b"), "--endpoint", server.endpoint]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "nothing was kept" in done.stderr
    assert list(tmp_path.iterdir()) == []
    wait_for(lambda: any(f"{package.name} is damaged" in line for line in server.log))
    wait_for(lambda: left(server) == [])

    package.unlink()
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"{package.name}, of function {unique_name}" in done.stderr
    assert "is lost" in done.stderr
