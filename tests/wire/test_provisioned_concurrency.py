"""Provisioned concurrency: the operations, and that environments really are initialised before they are needed."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from wire.support import FunctionMaker, error_of, invoke, tail_of, wait_for, wait_updated

# Says when its module ran, how it was initialised, and in which environment it runs.
SOURCE = """
import os, time
LOADED = time.time()
COUNT = 0
def handler(e, c):
    global COUNT
    COUNT += 1
    time.sleep(e.get("sleep_s", 0))
    if e.get("exit"):
        os._exit(1)
    return [LOADED, COUNT, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], c.log_stream_name]
"""
BROKEN = "raise ValueError('not today')"
NOT_FOUND = "No Provisioned Concurrency Config found for this function"
COUNTS = ("Requested", "Available", "Allocated")


def refused(call, **parameters):
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)


def put(client, name, count, qualifier="1"):
    return client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=count
    )


def get(client, name, qualifier="1"):
    return client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)


def counts(answer):
    return [answer[f"{kind}ProvisionedConcurrentExecutions"] for kind in COUNTS]


def wait_for_status(client, name, status, qualifier="1"):
    def there():
        answer = get(client, name, qualifier)
        return answer if answer["Status"] == status else None

    return wait_for(there)


@pytest.fixture
def version(lambda_client, make_function):
    """The name of a function with a published version 1."""

    def make(source=SOURCE, **settings):
        name = make_function(source, **{"Timeout": 30, **settings})
        lambda_client.publish_version(FunctionName=name)
        return name

    return make


def test_put_is_in_progress_then_ready(lambda_client, version):
    """The answer says what is asked for and nothing there yet; then as many are there. The list says the same."""
    name = version()
    answer = put(lambda_client, name, 2)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert (counts(answer), answer["Status"]) == ([2, 0, 0], "IN_PROGRESS")
    assert "StatusReason" not in answer
    ready = wait_for_status(lambda_client, name, "READY")
    assert counts(ready) == [2, 2, 2]
    assert ready["LastModified"] == answer["LastModified"]
    assert ready["LastModified"].endswith("+0000")
    (item,) = lambda_client.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"]
    assert item["FunctionArn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{name}:1"
    assert (counts(item), item["Status"]) == ([2, 2, 2], "READY")


def test_cc01_modules_ran_before_the_first_call(lambda_client, version):
    """CC-01: two calls at once find an environment each whose module ran before; INIT_TYPE says how."""
    name = version()
    put(lambda_client, name, 2)
    wait_for_status(lambda_client, name, "READY")
    time.sleep(0.3)
    called = time.time()
    with ThreadPoolExecutor(2) as threads:
        # With the log's end, the answers come when the environments are free.
        asked = {"LogType": "Tail"}
        calls = [threads.submit(invoke, lambda_client, f"{name}:1", {"sleep_s": 2}, **asked) for _ in range(2)]
        answers = [call.result()[1] for call in calls]
    assert all(loaded < called - 0.2 for loaded, *_ in answers)
    assert [(count, kind) for _, count, kind, _ in answers] == [(1, "provisioned-concurrency")] * 2
    assert len({stream for *_, stream in answers}) == 2
    # They are kept, not used up.
    assert counts(get(lambda_client, name)) == [2, 2, 2]
    again = invoke(lambda_client, f"{name}:1", {})[1]
    assert again[1:3] == [2, "provisioned-concurrency"]


def test_the_first_report_has_the_init(lambda_client, version):
    """What was initialised ahead reports, and bills, its init with its first invocation."""
    name = version()
    put(lambda_client, name, 1)
    wait_for_status(lambda_client, name, "READY")
    first, second = (tail_of(invoke(lambda_client, f"{name}:1", {}, LogType="Tail")[0]) for _ in range(2))
    assert "Init Duration: " in first
    assert "Init Duration: " not in second


def test_more_calls_than_provisioned_run_on_demand(lambda_client, version):
    """The call beyond what is provisioned gets an ordinary environment; so does another version."""
    name = version()
    put(lambda_client, name, 1)
    wait_for_status(lambda_client, name, "READY")
    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(invoke, lambda_client, f"{name}:1", {"sleep_s": 2}) for _ in range(2)]
        kinds = sorted(call.result()[1][2] for call in calls)
    assert kinds == ["on-demand", "provisioned-concurrency"]
    assert invoke(lambda_client, name, {})[1][2] == "on-demand"


def test_one_that_dies_is_replaced(lambda_client, version):
    """An environment that ends is made anew without a call."""
    name = version()
    put(lambda_client, name, 1)
    wait_for_status(lambda_client, name, "READY")
    assert "FunctionError" in invoke(lambda_client, f"{name}:1", {"exit": True})[0]
    wait_for_status(lambda_client, name, "READY")
    time.sleep(0.2)
    called = time.time()
    loaded, count, kind, _ = invoke(lambda_client, f"{name}:1", {})[1]
    assert (count, kind) == (1, "provisioned-concurrency")
    assert loaded < called


def test_an_init_that_fails(lambda_client, version):
    """The status says so, with AWS's reason; the call's own init fails as ever."""
    name = version(BROKEN)
    put(lambda_client, name, 1)
    failed = wait_for_status(lambda_client, name, "FAILED")
    assert counts(failed) == [1, 0, 0]
    assert failed["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    assert invoke(lambda_client, f"{name}:1", {})[1]["errorMessage"] == "not today"


def test_a_new_number_acts(lambda_client, version, server):
    """More are made, fewer are kept: never is one ended that is still asked for."""
    name = version()
    put(lambda_client, name, 1)
    wait_for_status(lambda_client, name, "READY")
    first = invoke(lambda_client, f"{name}:1", {}, LogType="Tail")[1]
    put(lambda_client, name, 3)
    assert counts(wait_for_status(lambda_client, name, "READY")) == [3, 3, 3]
    put(lambda_client, name, 1)
    assert counts(wait_for_status(lambda_client, name, "READY")) == [1, 1, 1]
    assert invoke(lambda_client, f"{name}:1", {})[1][2] == first[2] == "provisioned-concurrency"


def test_delete_ends_what_is_kept(lone_server, runtime):
    """The configuration is gone at once, its environments soon after; the version serves on demand."""
    client = lone_server.client("lambda")
    name = FunctionMaker(client, runtime, "f")(SOURCE, Publish=True)
    put(client, name, 2)
    wait_for_status(client, name, "READY")
    assert lone_server.health()["environments"]["total"] == 2
    answer = client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(client.get_provisioned_concurrency_config, FunctionName=name, Qualifier="1") == (
        404, "ProvisionedConcurrencyConfigNotFoundException", NOT_FOUND,
    )  # fmt: skip
    assert client.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"] == []
    wait_for(lambda: lone_server.health()["environments"]["total"] == 0)
    assert invoke(client, f"{name}:1", {})[1][2] == "on-demand"
    # Once more changes nothing.
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")


def test_deleting_version_or_function_ends_it(lone_server, runtime):
    """Nothing is kept of what is gone, and a function of the same name begins without."""
    client = lone_server.client("lambda")
    make = FunctionMaker(client, runtime, "f")
    make(SOURCE, Publish=True)
    put(client, "f", 1)
    wait_for_status(client, "f", "READY")
    client.delete_function(FunctionName="f", Qualifier="1")
    wait_for(lambda: lone_server.health()["environments"]["total"] == 0)
    make(SOURCE, name="g", Publish=True)
    put(client, "g", 1)
    wait_for_status(client, "g", "READY")
    client.delete_function(FunctionName="g")
    wait_for(lambda: lone_server.health()["environments"]["total"] == 0)
    make(SOURCE, name="g", Publish=True)
    assert client.list_provisioned_concurrency_configs(FunctionName="g")["ProvisionedConcurrencyConfigs"] == []
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_lf04_a_restart_keeps_it(lone_server, runtime, end):
    """LF-04: after a restart or a crash it is there, LastModified and all, and environments are made again."""
    client = lone_server.client("lambda")
    name = FunctionMaker(client, runtime, "f")(SOURCE, Publish=True)
    put(client, name, 1)
    before = wait_for_status(client, name, "READY")
    getattr(lone_server, end)()
    lone_server.restart()
    client = lone_server.client("lambda")
    after = wait_for_status(client, name, "READY")
    for answer in (before, after):
        del answer["ResponseMetadata"]
    assert after == before
    assert invoke(client, f"{name}:1", {})[1][1:3] == [1, "provisioned-concurrency"]


def test_qualifiers(lambda_client, version):
    """`$LATEST` has none, in AWS's words for each operation; an alias that does not exist is named as one."""
    name = version()
    status = (400, "InvalidParameterValueException")
    assert refused(
        lambda_client.put_provisioned_concurrency_config,
        FunctionName=name, Qualifier="$LATEST", ProvisionedConcurrentExecutions=1,
    ) == (*status, "Provisioned Concurrency Configs cannot be applied to unpublished function versions.")  # fmt: skip
    for call in (
        lambda_client.get_provisioned_concurrency_config, lambda_client.delete_provisioned_concurrency_config
    ):  # fmt: skip
        assert refused(call, FunctionName=name, Qualifier="$LATEST") == (
            *status, "The function resource provided must be an alias or a published version.",
        )  # fmt: skip
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        missing = (404, "ResourceNotFoundException")
        assert refused(call, FunctionName=name, Qualifier="live") == (*missing, f"Cannot find alias arn: {arn}:live")
        assert refused(call, FunctionName=name, Qualifier="7") == (*missing, f"Function not found: {arn}:7")
    assert refused(lambda_client.get_provisioned_concurrency_config, FunctionName=name, Qualifier="1")[2] == NOT_FOUND
    gone = "arn:aws:lambda:us-east-1:000000000000:function:gone"
    for call, more in (
        (lambda_client.put_provisioned_concurrency_config, {"ProvisionedConcurrentExecutions": 1}),
        (lambda_client.get_provisioned_concurrency_config, {}),
        (lambda_client.delete_provisioned_concurrency_config, {}),
    ):
        for qualifier, text in (
            ("live", f"Cannot find alias arn: {gone}:live"),
            ("1", f"Function not found: {gone}:1"),
        ):
            assert refused(call, FunctionName="gone", Qualifier=qualifier, **more) == (*missing, text)
    assert refused(lambda_client.list_provisioned_concurrency_configs, FunctionName="gone") == (
        *missing, f"Function not found: {gone}",
    )  # fmt: skip


