"""
The embedded server's own process: moto's applications for a few services, behind one door.

Started by `embedded.py` with its configuration as JSON in the only argument, a listening socket, and a pipe as its
standard input, whose end means: save and go. Where it is started as root it becomes another user once everything is
loaded, before it reads or serves anything. Says `ready` on its standard output, and nothing else there.
"""

import contextlib
import fcntl
import gc
import io
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from lambent.neighbours import embedded_kinesis, embedded_state, embedded_streams

SERVICE_HEADER = "HTTP_X_LAMBENT_SERVICE"
APART_HEADER = "HTTP_X_LAMBENT_APART"
"""Whether buckets are their own accounts' alone."""
PING = "ping"

BODY_MAX_BYTES = 256 << 20
"""Of one request. Moto makes two copies of a body in memory."""
BODIES_MAX_BYTES = 512 << 20
"""Of all requests at once; bodies that stay in memory are not counted, of these the connections are the limit."""

_FORM = "application/x-www-form-urlencoded"
_BODY_IN_MEMORY_BYTES = 1 << 20
_PIECE_BYTES = 1 << 18
_MEMORY_BYTES = 2 << 30
"""What it may take beside its state: moto itself, copies of bodies, 8 MiB for the stack of each connection's thread."""
_MEMORY_PER_STATE = 2
"""Bytes in memory for each byte that is kept. Assumed: a body takes one, a short item of a table several."""
_OUT_OF_MEMORY_SCORE = "500"
"""Where it is the machine that has no more, this goes before the server does, and after functions (1000)."""
_MEASURE_EVERY_S = 5.0
"""A full state is measured by writing it: not for each request that is refused."""
_EXPIRE_EVERY_S = 5.0
"""Between looks through tables whose items have a time to live. Assumed: AWS takes days, for which nobody waits."""
_LAST_REQUESTS_S = 20.0
"""What requests in flight get before the last save."""

_StartResponse = Callable[[str, list[tuple[str, str]]], Any]
_Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

FULL = (
    "The embedded server holds {limit} bytes at most, and would hold more. Delete something, or use a real server: "
    "--neighbour {service}=URL"
)
BUSY = (
    "The embedded server takes {limit} bytes in large bodies at once. Try again, or use a real server: "
    "--neighbour {service}=URL"
)
TOO_LARGE = (
    "The embedded server takes {limit} bytes in one request at most. Send it in parts, or use a real server: "
    "--neighbour {service}=URL"
)
NO_MEMORY = "The embedded server has no memory left for this. Use a real server: --neighbour {service}=URL"

