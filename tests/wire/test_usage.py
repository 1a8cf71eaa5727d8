"""Usage and the bill: what clients saw, by the rules of AWS's pricing page, is what is told; whoever may sees it."""

import csv
import io
import json
import math
import os
import re
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from wire import urls
from wire.iam import trusting
from wire.signed import TEST, Key, SignedServer, ask_signed
from wire.support import ACCOUNT, LAMBENT, FunctionMaker, Server, around_today, invoke, wait_for
from wire.test_nodejs import newest_with_callbacks

MIB = 1024 * 1024

# Documented: Lambda pricing, US East, x86: a request, a GB-second, a GB-second of provisioned concurrency and of what
# runs in it, a GB streamed beyond 6 MB of each response.
REQUEST, GB_SECOND, KEPT, RUN_IN_KEPT, STREAMED_GB = (
    Decimal(text) for text in ("0.0000002", "0.0000166667", "0.0000041667", "0.0000097222", "0.008")
)

# What every REPORT line says, and what the one of a cold start does.
REPORT = re.compile(
    r"REPORT RequestId: (?P<id>\S+)\tDuration: (?P<ms>[\d.]+) ms\tBilled Duration: (?P<billed>\d+) ms\t"
    r"Memory Size: (?P<memory>\d+) MB\tMax Memory Used: (?P<peak>\d+) MB\t(?:Init Duration: (?P<init>[\d.]+) ms\t)?"
)

SOURCE = """
import time
def handler(event, context):
    time.sleep((event or {}).get("sleep_s", 0))
    if (event or {}).get("fail"):
        raise ValueError("boom")
    return "done"
"""

STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.write(Buffer.alloc(event.bytes, 'x'));
  stream.end();
});
"""


def ask(server, path="usage", *, key=TEST, **query):
    """Return status and answer of one of the paths, as whoever has a key sees it; of all days where none are named."""
    if path != "usage/prices" and "from" not in query:
        query = around_today() | query
    target = f"/_lambent/{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
    reply = ask_signed(server.endpoint, target, key=key, service="lambent")
    is_json = reply.one("content-type") == "application/json"
    return reply.status, reply.json if is_json else reply.body.decode()


def told(server, path="usage", **query):
    """Return an answer that is none of a refusal."""
    status, answer = ask(server, path, **query)
    assert status == 200, answer
    return answer


def by_group(server, **query):
    """Return rows by group, of a question that has one row for each."""
    rows = told(server, **query)["rows"]
    assert len({row["group"] for row in rows}) == len(rows)
    return {row["group"]: row for row in rows}


def without_here(total):
    """
    Return a sum of all but what it cost here.

    That moves with time while all have more than the machine has: a month's first moments, environments paid ahead.
    """
    return {name: value for name, value in total.items() if name != "here_cost"}


def lambent(server, *arguments, key=TEST, **environ):
    """Run `lambent usage`; return its exit code, output and complaint."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "LAMBENT_"))}
    kept |= {
        "LAMBENT_ENDPOINT": server.endpoint,
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = subprocess.run(
        [LAMBENT, "usage", *arguments], capture_output=True, text=True, env=kept | environ, timeout=120, check=False
    )
    return done.returncode, done.stdout, done.stderr


def printed(server, *arguments, **how):
    """Return the output of a command that works."""
    code, out, err = lambent(server, *arguments, **how)
    assert (code, err) == (0, "")
    return out


def reports(server, name, account=ACCOUNT):
    """Return what the REPORT lines of a function say."""
    logs = server.client("logs", account=account)
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{name}", filterPattern='"REPORT RequestId"'
    )
    return [REPORT.match(event["message"]).groupdict() for page in pages for event in page["events"]]


def check(row, lines):
    """A row is the sum of REPORT lines, by AWS's rules."""
    assert row["requests"] == len(lines)
    assert row["billed_ms"] == sum(int(line["billed"]) for line in lines)
    assert row["cold_starts"] == sum(line["init"] is not None for line in lines)
    assert row["memory_peak_mib"] == max(int(line["peak"]) for line in lines)
    assert row["duration_ms"] == pytest.approx(sum(float(line["ms"]) for line in lines), abs=0.01 * len(lines))
    gb_seconds = sum(int(line["billed"]) * int(line["memory"]) for line in lines) / 1024 / 1000
    assert row["gb_seconds"] == pytest.approx(gb_seconds, rel=1e-6)
    for line in lines:
        # Rounded up to the next millisecond, init included; REPORT itself has rounded to hundredths.
        exact = float(line["ms"]) + float(line["init"] or 0)
        assert math.ceil(exact - 0.011) <= int(line["billed"]) <= math.ceil(exact + 0.011)


