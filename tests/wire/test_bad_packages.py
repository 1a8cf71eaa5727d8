"""Packages and layers that cannot run, in Python and Node.js: AWS's error in the answer and in the log, no more."""

import shutil
import struct
import subprocess

import pytest
from wire.support import invoke, tail_of, wait_for
from wire.test_nodejs import newest_with_callbacks

OTHER_MACHINES = {62: 183, 183: 62}
"""ELF's number of x86-64 and of AArch64, each to the other."""


@pytest.fixture(scope="session")
def node():
    return newest_with_callbacks()


@pytest.fixture(scope="session")
def libraries(tmp_path_factory):
    """Native modules that cannot be loaded, by what is wrong with them."""
    if shutil.which("gcc") is None:
        pytest.skip("needs:gcc:apt install gcc libc6-dev")
    folder = tmp_path_factory.mktemp("native")
    (folder / "empty.c").write_text("int brought(void) { return 1; }\n")
    (folder / "needs.c").write_text("int brought(void); int needs(void) { return brought(); }\n")
    for command in (
        ("gcc", "-shared", "-fPIC", "-o", "libnowhere.so", "empty.c"),
        ("gcc", "-shared", "-fPIC", "-o", "needs.so", "needs.c", "-L.", "-lnowhere"),
    ):
        subprocess.run(command, cwd=folder, check=True)
    whole = (folder / "libnowhere.so").read_bytes()
    (machine,) = struct.unpack_from("<H", whole, 18)
    return {
        "missing": (folder / "needs.so").read_bytes(),
        "short": whole[:40],
        "cut": whole[:600],
        "text": b"no library\n" * 100,
        "machine": whole[:18] + struct.pack("<H", OTHER_MACHINES[machine]) + whole[20:],
    }


@pytest.fixture
def fails(server, lambda_client, make_function):
    """Make a function and invoke it: answer and log have the error, and no environment is left."""

    def check(error_type, told, *, in_log=True, **settings):
        before = server.health()["environments"]["total"]
        name = make_function(**settings)
        answer, payload = invoke(lambda_client, name, {}, LogType="Tail")
        assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", error_type), payload
        assert told in payload["errorMessage"]
        tail = tail_of(answer)
        assert not in_log or told in tail
        assert "\tStatus: error\t" in tail.splitlines()[-1]
        wait_for(lambda: server.health()["environments"]["total"] <= before)

    return check


NATIVE = [
    ("missing", "libnowhere.so: cannot open shared object file: No such file or directory"),
    ("short", "file too short"),
    ("text", "invalid ELF header"),
    ("machine", "cannot open shared object file"),
]


@pytest.mark.parametrize(("wrong", "told"), NATIVE)
def test_python_with_a_native_module_that_cannot_be_loaded(fails, libraries, wrong, told):
    """A missing library, half a file, no library, another machine's: as on AWS, a module that is not imported."""
    source = "import native\ndef handler(e, c):\n    return 1\n"
    fails("Runtime.ImportModuleError", told, entries={"app.py": source, "native.so": libraries[wrong]})


@pytest.mark.parametrize(("wrong", "told"), NATIVE)
def test_nodejs_with_a_native_module_that_cannot_be_loaded(fails, node, libraries, wrong, told):
    """The same: as on AWS, the error that `require` throws."""
    entries = {"index.js": "require('./native.node');", "native.node": libraries[wrong]}
    fails("Error", told, entries=entries, Runtime=node, Handler="index.handler")


def test_a_native_module_that_ends_the_process(fails, libraries):
    """The system's loader does not survive a library whose end is missing: the runtime's exit is told."""
    entries = {"app.py": "import native\n", "native.so": libraries["cut"]}
    fails("Runtime.ExitError", "Runtime exited with error: signal: bus error", entries=entries, in_log=False)


@pytest.mark.parametrize(
    ("handler", "error_type", "told"),
    [
        ("app::handler", "Runtime.MalformedHandlerName", "Bad handler 'app::handler'"),
        ("com.example.Hello::handle", "Runtime.ImportModuleError", "No module named 'com'"),
        ("Hello::Hello.Function::Handler", "Runtime.ImportModuleError", "No module named 'Hello::Hello'"),
        ("app.", "Runtime.HandlerNotFound", "Handler '' missing on module 'app'"),
    ],
)
def test_python_with_a_handler_of_another_language(fails, handler, error_type, told):
    """What is a handler elsewhere has AWS's error for Python."""
    fails(error_type, told, entries={"app.py": ""}, Handler=handler)


@pytest.mark.parametrize(
    ("handler", "error_type", "told"),
    [
        ("index::handler", "Runtime.MalformedHandlerName", "Bad handler"),
        ("com.example.Hello::handle", "Runtime.ImportModuleError", "Error: Cannot find module 'com'"),
        ("lambda_function.lambda_handler", "Runtime.ImportModuleError", "Error: Cannot find module 'lambda_function'"),
        ("index.", "Runtime.HandlerNotFound", "index. is undefined or not exported"),
    ],
)
def test_nodejs_with_a_handler_of_another_language(fails, node, handler, error_type, told):
    """The same for Node.js."""
    fails(error_type, told, entries={"index.js": ""}, Runtime=node, Handler=handler)