_READS = ("Get", "List", "Describe", "Query", "Scan", "BatchGet", "TransactGet")
"""How operations of the JSON protocols begin that change nothing."""
_STORES_NOTHING = frozenset(
    {
        "Decrypt",
        "DeriveSharedSecret",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GenerateRandom",
        "ReEncrypt",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)
"""Of KMS: they use a key."""


class SharedLock:
    """Requests hold it together; a save holds it alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._is_alone = False

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self, timeout_s: float | None = None) -> Iterator[None]:
        with self._changed:
            # Who waits keeps newcomers out: a busy server is saved, too.
            self._changed.wait_for(lambda: not self._is_alone)
            self._is_alone = True
            self._changed.wait_for(lambda: not self._inside, timeout_s)
        try:
            yield
        finally:
            with self._changed:
                self._is_alone = False
                self._changed.notify_all()


class Keeper:
    """
    Saves the state when it has changed, and says when it is full.

    Args:
        write: writes the state, returns its bytes.
        size_bytes: of the state as it was loaded.
    """

    def __init__(self, write: Callable[[], int], size_bytes: int, *, most_bytes: int, every_s: float) -> None:
        self.lock = SharedLock()
        self._write = write
        self._most_bytes = most_bytes
        self._every_s = every_s
        self._saved_bytes = size_bytes
        self._more_bytes = 0
        """What has come since, at most."""
        self._reserved_bytes = 0
        """What requests under way may add."""
        self._changes = threading.Event()
        self._measured_at = -_MEASURE_EVERY_S
        self._guard = threading.Lock()

    @property
    def limit_bytes(self) -> int:
        return self._most_bytes

    def changed(self, more_bytes: int) -> None:
        """Note a change, and what it may have added."""
        with self._guard:
            self._more_bytes += more_bytes
        self._changes.set()

    def reserve(self, more_bytes: int) -> bool:
        """Set room aside for so much more, to be released; False where there is none. May take as long as a save."""
        with self._guard:
            if self._reserve(more_bytes):
                return True
            now = time.monotonic()
            if now - self._measured_at < _MEASURE_EVERY_S:
                return False
            self._measured_at = now
        # What was deleted or written over meanwhile is known only when all is written.
        self.save()
        with self._guard:
            return self._reserve(more_bytes)

    def release(self, reserved_bytes: int) -> None:
        """Give room back that was set aside."""
        with self._guard:
            self._reserved_bytes -= reserved_bytes

    def save(self, timeout_s: float | None = None) -> None:
        """Write the state, if it has changed."""
        with self.lock.alone(timeout_s):
            if not self._changes.is_set():
                return
            self._changes.clear()
            try:
                size = self._write()
            except Exception as error:
                self._changes.set()
                say(f"neighbours.state_not_saved reason={f'{type(error).__name__}: {error}'!r}")
                return
            with self._guard:
                self._saved_bytes, self._more_bytes = size, 0

    def keep(self) -> None:
        """Save from time to time, for ever."""
        while True:
            self._changes.wait()
            time.sleep(self._every_s)
            self.save()

    def _reserve(self, more_bytes: int) -> bool:
        if self._saved_bytes + self._more_bytes + self._reserved_bytes + more_bytes > self._most_bytes:
            return False
        self._reserved_bytes += more_bytes
        return True


class Allowance:
    """Bytes that all requests have together."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._taken_bytes = 0
        self._guard = threading.Lock()

    def take(self, more_bytes: int) -> bool:
        """Take so many, to be given back; False where there are not so many left."""
        with self._guard:
            if self._taken_bytes + more_bytes > self.most_bytes:
                return False
            self._taken_bytes += more_bytes
            return True

    def give_back(self, taken_bytes: int) -> None:
        with self._guard:
            self._taken_bytes -= taken_bytes


class Refused(Exception):
    """A request is not taken. With status, code and text."""

    def __init__(self, status: str, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


class Claim:
    """
    What one request takes while it is under way: of bodies in flight, and of the state's room where it adds to it.

    Args:
        is_growing: whether the state keeps what it brings.
    """

    def __init__(self, keeper: Keeper, bodies: Allowance, service: str, *, is_growing: bool) -> None:
        self._keeper = keeper
        self._bodies = bodies
        self._service = service
        self._is_growing = is_growing
        self._body_bytes = 0
        self._taken_bytes = 0
        self.reserved_bytes = 0
        """What it may add."""

    def __enter__(self) -> "Claim":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bodies.give_back(self._taken_bytes)
        self._keeper.release(self.reserved_bytes)

    def take(self, more_bytes: int) -> None:
        """
        Claim so many more bytes of the body, before they are read or at least before they are put anywhere.

        Raises:
            Refused: there is no room, or too much is under way, or the body is too long.
        """
        self._body_bytes += more_bytes
        if self._body_bytes > BODY_MAX_BYTES:
            raise Refused("400 Bad Request", "EntityTooLarge", self._say(TOO_LARGE, BODY_MAX_BYTES))
        self.add(more_bytes)
        if self._body_bytes > _BODY_IN_MEMORY_BYTES:
            if not self._bodies.take(self._body_bytes - self._taken_bytes):
                raise Refused("503 Slow Down", "SlowDown", self._say(BUSY, self._bodies.most_bytes))
            self._taken_bytes = self._body_bytes

    @property
    def is_large(self) -> bool:
        """Whether the body counts among the large ones."""
        return self._taken_bytes > 0

    def add(self, more_bytes: int) -> None:
        """
        Claim room for so much more, if the request adds anything.

        Raises:
            Refused: there is none.
        """
        if not self._is_growing:
            return
        if not self._keeper.reserve(more_bytes):
            raise Refused("503 Slow Down", "SlowDown", self._say(FULL, self._keeper.limit_bytes))
        self.reserved_bytes += more_bytes

    def _say(self, text: str, limit: int) -> str:
        return text.format(limit=limit, service=self._service)


class Door:
    """
    The WSGI application: takes bodies in, keeps the state from growing, and asks the application of the service.

    Args:
        applications: by service.
        size_of_copy: returns how much a request adds that has no body.
        is_foreign: says of a service's request, with its body, whether it is about a bucket of another account than
            its own.
    """

    def __init__(
        self,
        applications: dict[str, _Application],
        keeper: Keeper,
        size_of_copy: Callable[[dict[str, Any]], int],
        is_foreign: Callable[[str, dict[str, Any], Any], bool] = lambda *_: False,
        *,
        bodies_max_bytes: int = BODIES_MAX_BYTES,
    ) -> None:
        self._applications = applications
        self._keeper = keeper
        self._size_of_copy = size_of_copy
        self._is_foreign = is_foreign
        self._bodies = Allowance(bodies_max_bytes)

    def __call__(self, environ: dict[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        service = environ.pop(SERVICE_HEADER, "")
        if service == PING:
            start_response("204 No Content", [])
            return [b""]
        application = self._applications.get(service)
        if application is None:
            return _refuse(start_response, "501 Not Implemented", service, "NotImplemented", "There is no such service")
        is_apart = bool(environ.pop(APART_HEADER, ""))
        if service != "s3":
            _have_taken_as_judged(environ)
        is_read = _is_read(environ, service)
        claim = Claim(self._keeper, self._bodies, service, is_growing=not is_read and not _is_delete(environ, service))
        with tempfile.SpooledTemporaryFile(_BODY_IN_MEMORY_BYTES) as body, claim:
            try:
                size = _take_in(environ, body, claim, 0 if is_read else self._size_of_copy(environ))
                body.seek(0)
                if is_apart and self._is_foreign(service, environ, body):
                    code = "AccessDenied" if service == "s3" else "AccessDeniedException"
                    raise Refused("403 Forbidden", code, "Access Denied")
                body.seek(0)
                environ["wsgi.input"] = body
                environ["wsgi.input_terminated"] = False
                environ["CONTENT_LENGTH"] = str(size)
                environ.pop("HTTP_TRANSFER_ENCODING", None)
                if service == "s3" and environ["REQUEST_METHOD"] == "PUT":
                    # A type that clients of other things send by default, at which the framework takes the body for a
                    # form.
                    kind = environ.get("CONTENT_TYPE", "")
                    environ["CONTENT_TYPE"] = "binary/octet-stream" if kind.startswith(_FORM) else kind
                return self._ask(application, environ, start_response, None if is_read else claim.reserved_bytes)
            except Refused as refused:
                answer = _refuse(start_response, refused.status, service, refused.code, refused.text)
                # What follows the head would be taken for the next answer.
                return [] if environ["REQUEST_METHOD"] == "HEAD" else answer
            except MemoryError:
                # It may well suffice for the next.
                gc.collect()
                say(f"neighbours.failed service={service} reason='no memory'")
                text = NO_MEMORY.format(service=service)
                return _refuse(start_response, "503 Slow Down", service, "SlowDown", text)
            except Exception as error:
                say(f"neighbours.failed service={service} reason={f'{type(error).__name__}: {error}'!r}")
                return _refuse(start_response, "500 Internal Server Error", service, "InternalError", str(error))
            finally:
                if claim.is_large:
                    # Moto leaves the body in a circle of objects, of which Python counts few, however large they are.
                    gc.collect(1)

    def _ask(
        self, application: _Application, environ: dict[str, Any], start_response: _StartResponse, more: int | None
    ) -> list[bytes]:
        """Return the application's answer; `more` is what it may add, None where it only reads."""
        # Moto undoes a transaction by putting whole tables back: what others wrote meanwhile would be gone.
        lock = self._keeper.lock
        is_transaction = environ.get("HTTP_X_AMZ_TARGET", "").endswith(".TransactWriteItems")
        with lock.alone() if is_transaction else lock.together():
            try:
                # The answer is made whole here, since the lock is not held while it is sent.
                return list(application(environ, start_response))
            finally:
                if more is not None:
                    self._keeper.changed(more)


def _have_taken_as_judged(environ: dict[str, Any]) -> None:
    """
    Have moto take a request of a JSON protocol for what its header and its body say, by which it was judged.

    On its own moto prefers, for the operation as for each parameter, what stands in the query or in a form, and where
    there is neither, in a body or in headers that read like one; and for the region, what the path or the client's name
    has.
    """
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-amz-"):
        environ["CONTENT_TYPE"] = "application/x-amz-json-1.1"
    # Not empty, so that nothing else is looked through.
    environ["QUERY_STRING"] = "-"
    environ["PATH_INFO"] = environ["RAW_URI"] = environ["REQUEST_URI"] = "/"
    for name in ("HTTP_USER_AGENT", "HTTP_CONTENT_ENCODING"):
        environ.pop(name, None)


def _is_read(environ: dict[str, Any], service: str) -> bool:
    """Say whether a request changes nothing that is kept."""
    if environ["REQUEST_METHOD"] in {"GET", "HEAD", "OPTIONS"}:
        return True
    operation = _operation(environ, service)
    return operation.startswith(_READS) or (service == "kms" and operation in _STORES_NOTHING)


def _is_delete(environ: dict[str, Any], service: str) -> bool:
    """Say whether a request makes room."""
    if environ["REQUEST_METHOD"] == "DELETE" or "delete" in environ.get("QUERY_STRING", "").split("&"):
        return True
    return _operation(environ, service).startswith("Delete")


def _operation(environ: dict[str, Any], service: str) -> str:
    """Return the operation of a JSON protocol; S3 has none."""
    target: str = "" if service == "s3" else environ.get("HTTP_X_AMZ_TARGET", "")
    return target.rpartition(".")[2]


def _take_in(environ: dict[str, Any], body: Any, claim: Claim, copied_bytes: int) -> int:
    """
    Read a request's body whole, whatever is decided: a client that is refused while it sends would see a broken
    connection. What is refused is read and thrown away.

    Args:
        copied_bytes: what the request adds besides its body.

    Returns:
        Its size.

    Raises:
        Refused: it may not come in, or has not come whole.
    """
    source: BinaryIO = environ["wsgi.input"]
    declared = environ.get("CONTENT_LENGTH") or ""
    is_chunked = bool(environ.get("wsgi.input_terminated"))
    left = None if is_chunked else int(declared) if declared.isdigit() else 0
    refused: Refused | None = None
    try:
        claim.add(copied_bytes)
        if left is not None:
            claim.take(left)
    except Refused as known:
        refused = known
    size = 0
    while left is None or left > 0:
        try:
            piece = source.read(_PIECE_BYTES if left is None else min(left, _PIECE_BYTES))
        except (OSError, ValueError):
            # So ends a chunked body that breaks off.
            raise _incomplete() from None
        if not piece:
            break
        size += len(piece)
        if left is not None:
            left -= len(piece)
        elif refused is None:
            try:
                claim.take(len(piece))
            except Refused as known:
                refused = known
        if refused is None:
            body.write(piece)
    if left:
        raise _incomplete()
    if refused is not None:
        raise refused
    return size


def _incomplete() -> Refused:
    # Documented: Amazon S3 API reference, Error responses.
    text = "You did not provide the number of bytes specified by the Content-Length HTTP header."
    return Refused("400 Bad Request", "IncompleteBody", text)


def _refuse(start_response: _StartResponse, status: str, service: str, code: str, text: str) -> list[bytes]:
    if service == "s3":
        kind = "application/xml"
        shown = text.replace("&", "&amp;").replace("<", "&lt;")
        answer = f"<Error><Code>{code}</Code><Message>{shown}</Message></Error>".encode()
    else:
        kind = "application/x-amz-json-1.1"
        answer = json.dumps({"__type": code, "message": text}).encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(answer)))])
    return [answer]


