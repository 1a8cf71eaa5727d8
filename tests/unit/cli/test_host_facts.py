"""The probes of `lambent doctor`: what they say is what they saw."""

import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lambent.cli import host_facts
from lambent.cli.host_facts import Fact, State, probe_host
from lambent.function_user import FunctionUser
from lambent.runtimes.contract import Availability
from lambent.settings import load_settings

NOBODY = FunctionUser(name="nobody", uid=65534, gid=65534, is_other=True)
OWN = FunctionUser(name="me", uid=os.geteuid(), gid=os.getegid(), is_other=False)


@contextmanager
def listening(body: bytes) -> Iterator[int]:
    """Listen on a free port and answer every GET with `body`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_free_port_is_free() -> None:
    """A port is free when it could be listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert host_facts._port("127.0.0.1", port).state is State.YES


def test_a_port_of_another_program_is_missing() -> None:
    """Somebody else listens there: a server could not start."""
    with listening(b"hello") as port:
        fact = host_facts._port("127.0.0.1", port)
    assert (fact.state, fact.is_needed, fact.detail) == (State.NO, True, "address already in use")


def test_a_port_of_a_running_lambent_is_told_apart() -> None:
    """A server that runs already is no defect of the machine."""
    with listening(json.dumps({"version": "9.9"}).encode()) as port:
        fact = host_facts._port("127.0.0.1", port)
    assert (fact.state, fact.detail) == (State.LIMITED, "Lambent 9.9 listens there already")


def test_probing_a_data_folder_makes_nothing(tmp_path: Path) -> None:
    """Doctor looks; it does not make the folder that the server will make."""
    folder = tmp_path / "a" / "b"
    facts = host_facts._data_folder(folder, OWN)
    assert [fact.state for fact in facts] == [State.YES, State.YES]
    assert "will be made" in facts[0].detail
    assert not (tmp_path / "a").exists()


def test_a_file_is_no_data_folder(tmp_path: Path) -> None:
    """What stands in the way is named."""
    (tmp_path / "file").touch()
    (fact,) = host_facts._data_folder(tmp_path / "file" / "data", OWN)
    assert (fact.state, fact.detail) == (State.NO, f"{tmp_path / 'file'} is not a folder")


def test_a_closed_folder_on_the_way_is_found(tmp_path: Path) -> None:
    """Functions of another user have to get to their package; the folder that stops them is named."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (fact,) = host_facts._data_folder(closed / "data", NOBODY)
    assert fact.state is State.NO
    assert fact.remedy.startswith("chmod o+x ")


def test_runtimes_are_summed_up() -> None:
    """What runs is listed, what could be added as well, and what no command adds is left to `lambent runtimes`."""
    facts = host_facts._runtimes(
        [
            Availability("python3.12", True, "host", "CPython 3.12"),
            Availability("python3.13", False, "host", "none", "apt install python3.13"),
            Availability("java21", False, "none", "not offered"),
        ]
    )
    assert [(fact.what, fact.state, fact.detail) for fact in facts[:2]] == [
        ("runtimes", State.YES, "python3.12"),
        ("other runtimes", State.NO, "python3.13"),
    ]
    assert facts[2].state is State.UNKNOWN, "the package index was not asked, so it is not green"


def test_without_any_runtime_nothing_runs() -> None:
    """No runtime is a defect that a server cannot do without."""
    facts = host_facts._runtimes([Availability("python3.13", False, "host", "none", "apt install python3.13")])
    assert facts[0] == Fact("runtimes", State.NO, "none", "lambent runtimes", is_needed=True)


def test_an_unknown_function_user_is_the_last_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a user for the functions, nothing that depends on it is claimed."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    facts = probe_host(load_settings({"function_user": "no-such-user-here"}, {}))
    assert (facts[-1].what, facts[-1].state, facts[-1].is_needed) == ("function user", State.NO, True)


def test_every_missing_thing_that_matters_has_a_remedy(tmp_path: Path) -> None:
    """On this very machine: what is needed and missing comes with what adds it."""
    facts = probe_host(load_settings({"data_dir": str(tmp_path / "data"), "port": 0}, {}))
    assert all(fact.remedy for fact in facts if fact.is_needed and fact.state is State.NO)
    assert len({fact.what for fact in facts}) == len(facts)
