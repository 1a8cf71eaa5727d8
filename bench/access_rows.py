"""Rows about access: what signatures and policies cost a warm invocation."""

import re
import statistics
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.load import build_request, invoke_request, run_load
from bench.processes import Server, cpu_ns
from bench.table import Bound, Line
from bench.targets import EVENT, Target, TargetFailed, scratch_folder, start_lambent
from bench.yardsticks import interleave

if TYPE_CHECKING:
    from bench.rows import Plan

_WARM_UP = 800
_USER = "bench"
_POLICY = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"lambda:InvokeFunction",'
    '"Resource":"arn:aws:lambda:us-east-1:000000000000:function:bench-*"}}'
)


def measure_access(plan: "Plan") -> list[Line]:
    """
    Count warm invocations by eight clients on a server that verifies and evaluates, and on one that takes any key.

    The caller is a user with one policy. Requests are signed anew for each sample, before its clock starts.
    """
    with scratch_folder() as folder:
        strict, lax = folder / "strict", folder / "lax"
        for data_dir in (strict, lax):
            data_dir.mkdir(mode=0o711)
            # Any key is taken at first: functions and the user are made so.
            with start_lambent(data_dir) as server:
                Target(server, plan.runtime).create(["bench-hello"])
                if data_dir == strict:
                    key = _make_user(server.url)
        with start_lambent(strict, "--auth", "required") as verifying, start_lambent(lax) as open_to_all:

            def signed() -> list[bytes]:
                return [_signed_invoke(verifying.url, *key)]

            def unsigned() -> list[bytes]:
                return [invoke_request(open_to_all.url, "bench-hello", EVENT)]

            def rate(server: Server, requests: Callable[[], list[bytes]]) -> Callable[[], float]:
                def sample() -> float:
                    made = requests()
                    return run_load(server.url, made, concurrency=8, count=600).per_second

                run_load(server.url, requests(), concurrency=8, count=_WARM_UP)
                return sample

            def cost(server: Server, requests: Callable[[], list[bytes]]) -> Callable[[], float]:
                def sample() -> float:
                    made = requests()
                    before = cpu_ns(server.pid)
                    run_load(server.url, made, concurrency=1, count=400)
                    return (cpu_ns(server.pid) - before) / 400e9

                return sample

            _check_refused(verifying.url)
            rates = interleave(rate(verifying, signed), rate(open_to_all, unsigned), rounds=plan.rounds)
            costs = interleave(cost(verifying, signed), cost(open_to_all, unsigned), rounds=plan.rounds)
    served, freely = (statistics.median(sample) for sample in rates)
    dear, cheap = (statistics.median(sample) for sample in costs)
    return [
        Line(
            "warm throughput, signatures verified and policies evaluated, concurrency 8",
            f"{served:.0f} /s",
            f"{freely:.0f} /s, any key taken",
            served / freely,
            required=Bound(0.85, is_upper=False),
        ),
        Line.of_times("the server's processor time for one warm invocation, likewise", dear, cheap, "any key taken"),
    ]


def _make_user(url: str) -> tuple[str, str]:
    """Make a user with one policy and a key; return the key."""
    _iam(url, Action="CreateUser", UserName=_USER)
    _iam(url, Action="PutUserPolicy", UserName=_USER, PolicyName="invoke", PolicyDocument=_POLICY)
    answer = _iam(url, Action="CreateAccessKey", UserName=_USER)
    found = (
        re.search("<AccessKeyId>(.+)</AccessKeyId>", answer),
        re.search("<SecretAccessKey>(.+)</SecretAccessKey>", answer),
    )
    if found[0] is None or found[1] is None:
        raise TargetFailed(f"CreateAccessKey answered {answer[:300]}")
    return found[0][1], found[1][1]


def _iam(url: str, **parameters: str) -> str:
    form = urllib.parse.urlencode({**parameters, "Version": "2010-05-08"}).encode()
    head = build_request(url, "POST", "/", form, service="iam").split(b"\r\n\r\n")[0].decode()
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    with urllib.request.urlopen(urllib.request.Request(url + "/", form, headers), timeout=30) as answer:
        return str(answer.read().decode())


def _signed_invoke(url: str, access_key: str, secret_key: str) -> bytes:
    """Return an Invoke as botocore signs it."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    path = "/2015-03-31/functions/bench-hello/invocations"
    request = AWSRequest("POST", url + path, data=EVENT, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(access_key, secret_key), "lambda", "us-east-1").add_auth(request)
    headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n{headers}Content-Length: {len(EVENT)}\r\n\r\n"
    return head.encode() + EVENT


def _check_refused(url: str) -> None:
    """See that the server does verify: a figure of one that does not would say nothing."""
    from bench.load import BadAnswer

    try:
        run_load(url, [invoke_request(url, "bench-hello", EVENT)], concurrency=1, count=1)
    except BadAnswer:
        return
    raise TargetFailed("the server that should verify signatures took one that is none")
