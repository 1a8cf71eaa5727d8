"""`lambent deploy`: what a function's folder and the options make it send, what is printed, which exit code."""

import base64
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from lambent.cli import deploy
from lambent.cli.build_tool import Builder
from lambent.cli.languages.go import Go
from lambent.cli.languages.python import Python
from lambent.clock import SystemClock

Run = Callable[..., Any]
ROOT = "/2015-03-31/functions"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:hello"
ROLE = "arn:aws:iam::111122223333:role/lambent-basic-execution"
NO_ROLE = "The role defined for the function cannot be assumed by Lambda."
OWN_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
HANDLER = "def handler(event, context): ..."


class Functions:
    """A server that has at most one function, `hello`, and remembers what it was asked to change, roles included."""

    def __init__(self, stand_in: Any) -> None:
        self.endpoint = stand_in.endpoint
        self.configuration: dict[str, Any] | None = None
        self.state = {"State": "Active", "LastUpdateStatus": "Successful"}
        self.state_after_a_write = self.state
        self.writes: list[tuple[str, dict[str, Any]]] = []
        hello = f"{ROOT}/hello"
        rules: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
            f"GET {hello}/configuration": lambda _body: self._shown(),
            f"GET {hello}": lambda _body: {"Configuration": self._shown()},
            f"POST {ROOT}": lambda body: self._write("create", body),
            f"PUT {hello}/code": lambda body: self._write("code", body),
            f"PUT {hello}/configuration": lambda body: self._write("configuration", body),
            f"POST {hello}/versions": lambda body: {
                **self._write("publish", body),
                "FunctionArn": f"{ARN}:7",
                "Version": "7",
            },
        }
        for key, rule in rules.items():
            stand_in.rules[key] = self._answering(rule)
        stand_in.rules["POST /"] = self._about_identities
        self.needs_role = False
        """Whether policies are in force, and there is no role yet."""
        self.refusals: dict[str, str] = {}
        """Code of the error that an operation on roles gets."""

    def have(self, archive: bytes, **members: Any) -> None:
        """Let the function be there."""
        sha256 = base64.b64encode(hashlib.sha256(archive).digest()).decode()
        self.configuration = {"FunctionName": "hello", "Version": "$LATEST", "CodeSha256": sha256, **members}

    def _shown(self) -> dict[str, Any] | None:
        return self.configuration and {**self.configuration, "FunctionArn": ARN, **self.state}

    def _about_identities(self, request: Any) -> Any:
        """Answer for STS and IAM."""
        sent = dict(parse_qsl(request.body.decode()))
        action = sent.pop("Action")
        if action == "GetCallerIdentity":
            result = "<Account>111122223333</Account>"
        elif action in self.refusals:
            error = f"<Error><Code>{self.refusals[action]}</Code><Message>No</Message></Error>"
            return SimpleNamespace(status=403, body=f"<ErrorResponse>{error}</ErrorResponse>".encode(), headers={})
        else:
            del sent["Version"]
            self.writes.append((action, sent))
            self.needs_role = False
            result = ""
        text = f"<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"
        return SimpleNamespace(status=200, body=text.encode(), headers={})

    def _write(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        self.writes.append((what, body))
        self.state = self.state_after_a_write
        self.configuration = self.configuration or {"FunctionName": "hello", "Version": "$LATEST", "CodeSha256": ""}
        return {**self.configuration, "FunctionArn": ARN}

    def _answering(self, rule: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Callable[[Any], Any]:
        def answer(request: Any) -> Any:
            if self.needs_role and request.method == "POST":
                refused = {"x-amzn-ErrorType": "InvalidParameterValueException"}
                return SimpleNamespace(status=400, body=json.dumps({"message": NO_ROLE}).encode(), headers=refused)
            document = rule(json.loads(request.body or b"{}"))
            if document is None or document.get("Configuration", document) is None:
                missing = {"x-amzn-ErrorType": "ResourceNotFoundException"}
                return SimpleNamespace(status=404, body=b'{"Message": "Function not found"}', headers=missing)
            return SimpleNamespace(status=200, body=json.dumps(document).encode(), headers={})

        return answer


@pytest.fixture
def functions(stand_in: Any) -> Functions:
    return Functions(stand_in)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A function in Python."""
    made = tmp_path / "hello"
    made.mkdir()
    (made / "app.py").write_text(HANDLER)
    return made


def packed(folder: Path) -> bytes:
    from lambent.cli.deployment_package import pack

    return pack([folder]).archive


def test_a_new_function_is_made_of_its_folder(lambent: Run, functions: Functions, folder: Path) -> None:
    """Its name, runtime and handler come from there; ARN and version are all that stdout gets."""
    finished = lambent("deploy", "hello", "--endpoint", functions.endpoint)
    assert (finished.code, finished.out) == (0, f"{ARN} $LATEST\n"), finished.err
    ((what, sent),) = functions.writes
    archive = base64.b64decode(sent.pop("Code")["ZipFile"])
    assert what == "create"
    assert sent == {"FunctionName": "hello", "Runtime": OWN_PYTHON, "Handler": "app.handler", "Role": ROLE}
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert {name: opened.read(name).decode() for name in opened.namelist()} == {"app.py": HANDLER}
    assert finished.err.splitlines()[:-1] == [
        f"deploy: Python function hello on {OWN_PYTHON}",
        f"deploy: package of 1 file, {len(archive) / 1024:.1f} KiB",
        "deploy: creating the function",
    ]
    assert finished.err.splitlines()[-1].startswith("deploy: active after ")


def test_a_role_is_made_where_there_has_to_be_one(lambent: Run, functions: Functions, folder: Path) -> None:
    """Once it is known that there is none: Lambda's to assume, with leave to write logs."""
    functions.needs_role = True
    finished = lambent("deploy", "hello", "--endpoint", functions.endpoint)
    assert (finished.code, finished.out) == (0, f"{ARN} $LATEST\n"), finished.err
    assert f"deploy: made the role {ROLE}, which may write logs" in finished.err
    (_, made), (_, attached), (what, sent) = functions.writes
    assert made["RoleName"] == attached["RoleName"] == "lambent-basic-execution"
    assert json.loads(made["AssumeRolePolicyDocument"])["Statement"][0]["Principal"] == {
        "Service": "lambda.amazonaws.com"
    }
    assert attached["PolicyArn"] == "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    assert (what, sent["Role"]) == ("create", ROLE)


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        ("AccessDenied", "aws iam create-role --role-name lambent-basic-execution --assume-role-policy-document '{"),
        ("EntityAlreadyExists", "does not let lambda.amazonaws.com assume it"),
    ],
)
def test_a_role_that_cannot_be_made_is_somebody_elses_to_make(
    lambent: Run, functions: Functions, folder: Path, refusal: str, expected: str
) -> None:
    """What has to be done is said; nothing is made."""
    functions.needs_role, functions.refusals = True, {"CreateRole": refusal}
    finished = lambent("deploy", "hello", "--endpoint", functions.endpoint)
    assert (finished.code, finished.out, functions.writes) == (2, "", [])
    assert expected in finished.err and "with --role" in finished.err


