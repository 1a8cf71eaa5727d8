"""`lambent deploy` with the tools themselves: the examples are built, deployed and invoked, and what fails says why."""

import base64
import json
import os
import re
import shutil
import subprocess
import zipfile

import pytest
from wire.support import LAMBENT, ROOT, invoke, listed_runtimes, tail_of, wait_updated

EXAMPLES = ROOT / "examples"
BUILDS = ROOT / ".cache" / "deploy"
"""What compilers keep between runs: a first build takes about a minute, each one after it a second."""

RUST_OLDEST = (1, 84)
"""What lambda_runtime needs; Debian 12 has an older one."""


GO_PROGRAM = """
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do   string          `json:"do"`
	What json.RawMessage `json:"what"`
}

type TooBad struct{}

func (TooBad) Error() string { return "too bad" }

func handle(ctx context.Context, given event) (any, error) {
	switch given.Do {
	case "fail":
		return nil, TooBad{}
	case "panic":
		panic("boom")
	case "exit":
		os.Exit(7)
	case "sleep":
		time.Sleep(time.Hour)
	case "print":
		fmt.Println("to stdout")
		fmt.Fprintln(os.Stderr, "to stderr")
		fmt.Println("to stdout again")
	case "context":
		invocation, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"request_id": invocation.AwsRequestID, "arn": invocation.InvokedFunctionArn,
			"left_ms": time.Until(deadline).Milliseconds(), "trace": ctx.Value("x-amzn-trace-id"),
			"log": lambdacontext.LogGroupName + " " + lambdacontext.LogStreamName,
			"custom": invocation.ClientContext.Custom["key"], "environment": os.Getenv("STAGE"),
		}, nil
	case "stream":
		pieces, writer := io.Pipe()
		go func() {
			for number := 0; number < 3; number++ {
				fmt.Fprintf(writer, "piece %d,", number)
			}
			if string(given.What) == "true" {
				writer.CloseWithError(TooBad{})
			}
			writer.Close()
		}()
		return pieces, nil
	}
	return given.What, nil
}

func main() { lambda.Start(handle) }
"""

RUST_PROGRAM = """
use lambda_runtime::streaming::{channel, Body, Response};
use lambda_runtime::{run, service_fn, Error, FunctionResponse, LambdaEvent};
use serde_json::{json, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Debug)]
struct TooBad;
impl std::fmt::Display for TooBad {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(to, "too bad") }
}
impl std::error::Error for TooBad {}

async fn handle(event: LambdaEvent<Value>) -> Result<FunctionResponse<Value, Body>, Error> {
    let (given, context) = event.into_parts();
    if given["do"] == "stream" {
        let (mut to, pieces) = channel();
        tokio::spawn(async move {
            for number in 0..3 {
                to.send_data(format!("piece {number},").into()).await.unwrap();
            }
        });
        return Ok(FunctionResponse::StreamingResponse(Response::from(pieces)));
    }
    match given["do"].as_str().unwrap_or("") {
        "fail" => return Err(Box::new(TooBad)),
        "panic" => panic!("boom"),
        "exit" => std::process::exit(7),
        "sleep" => std::thread::sleep(Duration::from_secs(3600)),
        "print" => {
            println!("to stdout");
            eprintln!("to stderr");
            println!("to stdout again");
        }
        "context" => {
            let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
            let own = &context.env_config;
            return Ok(FunctionResponse::BufferedResponse(json!({
                "request_id": context.request_id, "arn": context.invoked_function_arn,
                "left_ms": context.deadline - now_ms, "trace": context.xray_trace_id,
                "log": format!("{} {}", own.log_group, own.log_stream),
                "custom": context.client_context.map(|given| given.custom["key"].clone()),
                "environment": std::env::var("STAGE")?,
            })));
        }
        _ => {}
    }
    Ok(FunctionResponse::BufferedResponse(given["what"].clone()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}
"""


