"""
Twenty clients change one function at once, each with boto3 over its own connections.

Each request is answered as if the others had come before or after it, one by one: accepted, or refused with a 409 or a
412. What the function is in the end, and what each answer said on the way, fits one order of the accepted requests.
"""

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from wire.support import ROLE, wait_for, wait_updated, zip_of

CLIENTS = 20
ROUNDS = 3
REFUSALS = {409, 412}
SETTINGS = ("Description", "MemorySize", "Timeout", "Environment")


class Request:
    """One request and what came of it: an answer, or the status of the refusal."""

    def __init__(self, client, operation, parameters):
        self.client, self.operation, self.parameters = client, operation, parameters
        self.answer = self.status = None

    def send(self, boto):
        self.started = time.monotonic()
        try:
            self.answer = getattr(boto, self.operation)(**self.parameters)
            self.status = self.answer["ResponseMetadata"]["HTTPStatusCode"]
        except ClientError as error:
            self.status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            self.code = error.response["Error"]["Code"]
        self.ended = time.monotonic()
        return self.is_accepted

    @property
    def is_accepted(self):
        return self.answer is not None

    def __repr__(self):
        return f"{self.client}: {self.operation}({self.parameters}) -> {self.status}"


class Clients:
    """Sends requests from many threads that start together, and keeps all of them."""

    def __init__(self, server):
        self.boto = [server.client("lambda") for _ in range(CLIENTS)]
        self.requests = []

    def run(self, work):
        """Call `work(number, send)` in a thread for each client; return what each returned."""
        barrier = threading.Barrier(CLIENTS)

        def one(number):
            def send(operation, **parameters):
                request = Request(number, operation, parameters)
                request.send(self.boto[number])
                # Appending is atomic.
                self.requests.append(request)
                return request

            barrier.wait(30)
            return work(number, send)

        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(one, range(CLIENTS)))

    def accepted(self, *operations):
        return [one for one in self.requests if one.operation in operations and one.is_accepted]


@pytest.fixture(scope="module")
def boto(server):
    """Twenty clients; making one takes longer than most requests."""
    return Clients(server)


@pytest.fixture
def clients(boto):
    boto.requests = []
    return boto


def settings_of(answer):
    """Return what UpdateFunctionConfiguration below sets, as an answer shows it."""
    return {name: answer.get(name) for name in SETTINGS}


def own_settings(number, step):
    """Return settings that no other request has, each of them telling whose it is."""
    text = f"client {number} step {step}"
    return {
        "Description": text,
        "MemorySize": 128 + CLIENTS * step + number,
        "Timeout": 1 + CLIENTS * step + number,
        "Environment": {"Variables": {"CLIENT": text}},
    }


def until_accepted(attempt):
    """Repeat a request until it is accepted: another client's update is over soon."""
    wait_for(lambda: attempt().is_accepted, every_s=0.01)


def replay(updates, settings, sha256):
    """
    Put accepted updates in the order of LastModified and check that each answer is what this order makes of them.

    Returns:
        settings and code after each, what they were before at the head.
    """
    states = [[settings, sha256]]
    waiting = sorted(updates, key=lambda one: one.answer["LastModified"])
    while waiting:
        # Two that carry the same millisecond may have come in either order; one of the two must fit.
        first = [one for one in waiting if one.answer["LastModified"] == waiting[0].answer["LastModified"]]
        for one in first:
            if one.operation == "update_function_code":
                fits = settings_of(one.answer) == settings
            else:
                fits = one.answer["CodeSha256"] == sha256
            if fits:
                break
        else:
            raise AssertionError(f"no order: after {settings} and {sha256} came {[(one, one.answer) for one in first]}")
        waiting.remove(one)
        if one.operation == "update_function_code":
            sha256 = one.answer["CodeSha256"]
        else:
            wanted = {name: one.parameters[name] for name in SETTINGS}
            assert settings_of(one.answer) == wanted
            settings = wanted
        states.append([settings, sha256])
    return states


def assert_in_time(history):
    """An update that was over before another began comes before it in the order of LastModified as well."""
    for before in history:
        for after in history:
            if before.ended < after.started:
                assert before.answer["LastModified"] <= after.answer["LastModified"], (before, after)