def say(line: str) -> None:
    """Put a line into the server's log."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Be the process."""
    configuration = json.loads(sys.argv[1])
    # Both come to the whole group of a terminal: the server says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    moto = _Moto(configuration["services"])
    # The other user may not get there by its path.
    os.chdir(configuration["folder"])
    folder, tempfile.tempdir = Path(), os.curdir
    _go_first_without_memory()
    _become(configuration["uid"], configuration["gid"])
    # An earlier process may still be writing its last state.
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    stamp = embedded_state.stamp_of(moto.version)
    state, size_bytes = embedded_state.load(folder, stamp, say)
    moto.restore(state)
    # Only now: what was kept is read again, however much memory that takes.
    limit_memory(_MEMORY_BYTES + _MEMORY_PER_STATE * configuration["most_bytes"])

    def write() -> int:
        with _all_memory():
            return embedded_state.save(folder, stamp, moto.state())

    keeper = Keeper(
        write,
        size_bytes,
        most_bytes=configuration["most_bytes"],
        every_s=configuration["every_s"],
    )
    door = Door(moto.applications, keeper, moto.size_of_copy, moto.is_foreign)
    serve = moto.server(configuration["socket"], door)
    for work in (keeper.keep, lambda: _expire(keeper, moto.expire), serve):
        threading.Thread(target=work, daemon=True).start()
    print("ready", flush=True)
    # What moto prints now and then is for the log, too, and nobody reads the pipe any more.
    os.dup2(2, 1)
    # Whatever ends the server ends its end of the pipe.
    while os.read(0, 1024):
        pass
    keeper.save(_LAST_REQUESTS_S)
    os._exit(0)