def test_limits(lone_server, runtime):
    """Not more than the function's reservation, nor than the account can spare; a reservation may not sink below."""
    client = lone_server.client("lambda")
    name = FunctionMaker(client, runtime, "f")(SOURCE, Publish=True)

    def put_refused(count):
        with pytest.raises(ClientError) as excinfo:
            put(client, name, count)
        return error_of(excinfo), excinfo.value.response.get("Type")

    status = (400, "InvalidParameterValueException")
    # What the account cannot spare is refused without a Type, as recorded of the service.
    for count, text in (
        (1001, "is greater than account's unreserved concurrency [1000]."),
        (901, "decreases account's UnreservedConcurrentExecution below its minimum value of [100]."),
    ):
        assert put_refused(count) == ((*status, f"Specified ConcurrentExecutions for function {text}"), None)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    text = "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
    assert put_refused(3) == ((*status, text), "User")
    put(client, name, 2)
    assert refused(client.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=1) == (
        *status,
        " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned concurrency [2].",
    )


def test_counting(lone_server, runtime):
    """What is provisioned leaves the account's unreserved; where all of a reservation is, `$LATEST` is throttled."""
    client = lone_server.client("lambda")
    name = FunctionMaker(client, runtime, "f")(SOURCE, Publish=True)

    def unreserved():
        return client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]

    put(client, name, 1)
    assert unreserved() == 999
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert unreserved() == 999
    with pytest.raises(client.exceptions.TooManyRequestsException) as excinfo:
        invoke(client, name, {})
    assert excinfo.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    wait_for_status(client, name, "READY")
    assert invoke(client, f"{name}:1", {})[1][2] == "provisioned-concurrency"
    client.delete_function_concurrency(FunctionName=name)
    assert invoke(client, name, {})[1][2] == "on-demand"


