"""Budgets against a real server: who is told, what is refused and as what, what waits, and what a kill leaves."""

import json
import os
import random
import subprocess
import urllib.error
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from wire.http_api_stage import Api, arn_of, let_in, upstream
from wire.support import ACCOUNT, LAMBENT, FunctionMaker, error_of, invoke, newest_python, wait_for
from wire.urls import ask, make_url
from wire.wall_clock import WallServer, noon_in_mid_month

HELLO = "def handler(event, context): return 'hi'"
TELLS = "def handler(event, context): print('TOLD', event['budget'], event['percent'])"


@pytest.fixture(scope="module")
def hook():
    """A real web server whose port is open to functions, and so to budgets."""
    with upstream() as made:
        yield made


@pytest.fixture(scope="module")
def make_server(hook, tmp_path_factory):
    """Makes servers in whose days and months it is noon: no budget begins anew while a test uses it up."""
    made = []

    def make():
        server = WallServer(tmp_path_factory.mktemp("wall"), "--allow-host", str(hook.port), "--sandbox", "process")
        made.append(server)
        server.move(noon_in_mid_month())
        return server.start()

    yield make
    for server in made:
        server.discard()


@pytest.fixture(scope="module")
def server(make_server):
    return make_server()


@pytest.fixture(scope="module")
def runtime():
    return newest_python("process")


@pytest.fixture
def make(server, runtime, unique_name):
    made = FunctionMaker(server.client("lambda"), runtime, unique_name)
    yield made
    for client, name in made.made:
        client.delete_function(FunctionName=name)
    for budget in act(server, "ListBudgets")["budgets"]:
        act(server, "DeleteBudget", name=budget["name"])


def act(server, action, /, signer=ACCOUNT, **members):
    """Do something with budgets; return the answer, or status, code and message of a refusal."""
    body = json.dumps(members).encode()
    url = f"{server.endpoint}/_lambent/budgets/{action}"
    request = AWSRequest("POST", url, {"content-type": "application/json"}, body)
    SigV4Auth(Credentials(signer, "test"), "lambent", "us-east-1").add_auth(request)
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, body, dict(request.headers.items())), timeout=60
        ) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        said = json.load(refused)
        return refused.code, said["code"], said["message"]


def put(server, name, amount=3, **members):
    wanted = {"name": name, "amount": amount, "measure": "requests", "warn": [50, 100]}
    answer = act(server, "PutBudget", **(wanted | members))
    assert isinstance(answer, dict), answer
    return answer["budget"]


def of(server, name):
    (found,) = act(server, "ListBudgets", name=name)["budgets"]
    return found


def told(hook, path):
    return [json.loads(body) for method, where, _, body in hook.asked if where == path]


def use_up(server, name, count):
    """Run a function until its budget is used up, and say as what the next one is refused."""
    client = server.client("lambda")
    for _ in range(count):
        invoke(client, name)
    wait_for(lambda: of(server, name)["now"]["is_throttled"])
    with pytest.raises(ClientError) as refused:
        client.invoke(FunctionName=name)
    return refused.value.response