def test_a_role_that_is_named_is_not_made(lambent: Run, functions: Functions, folder: Path) -> None:
    """Not even where the function is refused for it."""
    functions.needs_role = True
    finished = lambent("deploy", "hello", "--role", ROLE, "--endpoint", functions.endpoint)
    assert (finished.code, functions.writes) == (2, [])
    assert finished.err.splitlines()[-1] == f"lambent: InvalidParameterValueException: {NO_ROLE}"


def test_the_folder_may_be_the_current_one(
    lambent: Run, functions: Functions, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.` has a name as well."""
    monkeypatch.chdir(folder)
    assert lambent("deploy", ".", "--endpoint", functions.endpoint).code == 0
    assert functions.writes[0][1]["FunctionName"] == "hello"


def test_options_become_members(lambent: Run, functions: Functions, folder: Path) -> None:
    """Each as it was given; a value may hold an equals sign, or be empty."""
    options = [
        "--runtime",
        "python3.12",
        "--handler",
        "app.other",
        "--role",
        "arn:aws:iam::1:role/r",
        "--memory",
        "512",
    ]
    options += ["--timeout", "20", "--env", "A=b=c", "--env", "EMPTY=", "--layer", f"{ARN}:1", "--layer", f"{ARN}:2"]
    finished = lambent("deploy", str(folder), "--name", "hello", *options, "--endpoint", functions.endpoint)
    assert finished.code == 0, finished.err
    sent = functions.writes[0][1]
    del sent["Code"]
    assert sent == {
        "FunctionName": "hello",
        "Runtime": "python3.12",
        "Handler": "app.other",
        "Role": "arn:aws:iam::1:role/r",
        "MemorySize": 512,
        "Timeout": 20,
        "Environment": {"Variables": {"A": "b=c", "EMPTY": ""}},
        "Layers": [f"{ARN}:1", f"{ARN}:2"],
    }


def test_a_function_that_is_there_is_changed_where_it_differs(lambent: Run, functions: Functions, folder: Path) -> None:
    """Code first, then the members that were given and are others; its own runtime and handler stay."""
    functions.have(b"older", Runtime="python3.9", Handler="old.handler", MemorySize=128, Timeout=3)
    finished = lambent("deploy", "hello", "--memory", "128", "--timeout", "9", "--endpoint", functions.endpoint)
    assert (finished.code, finished.out) == (0, f"{ARN} $LATEST\n"), finished.err
    assert functions.writes == [
        ("code", {"ZipFile": base64.b64encode(packed(folder)).decode()}),
        ("configuration", {"Timeout": 9}),
    ]
    assert "deploy: updating Timeout\n" in finished.err


def test_what_is_as_it_was_is_not_sent(lambent: Run, functions: Functions, folder: Path) -> None:
    """A second run changes nothing, and says so."""
    functions.have(packed(folder), Runtime=OWN_PYTHON, Handler="app.handler", MemorySize=128)
    finished = lambent("deploy", "hello", "--memory", "128", "--endpoint", functions.endpoint)
    assert (finished.code, functions.writes) == (0, [])
    assert "deploy: code and configuration are as they were\n" in finished.err


def test_publish_prints_the_version(lambent: Run, functions: Functions, folder: Path) -> None:
    """It is made once the function is ready, and its own ARN is the answer."""
    functions.have(b"older", Runtime=OWN_PYTHON, Handler="app.handler")
    finished = lambent("deploy", "hello", "--publish", "--endpoint", functions.endpoint)
    assert (finished.code, finished.out) == (0, f"{ARN}:7 7\n"), finished.err
    assert [what for what, _ in functions.writes] == ["code", "publish"]


def test_a_function_that_fails_gives_its_reason(lambent: Run, functions: Functions, folder: Path) -> None:
    """Exit code 1, no ARN: it cannot be invoked."""
    functions.state_after_a_write = {
        "State": "Failed",
        "StateReason": "python3.99 is not here: add it",
        "LastUpdateStatus": "Failed",
    }
    finished = lambent("deploy", "hello", "--endpoint", functions.endpoint)
    assert (finished.code, finished.out) == (1, "")
    assert finished.err.splitlines()[-1] == (
        "lambent: the function hello did not get ready: it is Failed, its last update Failed: "
        "python3.99 is not here: add it"
    )


def test_a_function_that_failed_can_be_mended(lambent: Run, functions: Functions, folder: Path) -> None:
    """How its last update ended holds up no other one."""
    functions.have(b"broken", Runtime=OWN_PYTHON, Handler="app.handler")
    functions.state = {"State": "Failed", "LastUpdateStatus": "Failed"}
    finished = lambent("deploy", "hello", "--endpoint", functions.endpoint)
    assert (finished.code, [what for what, _ in functions.writes]) == (0, ["code"]), finished.err


def test_a_build_that_fails_changes_nothing(
    lambent: Run, functions: Functions, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tool's last words stand above the one line that says what failed."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text("#!/bin/sh\necho './main.go:3:1: syntax error' >&2\nexit 1\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    (folder / "go.mod").touch()
    finished = lambent("deploy", "hello", "--endpoint", functions.endpoint)
    assert (finished.code, finished.out, functions.writes) == (1, "", [])
    shown = "CGO_ENABLED=0 go build -tags lambda.norpc -o bootstrap ."
    assert finished.err.splitlines()[-2:] == [
        "    ./main.go:3:1: syntax error",
        f"lambent: `{shown}` failed with exit code 1: nothing has been deployed",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_deployment_that_is_ended_leaves_nothing_behind(
    functions: Functions, folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Neither a compiler that goes on nor what it had built: Ctrl-C, or a CI that gives up."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho $$\nexec sleep 600\n")
    go.chmod(0o755)
    (folder / "go.mod").touch()
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "TMPDIR": str(scratch), "LAMBENT_ENDPOINT": functions.endpoint}
    command = [sys.executable, "-m", "lambent", "deploy", str(folder), "--verbose"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        compiler = next(int(line) for line in process.stderr if line.strip().isdigit())
        process.send_signal(number)
        assert process.wait(30) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(compiler, 0)
    assert list(scratch.iterdir()) == []
    assert functions.writes == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("hello", "--env", "A"), "--env: 'A' is not KEY=VALUE"),
        (("hello", "--env", "=b"), "--env: '=b' is not KEY=VALUE"),
        (("my function",), "the folder's name, 'my function', cannot be a function's: give one with --name"),
        (
            ("hello", "--runtime", "java8"),
            "--runtime: deploy builds for python3.x, nodejsXX.x, javaXX, rubyX.Y, dotnetX and provided.*, "
            "not for 'java8'",
        ),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    lambent: Run, stand_in: Any, folder: Path, arguments: tuple[str, ...], expected: str
) -> None:
    """In one line, with exit code 2."""
    other = folder.parent / "my function"
    other.mkdir()
    (other / "app.py").write_text(HANDLER)
    finished = lambent("deploy", *arguments, "--endpoint", stand_in.endpoint)
    assert (finished.code, finished.out, finished.err) == (2, "", f"lambent: {expected}\n")
    assert stand_in.requests == []


def test_without_a_server_nothing_is_built(lambent: Run, folder: Path) -> None:
    """A build of minutes does not end in there being nobody to take it."""
    (folder / "requirements.txt").write_text("./no-such.whl")
    finished = lambent("deploy", "hello", "--endpoint", "http://127.0.0.1:9")
    expected = "lambent: no server at http://127.0.0.1:9: start one with `lambent serve`\n"
    assert (finished.code, finished.err) == (1, expected)


def test_a_refusal_is_one_line(lambent: Run, functions: Functions, stand_in: Any, folder: Path) -> None:
    """As with the other clients: the API's code and text, exit code 2."""
    stand_in.refuse(f"POST {ROOT}", "InvalidParameterValueException", "no such layer")
    finished = lambent("deploy", "hello", "--endpoint", functions.endpoint)
    assert finished.code == 2
    assert finished.err.splitlines()[-1] == "lambent: InvalidParameterValueException: no such layer"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (None, {"Runtime": "provided.al2023", "Handler": "bootstrap"}),
        ({"Runtime": "provided.al2", "Handler": "own"}, {}),
        ({"Runtime": "python3.12", "Handler": "app.handler"}, {"Runtime": "provided.al2023", "Handler": "bootstrap"}),
    ],
)
def test_a_function_keeps_what_fits_its_language(
    tmp_path: Path, before: Mapping[str, Any] | None, expected: dict[str, Any]
) -> None:
    """Runtime and handler are chosen for a new function, and for one that is written anew in another language."""
    assert deploy.complete(tmp_path, Go(), Builder(SystemClock()), before, {}) == expected
    given = {"Runtime": "provided.al2", "Handler": "given", "Role": "given"}
    assert deploy.complete(tmp_path, Go(), Builder(SystemClock()), before, given) == given


def test_a_handler_that_is_given_is_not_looked_for(tmp_path: Path) -> None:
    """There may be none to be found."""
    assert deploy.complete(tmp_path, Python(), Builder(SystemClock()), None, {"Handler": "a.b"})["Handler"] == "a.b"


def test_differences_are_told_in_the_words_of_the_request() -> None:
    """Environment and layers are shown in another form than they are set in; to take all away is a difference."""
    before = {"Environment": {"Variables": {"A": "1"}}, "Layers": [{"Arn": "l1", "CodeSize": 1}], "Timeout": 3}
    same = {"Environment": {"Variables": {"A": "1"}}, "Layers": ["l1"], "Timeout": 3}
    assert deploy.differences(before, same) == {}
    assert deploy.differences({}, {"Environment": {"Variables": {}}, "Layers": []}) == {}
    other = {"Environment": {"Variables": {}}, "Layers": ["l1", "l2"], "MemorySize": 128}
    assert deploy.differences(before, other) == other
