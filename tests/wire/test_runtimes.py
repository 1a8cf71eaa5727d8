"""The Runtime API as runtimes see it: the official Python client, a shell with curl, a static binary."""

import json
import re
import shutil
import subprocess
import time

import pytest
from wire.support import invoke, wait_for, zip_of

# Answers the headers of its own Next and, from the second call on, how the posts of the call before were answered.
PROBE = r"""#!/bin/sh
base="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
work=$(mktemp -d)
post() { curl -sS -o "$work/body" -w '%{http_code} ' -d "$2" "$base/$1"; tr '\n' ' ' < "$work/body"; }
escape() { sed 's/\\/\\\\/g; s/"/\\"/g' | tr -d '\r' | awk '{printf "%s\\n", $0}'; }
before=""
while true; do
  curl -sS -D "$work/head" -o "$work/event" "$base/invocation/next"
  id=$(grep -i '^lambda-runtime-aws-request-id:' "$work/head" | cut -d: -f2 | tr -d '[:space:]')
  answer="{\"head\": \"$(escape < "$work/head")\", \"event\": $(cat "$work/event"), \"before\": \"$before\"}"
  unknown=$(post invocation/00000000-0000-4000-8000-000000000000/response '"never"' | escape)
  late_init=$(post init/error '{}' | escape)
  first=$(post "invocation/$id/response" "$answer" | escape)
  second=$(post "invocation/$id/response" '"second"' | escape)
  before="$unknown$late_init$first$second"
done
"""

FAILING_INIT = r"""#!/bin/sh
error='{"errorMessage": "no database", "errorType": "Runtime.NoDatabase"}'
echo "cannot start"
curl -sS -o /dev/null -d "$error" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/init/error"
exit 1
"""

STATIC = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static char reply[65536];

static void talk(const char *api, const char *head, const char *body) {
    char host[64], request[2048];
    unsigned short port;
    struct sockaddr_in to = {.sin_family = AF_INET};
    sscanf(api, "%63[^:]:%hu", host, &port);
    to.sin_port = htons(port);
    inet_pton(AF_INET, host, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) exit(2);
    int size = snprintf(request, sizeof request,
        "%s HTTP/1.1\r\nhost: %s\r\ncontent-length: %zu\r\nconnection: close\r\n\r\n%s", head, api, strlen(body), body);
    if (write(fd, request, size) != size) exit(3);
    size_t used = 0;
    ssize_t got;
    while (used < sizeof reply - 1 && (got = read(fd, reply + used, sizeof reply - 1 - used)) > 0) used += got;
    reply[used] = 0;
    close(fd);
}

int main(void) {
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    char id[64], head[256], body[128];
    int calls = 0;
    if (!api) return 1;
    for (;;) {
        talk(api, "GET /2018-06-01/runtime/invocation/next", "");
        char *field = strcasestr(reply, "lambda-runtime-aws-request-id:");
        if (!field) return 4;
        sscanf(strchr(field, ':') + 1, " %63s", id);
        snprintf(head, sizeof head, "POST /2018-06-01/runtime/invocation/%s/response", id);
        snprintf(body, sizeof body, "{\"id\": \"%s\", \"calls\": %d}", id, ++calls);
        talk(api, head, body);
    }
}
"""


@pytest.fixture
def make_provided(make_function):
    """Make a function whose package is one executable named bootstrap."""

    def make(program, runtime="provided.al2023", **settings):
        archive = zip_of({"bootstrap": program}, modes={"bootstrap": 0o755})
        return make_function(archive=archive, Runtime=runtime, Handler="unused", Timeout=10, **settings)

    return make


@pytest.fixture
def curl(leave_out):
    if shutil.which("curl") is None:
        leave_out("curl", "apt install curl")


@pytest.fixture(scope="session")
def static_binary(tmp_path_factory):
    """Build a custom runtime without any library."""
    if shutil.which("gcc") is None:
        pytest.skip("needs:gcc:apt install gcc libc6-dev")
    folder = tmp_path_factory.mktemp("static")
    (folder / "bootstrap.c").write_text(STATIC)
    command = ["gcc", "-static", "-O1", "-D_GNU_SOURCE", "-o", folder / "bootstrap", folder / "bootstrap.c"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode != 0 and "-lc" in built.stderr:
        pytest.skip("needs:gcc:apt install gcc libc6-dev")
    assert built.returncode == 0, built.stderr
    return (folder / "bootstrap").read_bytes()


def invoke_warm(client, name, event=None):
    """Invoke so that the answer waits for the runtime's next Next: the call after this one finds it idle."""
    return invoke(client, name, event, LogType="Tail")


