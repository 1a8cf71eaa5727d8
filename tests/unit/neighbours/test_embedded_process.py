"""The embedded server's door and keeper, without moto: what is let in, when it is saved, what is refused."""

import io
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from lambent.neighbours.embedded_process import Door, Keeper, SharedLock


class Saves:
    """Counts saves; the state has as many bytes as it is told."""

    def __init__(self, size: int = 0) -> None:
        self.count = 0
        self.size = size
        self.failing = False

    def __call__(self) -> int:
        if self.failing:
            raise OSError("disk full")
        self.count += 1
        return self.size


def keeper_of(saves: Saves, most_bytes: int = 100) -> Keeper:
    return Keeper(saves, saves.size, most_bytes=most_bytes, every_s=0.01)


def call(door: Door, method: str, body: bytes = b"", **environ: Any) -> tuple[str, bytes]:
    """Send a request through the door; return status and body."""
    started: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        started.append(status)

    given = {
        "REQUEST_METHOD": method,
        "HTTP_X_LAMBENT_SERVICE": "s3",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body + b"of the next request"),
        **environ,
    }
    answer = b"".join(door(given, start_response))
    return started[0], answer


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [environ["wsgi.input"].read(), environ.get("CONTENT_TYPE", "").encode()]


def door_of(keeper: Keeper, application: Any = echo, copied: int = 0) -> Door:
    return Door({"s3": application, "ssm": application}, keeper, lambda environ: copied)


def test_a_body_goes_in_whole_and_no_further() -> None:
    """By its length, or by its chunks, which the server below has taken off."""
    door = door_of(keeper_of(Saves()))
    assert call(door, "PUT", b"hello") == ("200 OK", b"hello")
    chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True, "wsgi.input": io.BytesIO(b"hello")}
    assert call(door, "PUT", **chunked) == ("200 OK", b"hello")
    assert call(door, "GET", CONTENT_LENGTH="") == ("200 OK", b"")


def test_an_object_is_never_taken_for_a_form() -> None:
    """Its type is what clients of other things send by default."""
    form = "application/x-www-form-urlencoded"
    assert call(door_of(keeper_of(Saves())), "PUT", b"a=b", CONTENT_TYPE=form)[1] == b"a=bbinary/octet-stream"


def test_a_ping_waits_for_nothing() -> None:
    """Not even for a save."""
    keeper = keeper_of(Saves())
    with keeper.lock.alone():
        assert call(door_of(keeper), "GET", HTTP_X_LAMBENT_SERVICE="ping") == ("204 No Content", b"")


def test_what_is_not_served() -> None:
    """A request says for which service it is, or is refused."""
    status, _ = call(door_of(keeper_of(Saves())), "GET", HTTP_X_LAMBENT_SERVICE="lambda")
    assert status.startswith("501 ")


def test_a_failure_of_an_application_is_an_answer(capfd: pytest.CaptureFixture[str]) -> None:
    """And a line in the log."""

    def fail(environ: Any, start_response: Any) -> Any:
        raise KeyError("boom")

    status, body = call(door_of(keeper_of(Saves()), fail), "GET")
    assert status.startswith("500 ") and b"<Code>InternalError</Code>" in body
    assert "neighbours.failed service=s3" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("method", "size", "copied", "environ", "is_let_in"),
    [
        ("PUT", 40, 0, {}, True),
        ("PUT", 41, 0, {}, False),
        ("PUT", 0, 41, {}, False),
        ("GET", 0, 0, {}, True),
        ("DELETE", 0, 0, {}, True),
        ("POST", 60, 0, {"QUERY_STRING": "delete"}, True),
        ("POST", 60, 0, {"HTTP_X_LAMBENT_SERVICE": "ssm", "HTTP_X_AMZ_TARGET": "AmazonSSM.GetParameter"}, True),
        ("POST", 60, 0, {"HTTP_X_LAMBENT_SERVICE": "ssm", "HTTP_X_AMZ_TARGET": "AmazonSSM.PutParameter"}, False),
    ],
)
def test_a_full_state_takes_no_more(
    method: str, size: int, copied: int, environ: dict[str, str], is_let_in: bool
) -> None:
    """Reading and making room go on."""
    door = door_of(keeper_of(Saves(60)), copied=copied)
    status, body = call(door, method, b"x" * size, **environ)
    assert (status == "200 OK") is is_let_in
    if not is_let_in:
        service = environ.get("HTTP_X_LAMBENT_SERVICE", "s3")
        assert status == "503 Slow Down" and f"--neighbour {service}=URL".encode() in body


def test_fullness_is_measured_before_anything_is_refused() -> None:
    """What was written over or deleted is known only when all is written; that happens once in a while."""
    saves = Saves(60)
    keeper = keeper_of(saves)
    keeper.changed(40)
    saves.size = 50
    assert keeper.has_room(50)
    assert saves.count == 1
    keeper.changed(50)
    saves.size = 0
    assert not keeper.has_room(1), "measured a moment ago"
    assert saves.count == 1


def test_nothing_new_is_not_saved() -> None:
    """And what could not be saved is still to be saved."""
    saves = Saves()
    keeper = keeper_of(saves)
    keeper.save()
    assert saves.count == 0
    keeper.changed(1)
    saves.failing = True
    keeper.save()
    saves.failing = False
    keeper.save()
    keeper.save()
    assert saves.count == 1


def test_a_save_waits_for_requests_and_keeps_new_ones_waiting() -> None:
    """Nothing changes while the state is written."""
    lock = SharedLock()
    order: list[str] = []
    is_inside, may_leave, may_end = threading.Event(), threading.Event(), threading.Event()

    def request() -> None:
        with lock.together():
            is_inside.set()
            may_leave.wait(10)
            order.append("request")

    def save() -> None:
        with lock.alone():
            order.append("save")
            may_end.wait(10)
            order.append("saved")

    def later() -> None:
        with lock.together():
            order.append("later")

    threads = [threading.Thread(target=work) for work in (request, save, later)]
    threads[0].start()
    assert is_inside.wait(10)
    threads[1].start()
    while not lock._is_alone:
        pass
    threads[2].start()
    may_leave.set()
    may_end.set()
    for thread in threads:
        thread.join(10)
    assert order == ["request", "save", "saved", "later"]