def test_one_function_is_created_once(server, clients, lambda_client, runtime, unique_name):
    """Of twenty that create the same function one does; the others conflict, and it has that one's settings."""
    try:
        clients.run(
            lambda number, send: send(
                "create_function",
                FunctionName=unique_name,
                Code={"ZipFile": zip_of({"app.py": f"NUMBER = {number}"})},
                Runtime=runtime,
                Handler="app.handler",
                Role=ROLE,
                Description=str(number),
            )
        )
        assert sorted(one.status for one in clients.requests) == [201] + [409] * (CLIENTS - 1)
        (created,) = clients.accepted("create_function")
        found = lambda_client.get_function_configuration(FunctionName=unique_name)
        assert (found["Description"], found["CodeSha256"]) == (str(created.client), created.answer["CodeSha256"])
    finally:
        lambda_client.delete_function(FunctionName=unique_name)


def test_updates_of_one_function_are_serial(server, clients, lambda_client, make_function):
    """Configuration, code and versions of one function, changed by all: one order explains every answer."""
    name = make_function(entries={"app.py": "NUMBER = -1"}, **own_settings(0, 0))
    before = lambda_client.get_function_configuration(FunctionName=name)

    def work(number, send):
        for step in range(1, ROUNDS + 1):
            wanted = own_settings(number, step)
            if (number + step) % 3 == 0:
                until_accepted(
                    lambda step=step: send(
                        "update_function_code",
                        FunctionName=name,
                        ZipFile=zip_of({"app.py": f"NUMBER = {number}, {step}"}),
                        Publish=number % 2 == 0,
                    )
                )
            else:
                until_accepted(lambda wanted=wanted: send("update_function_configuration", FunctionName=name, **wanted))
            send("publish_version", FunctionName=name)

    clients.run(work)
    wait_updated(lambda_client, name)
    refused = [one for one in clients.requests if not one.is_accepted]
    assert {one.status for one in refused} <= REFUSALS, refused
    assert refused, "nobody was in anybody's way: this proves nothing"

    updates = clients.accepted("update_function_configuration", "update_function_code")
    assert len(updates) == CLIENTS * ROUNDS
    assert_in_time(updates)
    states = replay(updates, settings_of(before), before["CodeSha256"])
    after = lambda_client.get_function_configuration(FunctionName=name)
    assert [settings_of(after), after["CodeSha256"]] == states[-1]
    assert after["LastModified"] == max(one.answer["LastModified"] for one in updates)

    # Versions: numbered without a gap, each a state of that order, none twice, and as their makers were told.
    pages = lambda_client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    listed = {item["Version"]: item for page in pages for item in page["Versions"]}
    del listed["$LATEST"]
    assert sorted(map(int, listed)) == list(range(1, len(listed) + 1))
    in_order = [listed[str(number)] for number in range(1, len(listed) + 1)]
    places = [states.index([settings_of(version), version["CodeSha256"]]) for version in in_order]
    assert places == sorted(set(places)), "a version holds the state of an earlier one, or an older state"
    for one in clients.accepted("publish_version"):
        version = listed[one.answer["Version"]]
        assert (settings_of(version), version["CodeSha256"]) == (settings_of(one.answer), one.answer["CodeSha256"])


def test_a_revision_is_spent_once(server, clients, lambda_client, make_function):
    """Updates that name the revision which they have read: of those with the same one, one is accepted at most."""
    name = make_function("")

    def work(number, send):
        for step in range(ROUNDS):
            seen = send("get_function_configuration", FunctionName=name).answer
            send(
                "update_function_configuration",
                FunctionName=name,
                RevisionId=seen["RevisionId"],
                Description=f"{number} {step}",
            )
            send("add_permission", FunctionName=name, RevisionId=seen["RevisionId"], **permission(f"r{number}-{step}"))

    clients.run(work)
    wait_updated(lambda_client, name)
    refused = [one for one in clients.requests if not one.is_accepted]
    assert {one.status for one in refused} <= REFUSALS, refused
    assert 412 in {one.status for one in refused}
    updates = clients.accepted("update_function_configuration", "add_permission")
    spent = Counter(one.parameters["RevisionId"] for one in updates)
    assert updates and max(spent.values()) == 1, spent.most_common(3)
    described = clients.accepted("update_function_configuration")
    if described:
        last = max(described, key=lambda one: one.answer["LastModified"])
        after = lambda_client.get_function_configuration(FunctionName=name)
        assert after["Description"] == last.parameters["Description"]
    granted = {one.parameters["StatementId"] for one in clients.accepted("add_permission")}
    assert statement_ids(lambda_client, name) == granted