def cost_of(row, *, gb_second=GB_SECOND):
    """Return what AWS asks for a row of x86 functions without larger /tmp, beyond what is free."""
    amounts = (
        row["requests"] * REQUEST,
        Decimal(repr(row["gb_seconds"])) * gb_second,
        Decimal(repr(row["provisioned_gb_seconds"])) * KEPT,
        Decimal(row["billable_streamed_bytes"]) / 2**30 * STREAMED_GB,
    )
    return float(sum(amounts))


@pytest.fixture(scope="module")
def billing(server, tmp_path_factory):
    """A server on which minutes of retries are parts of a second, nothing is free, and the machine costs something."""
    file = tmp_path_factory.mktemp("prices") / "prices.toml"
    # What it prints is what it takes.
    built_in = printed(server, "--prices")
    file.write_text(re.sub(r"(?m)^(requests|gb_seconds|streamed_gb) = .*$", r"\1 = 0", built_in))
    made = Server(
        None, "--async-time-scale", "0.005", "--machine-cost-per-hour", "3.6", "--price-file", str(file)
    ).start()
    yield made
    made.discard()


_accounts = iter(range(800_000_000_001, 900_000_000_000))


class Team:
    """An account of its own on a server."""

    def __init__(self, server, runtime):
        self.server = server
        self.account = str(next(_accounts))
        self.key = Key(self.account, "test")
        self.client = server.client("lambda", account=self.account)
        self.make = FunctionMaker(self.client, runtime, "f")
        self.ids = []
        """Of all invocations that its clients know of."""

    def call(self, name, event=None, **options):
        begun = time.monotonic()
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event or {}).encode(), **options)
        answer["Payload"].read()
        self.ids.append(answer["ResponseMetadata"]["RequestId"])
        return time.monotonic() - begun

    def ask(self, path="usage", **query):
        return told(self.server, path, key=self.key, **query)

    def by_group(self, **query):
        return by_group(self.server, key=self.key, **query)

    def reports(self, name, count):
        """Return a function's REPORT lines once there are so many."""

        def all_of_them():
            found = reports(self.server, name, self.account)
            return found if len(found) >= count else None

        found = wait_for(all_of_them)
        assert len(found) == count
        return found


@pytest.fixture
def team(billing, runtime):
    return Team(billing, runtime)


