"""What functions see of layers: files at /opt, modules, programs, libraries; on each driver."""

import contextlib
import shutil
from pathlib import Path

import pytest
from wire.support import FunctionMaker, invoke, newest_python, wait_for, wait_updated, zip_of

WHO = """
import json, os
import who
OPT = os.environ["PATH"].rpartition(":")[2].removesuffix("/bin")
def handler(event, context):
    return [who.NAME, sorted(os.listdir(OPT + "/data"))]
"""
LAYER_A = zip_of({"python/who.py": "NAME='A'", "data/a.txt": "a"})
LAYER_B = zip_of({"python/who.py": "NAME='B'", "data/b.txt": "b"})
BOTH = ["a.txt", "b.txt"]

PATHS = """
import os, subprocess, sys
import m1, m2, m3
def handler(event, context):
    return {
        "modules": [m1.OF, m2.OF, m3.OF],
        "sys.path": sys.path,
        "PATH": os.environ["PATH"].split(":"),
        "LD_LIBRARY_PATH": os.environ["LD_LIBRARY_PATH"].split(":"),
        "tool": subprocess.check_output(["tool"], text=True),
        "root": os.environ["LAMBDA_TASK_ROOT"],
    }
"""


class Layers:
    """Publishes layers of one test and deletes them afterwards."""

    def __init__(self, client, name):
        self.client = client
        self.name = name
        self.made = []

    def __call__(self, content, name="layer"):
        answer = self.client.publish_layer_version(LayerName=f"{self.name}-{name}", Content={"ZipFile": content})
        self.made.append((answer["LayerArn"], answer["Version"]))
        return answer["LayerVersionArn"]

    def delete(self):
        for arn, version in self.made:
            with contextlib.suppress(self.client.exceptions.ResourceNotFoundException):
                self.client.delete_layer_version(LayerName=arn, VersionNumber=version)


@pytest.fixture
def make_layer(lambda_client, unique_name):
    layers = Layers(lambda_client, unique_name)
    yield layers
    layers.delete()


def relayer(client, name, *arns):
    client.update_function_configuration(FunctionName=name, Layers=list(arns))
    wait_updated(client, name)


def order_story(client, make_function, make_layer):
    """LY-01 from the first layer to the last."""
    a, b = make_layer(LAYER_A, "a"), make_layer(LAYER_B, "b")
    name = make_function(WHO, Layers=[a, b])
    assert invoke(client, name)[1] == ["B", BOTH]
    relayer(client, name, b, a)
    assert invoke(client, name)[1] == ["A", BOTH]
    relayer(client, name, a)
    assert invoke(client, name)[1] == ["A", ["a.txt"]]


def path_story(client, make_function, make_layer, runtime, opt=None):
    """LY-02: what a function finds of a layer, and in which order; `opt` where it is not known beforehand."""
    site = f"python/lib/{runtime}/site-packages"
    content = zip_of(
        {
            "python/m1.py": "OF = 'layer'",
            "python/m3.py": "OF = 'layer'",
            f"{site}/m2.py": "OF = 'site-packages'",
            f"{site}/m3.py": "OF = 'site-packages'",
            "bin/tool": "#!/bin/sh\nprintf 'a tool'\n",
        },
        modes={"bin/tool": 0o755},
    )
    layer = make_layer(content)
    name = make_function(entries={"app.py": PATHS, "m1.py": "OF = 'function'"}, Layers=[layer])
    seen = invoke(client, name)[1]
    assert seen["modules"] == ["function", "site-packages", "site-packages"]
    assert seen["tool"] == "a tool"
    opt = opt or seen["PATH"][-1].removesuffix("/bin")
    assert seen["sys.path"][:3] == [seen["root"], f"{opt}/{site}", f"{opt}/python"]
    assert f"{opt}/bin" in seen["PATH"]
    assert f"{opt}/lib" in seen["LD_LIBRARY_PATH"]
    configuration = client.get_function_configuration(FunctionName=name)
    assert configuration["Layers"] == [{"Arn": layer, "CodeSize": len(content)}]


# Where most tests run ------------------------------------------------------------------------------------------------


def test_ly01_layer_order(lambda_client, make_function, make_layer):
    """LY-01: of equal paths the last layer's stays, files of both are there, a new order acts on the next call."""
    order_story(lambda_client, make_function, make_layer)


def test_ly02_layer_python_path(sandbox, lambda_client, make_function, make_layer, runtime):
    """LY-02: the function's modules come before the layers', site-packages before python, and all are found."""
    opt = None if sandbox == "process" else "/opt"
    path_story(lambda_client, make_function, make_layer, runtime, opt)


def test_ly02_libraries_of_a_layer_are_found(lambda_client, make_function, make_layer):
    """LY-02: a library in lib of a layer is loaded by its bare name."""
    library = next(Path("/usr/lib").glob("*-linux-gnu/libz.so.1"), None)
    if library is None:
        pytest.skip("needs:zlib:apt install zlib1g")
    layer = make_layer(zip_of({"lib/libbrought.so": library.read_bytes()}))
    source = """
import ctypes
def handler(event, context):
    ctypes.CDLL("libbrought.so")
    with open("/proc/self/maps") as maps:
        return [line.split()[-1] for line in maps if "libbrought" in line][0]
"""
    name = make_function(source, Layers=[layer])
    assert invoke(lambda_client, name)[1].endswith("/lib/libbrought.so")


def test_a_warm_environment_goes_with_its_layers(lambda_client, make_function, make_layer):
    """LY-02: environments that were made before a layer was attached serve no call after that."""
    source = (
        "import os\ndef handler(e, c):\n    return os.path.exists(os.environ['PATH'].rpartition(':')[2] + '/../own')"
    )
    name = make_function(source)
    assert invoke(lambda_client, name)[1] is False
    relayer(lambda_client, name, make_layer(zip_of({"own": "", "bin/tool": ""})))
    assert invoke(lambda_client, name)[1] is True
    relayer(lambda_client, name)
    assert invoke(lambda_client, name)[1] is False


