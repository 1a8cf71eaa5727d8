"""The probes of `lambent doctor`: what they say is what they saw."""

import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from unit.sandbox.places import ROOT, UBUNTU_24_04, USER

from lambent.cli import host_facts
from lambent.cli.host_facts import Fact, State, probe_host
from lambent.function_user import FunctionUser
from lambent.runtimes.contract import Availability
from lambent.sandbox.probe import Facts, Place, choose
from lambent.sandbox.process import ProcessSandbox
from lambent.sandbox.walls import Wall
from lambent.settings import SandboxSettings, load_settings

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


def test_a_name_is_what_the_server_takes_it_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` is two addresses on many machines, the new one first; the server takes the old one."""
    with listening(b"hello") as port:
        new = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
        monkeypatch.setattr("socket.getaddrinfo", lambda *_arguments, **_options: [new])
        assert host_facts._port("localhost", port).state is State.NO


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


def sandbox_facts(asked: str, found: Facts) -> list[Fact]:
    return host_facts._sandbox(asked, found, choose(found))


def test_the_driver_that_auto_takes_comes_with_its_reason() -> None:
    """As root, everything is there and nothing better is left to say."""
    (fact,) = sandbox_facts("auto", ROOT)
    assert (fact.what, fact.state) == ("sandbox `namespace`", State.YES)
    assert fact.detail.startswith("auto takes it: root, namespaces, control groups (v2)")


def test_each_better_driver_comes_with_its_command() -> None:
    """Where less works, it is green for nobody, and each better driver has a line with what brings it."""
    facts = sandbox_facts("auto", UBUNTU_24_04)
    assert [(fact.what, fact.state) for fact in facts] == [
        ("sandbox `process`", State.LIMITED),
        ("sandbox `namespace`", State.NO),
        ("sandbox `rootless`", State.NO),
    ]
    assert [fact.remedy for fact in facts[1:]] == [
        "sudo lambent serve",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ]
    assert not any(fact.is_needed for fact in facts), "functions run, in the process driver"


def test_a_driver_that_cannot_work_is_a_failure_when_asked_for() -> None:
    """A server with these settings would not start: that is needed, and missing."""
    (fact,) = sandbox_facts("namespace", USER)
    assert (fact.state, fact.is_needed) == (State.NO, True)
    assert "the server is not root" in fact.detail
    assert fact.remedy == "sudo lambent serve; or lambent serve --sandbox auto"


def test_asking_for_less_is_told() -> None:
    """Who asks for a weaker driver than the machine offers reads which one it could be."""
    (fact,) = sandbox_facts("process", ROOT)
    assert (fact.state, fact.detail) == (State.LIMITED, "asked for; auto would take `namespace`")


def test_every_wall_that_is_not_held_has_a_line() -> None:
    """What the driver does not declare is printed, one line each, in the words of the list."""
    (fact,) = host_facts._open_walls("process")
    assert fact.state is State.LIMITED
    assert fact.detail.splitlines() == [wall.value for wall in Wall if wall not in ProcessSandbox.holds]


def test_walls_are_not_green_by_declaration() -> None:
    """A driver that names every wall as held is taken at its word, and the table says that it is one."""
    (fact,) = host_facts._open_walls("namespace")
    assert fact.state is State.UNKNOWN


def test_a_place_is_named_where_it_matters() -> None:
    """A container or a rented machine is recognised; an ordinary machine is not worth a line."""
    assert host_facts._place(ROOT) == []
    (fact,) = host_facts._place(replace(ROOT, place=Place.WSL2))
    assert fact.detail == "looks like WSL2"


@pytest.mark.parametrize(
    ("driver", "found", "state", "words"),
    [
        ("namespace", ROOT, State.YES, "ext4 of the exact size"),
        ("namespace", replace(ROOT, why_no_disk_tmp="mkfs.ext4 is not installed"), State.LIMITED, "counts as memory"),
        ("rootless", ROOT, State.LIMITED, "counts as memory"),
        ("process", ROOT, State.LIMITED, "without a limit"),
    ],
)
def test_tmp_says_what_it_is(driver: str, found: Facts, state: State, words: str) -> None:
    """On the disk, or in memory and why."""
    fact = host_facts._tmp(driver, found)
    assert fact.state is state
    assert words in fact.detail


@pytest.mark.parametrize(
    ("driver", "found", "egress", "state", "is_needed"),
    [
        ("namespace", ROOT, "auto", State.YES, False),
        ("namespace", replace(ROOT, why_no_egress="nft is not installed"), "auto", State.NO, False),
        ("namespace", replace(ROOT, why_no_egress="nft is not installed"), "nat", State.NO, True),
        ("namespace", ROOT, "none", State.YES, False),
        ("rootless", USER, "auto", State.NO, False),
        ("rootless", USER, "none", State.YES, False),
        ("rootless", USER, "nat", State.NO, True),
        ("process", ROOT, "auto", State.LIMITED, False),
        ("process", ROOT, "none", State.NO, True),
    ],
)
def test_the_way_out_is_told(driver: str, found: Facts, egress: str, state: State, is_needed: bool) -> None:
    """Whether functions reach the internet; a failure only where that was asked for and cannot be had."""
    fact = host_facts._egress(driver, found, SandboxSettings(egress=egress))
    assert (fact.state, fact.is_needed) == (state, is_needed)


@pytest.mark.parametrize(
    ("found", "remedy"),
    [
        (ROOT, "lambent serve --sandbox namespace"),
        (USER, "for `namespace`: sudo lambent serve"),
        (replace(USER, place=Place.DOCKER), "for `namespace`: docker run --user root"),
    ],
)
def test_a_way_out_takes_another_driver(found: Facts, remedy: str) -> None:
    """`rootless` has none; what brings `namespace` depends on the place."""
    assert host_facts._egress("rootless", found, SandboxSettings()).remedy == remedy


def test_another_user_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root of a user namespace may not become others: no function would start, and the table says so."""

    def forbidden(*_arguments: object, **_options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(host_facts.subprocess, "run", forbidden)
    fact = host_facts._user_of_functions("process", NOBODY)
    assert (fact.state, fact.is_needed) == (State.NO, True)
    assert fact.detail == "the server is root, but cannot run functions as nobody (uid 65534): operation not permitted"
    assert fact.remedy == "lambent serve --function-user root"
    assert not host_facts._user_of_functions("process", OWN).is_needed


def test_limits_name_the_version_of_control_groups() -> None:
    """Who reads it knows where the limits are enforced."""
    assert "control groups (v2)" in host_facts._limits("namespace", ROOT).detail
    assert host_facts._limits("rootless", ROOT).state is not State.YES


def test_a_missing_filter_is_a_failure_where_it_is_needed() -> None:
    """`namespace` does not start without libseccomp; `process` never had a filter."""
    without = replace(ROOT, has_seccomp=False)
    assert host_facts._seccomp("namespace", without).is_needed
    assert not host_facts._seccomp("process", without).is_needed