def test_what_clients_saw_is_what_is_billed(team):
    """By function, version, alias, tag and tenant; retries of events count again, and sums agree."""
    name = team.make(SOURCE, name="f", Tags={"team": "red", "stage": "prod"}, MemorySize=256)
    team.client.publish_version(FunctionName=name)
    team.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    tenants = team.make(SOURCE, name="t", TenancyConfig={"TenantIsolationMode": "PER_TENANT"}, Tags={"team": "blue"})
    waited = [team.call(name, {"sleep_s": 0.05}) for _ in range(3)]
    waited += [team.call(f"{name}:live"), team.call(f"{name}:live", {"fail": True}), team.call(f"{name}:1")]
    for tenant in ("blue", "blue", "green"):
        team.call(tenants, TenantId=tenant)
    team.call(name, {"fail": True}, InvocationType="Event")
    lines = team.reports(name, 9)
    # The one that failed asynchronously ran three times, with one id.
    assert max(Counter(line["id"] for line in lines).values()) == 3

    functions = team.by_group()
    check(functions["f"], lines)
    check(functions["t"], team.reports(tenants, 3))
    assert (functions["f"]["errors"], functions["t"]["errors"]) == (4, 0)
    # Nobody is billed for more than the client waited, but for what went on without it.
    seen = {line["id"]: line for line in lines}
    for request_id, waited_s in zip(team.ids, waited, strict=False):
        assert float(seen[request_id]["ms"]) / 1000 <= waited_s + 0.5
    for row in functions.values():
        assert float(row["aws_cost"]) == pytest.approx(cost_of(row), rel=1e-6)
        assert row["cpu_seconds"] > 0
        assert float(row["here_cost"]) > 0
    versions, aliases = team.by_group(by="version"), team.by_group(by="alias")
    assert {group: row["requests"] for group, row in versions.items()} == {"f:$LATEST": 6, "f:1": 3, "t:$LATEST": 3}
    assert {group: row["requests"] for group, row in aliases.items()} == {"f": 6, "f:live": 2, "f:1": 1, "t": 3}
    assert {group: row["requests"] for group, row in team.by_group(by="tag:team").items()} == {"red": 9, "blue": 3}
    assert {group: row["requests"] for group, row in team.by_group(by="tag:stage").items()} == {"prod": 9, "": 3}
    assert {group: row["requests"] for group, row in team.by_group(by="tenant").items()} == {
        "": 9,
        "blue": 2,
        "green": 1,
    }
    assert list(team.by_group(tag="team=blue")) == ["t"]
    assert list(team.by_group(tag=["team=red", "stage=test"])) == []
    assert list(team.by_group(function="t", by="tenant")) == ["blue", "green"]
    whole = team.ask()["total"]
    fixed = without_here(whole)
    for by in ("function", "version", "alias", "tag:team", "tenant", "account", "region"):
        answer = team.ask(by=by)
        assert without_here(answer["total"]) == fixed
        for figure in ("requests", "errors", "cold_starts", "billed_ms"):
            assert sum(row[figure] for row in answer["rows"]) == whole[figure]
        assert sum(Decimal(row["aws_cost"]) for row in answer["rows"]) == Decimal(whole["aws_cost"])
    answer = team.ask()
    machine = answer["machine"]
    assert Decimal(machine["cost"]) == Decimal(answer["total"]["here_cost"]) + Decimal(machine["idle"])

    records = team.ask("usage/records", limit=1000)["records"]
    assert set(team.ids) == {record["request_id"] for record in records}
    assert len(records) == whole["requests"]
    assert sum(record["billed_ms"] for record in records) == whole["billed_ms"]
    assert Counter((record["version"], record["qualifier"]) for record in records if record["function"] == "f") == {
        ("$LATEST", ""): 6, ("1", "live"): 2, ("1", "1"): 1,
    }  # fmt: skip
    paged, after = [], 0
    while after is not None:
        page = team.ask("usage/records", limit=5, after=after)
        paged, after = paged + page["records"], page["after"]
    assert paged == records


def test_streams_cost_beyond_their_first_six_megabytes(team):
    """Of each response; the caller pays by what it was sent."""
    maker = FunctionMaker(team.client, newest_with_callbacks(), "s")
    name = maker(entries={"app.js": STREAM})
    sizes = (7 * MIB, 5 * MIB, 1)
    for size in sizes:
        answer = team.client.invoke_with_response_stream(
            FunctionName=name, Payload=json.dumps({"bytes": size}).encode()
        )
        pieces = [event["PayloadChunk"]["Payload"] for event in answer["EventStream"] if "PayloadChunk" in event]
        assert sum(map(len, pieces)) == size
    row = wait_for(lambda: (found := team.by_group().get(name)) and found["requests"] == 3 and found)
    check(row, team.reports(name, 3))
    assert (row["streamed_bytes"], row["billable_streamed_bytes"]) == (sum(sizes), MIB)
    assert float(row["aws_cost"]) == pytest.approx(cost_of(row), rel=1e-6)


def test_provisioned_concurrency_costs_while_it_is_there(team):
    """Whether anything runs or not; what runs in it has a rate of its own."""
    name = team.make(SOURCE, name="p", MemorySize=512)
    team.client.publish_version(FunctionName=name)
    team.client.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=2)

    def is_ready():
        found = team.client.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
        return found["Status"] == "READY"

    wait_for(is_ready)
    team.call(f"{name}:1", {"sleep_s": 0.1})
    row = wait_for(
        lambda: (
            (found := team.by_group(by="version").get("p:1"))
            and found["requests"] == 1
            and found["provisioned_gb_seconds"] > 0
            and found
        )
    )
    assert row["gb_seconds"] > 0.05
    # Two of half a GB: a GB-second each second, in steps of five minutes at most.
    assert 0 < row["provisioned_gb_seconds"] <= 1_200
    assert float(row["aws_cost"]) == pytest.approx(cost_of(row, gb_second=RUN_IN_KEPT), rel=1e-6)
    (record,) = team.ask("usage/records")["records"]
    assert record["kind"] == "provisioned-concurrency"