def test_published_versions_keep_their_layers(lambda_client, make_function, make_layer):
    """What a version was published with is what it runs with."""
    a, b = make_layer(LAYER_A, "a"), make_layer(LAYER_B, "b")
    name = make_function(WHO, Layers=[a, b])
    version = lambda_client.publish_version(FunctionName=name)["Version"]
    relayer(lambda_client, name, b)
    assert invoke(lambda_client, name)[1] == ["B", ["b.txt"]]
    assert invoke(lambda_client, name, Qualifier=version)[1] == ["B", BOTH]


def test_layers_cannot_be_changed_by_functions(lambda_client, make_function, make_layer):
    """They are shared by all functions that use them, and by those with other layers beside them."""
    source = """
import errno, os
OPT = os.environ["PATH"].rpartition(":")[2].removesuffix("/bin")
def tried(what, *arguments):
    try:
        what(*arguments)
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]
def handler(event, context):
    path = OPT + "/python/who.py"
    return [
        tried(open, path, "a"), tried(open, OPT + "/new", "w"), tried(os.remove, path), tried(os.chmod, path, 0o777),
        tried(os.link, path, "/tmp/who.py"),
    ]
"""
    layers = [make_layer(LAYER_A, "a"), make_layer(LAYER_B, "b")]
    name = make_function(source, Layers=layers)
    assert set(invoke(lambda_client, name)[1]) <= {"EROFS", "EACCES", "EPERM", "EXDEV"}
    other = make_function(WHO, Layers=layers)
    assert invoke(lambda_client, other)[1] == ["B", BOTH]


def test_a_deleted_layer_goes_on_working(lone_server, runtime, unique_name):
    """Functions that use a layer version keep it when it is deleted, also over a restart and on a new disk cache."""
    client = lone_server.client("lambda")
    layers, make_function = Layers(client, unique_name), FunctionMaker(client, runtime, unique_name)
    name = make_function(WHO, Layers=[layers(LAYER_A, "a"), layers(LAYER_B, "b")])
    layers.delete()
    assert invoke(client, name)[1] == ["B", BOTH]
    # As a crash leaves it, which may take every unpacked tree along.
    lone_server.kill()
    lone_server.restart()
    assert invoke(lone_server.client("lambda"), name)[1] == ["B", BOTH]
    lone_server.stop()
    for tree in (lone_server.data_dir / "packages").iterdir():
        if tree.is_dir():
            shutil.rmtree(tree)
    lone_server.restart()
    assert invoke(lone_server.client("lambda"), name)[1] == ["B", BOTH]


def test_rt04_a_bootstrap_may_come_from_a_layer(lambda_client, make_function, make_layer):
    """RT-04: A custom runtime in a layer serves functions that bring none."""
    bootstrap = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while :; do
  id=$(curl -sS -D - -o /dev/null "$api/next" | tr -d '\\r' | sed -n 's/^lambda-runtime-aws-request-id: //Ip')
  printf '{"by": "%s", "handler": "%s"}' "$0" "$_HANDLER" | curl -sS -o /dev/null --data-binary @- "$api/$id/response"
done
"""
    layer = make_layer(zip_of({"bootstrap": bootstrap}, modes={"bootstrap": 0o755}))
    name = make_function(entries={"data": ""}, Runtime="provided.al2023", Handler="a.b", Layers=[layer])
    answer = invoke(lambda_client, name)[1]
    assert answer["handler"] == "a.b"
    assert answer["by"].endswith("/bootstrap")
    lambda_client.update_function_configuration(FunctionName=name, Layers=[])
    wait_updated(lambda_client, name)
    answer, body = invoke(lambda_client, name)
    assert (answer["FunctionError"], body["errorType"]) == ("Unhandled", "Runtime.InvalidEntrypoint")


def test_extensions_of_a_layer_are_named_in_the_log(server, lambda_client, make_function, make_layer):
    """They are not started by this version, and whoever attaches one is told, without an invocation."""
    agent = zip_of({"extensions/agent": "#!/bin/sh\nexit 1\n"}, modes={"extensions/agent": 0o755})
    name = make_function("def handler(e, c):\n    return 1", Layers=[make_layer(agent)])

    def warnings():
        return [line for line in server.log if "layer.extensions_not_started" in line and f"function={name} " in line]

    (warning,) = wait_for(warnings)
    assert "names=['agent']" in warning
    assert invoke(lambda_client, name)[1] == 1
    assert len(warnings()) == 1


# The other drivers ---------------------------------------------------------------------------------------------------


@pytest.fixture(params=["process", "rootless"])
def other_server(request, own_server):
    """A server with another driver."""
    server = own_server(None, "--sandbox", request.param)
    try:
        return server.start()
    except AssertionError:
        if request.param == "rootless" and any("rootless" in line for line in server.log):
            pytest.skip("needs:rootless:allow user namespaces: sysctl kernel.unprivileged_userns_clone=1")
        raise


def test_layers_on_the_other_drivers(other_server, unique_name):
    """LY-01 and LY-02 hold there as well; without a root of its own, a function sees layers elsewhere than at /opt."""
    driver = other_server.sandbox["driver"]
    client, runtime = other_server.client("lambda"), newest_python(driver)
    layers, make_function = Layers(client, unique_name), FunctionMaker(client, runtime, unique_name)
    order_story(client, make_function, layers)
    path_story(client, make_function, layers, runtime, None if driver == "process" else "/opt")