def head_of(answer):
    """Return the status line and the headers that the probe got with its event, names in lower case."""
    status, *lines = answer["head"].strip().split("\n")
    return status, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_rt05_next_carries_every_header(curl, lambda_client, make_provided):
    """RT-05: Next answers 200 with Content-Type and the four headers; client context only where one was sent."""
    name = make_provided(PROBE)
    answer, seen = invoke(lambda_client, name, {"k": "é"})
    status, fields = head_of(seen)
    assert status.startswith("HTTP/1.1 200")
    assert seen["event"] == {"k": "é"}
    assert fields["content-type"] == "application/json"
    assert fields["lambda-runtime-aws-request-id"] == answer["ResponseMetadata"]["RequestId"]
    assert 0 < int(fields["lambda-runtime-deadline-ms"]) - time.time() * 1000 <= 10_000
    assert fields["lambda-runtime-invoked-function-arn"].endswith(f":function:{name}")
    assert re.fullmatch(
        r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01].*", fields["lambda-runtime-trace-id"]
    )
    assert "lambda-runtime-client-context" not in fields
    assert "lambda-runtime-cognito-identity" not in fields

    # base64 of {"custom":{"foo":"bar"}}
    _, seen = invoke(lambda_client, name, {}, ClientContext="eyJjdXN0b20iOnsiZm9vIjoiYmFyIn19")
    assert json.loads(head_of(seen)[1]["lambda-runtime-client-context"]) == {"custom": {"foo": "bar"}}


def test_rt05_posts_are_answered_as_documented(curl, lambda_client, make_provided):
    """RT-05: a response is 202; a second one, an unknown id and a late init error are refused and change nothing."""
    name = make_provided(PROBE)
    assert invoke_warm(lambda_client, name, {})[1]["before"] == ""
    answer, seen = invoke_warm(lambda_client, name, {"n": 2})
    assert seen["event"] == {"n": 2}
    unknown, late_init, first, second = (line.strip() for line in seen["before"].strip().split("\n"))
    assert unknown.startswith("400 ")
    assert "InvalidRequestID" in unknown
    assert late_init.startswith("403 ")
    assert json.loads(first.removeprefix("202 ")) == {"status": "OK"}
    assert second[:4] in ("400 ", "403 ")
    assert "FunctionError" not in answer


def test_rt05_an_init_error_is_the_answer(curl, lambda_client, logs_client, make_provided):
    """RT-05: what is posted to init/error is what the caller gets; what was printed before it is in the log."""
    name = make_provided(FAILING_INIT)
    answer, payload = invoke(lambda_client, name)
    assert answer["FunctionError"] == "Unhandled"
    assert payload == {"errorMessage": "no database", "errorType": "Runtime.NoDatabase"}

    def told():
        events = logs_client.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        return any(event["message"] == "cannot start\n" for event in events)

    wait_for(told)


def test_rt05_the_official_python_client_serves_many_calls(lambda_client, make_function):
    """RT-05: one process of the official client answers call after call, errors among them."""
    source = """
import os
N = 0
def handler(e, c):
    global N
    N += 1
    if e.get("fail"):
        raise ValueError(N)
    return [os.environ["AWS_EXECUTION_ENV"], os.environ["_X_AMZN_TRACE_ID"][:7], N]
"""
    name = make_function(source)
    seen = [invoke_warm(lambda_client, name, {"fail": number == 3})[1] for number in range(1, 7)]
    assert seen[2]["errorMessage"] == "3"
    assert [answer[2] for number, answer in enumerate(seen) if number != 2] == [1, 2, 4, 5, 6]
    runtime = lambda_client.get_function_configuration(FunctionName=name)["Runtime"]
    assert seen[0][:2] == [f"AWS_Lambda_{runtime}", "Root=1-"]


@pytest.mark.parametrize("runtime", ["provided.al2023", "provided.al2"])
def test_rt04_a_static_binary_is_a_runtime(static_binary, lambda_client, make_provided, runtime):
    """RT-04 a: a program without libraries or shell, reading headers in lower case, answers several calls."""
    name = make_provided(static_binary, runtime)
    for calls in (1, 2, 3):
        answer, payload = invoke_warm(lambda_client, name)
        assert payload == {"id": answer["ResponseMetadata"]["RequestId"], "calls": calls}


def test_rt04_a_bootstrap_that_exits_fails_its_invocation(lambda_client, make_provided):
    """RT-04: a bootstrap that runs and ends without asking for work is a Runtime.ExitError, with its exit status."""
    name = make_provided("#!/bin/sh\nexit 7\n")
    answer, payload = invoke(lambda_client, name)
    assert (answer["FunctionError"], payload["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert payload["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")