def test_days_of_a_time_zone(team):
    """Hours and days begin when clocks of the zone say so, and nothing is lost between them."""
    name = team.make(SOURCE, name="f")
    for _ in range(3):
        team.call(name)
    team.reports(name, 3)
    for zone, offset in (("Asia/Kolkata", "+05:30"), ("Asia/Kathmandu", "+05:45"), ("UTC", "+00:00")):
        for step in ("minute", "hour", "day", "month"):
            answer = team.ask(step=step, timezone=zone, **{"from": "6h" if step in {"minute", "hour"} else "3d"})
            assert sum(row["requests"] for row in answer["rows"]) == 3
            assert {row["at"] for row in answer["rows"]} <= set(answer["stretches"])
            assert all(at.endswith(offset) for at in answer["stretches"])
            begins = [datetime.fromisoformat(at) for at in answer["stretches"]][1:]
            assert all(at.minute == 0 for at in begins) or step == "minute"
            assert all(at.hour == 0 for at in begins) or step in {"minute", "hour"}
    # The last day on which clocks went back there. Hours are kept for longer than a year.
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    while day.month != 10 or day.day < 25 or day.isoweekday() != 7:
        day -= timedelta(days=1)
    bounds = {"from": str(day), "to": str(day)}
    assert len(told(team.server, step="hour", timezone="Europe/Berlin", **bounds)["stretches"]) == 25


