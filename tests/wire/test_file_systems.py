"""FileSystemConfigs: directories that the operator offers, mounted where functions ask for them."""

import os
import shutil
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from wire.support import FunctionMaker, Server, error_of, invoke, newest_python, wait_for, wait_updated

ARN = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
OTHER_ARN = ARN.replace("abcdef0", "abcdef1")
OWNER = 54_321
"""A user that no machine has."""

SOURCE = """
import errno, json, os, threading
def tried(what, *arguments):
    try:
        what(*arguments)
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]
def append(path, text):
    with open(path, "a") as file:
        file.write(text)
def handler(event, context):
    if "append" in event:
        append(event["path"], event["append"])
    with open(event["path"]) as file:
        text = file.read()
    about = os.stat(event["path"])
    return {
        "text": text,
        "is mine": about.st_uid == os.getuid() and about.st_gid == os.getgid(),
        "uid": os.getuid(),
        "environment": context.log_stream_name,
        "mnt": os.listdir("/mnt"),
        "outside": tried(os.listdir, "/srv"),
        "new in mnt": tried(os.mkdir, "/mnt/new"),
        "touched": {name: tried(append, name, "x") for name in event.get("touch", [])},
    }
"""


@pytest.fixture
def make_directory():
    """Make directories; a user is given to them where the tests run as root."""
    parents = []

    def make(owner, mode=0o700):
        parents.append(Path(tempfile.mkdtemp(prefix="lambent-shared-")))
        made = parents[-1] / "data"
        made.mkdir()
        if os.geteuid() == 0:
            os.chown(made, owner, owner)
        made.chmod(mode)
        return made

    yield make
    for parent in parents:
        shutil.rmtree(parent)


@pytest.fixture(scope="module")
def directory():
    """A directory that is closed to all but its owner: somebody without rights, where the tests run as root."""
    parent = Path(tempfile.mkdtemp(prefix="lambent-shared-"))
    made = parent / "data"
    made.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(made, OWNER, OWNER)
    yield made
    shutil.rmtree(parent)


@pytest.fixture(scope="module")
def offering(directory):
    """A server that offers the directory."""
    made = Server(None, "--file-system", f"{ARN}={directory}").start()
    yield made
    made.discard()


@pytest.fixture(scope="module")
def client(offering):
    return offering.client("lambda")


@pytest.fixture
def make(client, offering, unique_name):
    return FunctionMaker(client, newest_python(offering.sandbox["driver"]), unique_name)


def mounted(arn=ARN, path="/mnt/data"):
    return [{"Arn": arn, "LocalMountPath": path}]


def refused(call, **parameters):
    """Return (status, code, message) of a call that must fail."""
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)


def sharing_story(client, make, directory):
    """Two functions write to one file, one after the other."""
    path = f"/mnt/data/{make.base_name}"
    first, second = (make(SOURCE, FileSystemConfigs=mounted(), Timeout=20) for _ in range(2))
    one = invoke(client, first, {"path": path, "append": "one "})[1]
    two = invoke(client, second, {"path": path, "append": "two "})[1]
    again = invoke(client, first, {"path": path})[1]
    assert [one["text"], two["text"], again["text"]] == ["one ", "one two ", "one two "]
    assert one["environment"] != two["environment"]
    assert (one["is mine"], two["is mine"], one["mnt"]) == (True, True, ["data"])
    assert (directory / make.base_name).stat().st_uid == directory.stat().st_uid
    assert (one["outside"], one["new in mnt"]) == ("ENOENT", "EROFS")
    shown = client.get_function_configuration(FunctionName=first)
    assert shown["FileSystemConfigs"] == mounted()


def test_environments_share_the_directory(client, make, directory):
    """What one environment writes another one changes; on the machine everything belongs to the directory's owner."""
    sharing_story(client, make, directory)


def test_many_environments_at_once(client, make, directory):
    """Eight environments append to one file at the same moment: every line is there."""
    name = make(SOURCE, FileSystemConfigs=mounted(), Timeout=30)
    path = f"/mnt/data/{make.base_name}"
    answers = []

    def call(number):
        answers.append(invoke(client, name, {"path": path, "append": f"{number}\n"})[1])

    calls = [threading.Thread(target=call, args=[number]) for number in range(8)]
    for one in calls:
        one.start()
    for one in calls:
        one.join()
    assert sorted((directory / make.base_name).read_text().split()) == [str(number) for number in range(8)]
    assert all(answer["is mine"] for answer in answers)


