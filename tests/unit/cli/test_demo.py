"""`lambent demo`: its parts, and how it is ended; the whole is an acceptance test."""

import ast
import io
import re
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lambent.cli.demo import hello_source, newest_python, package
from lambent.cli.failure import CommandFailed
from lambent.runtimes.contract import Availability


def availability(runtime: str, is_available: bool) -> Availability:
    return Availability(runtime, is_available, "host", f"detail of {runtime}", f"add {runtime}")


def test_the_newest_available_python_is_used() -> None:
    """3.13 is newer than 3.9, and what is not here does not count."""
    found = [
        availability("python3.9", True),
        availability("python3.13", True),
        availability("python3.14", False),
        availability("provided.al2023", True),
    ]
    assert newest_python(found) == "python3.13"


def test_without_a_python_the_reason_is_given() -> None:
    """The line says where to read more, and why the newest one is not available."""
    with pytest.raises(CommandFailed, match=r"lambent runtimes.*python3\.9: detail of python3\.9\. add python3\.9"):
        newest_python([availability("python3.9", False)])


def test_the_package_holds_the_function_of_the_checkout() -> None:
    """The zip has one file, readable by all, that holds the handler."""
    source, origin = hello_source()
    with zipfile.ZipFile(io.BytesIO(package(source))) as archive:
        entry = archive.getinfo("app.py")
        assert archive.namelist() == ["app.py"]
        assert entry.external_attr >> 16 == 0o100644
        functions = [node.name for node in ast.parse(archive.read(entry)).body if isinstance(node, ast.FunctionDef)]
    assert origin == "examples/hello"
    assert functions == ["handler"]


def test_a_demo_that_is_terminated_stops_its_server() -> None:
    """Nothing goes on listening, and no folder is left."""
    command = [sys.executable, "-m", "lambent", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = ""
        while "ready on" not in said:
            line = process.stdout.readline()
            if "has no Python" in line:
                pytest.skip("needs:python:uv python install 3.13")
            assert line, said
            said += line
        process.terminate()
        assert process.wait(60) == 130
    found = re.search(r"data in (\S+)\n.*ready on http://127\.0\.0\.1:(\d+)", said, re.DOTALL)
    assert found is not None
    assert not Path(found[1]).exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(found[2])), timeout=5)
