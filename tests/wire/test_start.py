"""How a server starts, and how it refuses to: exit code 2 and one line that says what to change."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from wire.support import LAMBENT, wait_for

FORMAT = "FORMAT"


@pytest.fixture
def data_dir():
    """A folder that functions of another user could reach, absent so far."""
    parent = Path(tempfile.mkdtemp(prefix="lambent-start-"))
    parent.chmod(0o711)
    yield parent / "data"
    shutil.rmtree(parent)


def serve(data_dir, *options, env=None):
    """Run `lambent serve` to its end; it is expected to end by itself."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("LAMBENT_", "AWS_"))}
    return subprocess.run(
        [LAMBENT, "serve", "--port", "0", "--data-dir", str(data_dir), *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**environ, **(env or {})},
        cwd=data_dir.parent,
    )


def refusal(data_dir, *options, env=None):
    """Return the one line with which a server refuses to start."""
    ended = serve(data_dir, *options, env=env)
    assert ended.returncode == 2, ended
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("lambent: ")
    return lines[0].removeprefix("lambent: ")


def contents(folder):
    """Return a digest of all that is in a folder: names, modes and bytes."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(f"{path.relative_to(folder)} {path.lstat().st_mode:o}\n".encode())
        if path.is_file() and not path.is_symlink():
            digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.fixture
def used_data_dir(own_server, data_dir):
    """A data folder that a server has used and left."""
    data_dir.mkdir(0o711)
    server = own_server(data_dir).start()
    assert server.stop() == 0
    return data_dir


# Settings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--environments-max", "0"], "--environments-max: 0 is not between 1 and 100000"),
        (["--region", "not a region"], "--region: 'not a region' is not a region name"),
        (["--account", "12"], "--account: '12' is not twelve digits"),
        (["--runtime-fallback", "newest"], "--runtime-fallback: 'newest' is neither none nor nearest"),
        (
            ["--sandbox", "vm"],
            "--sandbox: 'vm' is not offered by this version; use auto, namespace, rootless or process",
        ),
        (["--body-bytes-max", "1000000"], "--body-bytes-max: 1000000 is not between 70167211 and 1099511627776"),
    ],
)
def test_a_bad_setting_is_named(data_dir, options, line):
    """Nothing is made before the settings are right."""
    assert refusal(data_dir, *options) == line
    assert not data_dir.exists()


@pytest.mark.parametrize("options", [["--port", "seven"], ["--no-such-option", "1"]])
def test_a_command_line_that_cannot_be_read_is_one_line(data_dir, options):
    """Typing errors cost one line, no traceback."""
    assert options[0] in refusal(data_dir, *options)


def test_a_bad_variable_is_named_as_it_was_given(data_dir):
    """The line names the variable, not an option that nobody wrote."""
    assert refusal(data_dir, env={"LAMBENT_ENVIRONMENTS_MAX": "many"}).startswith("LAMBENT_ENVIRONMENTS_MAX: ")


def test_a_bad_file_is_named(data_dir):
    """Likewise for lambent.toml, and a setting in it that does not exist."""
    (data_dir.parent / "lambent.toml").write_text("envs = 3\n")
    assert refusal(data_dir).startswith("lambent.toml: there is no setting 'envs'")


def _head(server, path):
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        return client.recv(100)


def test_beyond_loopback_signatures_are_verified(own_server):
    """Whoever reaches the port gets to see that the server lives, and nothing else; and the operator is told of TLS."""
    server = own_server(None, "--host", "0.0.0.0").start()
    assert _head(server, "/_lambent/health").startswith(b"HTTP/1.1 200")
    for path in ("/2015-03-31/functions/", "/_lambent/queues", "/"):
        assert _head(server, path).startswith(b"HTTP/1.1 403")
    wait_for(lambda: any(line.startswith("no TLS at 0.0.0.0: ") for line in server.log))
    assert not any("insecure" in line for line in server.log)


def test_insecure_takes_any_key_beyond_loopback(own_server):
    """With --insecure nobody is asked, and the first lines say what that means."""
    server = own_server(None, "--host", "0.0.0.0", "--insecure").start()
    for path in ("/_lambent/health", "/2015-03-31/functions/", "/_lambent/queues"):
        assert _head(server, path).startswith(b"HTTP/1.1 200")
    wait_for(lambda: any(line.startswith("insecure: no signature is verified at 0.0.0.0") for line in server.log))


def test_a_function_user_who_does_not_exist_is_named(data_dir):
    """Where functions would run as another user, that user has to be there."""
    if os.geteuid() != 0:
        pytest.skip("needs:root:run the tests as root")
    line = refusal(data_dir, "--function-user", "no-such-user")
    assert "'no-such-user'" in line


# The port ------------------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_named(data_dir):
    """One line with the address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refusal(data_dir, "--port", str(port))
    assert line == f"--port: cannot listen on 127.0.0.1:{port}: Address already in use"