def _expire(keeper: Keeper, expire: Callable[[], int]) -> None:
    """Have items expire, for ever."""
    while True:
        time.sleep(_EXPIRE_EVERY_S)
        # Alone: moto's tables are plain dictionaries, which requests change.
        with keeper.lock.alone():
            expired = expire()
        if expired:
            keeper.changed(0)


def _go_first_without_memory() -> None:
    # Not on macOS, and a sandbox may close it.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OUT_OF_MEMORY_SCORE)


def limit_memory(most_bytes: int) -> None:
    """Have requests run out of memory before the machine does. On Linux; elsewhere the kernel does not count."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most_bytes = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, hard))


@contextlib.contextmanager
def _all_memory() -> Iterator[None]:
    """Lift the limit: a state that takes all that requests may have is saved nevertheless."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _become(uid: int, gid: int) -> None:
    if os.geteuid() != uid:
        if sys.platform == "linux":
            _keep_modules_in_reach()
        os.setgroups([gid])
        os.setgid(gid)
        os.setuid(uid)
    assert os.geteuid() != 0 or uid == 0


def _keep_modules_in_reach() -> None:
    """
    Let what is imported later, in the midst of requests, be found by descriptors of the folders that hold it.

    The other user may not get there by their paths: this interpreter, and its packages, may well lie in root's home.
    """
    roots: dict[str, str] = {}
    for folder in sorted({sys.prefix, sys.base_prefix, *filter(os.path.isabs, sys.path)}, key=len, reverse=True):
        with contextlib.suppress(OSError):
            roots[folder] = f"/proc/self/fd/{os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)}"

    def reachable(path: str) -> str:
        for folder, descriptor in roots.items():
            if path == folder or path.startswith(folder + "/"):
                return descriptor + path[len(folder) :]
        return path

    sys.path[:] = [reachable(path) for path in sys.path]
    for module in list(sys.modules.values()):
        # The same list as that of the module's spec.
        if isinstance(folders := getattr(module, "__path__", None), list):
            folders[:] = [reachable(path) for path in folders]
        # Both lead to files beside a module.
        for holder, name in ((module, "__file__"), (getattr(module, "__loader__", None), "path")):
            if isinstance(path := getattr(holder, name, None), str):
                with contextlib.suppress(AttributeError):
                    setattr(holder, name, reachable(path))