def test_a_budget_tells_a_web_server_a_queue_and_a_function_and_refuses(server, make, hook, unique_name):
    """Each percentage once to each; the refusal is a 429 whose Reason and message say so."""
    name = make(HELLO)
    teller = make(TELLS, name=f"{name}-teller")
    sqs = server.client("sqs")
    queue = sqs.create_queue(QueueName=f"{name}-q")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    hook.answer("/a")
    targets = [f"{hook.url}/a", queue_arn, arn_of(teller)]
    made = put(server, name, 4, function=name, targets=targets, throttle=True, period="day")
    assert put(server, name, 4, function=name, targets=targets, throttle=True, period="day") == made
    response = use_up(server, name, 4)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert response["Error"]["Code"] == "TooManyRequestsException"
    assert (response["Reason"], response["Type"]) == ("BudgetExceeded", "User")
    assert f"The budget {name} of 4 requests is used up until" in response["Error"]["Message"]
    wait_for(lambda: len(told(hook, "/a")) == 2)
    first, last = told(hook, "/a")
    assert (first["percent"], last["percent"], last["used"], last["amount"]) == (50, 100, "4", "4")
    assert first["type"] == "BudgetReached" and first["watches"] == {"function": name, "region": "us-east-1"}
    headers = {key.lower(): text for _, where, given, _ in hook.asked if where == "/a" for key, text in given}
    assert headers["content-type"] == "application/json" and headers["lambent-notice-id"] == last["id"]
    messages = []

    def received():
        messages.extend(sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []))
        return len(messages) >= 2

    wait_for(received)
    assert [json.loads(one["Body"]) for one in messages] == [first, last]
    logs = server.client("logs")

    def lines():
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{teller}", filterPattern="TOLD")["events"]
        except logs.exceptions.ResourceNotFoundException:
            # It has not begun yet.
            return []
        return sorted(event["message"].strip() for event in events)

    wait_for(lambda: len(lines()) == 2)
    assert lines() == [f"TOLD {name} 100", f"TOLD {name} 50"]
    invoke(server.client("lambda"), teller, {"budget": "x", "percent": 1})
    sqs.delete_queue(QueueUrl=queue)


def test_urls_apis_and_events_meet_it_as_any_throttle(server, make, unique_name):
    """A URL answers 429, an HTTP API 503, and an event waits until the budget has more."""
    name = make(HELLO)
    client = server.client("lambda")
    url = make_url(client, name)
    let_in(client, name)
    api = Api(server.client("apigatewayv2"))
    api.route("GET /", api.function(arn_of(name)))
    put(server, name, 2, function=name, throttle=True)
    use_up(server, name, 2)
    reply = ask(url, "GET", "/")
    assert reply.status == 429 and json.loads(reply.body)["Reason"] == "BudgetExceeded"
    assert api.ask("/").status == 503
    assert client.invoke(FunctionName=name, InvocationType="Event")["StatusCode"] == 202
    logs = server.client("logs")

    def runs():
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern='"END RequestId"')["events"]
        return len(events)

    # It is refused at least once before there is more.
    wait_for(lambda: any(one["waiting"] + one["delayed"] + one["in_flight"] for one in waiting_events(server, name)))
    assert runs() == 2
    raised = act(server, "RaiseBudget", name=name, by=10)["budget"]
    assert (raised["now"]["amount"], raised["amount"], raised["now"]["is_throttled"]) == ("12", "2", False)
    wait_for(lambda: runs() == 3)
    assert ask(url, "GET", "/").status == 200 and api.ask("/").status == 200
    api.delete()


def waiting_events(server, name):
    request = AWSRequest("GET", f"{server.endpoint}/_lambent/queues", {})
    SigV4Auth(Credentials(ACCOUNT, "test"), "lambent", "us-east-1").add_auth(request)
    with urllib.request.urlopen(
        urllib.request.Request(request.url, headers=dict(request.headers.items())), timeout=60
    ) as answer:
        return [one for one in json.load(answer) if name in one["name"]]


def test_a_web_server_that_is_down_is_tried_again_and_shown(server, make, hook, unique_name):
    """By `lambent budgets list`, the metrics and the log, which do not name what may be a secret."""
    name = make(HELLO)
    path = f"/{name}-secret"
    hook.answer(path, 503)
    put(server, name, 2, function=name, targets=[f"{hook.url}{path}"])
    invoke(server.client("lambda"), name)
    wait_for(lambda: any(notice["tries"] >= 2 for notice in of(server, name)["notices"]))
    (notice,) = of(server, name)["notices"]
    assert (notice["percent"], notice["failure"]) == (50, "status 503") and notice["tried_at"]
    done = command(server, "budgets", "list", name)
    assert "waits to be told" in done and "status 503" in done
    with urllib.request.urlopen(server.endpoint + "/_lambent/metrics", timeout=60) as answer:
        metrics = answer.read().decode()
    failed = f'lambent_deliveries_total{{account="{ACCOUNT}",destination="{hook.url}",outcome="failed",region=""}}'
    assert failed in metrics and f'lambent_budget_used_ratio{{account="{ACCOUNT}",budget="{name}"}} 0.5' in metrics
    log = "".join(server.log)
    assert "budget.notice_not_delivered" in log and path not in log
    hook.answer(path, 200)
    wait_for(lambda: not of(server, name)["notices"])