@pytest.fixture
def aliased(lambda_client, make_function):
    """The name of a function with versions 1 and 2, and an alias `live` of version 1."""
    name = make_function(SOURCE, Publish=True)
    lambda_client.update_function_configuration(FunctionName=name, Description="second")
    wait_updated(lambda_client, name)
    lambda_client.publish_version(FunctionName=name)
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return name


def listed(client, name):
    """Return the qualifiers that have provisioned concurrency, each with its numbers."""
    found = client.list_provisioned_concurrency_configs(FunctionName=name)["ProvisionedConcurrencyConfigs"]
    return {item["FunctionArn"].rpartition(":")[2]: counts(item) for item in found}


def test_an_alias_provisions_its_version(lambda_client, aliased):
    """Asked for by alias, shown by alias; calls through it, and of its version, find what is initialised."""
    client, name = lambda_client, aliased
    assert refused(client.get_provisioned_concurrency_config, FunctionName=name, Qualifier="live")[2] == NOT_FOUND
    answer = put(client, name, 1, "live")
    assert (counts(answer), answer["Status"]) == ([1, 0, 0], "IN_PROGRESS")
    wait_for_status(client, name, "READY", "live")
    assert listed(client, name) == {"live": [1, 1, 1]}
    # With the log's end, the answer comes when the environment is free.
    assert invoke(client, f"{name}:live", {}, LogType="Tail")[1][1:3] == [1, "provisioned-concurrency"]
    assert invoke(client, f"{name}:1", {})[1][1:3] == [2, "provisioned-concurrency"]
    assert invoke(client, f"{name}:2", {})[1][2] == "on-demand"
    # It is the alias's, not the version's.
    assert refused(client.get_provisioned_concurrency_config, FunctionName=name, Qualifier="1")[2] == NOT_FOUND
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    assert listed(client, name) == {"live": [1, 1, 1]}
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="live")
    assert listed(client, name) == {}
    wait_for(lambda: invoke(client, f"{name}:live", {})[1][2] == "on-demand")


