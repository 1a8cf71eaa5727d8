"""
Packages whose runtime cannot start, or ends at once: AWS's error in answer and log, and nothing that stays.

What cannot be executed for its mode or its missing interpreter is RT-04's, in `test_invocation_cases.py`.
"""

import io
import os
import re
import shutil
import struct
import zipfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from wire.support import FunctionMaker, Server, error_of, invoke, newest_python, tail_of, wait_for, zip_of
from wire.traces import below, environments_of, traces_of

ANSWERING = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while :; do
  id=$(curl -sS -D - -o /dev/null "$api/next" | tr -d '\\r' | sed -n 's/^lambda-runtime-aws-request-id: //Ip')
  curl -sS -o /dev/null -d '"fine"' "$api/$id/response"
done
"""


def program():
    """Return a small program of this machine, in ELF."""
    found = Path(shutil.which("true") or "/bin/true").read_bytes()
    if found[:4] != b"\x7fELF":
        pytest.skip("needs:elf:a machine whose programs are ELF files")
    return found


def of_another_machine():
    found = bytearray(program())
    # EM_AARCH64 in the place of EM_X86_64, or the other way round.
    struct.pack_into("<H", found, 18, 62 if struct.unpack_from("<H", found, 18)[0] == 183 else 183)
    return bytes(found)


def with_a_library_that_is_nowhere():
    found = program()
    if b"libc.so.6\0" not in found:
        pytest.skip("needs:glibc:a machine whose programs are linked with glibc")
    return found.replace(b"libc.so.6\0", b"libq.so.6\0")


def archive_of(content=None, *, link=None):
    if link is not None:
        return zip_of({"data": ""}, links={"bootstrap": link})
    return zip_of({"bootstrap": content}, modes={"bootstrap": 0o755})


@pytest.fixture(scope="module")
def lone_server():
    """A server that makes nothing ahead, so that it has as much before a function as after it."""
    server = Server(None, "--parked-memory-mib", "0").start()
    yield server
    server.discard()


@pytest.fixture(scope="module")
def left(lone_server):
    """
    Give what the server has beside itself: environments, their control groups, mounts, processes; and how much that
    was before the tests. The process that environments without a managed runtime come from has been started by then.
    """

    def counts():
        traces = traces_of(lone_server.data_dir) if os.geteuid() == 0 else {}
        environments = lone_server.health()["environments"]["total"], environments_of(traces)
        return *environments, len(traces.get("mounts", ())), len(below(lone_server.process.pid))

    client = lone_server.client("lambda")
    name = FunctionMaker(client, "provided.al2023", "before-all")(archive=archive_of("#!/bin/sh\n"), Handler="unused")
    invoke(client, name, {})
    client.delete_function(FunctionName=name)
    wait_for(lambda: counts()[:2] == (0, 0))
    return counts, counts()


CASES = {
    "another-machine": (of_another_machine, "Runtime.InvalidEntrypoint", r"fork/exec \S+/bootstrap: exec format error"),
    "no-interpreter-line": (
        lambda: b"echo hello\n",
        "Runtime.InvalidEntrypoint",
        r"fork/exec \S+/bootstrap: exec format error",
    ),
    "empty": (lambda: b"", "Runtime.InvalidEntrypoint", r"fork/exec \S+/bootstrap: exec format error"),
    "windows-line-ends": (
        lambda: b"#!/bin/sh\r\nexit 0\r\n",
        "Runtime.InvalidEntrypoint",
        r"fork/exec \S+/bootstrap: no such file or directory",
    ),
    "no-library": (
        with_a_library_that_is_nowhere,
        "Runtime.ExitError",
        r"Runtime exited with error: exit status 127",
    ),
    "at-once": (lambda: b"#!/bin/sh\n", "Runtime.ExitError", r"Runtime exited without providing a reason"),
    "killed": (lambda: b"#!/bin/sh\nkill -9 $$\n", "Runtime.ExitError", r"Runtime exited with error: signal: killed"),
}


@pytest.mark.parametrize("case", CASES)
def test_programs_that_do_not_run(lone_server, left, unique_name, case):
    """RT-04: the operating system's word, or how it ended, in answer and log; then nothing is left of it."""
    make, told, text = CASES[case]
    check(
        lone_server, left, unique_name, archive_of(make()), told, text, said="libq.so.6" if case == "no-library" else ""
    )