def test_ready_is_said_once_and_is_true(own_server):
    """The line comes when requests are answered, and holds the port that was picked."""
    server = own_server().start()
    assert [line for line in server.log if line.startswith("ready ")] == [f"ready {server.endpoint}\n"]
    assert server.client("lambda").list_functions()["Functions"] == []


# The data folder -----------------------------------------------------------------------------------------------------


def test_a_foreign_folder_is_refused_and_untouched(data_dir):
    """Somebody's documents are no place for a server."""
    data_dir.mkdir(0o711)
    (data_dir / "thesis.txt").write_text("Do not touch.")
    before = contents(data_dir)
    assert refusal(data_dir).endswith("is not a Lambent data folder: it has files and no FORMAT")
    assert contents(data_dir) == before


def test_a_file_is_no_data_folder(data_dir):
    """The path of a file is refused, and the file stays."""
    data_dir.write_text("a file")
    assert refusal(data_dir) == f"--data-dir: {data_dir} is not a folder"
    assert data_dir.read_text() == "a file"


@pytest.mark.parametrize(
    ("file", "body", "reason"),
    [
        (FORMAT, b"lambent 999\n", r"has format 999, of a newer Lambent; this version reads up to \d+"),
        (FORMAT, b"\x00\xff", "has a FORMAT that cannot be read; it is damaged or not a Lambent data folder"),
        (FORMAT, b"", "has a FORMAT that cannot be read; it is damaged or not a Lambent data folder"),
        ("state.db", b"this is no database", "has a state.db that is not an SQLite database; it is damaged"),
        ("state.db", b"", "has a state.db that is not an SQLite database; it is damaged"),
        ("state.db", None, "has lost its state.db"),
    ],
    ids=["newer", "unreadable", "empty", "no database", "empty database", "lost database"],
)
def test_a_damaged_or_newer_folder_is_refused_and_untouched(used_data_dir, file, body, reason):
    """What this version does not understand it does not repair."""
    if body is None:
        (used_data_dir / file).unlink()
    else:
        (used_data_dir / file).write_bytes(body)
    before = contents(used_data_dir)
    assert re.fullmatch(re.escape(f"--data-dir: {used_data_dir} ") + reason, refusal(used_data_dir))
    assert contents(used_data_dir) == before


def test_a_database_that_is_damaged_inside_is_refused(used_data_dir):
    """Its first bytes are right and the rest is not: still one line, and the bytes stay for a rescue."""
    path = used_data_dir / "state.db"
    damaged = path.read_bytes()[:100] + b"\xaa" * (path.stat().st_size - 100)
    path.write_bytes(damaged)
    assert refusal(used_data_dir).startswith(f"--data-dir: {used_data_dir}: ")
    assert path.read_bytes() == damaged


def test_two_servers_do_not_share_a_folder(own_server, used_data_dir):
    """The second is refused and told who has it; the first does not notice."""
    server = own_server(used_data_dir).start()
    assert refusal(used_data_dir) == (
        f"--data-dir: {used_data_dir} is used by another server (pid {server.process.pid})"
    )
    assert server.client("lambda").list_functions()["Functions"] == []
    # After a crash the folder is free at once.
    server.kill()
    server.restart()


def test_a_folder_that_functions_cannot_enter_is_refused(data_dir):
    """Functions run as another user: the line names the folder in the way and the command that opens it."""
    if os.geteuid() != 0:
        pytest.skip("needs:root:run the tests as root")
    data_dir.parent.chmod(0o700)
    line = refusal(data_dir)
    assert f"run `chmod o+x {data_dir.parent}`" in line


# Afterwards ----------------------------------------------------------------------------------------------------------


def test_a_start_warns_that_process_isolates_nothing(own_server):
    """Whoever starts it is told what functions may see."""
    server = own_server(None, "--sandbox", "process").start()
    assert any("isolates_nothing" in line for line in server.log)


def test_an_interrupt_is_a_clean_stop(own_server):
    """Ctrl-C ends the server like SIGTERM does."""
    server = own_server().start()
    server.process.send_signal(2)
    assert wait_for(lambda: server.process.poll() is not None)
    assert server.process.returncode == 0
    server.reader.join(10)
    assert not any("Traceback" in line for line in server.log)
