"""The embedded server's door and keeper: what is let in, when it is saved, what is refused. One test asks moto."""

import io
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from werkzeug.serving import DechunkedInput

from lambent.neighbours import embedded_process
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


def door_of(keeper: Keeper, application: Any = echo, copied: int = 0, bodies: int = 1 << 30) -> Door:
    served = dict.fromkeys(("s3", "ssm", "kms", "kinesis", "dynamodbstreams"), application)
    return Door(served, keeper, lambda environ: copied, bodies_max_bytes=bodies)


def test_a_body_goes_in_whole_and_no_further() -> None:
    """By its length, or by its chunks, which the server below has taken off."""
    door = door_of(keeper_of(Saves()))
    assert call(door, "PUT", b"hello") == ("200 OK", b"hello")
    chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True, "wsgi.input": io.BytesIO(b"hello")}
    assert call(door, "PUT", **chunked) == ("200 OK", b"hello")
    assert call(door, "GET", CONTENT_LENGTH="") == ("200 OK", b"")


@pytest.mark.parametrize(
    "environ",
    [
        {"CONTENT_LENGTH": "10", "wsgi.input": io.BytesIO(b"hello")},
        {
            "CONTENT_LENGTH": "",
            "wsgi.input": DechunkedInput(io.BytesIO(b"3\r\nhel\r\n")),
            "wsgi.input_terminated": True,
        },
        {"CONTENT_LENGTH": "", "wsgi.input": DechunkedInput(io.BytesIO(b"a\r\nhel")), "wsgi.input_terminated": True},
    ],
)
def test_a_body_that_breaks_off_changes_nothing(environ: dict[str, Any]) -> None:
    """Before its length, between chunks or in one: what is there under its name stays."""
    asked: list[Any] = []
    saves = Saves()
    keeper = keeper_of(saves)
    status, body = call(door_of(keeper, lambda environ, start_response: asked.append(environ)), "PUT", **environ)
    assert status == "400 Bad Request" and b"<Code>IncompleteBody</Code>" in body
    keeper.save()
    assert (asked, saves.count) == ([], 0)
    assert keeper.reserve(100), "its room is free again"


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
    assert keeper.reserve(50)
    assert saves.count == 1
    keeper.changed(50)
    keeper.release(50)
    saves.size = 0
    assert not keeper.reserve(1), "measured a moment ago"
    assert saves.count == 1


def test_room_is_given_once() -> None:
    """What is under way counts as if it were there."""
    keeper = keeper_of(Saves())
    assert [keeper.reserve(40) for _ in range(3)] == [True, True, False]
    keeper.release(40)
    assert keeper.reserve(40)


def test_requests_under_way_share_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that would come beyond it is refused while another is answered, and let in after it."""
    monkeypatch.setattr(embedded_process, "_MEASURE_EVERY_S", 1e9)
    inside: list[str] = []
    keeper = keeper_of(Saves(20))
    assert not keeper.reserve(81), "measured, for the last time here"

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not inside:
            inside.append(call(door, "PUT", b"x" * 50)[0])
        return echo(environ, start_response)

    door = door_of(keeper, application)
    assert call(door, "PUT", b"x" * 50)[0] == "200 OK"
    assert inside == ["503 Slow Down"]
    assert call(door, "PUT", b"x" * 30)[0] == "200 OK"
    assert call(door, "PUT", b"x")[0] == "503 Slow Down"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_large_bodies_under_way_have_a_limit(is_chunked: bool) -> None:
    """One beyond it is read, thrown away and refused; short ones pass."""
    mib = 1 << 20
    inside: list[tuple[str, bytes]] = []

    def put(size: int) -> tuple[str, bytes]:
        body = b"x" * size
        chunked = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True, "wsgi.input": io.BytesIO(body)}
        return call(door, "PUT", body, **(chunked if is_chunked else {}))

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        if not inside:
            inside.append(put(2 * mib))
            inside.append(put(mib // 2))
        return [b""]

    door = door_of(keeper_of(Saves(), 100 * mib), application, bodies=3 * mib)
    assert put(2 * mib)[0] == "200 OK"
    assert [status for status, _ in inside] == ["503 Slow Down", "200 OK"]
    assert b"3145728 bytes in large bodies at once" in inside[0][1] and b"--neighbour s3=URL" in inside[0][1]
    assert put(2 * mib)[0] == "200 OK", "what was taken is given back"


def test_one_body_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which SDKs are told in a way that has them not try again."""
    monkeypatch.setattr(embedded_process, "BODY_MAX_BYTES", 10)
    status, body = call(door_of(keeper_of(Saves())), "PUT", b"x" * 11)
    assert status == "400 Bad Request" and b"<Code>EntityTooLarge</Code>" in body and b"--neighbour s3=URL" in body
    assert call(door_of(keeper_of(Saves())), "PUT", b"x" * 10)[0] == "200 OK"


