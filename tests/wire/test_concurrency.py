"""Which environment serves which call: one call each, newest idle first, no more than there may be."""

import http.client
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from wire.support import ROLE, FunctionMaker, Server, error_of, invoke, wait_for, wait_updated, zip_of

# Stays in the call until its function has the tag that the event names. It asks the gateway: every sandbox lets it.
HELD = """
import json, os, time, urllib.parse, urllib.request
VERSION = "one"
def tags(arn):
    url = os.environ["AWS_ENDPOINT_URL"] + "/2017-03-31/tags/" + urllib.parse.quote(arn, safe="")
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["Tags"]
def handler(e, c):
    while e and e["go"] not in tags(c.invoked_function_arn):
        time.sleep(0.05)
    return [VERSION, c.log_stream_name]
"""

# Takes a while; says whether another call was in this process meanwhile.
ALONE = """
import time
BUSY = False
def handler(e, c):
    global BUSY
    clash = BUSY
    BUSY = True
    time.sleep(5)
    BUSY = False
    return [clash, c.log_stream_name]
"""


@pytest.fixture(scope="module")
def small_server():
    """A server with room for two environments."""
    server = Server(None, "--environments-max", "2").start()
    yield server
    server.discard()


@pytest.fixture
def client(small_server):
    return small_server.client("lambda")


@pytest.fixture
def held_function(client, runtime, unique_name):
    """The function HELD; removed at the end, since the next test needs its environments."""
    name = FunctionMaker(client, runtime, unique_name)(HELD, Timeout=30)
    yield name
    client.delete_function(FunctionName=name)


class Call:
    """An invocation that has begun and waits."""

    def __init__(self, server, client, name):
        self.client = client
        self.arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
        self.go = str(uuid.uuid4())
        self.answer = None
        busy = server.health()["environments"]["busy"]
        # Asked for the tail of the log, a call is answered when its environment is idle.
        asked = {"LogType": "Tail"}
        self.thread = threading.Thread(
            target=lambda: setattr(self, "answer", invoke(client, name, {"go": self.go}, **asked))
        )
        self.thread.start()
        wait_for(lambda: server.health()["environments"]["busy"] > busy)

    def finish(self):
        self.client.tag_resource(Resource=self.arn, Tags={self.go: ""})
        self.thread.join(60)
        return self.answer[1]


def test_cc01_calls_at_once_have_environments_of_their_own(lambda_client, make_function):
    """CC-01: four calls at once run beside each other, each alone in its process; a later one reuses one of those."""
    name = make_function(ALONE, Timeout=30)
    invoke(lambda_client, name)
    with ThreadPoolExecutor(4) as threads:
        began = time.monotonic()
        # With the log's end, an answer comes when its environment is free.
        ran = threads.map(lambda _: invoke(lambda_client, name, LogType="Tail"), range(4))
        answers = [answer for _, answer in ran]
        took_s = time.monotonic() - began
    assert [clash for clash, _ in answers] == [False] * 4
    streams = {stream for _, stream in answers}
    assert len(streams) == 4
    assert took_s < 20, "what they take one after the other, at least"
    assert invoke(lambda_client, name)[1][1] in streams


def test_cc01_no_third_call_where_two_may_run(small_server, client, held_function):
    """CC-01: with two environments busy a third call is a 429 with AWS's reason; afterwards it runs."""
    calls = [Call(small_server, client, held_function) for _ in range(2)]
    try:
        with pytest.raises(client.exceptions.TooManyRequestsException) as excinfo:
            invoke(client, held_function)
        assert error_of(excinfo) == (429, "TooManyRequestsException", "Rate Exceeded.")
        response = excinfo.value.response
        assert (response["Reason"], response["Type"]) == ("ConcurrentInvocationLimitExceeded", "User")
    finally:
        streams = {call.finish()[1] for call in calls}
    assert len(streams) == 2
    assert invoke(client, held_function)[1][1] in streams


def test_cc01_the_newest_idle_environment_is_reused(small_server, client, held_function):
    """CC-01: of two idle environments the one that worked last gets the next call, and the one after it."""
    first, second = (Call(small_server, client, held_function) for _ in range(2))
    first_stream = first.finish()[1]
    assert invoke(client, held_function, LogType="Tail")[1][1] == first_stream
    second_stream = second.finish()[1]
    assert first_stream != second_stream
    assert [invoke(client, held_function, LogType="Tail")[1][1] for _ in range(3)] == [second_stream] * 3


def test_cc01_an_update_retires_without_disturbing(small_server, client, held_function):
    """CC-01: a call under way ends with the code it began with; the next runs the new code, in a new environment."""
    call = Call(small_server, client, held_function)
    source = HELD.replace('"one"', '"two"')
    client.update_function_code(FunctionName=held_function, ZipFile=zip_of({"app.py": source}))
    wait_updated(client, held_function)
    # With the log's end: no environment is busy when the next calls are waited for but theirs.
    version, new_stream = invoke(client, held_function, LogType="Tail")[1]
    assert version == "two"
    old_version, old_stream = call.finish()
    assert (old_version, old_stream != new_stream) == ("one", True)
    # The old environment took its place with it: two calls of the new code fit beside each other.
    calls = [Call(small_server, client, held_function) for _ in range(2)]
    assert [held.finish()[0] for held in calls] == ["two", "two"]


def test_cc01_functions_do_not_share_environments(client, runtime, unique_name):
    """CC-01: an idle environment of one function makes way for another function's where there is no more room."""
    maker = FunctionMaker(client, runtime, unique_name)
    names = [maker(HELD) for _ in range(3)]
    try:
        answers = [invoke(client, name, LogType="Tail")[1] for name in names]
        assert len({stream for _, stream in answers}) == 3
    finally:
        for name in names:
            client.delete_function(FunctionName=name)


def test_a_caller_that_comes_back_at_once_needs_no_second_environment(own_server, runtime):
    """Calls one after the other are never throttled, not even where one environment is all there may be."""
    server = own_server(None, "--environments-max", "1").start()
    client = server.client("lambda")
    client.create_function(
        FunctionName="f",
        Runtime=runtime,
        Handler="app.handler",
        Role=ROLE,
        # One whole processor: with less, most of the time goes by waiting for the next share of it.
        MemorySize=1769,
        Code={"ZipFile": zip_of({"app.py": "def handler(e, c): return c.log_stream_name"})},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    # A bare connection: boto3 would take longer to come back than a runtime takes to ask for the next event.
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    answers = set()
    for _ in range(1000):
        connection.request("POST", "/2015-03-31/functions/f/invocations", b"{}")
        response = connection.getresponse()
        answers.add((response.status, response.read()))
    connection.close()
    assert {status for status, _ in answers} == {200}
    assert len(answers) == 1, "the calls were served by more than one environment"
