"""
The suite of runtimes on what packages bring themselves: AWS's clients for Go and Rust, and a shell with curl.

Each language has one program, which does what its handler says; it is built once, with what `tests/wire/test_deploy.py`
keeps between runs.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from conformance.machine import RuntimesHome, walled_driver

from lambent.cli.build_tool import Builder
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Language, Order
from lambent.cli.languages.go import Go
from lambent.cli.languages.rust import Rust
from lambent.clock import SystemClock
from lambent.runtimes.contract import Runtimes
from lambent.testing.conformance.runtime import (
    FUNCTION_ARN,
    REQUEST_ID,
    TRACE_HEADER,
    Answered,
    RuntimeConformance,
)

CHECKOUT = Path(__file__).resolve().parents[2]
BUILDS = CHECKOUT / ".cache" / "deploy"

SHELL = r"""#!/bin/sh
set -e
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
scratch=$(mktemp -d)
if [ "$_HANDLER" = init_error ]; then exit 1; fi
if [ "$_HANDLER" = goodbye ]; then trap 'echo goodbye; exit 0' TERM; fi
while :; do
  # A shell deals with a signal when the program has ended that it waits for, unless it does so by `wait`.
  curl -sS -D "$scratch/head" -o "$scratch/event" "$api/invocation/next" & wait $!
  header() { tr -d '\r' < "$scratch/head" | sed -n "s/^$1: //Ip"; }
  id=$(header lambda-runtime-aws-request-id)
  kind=response
  cp "$scratch/event" "$scratch/answer"
  case $_HANDLER in
    echo) sed -n 's/.*"say": "\([^"]*\)".*/said \1/p' "$scratch/event" | head -c 100 ;;
    error) kind=error; printf '{"errorMessage":"boom","errorType":"Own"}' > "$scratch/answer" ;;
    exit) exit 3 ;;
    order) echo one; echo two >&2; echo three; echo '"ordered"' > "$scratch/answer" ;;
    environment)
      printf '["%s","%s","%s","%s"]' "$OWN" "$_HANDLER" "$AWS_REGION" "${AWS_EXECUTION_ENV-unset}" \
        > "$scratch/answer" ;;
    context)
      arn=$(header lambda-runtime-invoked-function-arn)
      printf '["%s","%s","%s","%s","%s"]' "$id" "$arn" "$AWS_LAMBDA_FUNCTION_NAME" \
        "$AWS_LAMBDA_FUNCTION_MEMORY_SIZE" "$(header lambda-runtime-deadline-ms)" > "$scratch/answer" ;;
    trace) printf '"%s"' "$(header lambda-runtime-trace-id)" > "$scratch/answer" ;;
  esac
  curl -sS -o /dev/null --data-binary "@$scratch/answer" "$api/invocation/$id/$kind"
done
"""

GO = """
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func handle(ctx context.Context, event json.RawMessage) (any, error) {
	switch filepath.Base(os.Getenv("_HANDLER")) {
	case "error":
		return nil, errors.New("boom")
	case "exit":
		os.Exit(3)
	case "order":
		fmt.Println("one")
		fmt.Fprintln(os.Stderr, "two")
		fmt.Println("three")
		return "ordered", nil
	case "environment":
		execution, found := os.LookupEnv("AWS_EXECUTION_ENV")
		if !found {
			execution = "unset"
		}
		return []string{os.Getenv("OWN"), os.Getenv("_HANDLER"), os.Getenv("AWS_REGION"), execution}, nil
	case "context":
		invocation, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return []string{invocation.AwsRequestID, invocation.InvokedFunctionArn, lambdacontext.FunctionName,
			fmt.Sprint(lambdacontext.MemoryLimitInMB), fmt.Sprint(deadline.UnixMilli())}, nil
	case "trace":
		return ctx.Value("x-amzn-trace-id"), nil
	}
	said := struct{ Say string }{}
	if json.Unmarshal(event, &said) == nil && said.Say != "" {
		fmt.Println("said", said.Say)
	}
	return event, nil
}

func main() {
	switch filepath.Base(os.Getenv("_HANDLER")) {
	case "init_error":
		panic("not today")
	case "goodbye":
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		go func() {
			<-asked
			fmt.Println("goodbye")
			os.Exit(0)
		}()
	}
	lambda.Start(handle)
}
"""

RUST = """
use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::{json, Value};
use std::env::var;

extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn write(descriptor: i32, text: *const u8, size: usize) -> isize;
    fn _exit(status: i32) -> !;
}