def test_a_request_that_memory_does_not_suffice_for_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    """By name."""

    def fail(environ: Any, start_response: Any) -> Any:
        raise MemoryError

    status, body = call(door_of(keeper_of(Saves()), fail), "GET")
    assert status == "503 Slow Down" and b"no memory left" in body and b"--neighbour s3=URL" in body
    assert "neighbours.failed service=s3" in capfd.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not count it elsewhere")
def test_memory_runs_out_for_requests_and_not_for_saves() -> None:
    """In a process of its own, which keeps the limit."""
    program = """
from lambent.neighbours import embedded_process
embedded_process.limit_memory(256 << 20)
def fits():
    try:
        return len(bytearray(300 << 20)) > 0
    except MemoryError:
        return False
first = fits()
with embedded_process._all_memory():
    saving = fits()
print(first, saving, fits())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "True", "False"]


@pytest.mark.parametrize(
    ("service", "operation", "is_saved"),
    [
        ("kinesis", "GetRecords", False),
        ("dynamodbstreams", "GetRecords", False),
        ("ssm", "GetParameter", False),
        ("ssm", "PutParameter", True),
        ("ssm", "DeleteParameter", True),
        *[("kms", name, False) for name in ("Decrypt", "Encrypt", "ReEncrypt", "Sign", "Verify", "GenerateDataKey")],
        ("kms", "CreateKey", True),
        ("ssm", "Sign", True),
        ("s3", "GetParameter", True),
    ],
)
def test_what_changes_nothing_is_not_saved(service: str, operation: str, is_saved: bool) -> None:
    """All of the JSON protocols post: the operation says. It is also what a full state lets in."""
    saves = Saves()
    keeper = keeper_of(saves)
    target = {"HTTP_X_LAMBENT_SERVICE": service, "HTTP_X_AMZ_TARGET": f"Any.{operation}"}
    assert call(door_of(keeper), "POST", b"{}", **target)[0] == "200 OK"
    keeper.save()
    assert saves.count == is_saved
    is_let_in = call(door_of(keeper_of(Saves(100))), "POST", b"{}", **target)[0] == "200 OK"
    assert is_let_in is (not is_saved or operation.startswith("Delete"))


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


def test_moto_takes_a_request_for_what_it_was_judged_by() -> None:
    """Not for what else is in its query, its body, its headers or its path, where moto looks as well."""
    moto = embedded_process._Moto(["s3", "secretsmanager"])
    door = Door(moto.applications, keeper_of(Saves(), 1 << 20), moto.size_of_copy, moto.is_foreign)

    def ask(operation: str, body: bytes, **environ: Any) -> tuple[str, bytes]:
        kind = "application/x-amz-json-1.1"
        target = f"secretsmanager.{operation}"
        return call(
            door,
            "POST",
            body,
            **{**_from("secretsmanager"), "CONTENT_TYPE": kind, "HTTP_X_AMZ_TARGET": target, **environ},
        )

    status, _ = ask("CreateSecret", b'{"Name": "secret", "SecretString": "hidden"}')
    assert status == "200 OK"
    ask("CreateSecret", b'{"Name": "own", "SecretString": "shown"}')
    named, form = b'{"SecretId": "secret"}', "application/x-www-form-urlencoded"
    environ: dict[str, Any]
    for body, environ in (
        (named, {"QUERY_STRING": "Action=GetSecretValue"}),
        (b'{"SecretId": "secret", "x": "&Action=GetSecretValue&"}', {}),
        (b"Action=GetSecretValue&SecretId=secret", {"CONTENT_TYPE": form}),
        (b"", {"HTTP_ACTION": "GetSecretValue", "HTTP_SECRETID": "secret"}),
    ):
        status, answer = ask("ListSecrets", body, **environ)
        assert b"hidden" not in answer, (body, environ)
    for body, environ in (
        (b'{"SecretId": "own"}', {"QUERY_STRING": "SecretId=secret"}),
        (b'{"SecretId": "own", "x": "&SecretId=secret&"}', {}),
    ):
        status, answer = ask("GetSecretValue", body, **environ)
        assert (status, b"shown" in answer) == ("200 OK", True), (body, environ, answer)
    for environ in (
        {"PATH_INFO": "/.eu-west-3.amazonaws.com", "RAW_URI": "/.eu-west-3.amazonaws.com"},
        {"HTTP_USER_AGENT": "x region/eu-west-3"},
    ):
        assert ask("GetSecretValue", named, **environ)[0] == "200 OK", environ


def test_where_it_matters_who_calls_a_bucket_is_its_own_accounts() -> None:
    """Moto finds any bucket for anybody, also as what is copied from."""
    moto = embedded_process._Moto(["s3"])
    door = Door(moto.applications, keeper_of(Saves(), 1 << 20), moto.size_of_copy, moto.is_foreign)
    other: dict[str, Any] = {"HTTP_X_MOTO_ACCOUNT_ID": "222222222222"}

    def ask(method: str, path: str, body: bytes = b"", **environ: Any) -> str:
        return call(door, method, body, **{**_from("s3"), "PATH_INFO": path, "RAW_URI": path, **environ})[0]

    apart: dict[str, Any] = {**other, "HTTP_X_LAMBENT_APART": "1"}
    assert ask("PUT", "/theirs-of-one") == "200 OK"
    assert ask("PUT", "/theirs-of-one/k", b"x", HTTP_X_LAMBENT_APART="1") == "200 OK"
    assert ask("PUT", "/theirs-of-two", **apart) == "200 OK"
    more: dict[str, Any]
    for method, path, more in (
        ("GET", "/theirs-of-one/k", {}),
        ("GET", "/theirs-of-one", {}),
        ("PUT", "/theirs-of-one/new", {}),
        ("PUT", "/theirs-of-two/k", {"HTTP_X_AMZ_COPY_SOURCE": "/theirs-of-one/k"}),
        ("PUT", "/theirs-of-two/k", {"HTTP_X_AMZ_COPY_SOURCE": "theirs-of-one%2Fk"}),
        ("PUT", "/theirs-of-two/k", {"HTTP_X_AMZ_COPY_SOURCE": "//theirs-of-two/theirs-of-one/k"}),
    ):
        assert ask(method, path, **apart, **more) == "403 Forbidden", (method, path, more)
    refused = {**_from("s3"), **apart, "PATH_INFO": "/theirs-of-one"}
    assert call(door, "HEAD", **refused) == ("403 Forbidden", b"")
    for operation, document in (
        ("ImportTable", b'{"S3BucketSource": {"S3Bucket": "theirs-of-one"}}'),
        ("ExportTableToPointInTime", b'{"S3Bucket": "theirs-of-one"}'),
    ):
        for one, is_foreign in (("222222222222", True), ("111111111111", False)):
            environ = {"HTTP_X_AMZ_TARGET": f"DynamoDB_20120810.{operation}", "HTTP_X_MOTO_ACCOUNT_ID": one}
            assert moto.is_foreign("dynamodb", environ, io.BytesIO(document)) is is_foreign, operation
    # Where any key is taken, accounts are no walls.
    assert ask("GET", "/theirs-of-one/k", **other) == "200 OK"


def _from(service: str) -> dict[str, Any]:
    """Return what the gateway and the server below say of a request of the account 111111111111."""
    return {
        "HTTP_X_LAMBENT_SERVICE": service,
        "HTTP_X_MOTO_ACCOUNT_ID": "111111111111",
        "HTTP_HOST": "s3.us-east-1.amazonaws.com" if service == "s3" else "localhost",
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=x/20200101/us-east-1/{service}/aws4_request, "
        "SignedHeaders=host, Signature=0",
        "PATH_INFO": "/",
        "RAW_URI": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
    }