@pytest.fixture(scope="session")
def environ(server):
    """The environment of the command, and of the tools that it runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAMBENT_", "AWS_"))}
    return {
        **kept,
        "LAMBENT_ENDPOINT": server.endpoint,
        "GOCACHE": str(BUILDS / "go"),
        "CARGO_TARGET_DIR": str(BUILDS / "rust"),
        # What the compiler leaves undone is not tested here, and takes the larger part of its time.
        "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
    }


@pytest.fixture
def deploy(environ, lambda_client):
    """Run `lambent deploy`; what it made is removed afterwards."""
    made = []

    def run(folder, *options, name):
        command = [LAMBENT, "deploy", str(folder), "--name", name, *options]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=600, check=False)
        made.append(name)
        return done

    yield run
    for name in made:
        try:
            lambda_client.delete_function(FunctionName=name)
        except lambda_client.exceptions.ResourceNotFoundException:
            continue


@pytest.fixture(scope="session")
def go(environ):
    """A Go whose modules are here, or can be fetched."""
    remedy = "needs:go:apt install golang-go, where Go reaches a module proxy"
    if shutil.which("go") is None or not succeeds(environ, "go", "mod", "download", folder=EXAMPLES / "go"):
        pytest.skip(remedy)


@pytest.fixture(scope="session")
def rust(environ):
    """A Rust that is new enough and has a linker, whose crates are here or can be fetched."""
    remedy = "needs:rust:Rust 1.84 or newer from rustup and a C linker, where cargo reaches a crate registry"
    if shutil.which("cargo") is None or shutil.which("cc") is None:
        pytest.skip(remedy)
    said = subprocess.run(["cargo", "--version"], capture_output=True, text=True, env=environ, check=False).stdout
    found = re.match(r"cargo (\d+)\.(\d+)", said)
    if found is None or tuple(map(int, found.groups())) < RUST_OLDEST:
        pytest.skip(remedy)
    if not succeeds(environ, "cargo", "fetch", "--locked", folder=EXAMPLES / "rust"):
        pytest.skip(remedy)


@pytest.fixture(scope="session")
def shell():
    if shutil.which("curl") is None:
        pytest.skip("needs:curl:apt install curl")


@pytest.fixture(scope="session")
def node():
    """The newest Node.js runtime here, and npm beside it."""
    found = [name for name, row in listed_runtimes().items() if row["available"] and name.startswith("nodejs")]
    if not found or shutil.which("npm") is None:
        pytest.skip("needs:nodejs:apt install nodejs npm")
    return max(found)


@pytest.fixture(scope="session")
def java(environ):
    """Maven, whose plugins and libraries are here or can be fetched, and a JVM that runs functions."""
    if shutil.which("mvn") is None or shutil.which("javac") is None:
        pytest.skip("needs:java:apt install openjdk-17-jdk-headless maven")


def succeeds(environ, *command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, env=environ, timeout=300, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("language", ["go", "rust", "shell", "java"])
def test_an_example_is_built_and_answers(request, deploy, lambda_client, unique_name, tmp_path, language):
    """
    Each speaks the Runtime API in its own way: the answer, what it learns of the invocation, its log, its error.

    A second deployment of the same sources is the same package, so that nothing changes.
    """
    request.getfixturevalue(language)
    folder = EXAMPLES / language
    if language == "java":
        # Maven builds in the folder itself.
        folder = shutil.copytree(folder, tmp_path / "java")
    done = deploy(folder, "--memory", "512", "--timeout", "20", name=unique_name)
    assert done.returncode == 0, done.stderr
    arn, version = done.stdout.split()
    assert (arn.split(":", 6)[6], version) == (unique_name, "$LATEST")

    answer, payload = invoke(lambda_client, unique_name, {"name": "Ada"}, LogType="Tail")
    assert "FunctionError" not in answer, payload
    assert payload == {
        "greeting": "Hello, Ada!",
        "function": unique_name,
        "version": "$LATEST",
        "request_id": answer["ResponseMetadata"]["RequestId"],
        "memory_mib": 512,
    }
    assert "about to greet Ada\n" in tail_of(answer)
    assert invoke(lambda_client, unique_name, {})[1]["greeting"] == "Hello, world!"

    failed, error = invoke(lambda_client, unique_name, {"name": ""}, LogType="Tail")
    assert failed["FunctionError"] == "Unhandled"
    text = "an empty name" if language != "shell" else "the handler ended with an error, see its log"
    assert error["errorMessage"] == text
    # The runtime goes on after it, in the same environment.
    assert "Init Duration" not in tail_of(invoke(lambda_client, unique_name, {}, LogType="Tail")[0])

    before = lambda_client.get_function_configuration(FunctionName=unique_name)
    again = deploy(folder, name=unique_name)
    assert (again.returncode, again.stdout) == (0, done.stdout), again.stderr
    assert "code and configuration are as they were" in again.stderr
    after = lambda_client.get_function_configuration(FunctionName=unique_name)
    assert (after["RevisionId"], after["CodeSha256"]) == (before["RevisionId"], before["CodeSha256"])


@pytest.mark.parametrize(("example", "needed"), [("hello", "runtime"), ("nodejs", "node")])
def test_an_example_of_plain_modules_is_deployed(request, deploy, lambda_client, unique_name, example, needed):
    """Nothing is built; the handler is found."""
    runtime = request.getfixturevalue(needed)
    done = deploy(EXAMPLES / example, "--runtime", runtime, name=unique_name)
    assert done.returncode == 0, done.stderr
    answer, told = invoke(lambda_client, unique_name, {"name": "Ada"})
    assert (told["greeting"], told["runtime"]) == ("Hello, Ada!", f"AWS_Lambda_{runtime}"), answer


def wheel(folder, name, source):
    """Write the least wheel of one module; return its file's name."""
    info = f"{name}-1.0.dist-info"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", source)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path.name