extern "C" fn leave(_number: i32) {
    unsafe {
        write(1, b"goodbye\n".as_ptr(), 8);
        _exit(0)
    }
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (given, context) = event.into_parts();
    match var("_HANDLER")?.as_str() {
        "error" => return Err("boom".into()),
        "exit" => std::process::exit(3),
        "order" => {
            println!("one");
            eprintln!("two");
            println!("three");
            return Ok(json!("ordered"));
        }
        "environment" => {
            let execution = var("AWS_EXECUTION_ENV").unwrap_or("unset".to_string());
            return Ok(json!([var("OWN")?, var("_HANDLER")?, var("AWS_REGION")?, execution]));
        }
        "context" => {
            let own = &context.env_config;
            return Ok(json!([
                context.request_id, context.invoked_function_arn, own.function_name,
                own.memory.to_string(), context.deadline.to_string()
            ]));
        }
        "trace" => return Ok(json!(context.xray_trace_id)),
        _ => {}
    }
    if let Some(say) = given["say"].as_str() {
        println!("said {say}");
    }
    Ok(given)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match var("_HANDLER")?.as_str() {
        "init_error" => return Err("not today".into()),
        "goodbye" => unsafe { signal(15, leave) },
        _ => 0,
    };
    run(service_fn(handle)).await
}
"""


@pytest.fixture(scope="module", autouse=True)
def _home() -> Iterator[None]:
    BroughtConformance.home = home = RuntimesHome()
    yield
    home.remove()


class BroughtConformance(RuntimeConformance):
    """What a runtime of a package shows beyond the suite. Its program does what its handler says."""

    home: ClassVar[RuntimesHome]
    runtime = "provided.al2023"
    program: ClassVar[bytes]
    error_type: ClassVar[str]
    """What an error whose message is `boom` is called, as a regular expression."""

    def make_runtimes(self, has_own_root: bool) -> Runtimes:
        return self.home.runtimes("none", has_own_root)

    def run(self, name: str, *events: Any, **given: Any) -> list[Answered]:
        return self.run_files({"bootstrap": self.program}, *events, handler=name, **given)

    def test_unicode_passes(self) -> None:
        """PL-02: characters of every plane, and control characters, come back as they were."""
        text = "愛 😀 é ’ \u0000 \x7f \u2028"
        (answer,) = self.run("echo", {"t": text, text: 1})
        assert answer.json() == {"t": text, text: 1}

    def test_an_error_is_told_as_its_language_does(self) -> None:
        """The body is the client's own: message and type, and no trace."""
        (answer,) = self.run("error", {})
        told = answer.json()
        assert set(told) == {"errorMessage", "errorType"}
        assert told["errorMessage"] == "boom"
        assert re.fullmatch(self.error_type, told["errorType"])

    def test_output_keeps_its_order(self) -> None:
        """Both streams share one pipe."""
        (answer,) = self.run("order", {})
        assert answer.json() == "ordered"
        assert [line for line in answer.output.splitlines() if line in {"one", "two", "three"}] == [
            "one",
            "two",
            "three",
        ]

    def test_the_environment_is_lambdas(self) -> None:
        """A variable of the user is there; AWS_EXECUTION_ENV is not."""
        (answer,) = self.run("environment", {}, variables={"OWN": "é"})
        assert answer.json() == ["é", "environment", "us-east-1", "unset"]

    def test_the_context_tells_of_the_invocation(self) -> None:
        """RT-03, RT-04 a: what headers and variables say reaches the program through its client."""
        (answer,) = self.run("context", {})
        *told, deadline_ms = answer.json()
        assert told == [REQUEST_ID, FUNCTION_ARN, "hello", "256"]
        assert 0 < int(deadline_ms) - time.time() * 1000 <= 30_000
        (answer,) = self.run("trace", {})
        assert answer.json() == TRACE_HEADER


def _built(language: Language, name: str, files: Mapping[str, str], tmp: Path) -> bytes:
    """Build a program as `lambent deploy` does, in a folder that is kept."""
    folder = BUILDS / f"conformance-{name}"
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # As it was where it is the same: tools go by dates.
        if not target.is_file() or target.read_text() != text:
            target.write_text(text)
    builder = Builder(SystemClock(), environ=_environ())
    (made,) = language.build(Order(folder, tmp, "provided.al2023", name), builder)
    return (made / "bootstrap").read_bytes()


def _environ() -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LAMBENT_", "AWS_"))},
        "GOCACHE": str(BUILDS / "go"),
        "CARGO_TARGET_DIR": str(BUILDS / "rust"),
        # What the compiler leaves undone is not tested here, and takes the larger part of its time.
        "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
    }