def test_the_command_prints_what_the_server_says(team, tmp_path):
    """As a table, CSV, JSON, a plot, a picture, a page, records, FOCUS and advice."""
    tag = "Öl =1+1@x/y:z 油"
    name = team.make(SOURCE, name="f", Tags={"team": tag})
    other = team.make(SOURCE, name="g")
    for called in (name, name, other):
        team.call(called)
    team.reports(name, 2)
    team.reports(other, 1)
    answer = team.ask()

    def run(*arguments, **how):
        days = () if "--advice" in arguments else ("--from", around_today()["from"], "--to", around_today()["to"])
        return printed(team.server, *arguments, *days, key=team.key, **how)

    table = run()
    assert re.search(r"^ f +2 ", table, re.MULTILINE)
    assert re.search(r"^ total +3 ", table, re.MULTILINE)
    assert "AWS would have charged" in table
    assert "here it cost" in table
    rows = list(csv.DictReader(io.StringIO(run("--csv"))))
    assert {row["group"]: (row["requests"], row["aws_cost"]) for row in rows} == {
        row["group"]: (str(row["requests"]), row["aws_cost"]) for row in answer["rows"]
    }
    assert without_here(json.loads(run("--json"))["total"]) == without_here(answer["total"])
    tagged = run("--by", "tag:team")
    assert tag in tagged
    assert "(none)" in tagged
    assert "█" in run("--plot")
    assert "#" in run("--plot", PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    svg, page, focus = (tmp_path / f"u.{kind}" for kind in ("svg", "html", "csv"))
    assert run("--by", "tag:team", "--svg", str(svg), "--html", str(page)).split() == [str(svg), str(page)]
    texts = [element.text for element in ET.fromstring(svg.read_bytes()).iter() if element.text]
    assert tag in texts
    assert f"<td>{tag}</td>" in page.read_text("utf-8")
    records = list(csv.DictReader(io.StringIO(run("--records", "--csv"))))
    assert {record["request_id"] for record in records} == set(team.ids)
    assert "f" in run("--records", "--top", "1")
    assert run("--focus", str(focus)) == f"{focus}\n"
    lines = list(csv.DictReader(io.StringIO(focus.read_text("utf-8"))))
    assert sum(Decimal(line["BilledCost"]) for line in lines) == pytest.approx(
        Decimal(answer["total"]["aws_cost"]), rel=Decimal("1e-6"), abs=Decimal("1e-9")
    )
    assert {line["SubAccountId"] or line["BillingAccountId"] for line in lines} == {team.account}
    run("--advice")


def test_a_page_in_a_browser(team, browser, tmp_path):
    """The picture is drawn, and nothing is fetched for it."""
    name = team.make(SOURCE, name="f")
    team.call(name)
    team.reports(name, 1)
    page = tmp_path / "u.html"
    printed(team.server, "--html", str(page), "--from", around_today()["from"], key=team.key)
    assert "Usage by function" in browser.read(page.as_uri())
    box = browser.run(
        "const box = document.querySelector('rect.part').getBoundingClientRect(); return [box.width, box.height]"
    )
    assert min(box) > 1
    assert browser.run("return performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "2026-13"), "--from: '2026-13' is none of a day"),
        (("--timezone", "Mars/Olympus"), "--timezone: 'Mars/Olympus' is no time zone"),
        (("--step", "minute", "--from", "2026-01"), "--step: by the minute there would be more than"),
        (("--by", "cost"), "--by: 'cost' is none of function"),
        (("--focus", "-", "--from", "2026-01-01T12:00"), "--from: FOCUS has a row for each day"),
        (("--function", "a/b"), "--function: 'a/b' is no function's name"),
        (("--advice", "--by", "tenant"), "--by: 'tenant' is none of function, version, alias"),
    ],
)
def test_what_cannot_be_asked(billing, arguments, said):
    """One line that names the option, and exit code 2."""
    code, out, err = lambent(billing, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("path", ["usage", "usage/records", "usage/focus", "usage/advice", "usage/prices"])
def test_rubbish_is_refused(billing, path):
    """400 with a text, whatever is sent; no other method is answered."""
    for query in (
        "from=%00", "step=%FF%FE", "to=9999-12-31", "timezone=..%2F..%2Fetc%2Fpasswd", "tag=%3D", "by=tag:", "x=1",
        "from=" + "9" * 5_000, "account=%C3%A4", "&".join(["tag=a%3Db"] * 100), "limit=1e9", "after=-1",
    ):  # fmt: skip
        reply = ask_signed(billing.endpoint, f"/_lambent/{path}?{query}", key=TEST, service="lambent")
        assert reply.status == 400, (query, reply.body)
        assert reply.json["code"] == "ValidationError"
        assert reply.json["message"]
    assert ask_signed(billing.endpoint, f"/_lambent/{path}", "POST", b"{}", key=TEST, service="lambent").status == 405


FROM_INSIDE = """
import os, urllib.error, urllib.request

def handler(event, context):
    try:
        with urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_lambent/usage") as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
"""


def test_functions_may_not_ask(server, make_function, lambda_client):
    """Where the gateway knows that it is one."""
    if server.sandbox["driver"] != "namespace":
        pytest.skip("functions of this driver share the machine's network")
    assert invoke(lambda_client, make_function(FROM_INSIDE))[1] == 403


def test_who_sees_what(runtime):
    """Where signatures are verified: one's own account, with leave; the operator's principals see all."""
    server = SignedServer().start()
    try:
        _check_rights(server, runtime)
    finally:
        server.discard()


def _check_rights(server, runtime):
    other = "700000000001"
    owner = server.administrator(other)
    role = server.with_key("iam", owner).create_role(
        RoleName="lambda-role", AssumeRolePolicyDocument=trusting(services=["lambda.amazonaws.com"])
    )["Role"]["Arn"]
    for key, role_arn, calls in ((server.first, None, 2), (owner, role, 3)):
        client = server.with_key("lambda", key)
        name = FunctionMaker(client, runtime, "f")(SOURCE, **({"Role": role_arn} if role_arn else {}))
        for _ in range(calls):
            assert invoke(client, name)[1] == "done"
    wait_for(lambda: told(server, key=server.first, account="all")["total"]["requests"] == 5)
    reader = server.user("reader", {"Effect": "Allow", "Action": "lambent:GetUsage", "Resource": "*"})
    nobody = server.user("nobody")
    guest = server.user("guest", {"Effect": "Allow", "Action": "lambent:GetUsage", "Resource": "*"}, account=other)
    for path in ("usage", "usage/records", "usage/focus", "usage/advice", "usage/prices"):
        assert ask(server, path, key=nobody)[0] == 403
        assert ask(server, path, key=Key("AKIAUNKNOWNUNKNOWN00", "x"))[0] == 403
        assert urls.ask(server.endpoint, target=f"/_lambent/{path}").status == 403
        assert ask(server, path, key=guest)[0] == 200
        if path != "usage/prices":
            assert ask(server, path, key=guest, account=ACCOUNT)[0] == 403
            assert ask(server, path, key=guest, account="all")[0] == 403
    assert told(server, key=guest)["total"]["requests"] == 3
    assert {row["account"] for row in told(server, key=guest, by="account")["rows"]} == {other}
    assert told(server, key=reader)["total"]["requests"] == 2
    assert told(server, key=reader, account=other)["total"]["requests"] == 3
    accounts = {row["group"]: row["requests"] for row in told(server, key=reader, by="account")["rows"]}
    assert accounts == {ACCOUNT: 2, other: 3}
    out = printed(server, "--account", "all", "--csv", "--from", around_today()["from"], key=reader)
    assert {(row["group"], row["account"]) for row in csv.DictReader(io.StringIO(out))} == {
        ("f", ACCOUNT),
        ("f", other),
    }
    code, _, err = lambent(server, "--account", "all", key=guest)
    assert code == 2
    assert "is not yours" in err