def test_reset_counts_from_now_on_and_a_budget_that_goes_frees(server, make, unique_name):
    name = make(HELLO)
    client = server.client("lambda")
    put(server, name, 2, function=name, throttle=True)
    use_up(server, name, 2)
    reset = act(server, "ResetBudget", name=name)["budget"]["now"]
    assert (reset["used"], reset["not_counted"], reset["is_throttled"], reset["warned"]) == ("0", "2", False, [])
    assert act(server, "ResetBudget", name=name)["budget"]["now"] == reset
    use_up(server, name, 2)
    assert act(server, "DeleteBudget", name=name) == {"is_deleted": True}
    assert act(server, "DeleteBudget", name=name) == {"is_deleted": False}
    invoke(client, name)


@pytest.mark.parametrize(("period", "days"), [("day", 1), ("month", 31)])
def test_what_is_used_up_ends_with_its_period(make_server, runtime, unique_name, period, days):
    """The next day, or month, lets in again, counts from nothing, and refuses and tells in its turn."""
    server = make_server()
    name = FunctionMaker(server.client("lambda"), runtime, unique_name)(HELLO)
    put(server, name, 2, function=name, throttle=True, period=period)
    use_up(server, name, 2)
    server.move(days * 86_400)
    wait_for(lambda: not of(server, name)["now"]["is_throttled"])
    assert (of(server, name)["now"]["used"], of(server, name)["now"]["warned"]) == ("0", [])
    use_up(server, name, 2)


def command(server, *arguments):
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "LAMBENT_"))}
    environ |= {"LAMBENT_ENDPOINT": server.endpoint, "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test"}
    done = subprocess.run(
        [LAMBENT, *arguments],
        capture_output=True,
        text=True,
        env=environ | {"AWS_DEFAULT_REGION": "us-east-1", "COLUMNS": "250"},
        timeout=60,
        check=False,
    )
    return done.stdout if done.returncode == 0 else done.stderr


def test_the_command_does_it_all(server, make, unique_name):
    name = make(HELLO)
    said = command(server, "budgets", "put", name, "--amount", "5", "--measure", "requests", "--function", name)
    assert said.startswith(f"{name}: 0 of 5 requests used until ")
    assert "0 of 8 requests" in command(server, "budgets", "raise", name, "--to", "8")
    assert "0 of 9 requests" in command(server, "budgets", "raise", name, "--by", "1", "--for-good")
    assert json.loads(command(server, "budgets", "list", name, "--json"))[0]["amount"] == "6"
    assert "less than the 9" in command(server, "budgets", "raise", name, "--to", "3")
    assert "0 of 9 requests" in command(server, "budgets", "reset", name)
    assert name in command(server, "budgets", "list", "--account", "all")
    assert command(server, "budgets", "delete", name) == f"{name}: deleted\n"
    assert f"there is no budget {name}" in command(server, "budgets", "list", name)
    assert "amount" in command(server, "budgets", "put", name, "--amount", "x", "--measure", "requests")