def _of_example(language: str, *names: str) -> dict[str, str]:
    """Return the files of an example by which its dependencies are locked."""
    texts = {name: (CHECKOUT / "examples" / language / name).read_text() for name in names}
    return {name: text.replace("hello-rust", "conformance") for name, text in texts.items()}


@pytest.fixture(scope="session")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    remedy = "needs:go:apt install golang-go, where Go reaches a module proxy"
    if shutil.which("go") is None:
        pytest.skip(remedy)
    files = {**_of_example("go", "go.mod", "go.sum"), "main.go": GO}
    try:
        return _built(Go(), "go", files, tmp_path_factory.mktemp("go"))
    except CommandFailed as failed:
        pytest.skip(f"{remedy} ({failed})")


@pytest.fixture(scope="session")
def go_program_with_rpc(go_program: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The same as people built it for go1.x, with net/rpc in it."""
    made = tmp_path_factory.mktemp("go1") / "main"
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-o", str(made), "."]
    environ = {**_environ(), "CGO_ENABLED": "0"}
    subprocess.run(command, cwd=BUILDS / "conformance-go", env=environ, check=True, capture_output=True)
    return made.read_bytes()


@pytest.fixture(scope="session")
def rust_program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    remedy = "needs:rust:Rust 1.84 or newer from rustup and a C linker, where cargo reaches a crate registry"
    if shutil.which("cargo") is None or shutil.which("cc") is None:
        pytest.skip(remedy)
    files = {**_of_example("rust", "Cargo.toml", "Cargo.lock"), "src/main.rs": RUST}
    try:
        return _built(Rust(), "rust", files, tmp_path_factory.mktemp("rust"))
    except CommandFailed as failed:
        pytest.skip(f"{remedy} ({failed})")


class TestGo(BroughtConformance):
    """aws-lambda-go, as `lambent deploy` builds it."""

    error_type: ClassVar = "errorString"

    @pytest.fixture(autouse=True)
    def _program(self, go_program: bytes) -> None:
        type(self).program = go_program


class TestGoWalled(TestGo):
    """The same behind walls."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        cls.driver = walled_driver()


class TestGo1x(BroughtConformance):
    """`go1.x`, whose handler names the program."""

    runtime = "go1.x"
    error_type: ClassVar = "errorString"

    @pytest.fixture(autouse=True)
    def _program(self, go_program_with_rpc: bytes) -> None:
        type(self).program = go_program_with_rpc

    def run(self, name: str, *events: Any, **given: Any) -> list[Answered]:
        return self.run_files({f"bin/{name}": self.program}, *events, handler=f"bin/{name}", **given)

    def test_the_environment_is_lambdas(self) -> None:
        """AWS_EXECUTION_ENV is set, as on AWS."""
        (answer,) = self.run("environment", {}, variables={"OWN": "é"})
        assert answer.json() == ["é", "bin/environment", "us-east-1", "AWS_Lambda_go1.x"]


class TestGo1xWalled(TestGo1x):
    """The same behind walls."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        cls.driver = walled_driver()


class TestRust(BroughtConformance):
    """lambda_runtime, as `lambent deploy` builds it."""

    # The client sees a boxed error, and names its type as the compiler does.
    error_type: ClassVar = r"&alloc::boxed::Box<dyn core::error::Error\b.*>"

    @pytest.fixture(autouse=True)
    def _program(self, rust_program: bytes) -> None:
        type(self).program = rust_program


class TestRustWalled(TestRust):
    """The same behind walls."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        cls.driver = walled_driver()


class TestShell(BroughtConformance):
    """A shell and curl."""

    program: ClassVar = SHELL.encode()
    error_type: ClassVar = "Own"

    @pytest.fixture(autouse=True)
    def _needs_curl(self) -> None:
        if shutil.which("curl") is None:
            pytest.skip("needs:curl:apt install curl")

    def test_a_layer_may_bring_the_bootstrap(self) -> None:
        """A package without one runs on the layer's."""
        (answer,) = self.run_files({"data": ""}, {"n": 1}, layers={"bootstrap": SHELL}, handler="echo")
        assert (answer.kind, answer.json()) == ("response", {"n": 1})

    def test_the_bootstrap_of_the_package_comes_first(self) -> None:
        """Both have one: the package's runs, with the layer's programs on its PATH."""
        files = {"bootstrap": SHELL.replace("echo one;", "tool;")}
        layers = {"bootstrap": "#!/bin/sh\nexit 9\n", "bin/tool": "#!/bin/sh\necho 'of the layer'\n"}
        (answer,) = self.run_files(files, {}, layers=layers, handler="order")
        assert answer.output.startswith("of the layer\n")


class TestShellWalled(TestShell):
    """The same behind walls."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        cls.driver = walled_driver()
