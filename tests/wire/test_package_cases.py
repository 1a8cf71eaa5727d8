"""Behaviour cases of deployment packages, by their ids."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from wire.support import error_of, invoke, wait_for, zip_of
from wire.test_layers import Layers

ROOT = "import os; ROOT = os.environ['LAMBDA_TASK_ROOT']\n"


def refusal(make_function, archive):
    with pytest.raises(ClientError) as excinfo:
        make_function(archive=archive)
    return error_of(excinfo)


def test_pk01_unix_modes_are_kept(lambda_client, make_function):
    """PK-01: an executable stays executable, a plain file stays plain."""
    source = f"""{ROOT}
import subprocess
def handler(e, c):
    good = subprocess.run([ROOT + "/bin/tool"], capture_output=True, text=True).stdout
    try:
        subprocess.run([ROOT + "/bin/plain"])
    except PermissionError:
        return [good, "PermissionError"]
"""
    script = "#!/bin/sh\necho hi\n"
    archive = zip_of({"app.py": source, "bin/tool": script, "bin/plain": script}, modes={"bin/tool": 0o755})
    assert invoke(lambda_client, make_function(archive=archive))[1] == ["hi\n", "PermissionError"]


def test_pk02_symlinks_are_links(lambda_client, make_function, unique_name):
    """PK-02: a symlink entry becomes a symlink, in packages and in layers, also those that are merged."""
    source = f"""{ROOT}
OPT = os.environ["PATH"].rpartition(":")[2].removesuffix("/bin")
def handler(e, c):
    links = [ROOT + "/lib/link.txt", OPT + "/lib/link.txt", OPT + "/lib/out"]
    return [os.path.islink(link) and os.path.exists(link) and open(link).read() for link in links]
"""
    layers = Layers(lambda_client, unique_name)
    archive = zip_of({"app.py": source, "lib/real.txt": "data"}, links={"lib/link.txt": "real.txt"})
    links = {"lib/link.txt": "real.txt", "lib/out": "../../etc/lambent-secret"}
    linked = zip_of({"lib/real.txt": "of the layer"}, links=links)
    try:
        attached = [layers(linked, "a"), layers(zip_of({"lib/other.txt": ""}), "b")]
        name = make_function(archive=archive, Layers=attached)
        # What leads out of a layer leads to what the function could have opened by itself.
        assert invoke(lambda_client, name)[1] == ["data", "of the layer", False]
    finally:
        layers.delete()


def test_pk03_backslashes_are_kept(server, lambda_client, make_function):
    """PK-03: a name with a backslash is one name, as on AWS; the server's log says so."""
    source = f"""{ROOT}
def handler(e, c):
    try:
        import pkg.mod
    except ModuleNotFoundError:
        return sorted(name for name in os.listdir(ROOT) if name != "__pycache__")
"""
    archive = zip_of({"app.py": source, "pkg\\mod.py": ""})
    assert invoke(lambda_client, make_function(archive=archive))[1] == ["app.py", "pkg\\mod.py"]
    wait_for(lambda: any("package.backslash_name" in line for line in server.log))


def test_pk04_broken_archives_are_refused(make_function):
    """PK-04: what is no zip is refused at create, with the service's text."""
    assert refusal(make_function, b"not a zip") == (
        400,
        "InvalidParameterValueException",
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    )
    assert refusal(make_function, zip_of({}))[1] == "InvalidParameterValueException"


def test_pk05_sizes_are_limited(make_function):
    """PK-05: too large unzipped is refused from the archive's own numbers; too large zipped is a 413."""
    bomb = zip_of({"zeros": b"\0" * 262_144_001})
    began = time.monotonic()
    assert refusal(make_function, bomb) == (
        400,
        "InvalidParameterValueException",
        "Unzipped size must be smaller than 262144000 bytes",
    )
    assert time.monotonic() - began < 20, "the archive was unpacked to find out"
    import os

    heavy = zip_of({"noise": os.urandom(52_430_000)})
    assert refusal(make_function, heavy) == (
        413,
        "RequestEntityTooLargeException",
        "Zipped size must be smaller than 52428800 bytes",
    )
    status, code, text = refusal(make_function, os.urandom(53_000_000))
    assert (status, code) == (413, "RequestEntityTooLargeException")
    assert "CreateFunction" in text


def test_pk06_unreadable_files_fail_as_on_aws(server, lambda_client, make_function):
    """PK-06: a file that only its owner may read fails for the function's user, and the server's log warns."""
    archive = zip_of({"app.py": "def handler(e, c): return 1"}, modes={"app.py": 0o600})
    answer, payload = invoke(lambda_client, make_function(archive=archive))
    wait_for(lambda: any("package.unreadable_file" in line for line in server.log))
    import os

    if os.geteuid() == 0:
        assert answer["FunctionError"] == "Unhandled"
        assert "[Errno 13] Permission denied" in payload["errorMessage"]
    else:
        # Without root the function runs as the user who owns the file: lenient, as the changelog says.
        assert payload == 1


def test_a_package_is_on_the_disk_once(server, lambda_client, make_function):
    """Every environment sees the files that were unpacked, none a copy of them."""
    source = f"""{ROOT}
import time
def handler(e, c):
    time.sleep(2)
    found = os.stat(ROOT + "/large")
    return [c.log_stream_name, found.st_ino, found.st_size]
"""
    name = make_function(archive=zip_of({"app.py": source, "large": b"\0" * 5_000_000}))
    with ThreadPoolExecutor(2) as pool:
        seen = [answer for _, answer in pool.map(lambda _: invoke(lambda_client, name), range(2))]
    assert len({stream for stream, _, _ in seen}) == 2, "one environment served both"
    sha256 = lambda_client.get_function_configuration(FunctionName=name)["CodeSha256"]
    unpacked = (server.data_dir / "packages" / base64.b64decode(sha256).hex() / "large").stat()
    assert {(inode, size) for _, inode, size in seen} == {(unpacked.st_ino, 5_000_000)}