def test_files_of_others_stay_theirs(client, make, directory, offering):
    """Functions act as the owner of the directory and as nobody else: not as root, whose files lie there, too."""
    if os.geteuid() != 0 or offering.sandbox["driver"] != "namespace":
        pytest.skip("needs:root:run the tests as root")
    files = {f"{make.base_name}-{mode:o}": mode for mode in (0o600, 0o644, 0o4755)}
    for name, mode in files.items():
        (directory / name).write_text("root's\n")
        (directory / name).chmod(mode)
    name = make(SOURCE, FileSystemConfigs=mounted())
    touch = [f"/mnt/data/{one}" for one in files]
    seen = invoke(client, name, {"path": f"/mnt/data/{make.base_name}", "append": "", "touch": touch})[1]
    assert set(seen["touched"].values()) == {"EACCES"}
    assert seen["uid"] not in {0, OWNER}
    for name, mode in files.items():
        about = (directory / name).stat()
        assert (about.st_uid, stat.S_IMODE(about.st_mode)) == (0, mode)


def test_taking_it_away_acts_on_the_next_call(client, make):
    """After an update without file systems, nothing is mounted."""
    source = "import os\ndef handler(e, c):\n    return os.listdir('/mnt')\n"
    name = make(source, FileSystemConfigs=mounted(path="/mnt/own.name_1"))
    assert invoke(client, name)[1] == ["own.name_1"]
    client.update_function_configuration(FunctionName=name, FileSystemConfigs=[])
    wait_updated(client, name)
    assert invoke(client, name)[1] == []


def test_what_is_not_offered_is_refused(client, make):
    """By name, with the setting that would change it; nothing is stored."""
    name = make(SOURCE)

    def answer(wanted):
        return refused(client.update_function_configuration, FunctionName=name, FileSystemConfigs=wanted)

    status, code, message = answer(mounted(OTHER_ARN))
    assert (status, code) == (400, "InvalidParameterValueException")
    assert f"--file-system {OTHER_ARN}=" in message
    assert [answer(mounted(path=path))[1] for path in ("/data", "/mnt/.", "/mnt/..")] == [
        "ValidationException",
        "InvalidParameterValueException",
        "InvalidParameterValueException",
    ]
    assert "FileSystemConfigs" not in client.get_function_configuration(FunctionName=name)


# Operators -----------------------------------------------------------------------------------------------------------


def test_environments_of_an_ordinary_user_share_it(own_server, unique_name, make_directory):
    """Without root, functions act as the server's user there."""
    directory = make_directory(os.geteuid())
    server = own_server(None, "--sandbox", "rootless", "--file-system", f"{ARN}={directory}")
    try:
        client = server.start().client("lambda")
    except AssertionError:
        if any("--sandbox" in line for line in server.log):
            pytest.skip("needs:rootless:allow user namespaces: sysctl kernel.unprivileged_userns_clone=1")
        raise
    sharing_story(client, FunctionMaker(client, newest_python("rootless"), unique_name), directory)


def test_a_directory_of_roots_is_warned_of(own_server, runtime, unique_name, make_directory):
    """Functions are never root: the log says what to do, and what is open to all works."""
    if os.geteuid() != 0:
        pytest.skip("needs:root:run the tests as root")
    directory = make_directory(0, 0o1777)
    server = own_server(None, "--sandbox", "namespace", "--file-system", f"{ARN}={directory}")
    client = server.start().client("lambda")
    name = FunctionMaker(client, runtime, unique_name)(SOURCE, FileSystemConfigs=mounted())
    assert invoke(client, name, {"path": "/mnt/data/x", "append": "y"})[1]["text"] == "y"
    assert (directory / "x").stat().st_uid not in {0, 65534}
    (warning,) = wait_for(lambda: [line for line in server.log if "file_system.owner_not_mapped" in line])
    assert "chown it to another user" in warning


def test_a_file_system_that_is_not_offered_any_more(own_server, runtime, unique_name, directory):
    """After a restart without the setting the function fails at once, as our failure, and the log says why."""
    server = own_server(None, "--file-system", f"{ARN}={directory}").start()
    client = server.client("lambda")
    name = FunctionMaker(client, runtime, unique_name)(SOURCE, FileSystemConfigs=mounted())
    assert server.stop() == 0
    server.options = ()
    client = server.restart().client("lambda")
    assert refused(client.invoke, FunctionName=name)[0] >= 500
    wait_for(lambda: any(f"{ARN} is not offered any more: see --file-system" in line for line in server.log))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--file-system", f"{ARN}=data"], f"--file-system: '{ARN}=data' is not of the form ARN=/directory"),
        (["--file-system", "/data"], "--file-system: '/data' is not of the form ARN=/directory"),
        (["--file-system", f"{ARN}=/no/such"], "--file-system: /no/such is not a directory"),
        (["--file-system", f"{ARN}=/etc/passwd"], "--file-system: /etc/passwd is not a directory"),
        (
            ["--sandbox", "process", "--file-system", f"{ARN}=/tmp"],
            "--file-system: the sandbox process cannot mount; namespace and rootless can",
        ),
    ],
    ids=["relative", "no-arn", "absent", "file", "process"],
)
def test_a_setting_that_cannot_act_ends_the_start(own_server, options, line):
    """Exit code 2 and one line."""
    server = own_server(None, *options)
    with pytest.raises(AssertionError):
        server.start()
    assert server.process.wait(30) == 2
    assert server.log[-1] == f"lambent: {line}\n"