def permission(sid):
    return {"StatementId": sid, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}


def statement_ids(client, name):
    try:
        policy = client.get_policy(FunctionName=name)["Policy"]
    except client.exceptions.ResourceNotFoundException:
        return set()
    return {statement["Sid"] for statement in json.loads(policy)["Statement"]}


def test_tags_aliases_and_permissions_of_all_are_kept(server, clients, lambda_client, make_function):
    """What clients add to one function side by side is all there; what they all want, one of them got."""
    name = make_function("", Publish=True)
    arn = lambda_client.get_function(FunctionName=name)["Configuration"]["FunctionArn"]

    def work(number, send):
        for step in range(ROUNDS):
            send("tag_resource", Resource=arn, Tags={f"own-{number}": str(step), "shared": f"{number} {step}"})
            send("add_permission", FunctionName=name, **permission(f"own-{number}-{step}"))
            send("add_permission", FunctionName=name, **permission("shared"))
            send("create_alias", FunctionName=name, Name=f"own-{number}-{step}", FunctionVersion="1")
            text = f"{number} {step}"
            send("create_alias", FunctionName=name, Name="shared", FunctionVersion="1", Description=text)
            send("update_alias", FunctionName=name, Name="shared", FunctionVersion="$LATEST", Description=text)
            if step:
                send("remove_permission", FunctionName=name, StatementId=f"own-{number}-{step - 1}")
                send("delete_alias", FunctionName=name, Name=f"own-{number}-{step - 1}")
                send("untag_resource", Resource=arn, TagKeys=[f"gone-{number}"])
            send("tag_resource", Resource=arn, Tags={f"gone-{number}": str(step)})
        send("untag_resource", Resource=arn, TagKeys=[f"gone-{number}"])
        if number % 4 == 0:
            send("delete_alias", FunctionName=name, Name="shared")

    clients.run(work)
    # What is nobody else's is never refused.
    for one in clients.requests:
        is_own = "shared" not in one.parameters.values()
        assert one.status in ({200, 201, 204} if is_own else {200, 201, 204, 404, 409}), one
    last = ROUNDS - 1

    tags = lambda_client.list_tags(Resource=arn)["Tags"]
    shared = tags.pop("shared")
    assert tags == {f"own-{number}": str(last) for number in range(CLIENTS)}
    writes = [one for one in clients.accepted("tag_resource") if "shared" in one.parameters["Tags"]]
    assert shared in may_be_last(writes, lambda one: one.parameters["Tags"]["shared"])

    assert statement_ids(lambda_client, name) == {f"own-{number}-{last}" for number in range(CLIENTS)} | {"shared"}
    granted = [one for one in clients.accepted("add_permission") if one.parameters["StatementId"] == "shared"]
    assert len(granted) == 1

    pages = lambda_client.get_paginator("list_aliases").paginate(FunctionName=name)
    aliases = {alias["Name"]: alias for page in pages for alias in page["Aliases"]}
    found = aliases.pop("shared", None)
    assert set(aliases) == {f"own-{number}-{last}" for number in range(CLIENTS)}
    writes = clients.accepted("create_alias", "update_alias", "delete_alias")
    about_shared = [one for one in writes if one.parameters["Name"] == "shared"]
    outcome = None if found is None else (found["FunctionVersion"], found["Description"])
    assert outcome in may_be_last(about_shared, what_is_left)
    # Created, deleted, created: never more often made than it was gone.
    counts = Counter(one.operation for one in about_shared)
    assert counts["create_alias"] <= counts["delete_alias"] + 1


def what_is_left(one):
    """Return what the shared alias is after a request."""
    if one.operation == "delete_alias":
        return None
    return one.parameters["FunctionVersion"], one.parameters["Description"]


def may_be_last(writes, value):
    """Return the values of those writes after whose end no other began: in some order each of them is the last."""
    latest_start = max(one.started for one in writes)
    return {value(one) for one in writes if one.ended >= latest_start}
