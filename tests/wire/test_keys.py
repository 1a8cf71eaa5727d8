"""`lambent keys` and `lambent accounts`: who may use a server, and how much of it."""

import json
import os
import re
import stat
import subprocess

import pytest
from botocore.exceptions import ClientError
from wire.support import LAMBENT, FunctionMaker, invoke, wait_for, zip_of

OWN = "000000000000"


@pytest.fixture
def commands():
    """Run one command against a server; return its output, or its complaint where it fails."""

    def run(server, *arguments):
        environ = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "LAMBENT_"))}
        if server is not None:
            environ["LAMBENT_ENDPOINT"] = server.endpoint
        environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        done = subprocess.run(
            [LAMBENT, *arguments], capture_output=True, text=True, env=environ, timeout=60, check=False
        )
        return done.stdout if done.returncode == 0 else done.stderr

    return run


def refusal(call, **parameters):
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return refused.value.response["Error"]["Code"]


def test_the_first_start_prints_a_key_once(own_server, commands):
    """Where nothing can be done without one. It is an administrator's; its secret is in no file."""
    server = own_server(None, "--auth", "required").start()
    said = "".join(server.log)
    key = re.search(r"AWS_ACCESS_KEY_ID=(AKIA\w{16})$", said, re.MULTILINE)[1]
    secret = re.search(r"AWS_SECRET_ACCESS_KEY=(\S{40})$", said, re.MULTILINE)[1]
    assert said.index(secret) < said.index("ready ")
    assert server.stop() == 0
    server.log.clear()
    server.restart()
    assert "AWS_ACCESS_KEY_ID" not in "".join(server.log)
    assert "is used by another server" in commands(
        None, "keys", "create", "--offline", "--data-dir", str(server.data_dir)
    )
    assert server.stop() == 0
    # Whoever has lost it gets to another one by the data folder, which is for its owner alone.
    made = commands(None, "keys", "create", "--admin", "--offline", "--json", "--data-dir", str(server.data_dir))
    assert json.loads(made)["user"] == "admin"
    refused = commands(None, "keys", "create", "--offline", "--data-dir", str(server.data_dir))
    assert "Cannot exceed quota for AccessKeysPerUser: 2" in refused
    kept = [path for path in server.data_dir.rglob("*") if path.is_file()]
    assert any(key.encode() in path.read_bytes() for path in kept)
    assert not [path for path in kept if secret.encode() in path.read_bytes()]
    assert "is not there" in commands(None, "keys", "create", "--offline", "--data-dir", str(server.data_dir / "x"))


def test_a_story_of_keys(own_server, commands):
    """Made with user and account, seen, replaced, ended. A secret is shown to whoever made it."""
    server = own_server().start()
    assert "no keys" in commands(server, "keys", "list")
    made = commands(server, "keys", "create", "--account", "111122223333", "--user", "bob", "--profile", "bobs")
    key = re.search(r"\[bobs\]\naws_access_key_id = (AKIA\w{16})\naws_secret_access_key = \S{40}\n", made)[1]
    assert "bob has no policy yet" in made
    (listed,) = json.loads(commands(server, "keys", "list", "--json"))
    assert (listed["access_key"], listed["account"], listed["user"]) == (key, "111122223333", "bob")
    assert (listed["is_active"], listed["last_used_at"]) == (True, None)
    assert not [name for name in listed if "secret" in name]
    rotated = commands(server, "keys", "rotate", key)
    assert f"lambent keys revoke {key}" in rotated
    assert "Cannot exceed quota" in commands(server, "keys", "rotate", key)
    assert commands(server, "keys", "revoke", key, "--keep") == f"{key}: inactive\n"
    shown = json.loads(commands(server, "keys", "list", "--account", "111122223333", "--json"))
    assert {one["access_key"]: one["is_active"] for one in shown}[key] is False
    assert commands(server, "keys", "revoke", key) == f"{key}: deleted\n"
    assert "cannot be found" in commands(server, "keys", "revoke", key)
    root = json.loads(commands(server, "keys", "create", "--root", "--json"))
    assert (root["account"], root["user"]) == (OWN, None)
    assert "(root)" in commands(server, "keys", "list")
    assert "is no account" in commands(server, "keys", "create", "--account", "12")


def test_limits_of_an_account_act(own_server, commands, runtime):
    """What runs at once, what can be reserved, what code takes; the next call has what was changed."""
    server = own_server().start()
    account = json.loads(commands(server, "accounts", "create", "team", "--concurrent-executions", "5", "--json"))
    number = account["account"]
    client = server.client("lambda", account=number)
    limits = client.get_account_settings()["AccountLimit"]
    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (5, 5)
    maker = FunctionMaker(client, runtime, "f")
    name = maker("def handler(event, context):\n    return 'here'\n")
    assert invoke(client, name)[1] == "here"
    commands(server, "accounts", "update", number, "--concurrent-executions", "9")
    assert client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 9
    assert refusal(client.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=10) == (
        "InvalidParameterValueException"
    )
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=9)
    client.delete_function_concurrency(FunctionName=name)
    commands(server, "accounts", "update", number, "--code-total-max-bytes", "10")
    code = {"ZipFile": zip_of({"app.py": "x = 1\n" * 100})}
    assert refusal(client.update_function_code, FunctionName=name, **code) == "CodeStorageExceededException"
    commands(server, "accounts", "update", number, "--code-total-max-bytes", "default")
    client.update_function_code(FunctionName=name, **code)
    # Another account has the server's.
    assert server.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"] == 1000


def test_nothing_runs_in_a_closed_account(own_server, commands, runtime):
    """Its functions are there, and run again once it is open; it gets no keys meanwhile."""
    server = own_server().start()
    number = json.loads(commands(server, "accounts", "create", "team", "--json"))["account"]
    client = server.client("lambda", account=number)
    name = FunctionMaker(client, runtime, "f")("def handler(event, context):\n    print(event)\n    return 'here'\n")
    assert invoke(client, name)[1] == "here"
    assert commands(server, "accounts", "close", number) == f"{number}: closed\n"
    assert refusal(client.invoke, FunctionName=name) == "TooManyRequestsException"
    assert "is closed" in commands(server, "keys", "create", "--account", number)
    assert "operator's own account" in commands(server, "accounts", "close", OWN)
    assert [one["is_open"] for one in json.loads(commands(server, "accounts", "list", "--json"))] == [True, False]
    client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"marker": "waited"}')
    commands(server, "accounts", "update", number, "--open")
    assert invoke(client, name)[1] == "here"
    # What came meanwhile has waited.
    logs = server.client("logs", account=number)
    wait_for(lambda: "waited" in str(logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]))


FROM_INSIDE = """
import json, os, urllib.error, urllib.request

def handler(event, context):
    url = os.environ["AWS_ENDPOINT_URL"] + "/_lambent/access/" + event["action"]
    request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]
"""


def test_a_function_makes_no_keys(server, make_function, lambda_client):
    """Nor does it see any: where the gateway knows that it is one."""
    if server.sandbox["driver"] != "namespace":
        pytest.skip("functions of this driver share the machine's network")
    name = make_function(FROM_INSIDE)
    for action in ("CreateKey", "ListKeys", "CreateAccount"):
        status, body = invoke(lambda_client, name, {"action": action})[1]
        assert (status, json.loads(body)["code"]) == (403, "AccessDenied")


def test_files_are_for_their_owner(server):
    """Of the trail: it names everybody and all that they did."""
    folder = server.data_dir / "trail"
    server.client("lambda").list_functions()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