def test_a_kill_between_a_warning_and_its_delivery(make_server, runtime, unique_name, hook):
    """What was due is delivered by the next server, and what was used up is refused by it at once."""
    server = make_server()
    make = FunctionMaker(server.client("lambda"), runtime, unique_name)
    name = make(HELLO)
    path = f"/{name}"
    hook.answer(path, 500)
    put(server, name, 2, function=name, targets=[f"{hook.url}{path}"], throttle=True)
    use_up(server, name, 2)
    wait_for(lambda: of(server, name)["notices"] and of(server, name)["notices"][0]["tries"])
    server.kill()
    hook.asked.clear()
    hook.answer(path, 200)
    server.restart()
    with pytest.raises(ClientError) as refused:
        server.client("lambda").invoke(FunctionName=name)
    assert error_of(refused)[:2] == (429, "TooManyRequestsException")
    wait_for(lambda: not of(server, name)["notices"])
    assert [one["percent"] for one in told(hook, path)] == [50, 100]
    assert of(server, name)["now"]["warned"] == [50, 100]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "name"),
        ({"name": "a b"}, "name"),
        ({"amount": 0}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": 1.5}, "amount"),
        ({"amount": True}, "amount"),
        ({"measure": "cpu"}, "measure"),
        ({"period": "week"}, "period"),
        ({"warn": [0]}, "warn"),
        ({"warn": [1] * 11}, "warn"),
        ({"warn": "50"}, "warn"),
        ({"function": "nobody"}, "function"),
        ({"function": "f", "tag": "a=b"}, "function, tag"),
        ({"tag": "a"}, "tag"),
        ({"region": "eu-west-1"}, "region"),
        ({"targets": ["ftp://example.com"]}, "targets"),
        ({"targets": ["http://127.0.0.1:1/"]}, "targets: port 1 of this machine is not open"),
        ({"targets": ["http://169.254.169.254/"]}, "targets"),
        ({"targets": ["http://user@example.com/"]}, "targets"),
        ({"targets": [f"arn:aws:sqs:us-east-1:{ACCOUNT}:nowhere"]}, "targets: there is no standard queue"),
        ({"targets": ["arn:aws:sqs:us-east-1:999999999999:theirs"]}, "targets"),
        ({"targets": [f"arn:aws:sns:us-east-1:{ACCOUNT}:t"]}, "targets"),
        ({"targets": ["https://example.com/"] * 6}, "targets"),
        ({"account": "1"}, "account"),
        ({"wrong": 1}, "wrong"),
    ],
)
def test_bad_input_names_the_member_and_changes_nothing(server, members, said):
    wanted = {"name": "bad", "amount": 3, "measure": "requests"} if members else {"amount": 3, "measure": "requests"}
    status, code, message = act(server, "PutBudget", **(wanted | members))
    assert (status, code) == (400, "ValidationError") and said in message
    assert act(server, "ListBudgets")["budgets"] == []


def test_junk_is_refused_and_never_a_defect(server):
    """Whatever is sent: 400 or 404, and nothing is there afterwards."""
    chance = random.Random(11)
    junk = [None, True, -1, 1e308, "", "\0", "x" * 5_000, [], {}, [None], "1e999999", "-0", [[]], {"a": {}}, "💥"]
    members = ("name", "account", "function", "region", "tag", "measure", "amount", "period", "warn", "targets")
    good = {"name": "n", "amount": 1, "measure": "requests"}
    for _ in range(300):
        action = chance.choice(("PutBudget", "RaiseBudget", "ResetBudget", "DeleteBudget", "ListBudgets"))
        names = chance.sample((*members, "throttle", "to", "by", "is_for_good"), chance.randrange(1, 4))
        sent = (good if action == "PutBudget" else {}) | {name: chance.choice(junk) for name in names}
        answer = act(server, action, **sent)
        if isinstance(answer, tuple):
            assert answer[0] in {400, 404}, (action, sent, answer)
        elif action == "PutBudget":
            act(server, "DeleteBudget", name=sent["name"])
    assert act(server, "ListBudgets")["budgets"] == []
    assert "request.failed" not in "".join(server.log)


def test_web_pages_and_other_methods_are_refused(server):
    url = f"{server.endpoint}/_lambent/budgets/ListBudgets"
    for request in (
        urllib.request.Request(url),
        urllib.request.Request(url, b"{}", {"content-type": "text/plain"}),
        urllib.request.Request(url, b"{}", {"content-type": "application/json", "origin": "http://evil.example"}),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        with refused.value:
            assert refused.value.code == 403