def check(server, left, name, archive, told, text, *, said="", **settings):
    client = server.client("lambda")
    FunctionMaker(client, "provided.al2023", name)(archive=archive, **{"Handler": "unused", "Timeout": 10, **settings})
    for _ in range(2):
        answer, payload = invoke(client, name, {}, LogType="Tail")
        request_id = answer["ResponseMetadata"]["RequestId"]
        assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
        assert payload["errorType"] == told, payload
        assert re.fullmatch(rf"RequestId: {request_id} Error: {text}", payload["errorMessage"]), payload
        tail = tail_of(answer)
        assert re.search(rf"^REPORT RequestId: {request_id}\t.*Status: error\tError Type: {told}", tail, re.MULTILINE)
        assert said in tail
    client.delete_function(FunctionName=name)
    counts, steady = left
    wait_for(lambda: counts() == steady)


@pytest.mark.parametrize(
    ("link", "word"),
    [
        ("/etc/passwd", "permission denied"),
        ("/nowhere/at/all", "no such file or directory"),
        ("/", "permission denied"),
    ],
)
def test_links_that_lead_out_of_the_package(lone_server, left, unique_name, link, word):
    """What a bootstrap links to is what the function sees there, and no program of it."""
    text = rf"fork/exec \S+/bootstrap: {word}"
    check(lone_server, left, unique_name, archive_of(link=link), "Runtime.InvalidEntrypoint", text)


def test_a_folder_is_no_bootstrap(lone_server, left, unique_name):
    """It is passed over, as one that is missing."""
    text = r"Couldn't find valid bootstrap\(s\): \[\S+/bootstrap /opt/bootstrap\]"
    archive = zip_of({"bootstrap/run": "#!/bin/sh\n"}, modes={"bootstrap/run": 0o755})
    check(lone_server, left, unique_name, archive, "Runtime.InvalidEntrypoint", text)


def test_a_pipe_is_refused_at_once(lone_server, unique_name):
    """No package holds one: whoever opened it would wait for a writer that never comes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.create_system = 3
        info.external_attr = 0o010755 << 16
        archive.writestr(info, b"")
    maker = FunctionMaker(lone_server.client("lambda"), "provided.al2023", unique_name)
    with pytest.raises(ClientError) as refused:
        maker(archive=stream.getvalue(), Handler="unused")
    status, code, text = error_of(refused)
    assert (status, code) == (400, "InvalidParameterValueException")
    assert text == "Could not unzip uploaded file. Please check your file, then try to upload again."


def test_go1_x_starts_what_its_handler_names(lone_server, left, unique_name):
    """Any program that speaks the Runtime API; one that is not there is told as the operating system does."""
    if shutil.which("curl") is None:
        pytest.skip("needs:curl:apt install curl")
    client = lone_server.client("lambda")
    maker = FunctionMaker(client, "go1.x", unique_name)
    name = maker(archive=zip_of({"bin/main": ANSWERING}, modes={"bin/main": 0o755}), Handler="bin/main", Timeout=10)
    assert invoke(client, name, {})[1] == "fine"
    client.delete_function(FunctionName=name)
    missing = r"fork/exec \S+/main: no such file or directory"
    check(
        lone_server,
        left,
        f"{unique_name}-missing",
        archive_of("#!/bin/sh\n"),
        "Runtime.InvalidEntrypoint",
        missing,
        Runtime="go1.x",
        Handler="main",
    )
    of_old = archive_of(b"\x7fELF _LAMBDA_SERVER_PORT")
    text = r"\S+/bootstrap is built with an aws-lambda-go older than 1\.18, .*: build it with a newer one"
    check(
        lone_server,
        left,
        f"{unique_name}-old",
        of_old,
        "Runtime.InvalidEntrypoint",
        text,
        Runtime="go1.x",
        Handler="bootstrap",
    )


def test_a_layer_cannot_take_the_runtimes_place(lone_server, unique_name):
    """LY-02: of a layer's bootstrap and runtime client a managed runtime takes nothing, nor does another function."""
    client = lone_server.client("lambda")
    python = newest_python(lone_server.sandbox["driver"])
    bad = "import os\nos._exit(9)\n"
    content = zip_of(
        {
            "bootstrap": "#!/bin/sh\nexit 9\n",
            "python/awslambdaric/__init__.py": bad,
            "python/awslambdaric/bootstrap.py": bad,
            "python/runtime_client.py": bad,
        },
        modes={"bootstrap": 0o755},
    )
    layer = client.publish_layer_version(LayerName=unique_name, Content={"ZipFile": content})["LayerVersionArn"]
    maker = FunctionMaker(client, python, unique_name)
    source = "def handler(event, context):\n    import awslambdaric\n    return awslambdaric.__file__\n"
    shadowed = maker(source, Layers=[layer], Timeout=10)
    other = maker(source, Timeout=10)
    for _ in range(2):
        told = [invoke(client, name, {})[1] for name in (shadowed, other)]
        assert told[0] == told[1]
        assert told[0].endswith("awslambdaric/__init__.py")
        assert "/opt/" not in told[0]