SOURCE = """
import os, dependency

def handler(event, context):
    return [dependency.answer(), os.environ.get("STAGE"), context.memory_limit_in_mb]
"""


def test_python_brings_what_it_requires(deploy, lambda_client, unique_name, tmp_path, runtime):
    """Requirements are installed into the package; the next deployment brings new code and configuration, published."""
    (tmp_path / "requirements.txt").write_text("./" + wheel(tmp_path, "dependency", "def answer(): return 'first'"))
    (tmp_path / "app.py").write_text(SOURCE)
    options = ("--runtime", runtime, "--env", "STAGE=one")
    done = deploy(tmp_path, *options, name=unique_name)
    assert done.returncode == 0, done.stderr
    assert "running `pip install" in done.stderr
    assert invoke(lambda_client, unique_name)[1] == ["first", "one", "128"]

    wheel(tmp_path, "dependency", "def answer(): return 'second'")
    done = deploy(tmp_path, "--env", "STAGE=two", "--memory", "256", "--publish", name=unique_name)
    assert done.returncode == 0, done.stderr
    arn, version = done.stdout.split()
    assert (arn.rpartition(":")[2], version) == ("1", "1")
    assert invoke(lambda_client, arn)[1] == ["second", "two", "256"]


def test_nodejs_brings_what_it_depends_on(node, deploy, lambda_client, unique_name, tmp_path):
    """`npm ci` installs what is locked into a copy, the links that it makes included; the folder stays as it was."""
    (tmp_path / "lib").mkdir()
    described = {"name": "dependency", "version": "1.0.0", "type": "module", "exports": "./index.js"}
    (tmp_path / "lib" / "package.json").write_text(json.dumps(described))
    (tmp_path / "lib" / "index.js").write_text("export const answer = () => 'from the dependency';")
    own = {"name": "own", "version": "1.0.0", "dependencies": {"dependency": "file:lib"}}
    (tmp_path / "package.json").write_text(json.dumps(own))
    packages = {
        "": own,
        "lib": {"name": "dependency", "version": "1.0.0"},
        "node_modules/dependency": {"resolved": "lib", "link": True},
    }
    lock = {"name": "own", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    (tmp_path / "index.mjs").write_text(
        "import { answer } from 'dependency';\nexport const handler = async () => [answer(), process.env.STAGE];"
    )
    done = deploy(tmp_path, "--runtime", node, "--env", "STAGE=one", name=unique_name)
    assert done.returncode == 0, done.stderr
    assert "running `npm ci --omit=dev`" in done.stderr
    assert invoke(lambda_client, unique_name)[1] == ["from the dependency", "one"]
    assert not (tmp_path / "node_modules").exists()


def test_a_requirement_that_cannot_be_had_is_pips_to_explain(deploy, lambda_client, unique_name, tmp_path):
    """Its last words, one line, and no function."""
    (tmp_path / "requirements.txt").write_text("./missing-1.0-py3-none-any.whl")
    (tmp_path / "app.py").write_text("def handler(e, c): ...")
    done = deploy(tmp_path, name=unique_name)
    assert (done.returncode, done.stdout) == (1, "")
    assert "missing-1.0-py3-none-any.whl" in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("lambent: `pip install -r requirements.txt` failed with exit code 1")
    with pytest.raises(lambda_client.exceptions.ResourceNotFoundException):
        lambda_client.get_function(FunctionName=unique_name)


def test_what_go_refuses_is_shown(go, deploy, unique_name, tmp_path):
    """The compiler's own line, with file and position; a library is told from a program."""
    (tmp_path / "go.mod").write_text("module broken\n\ngo 1.18\n")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() { missing() }\n")
    done = deploy(tmp_path, name=unique_name)
    assert done.returncode == 1
    assert re.search(r"main\.go:3:\d+: undefined: missing", done.stderr), done.stderr
    assert "Traceback" not in done.stderr

    (tmp_path / "main.go").write_text("package library\n\nfunc Answer() int { return 42 }\n")
    done = deploy(tmp_path, name=unique_name)
    assert done.returncode == 1
    assert "holds a library" in done.stderr.splitlines()[-1]


def test_what_rust_refuses_is_shown(rust, deploy, unique_name, tmp_path):
    """The compiler's error, without the JSON that cargo reports programs with; then the same, mended, is deployed."""
    (tmp_path / "src").mkdir()
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "broken"\nversion = "0.1.0"\nedition = "2021"\n')
    main = tmp_path / "src" / "main.rs"
    main.write_text("fn main() { missing() }\n")
    done = deploy(tmp_path, name=unique_name)
    assert done.returncode == 1
    assert "cannot find function `missing`" in done.stderr
    assert '"reason"' not in done.stderr
    main.write_text("fn main() {}\n")
    done = deploy(tmp_path, name=unique_name)
    assert done.returncode == 0, done.stderr


# -- what AWS's clients for Go and Rust meet -----------------------------------------------------------------------


@pytest.fixture(scope="module", params=["go", "rust"])
def program(request, environ, server, tmp_path_factory):
    """A function that does as it is told, with the dependencies of its language's example."""
    language = request.param
    request.getfixturevalue(language)
    folder = tmp_path_factory.mktemp(language)
    if language == "go":
        kept, source, text = ("go.mod", "go.sum"), folder / "main.go", GO_PROGRAM
    else:
        kept, source, text = ("Cargo.toml", "Cargo.lock"), folder / "src" / "main.rs", RUST_PROGRAM
    for name in kept:
        # Under a name of its own: programs of one name would replace each other in the folder that cargo keeps.
        (folder / name).write_text((EXAMPLES / language / name).read_text().replace("hello-rust", "program"))
    source.parent.mkdir(exist_ok=True)
    source.write_text(text)
    name = f"deploy-program-{language}"
    options = ("--name", name, "--timeout", "20", "--memory", "512", "--env", "STAGE=test")
    command = [LAMBENT, "deploy", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    yield name
    server.client("lambda").delete_function(FunctionName=name)


def test_a_program_learns_of_its_invocation(program, lambda_client):
    """All that the Runtime API's headers and the environment carry."""
    # Rust's client takes no client context without these five.
    of_client = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")
    context = json.dumps({"client": dict.fromkeys(of_client, "x"), "env": {}, "custom": {"key": "value"}})
    encoded = base64.b64encode(context.encode()).decode()
    answer, told = invoke(lambda_client, program, {"do": "context"}, ClientContext=encoded)
    assert "FunctionError" not in answer, told
    shown = lambda_client.get_function_configuration(FunctionName=program)
    assert (told["request_id"], told["arn"]) == (answer["ResponseMetadata"]["RequestId"], shown["FunctionArn"])
    assert 10_000 < told["left_ms"] <= 20_000
    assert told["trace"].startswith("Root=1-")
    assert re.fullmatch(rf"/aws/lambda/{program} \d{{4}}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{{32}}", told["log"])
    assert (told["custom"], told["environment"]) == ("value", "test")


def test_a_program_gets_and_gives_any_payload(program, lambda_client):
    """Every kind of JSON, text beyond ASCII, and as much of it as AWS takes."""
    for what in (None, 0, -1.5, "grüße 世界 🦀", [], {"a": {"b": [True, None]}}, "x" * (6 * 1024 * 1024 - 100)):
        answer, told = invoke(lambda_client, program, {"do": "echo", "what": what})
        assert "FunctionError" not in answer
        assert told == what


def test_a_program_that_fails_says_what_failed(program, lambda_client):
    """The type and text of its error; the environment serves on."""
    answer, told = invoke(lambda_client, program, {"do": "fail"})
    assert answer["FunctionError"] == "Unhandled"
    assert told["errorMessage"] == "too bad"
    # Rust's client sees a boxed error, and says so.
    assert told["errorType"] == "TooBad" or "Box<dyn core::error::Error" in told["errorType"]
    answer, _ = invoke(lambda_client, program, {}, LogType="Tail")
    assert "Init Duration" not in tail_of(answer)


def test_a_program_streams(program, lambda_client):
    """As its language's client sends it: Rust's with a prelude for HTTP, Go's without naming the mode."""

    def stream(**event):
        answer = lambda_client.invoke_with_response_stream(FunctionName=program, Payload=json.dumps(event))
        *pieces, end = answer["EventStream"]
        return b"".join(piece["PayloadChunk"]["Payload"] for piece in pieces), end["InvokeComplete"]

    prelude, _, body = stream(do="stream")[0].rpartition(bytes(8))
    assert body == b"piece 0,piece 1,piece 2,"
    assert prelude == b"" or json.loads(prelude)["statusCode"] == 200
    assert stream(do="echo", what="whole") == (b'"whole"', {})
    body, end = stream(do="fail")
    assert (body, end["ErrorCode"], json.loads(end["ErrorDetails"])["errorMessage"]) == (b"", "Unhandled", "too bad")
    if "-go" in program:
        body, end = stream(do="stream", what=True)
        assert (body, json.loads(end["ErrorDetails"])["errorType"]) == (b"piece 0,piece 1,piece 2,", "TooBad")


def test_a_program_that_panics_fails_its_invocation_alone(program, lambda_client):
    """Go's client reports it and exits, Rust's goes on: the next invocation is answered either way."""
    answer, told = invoke(lambda_client, program, {"do": "panic"})
    assert answer["FunctionError"] == "Unhandled"
    assert "boom" in told["errorMessage"]
    assert invoke(lambda_client, program, {"what": "still here"})[1] == "still here"


def test_a_program_that_exits_fails_its_invocation_alone(program, lambda_client):
    """The exit status is told."""
    answer, told = invoke(lambda_client, program, {"do": "exit"})
    assert (answer["FunctionError"], told["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert told["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")
    assert invoke(lambda_client, program, {"what": "still here"})[1] == "still here"


def test_what_a_program_prints_is_logged_in_order(program, lambda_client):
    """Both outputs, as they were written."""
    answer, _ = invoke(lambda_client, program, {"do": "print"}, LogType="Tail")
    lines = tail_of(answer).splitlines()
    assert [line for line in lines if line.startswith("to std")] == ["to stdout", "to stderr", "to stdout again"]


def test_a_program_that_takes_too_long_is_ended(program, lambda_client):
    """At its timeout; the next invocation is answered."""
    lambda_client.update_function_configuration(FunctionName=program, Timeout=1)
    wait_updated(lambda_client, program)
    answer, told = invoke(lambda_client, program, {"do": "sleep"})
    assert (answer["FunctionError"], told["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert told["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    lambda_client.update_function_configuration(FunctionName=program, Timeout=20)
    wait_updated(lambda_client, program)
    assert invoke(lambda_client, program, {"what": "still here"})[1] == "still here"