def test_version_and_alias_do_not_both_provision(lambda_client, aliased):
    """AWS's words for a version behind such an alias, an alias on such a version, and a second alias."""
    client, name = lambda_client, aliased
    call = client.put_provisioned_concurrency_config
    wanted = {"FunctionName": name, "ProvisionedConcurrentExecutions": 1}
    by_alias = "Version is pointed by a Provisioned Concurrency alias"
    by_version = "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
    conflict = (409, "ResourceConflictException")
    put(client, name, 1, "live")
    assert refused(call, Qualifier="1", **wanted) == (*conflict, by_alias)
    client.create_alias(FunctionName=name, Name="other", FunctionVersion="1")
    assert refused(call, Qualifier="other", **wanted) == (*conflict, by_version)
    put(client, name, 1, "2")
    # Where `live` may not be pointed then.
    assert refused(client.update_alias, FunctionName=name, Name="live", FunctionVersion="2") == (*conflict, by_version)
    assert client.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "1"
    client.update_alias(FunctionName=name, Name="other", FunctionVersion="2")
    assert refused(call, Qualifier="other", **wanted) == (*conflict, by_version)
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="2")
    put(client, name, 1, "other")
    assert set(listed(client, name)) == {"live", "other"}
    pages = client.get_paginator("list_provisioned_concurrency_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 1}
    )
    arns = [[item["FunctionArn"] for item in page["ProvisionedConcurrencyConfigs"]] for page in pages]
    assert [arn.rpartition(":")[2] for (arn,) in arns] == ["live", "other"]


def test_it_follows_its_alias(lone_server, runtime):
    """Pointed at another version, the alias takes what it has provisioned along: made there, ended here."""
    client = lone_server.client("lambda")
    name = FunctionMaker(client, runtime, "f")(SOURCE, Publish=True)
    client.update_function_configuration(FunctionName=name, Description="second")
    wait_updated(client, name)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    put(client, name, 1, "live")
    wait_for_status(client, name, "READY", "live")
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2", Description="moved")
    wait_for_status(client, name, "READY", "live")
    assert listed(client, name) == {"live": [1, 1, 1]}
    answer, (_, count, kind, _) = invoke(client, f"{name}:live", {}, LogType="Tail")
    assert (answer["ExecutedVersion"], count, kind) == ("2", 1, "provisioned-concurrency")
    wait_for(lambda: lone_server.health()["environments"]["total"] == 1)
    # What stays where it is keeps its environments.
    client.update_alias(FunctionName=name, Name="live", Description="again")
    assert invoke(client, f"{name}:live", {})[1][1:3] == [2, "provisioned-concurrency"]
    client.delete_alias(FunctionName=name, Name="live")
    wait_for(lambda: lone_server.health()["environments"]["total"] == 0)
    assert listed(client, name) == {}
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000


def test_an_alias_of_latest_provisions_nothing(lambda_client, aliased):
    """Neither can one of `$LATEST` be provisioned, nor one that is provisioned be pointed there; nothing changes."""
    client, name = lambda_client, aliased
    client.create_alias(FunctionName=name, Name="latest", FunctionVersion="$LATEST")
    unpublished = (
        400,
        "InvalidParameterValueException",
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
    )
    assert (
        refused(
            client.put_provisioned_concurrency_config,
            FunctionName=name, Qualifier="latest", ProvisionedConcurrentExecutions=1,
        )
        == unpublished
    )  # fmt: skip
    assert refused(client.get_provisioned_concurrency_config, FunctionName=name, Qualifier="latest")[2] == NOT_FOUND
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="latest")
    put(client, name, 1, "live")
    before = client.get_alias(FunctionName=name, Name="live")["RevisionId"]
    assert refused(client.update_alias, FunctionName=name, Name="live", FunctionVersion="$LATEST") == unpublished
    assert client.get_alias(FunctionName=name, Name="live")["RevisionId"] == before
    assert set(listed(client, name)) == {"live"}


def test_an_alias_takes_it_to_no_snap_started_version(lambda_client, aliased):
    """What cannot be provisioned directly is not by way of an alias either."""
    client, name = lambda_client, aliased
    client.update_function_configuration(FunctionName=name, SnapStart={"ApplyOn": "PublishedVersions"})
    wait_updated(client, name)
    client.publish_version(FunctionName=name)
    put(client, name, 1, "live")
    status, code, text = refused(client.update_alias, FunctionName=name, Name="live", FunctionVersion="3")
    assert (status, code) == (400, "InvalidParameterValueException")
    assert "SnapStart" in text
    assert set(listed(client, name)) == {"live"}