class _Moto:
    """Moto, as far as it is served."""

    def __init__(self, services: list[str]) -> None:
        os.environ |= {
            "MOTO_DISABLE_GLOBAL_CORS": "true",
            "MOTO_ALLOW_NONEXISTENT_REGION": "true",
            "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true",
        }
        import moto
        from moto.backends import get_backend
        from moto.moto_server.werkzeug_app import create_backend_app

        self.version: str = moto.__version__
        self.applications: dict[str, _Application] = {name: create_backend_app(name) for name in services}  # type: ignore[arg-type]
        self._backends: dict[str, Any] = {name: get_backend(name) for name in services}  # type: ignore[call-overload]
        if "dynamodb" in services:
            embedded_streams.put_right()
        if "kinesis" in services:
            embedded_kinesis.put_right()
        for name in services:
            self._warm(name)

    def _warm(self, service: str) -> None:
        """Ask once: moto reads the models of a service at its first request."""
        targets = {
            "dynamodb": "DynamoDB_20120810.ListTables",
            "dynamodbstreams": "DynamoDBStreams_20120810.ListStreams",
            "kinesis": "Kinesis_20131202.ListStreams",
            "ssm": "AmazonSSM.GetParameter",
            "secretsmanager": "secretsmanager.ListSecrets",
            "kms": "TrentService.ListKeys",
        }
        is_json = service in targets
        body = b"" if not is_json else b'{"Name": "/aws/service/none"}' if service == "ssm" else b"{}"
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST" if is_json else "GET",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "HTTP_HOST": "localhost",
            "HTTP_X_MOTO_ACCOUNT_ID": "000000000000",
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential=x/20200101/us-east-1/{service}/aws4_request, "
            "SignedHeaders=host, Signature=0",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "CONTENT_TYPE": "application/x-amz-json-1.1",
            "CONTENT_LENGTH": str(len(body)),
        }
        if is_json:
            environ["HTTP_X_AMZ_TARGET"] = targets[service]
        list(self.applications[service](environ, lambda *_: None))

    def state(self) -> Any:
        """Return all that is to be kept, not copied."""
        return {
            "backends": {
                name: {account: dict(regions) for account, regions in dict.items(backends)}
                for name, backends in self._backends.items()
            },
            "buckets": self._backends["s3"].bucket_accounts if "s3" in self._backends else {},
        }

    def restore(self, state: Any) -> None:
        """Take over what was kept."""
        if state is None:
            return
        for name, accounts in state["backends"].items():
            if name not in self._backends:
                continue
            for account, regions in accounts.items():
                for region, backend in regions.items():
                    self._backends[name][account][region] = backend
        if "s3" in self._backends:
            self._backends["s3"].bucket_accounts.update(state["buckets"])

    def expire(self) -> int:
        """Delete items of tables whose time to live has passed; return how many."""
        return embedded_streams.expire(self._backends["dynamodb"], time.time()) if "dynamodb" in self._backends else 0

    def size_of_copy(self, environ: dict[str, Any]) -> int:
        """Return the size of the object that a request copies, 0 where it copies none."""
        from urllib.parse import unquote

        source = unquote(environ.get("HTTP_X_AMZ_COPY_SOURCE", "")).partition("?")[0].lstrip("/")
        bucket, _, key = source.partition("/")
        if not key or "s3" not in self._backends:
            return 0
        try:
            partition, account = self._backends["s3"].bucket_accounts[bucket]
            found = self._backends["s3"][account][partition].buckets[bucket].keys[key]
            return int(found.size)
        except (KeyError, TypeError, ValueError, AttributeError):
            return 0

    def is_foreign(self, service: str, environ: dict[str, Any], body: Any) -> bool:
        """
        Say whether a request is about a bucket of another account than its own: of S3, one that it copies from as well,
        and of DynamoDB, where tables come from and go to.

        Moto finds every bucket for everybody.
        """
        from urllib.parse import unquote, urlparse

        named: set[Any] = set()
        if service == "s3":
            # As moto reads them.
            source = unquote(urlparse(environ.get("HTTP_X_AMZ_COPY_SOURCE", "")).path)
            named = {path.lstrip("/").partition("/")[0] for path in (environ.get("PATH_INFO", ""), source)}
        elif service == "dynamodb" and _operation(environ, service) in {"ExportTableToPointInTime", "ImportTable"}:
            with contextlib.suppress(ValueError, RecursionError, AttributeError):
                given = json.load(body)
                named = {str(given.get("S3Bucket")), str(given.get("S3BucketSource", {}).get("S3Bucket"))}
            body.seek(0)
        owners = self._backends["s3"].bucket_accounts if "s3" in self._backends else {}
        own = environ.get("HTTP_X_MOTO_ACCOUNT_ID", "")
        return any(owners[bucket][1] != own for bucket in named if bucket in owners)

    def server(self, socket: int, door: Door) -> Callable[[], None]:
        """Return what serves a listening socket, for ever."""
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server

        class Handler(MotoRequestHandler):
            def log(self, *_: Any) -> None:
                """Say nothing of requests: the server has a log of its own."""

            def address_string(self) -> str:
                return "lambent"

        made = make_server("unix://embedded", 0, door, threaded=True, request_handler=Handler, fd=socket)
        return lambda: made.serve_forever(poll_interval=3600)


if __name__ == "__main__":
    main()
