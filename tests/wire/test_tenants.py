"""TenancyConfig: each tenant has execution environments of its own."""

import threading

import pytest
from botocore.exceptions import ClientError
from wire.support import error_of, invoke, tail_of, wait_updated

PER_TENANT = {"TenantIsolationMode": "PER_TENANT"}
SOURCE = """
import os, time
CALLS = []
def handler(event, context):
    CALLS.append(context.tenant_id)
    time.sleep((event or {}).get("sleep_s", 0))
    path = "/tmp/tenant"
    found = open(path).read() if os.path.exists(path) else None
    with open(path, "w") as file:
        file.write(context.tenant_id or "")
    return {"calls": CALLS, "tenant": context.tenant_id, "found": found, "environment": context.log_stream_name}
"""
INVALID = (400, "InvalidParameterValueException")


def call(client, name, tenant, event=None, **options):
    return invoke(client, name, event, TenantId=tenant, **options)[1]


@pytest.fixture
def isolated(make_function):
    return make_function(SOURCE, TenancyConfig=PER_TENANT)


def test_tenants_share_no_environment(lambda_client, isolated):
    """A tenant finds its own environment warm, and never what another one left."""
    first = call(lambda_client, isolated, "blue")
    other = call(lambda_client, isolated, "green")
    again = call(lambda_client, isolated, "blue")
    assert (first["tenant"], first["calls"], first["found"]) == ("blue", ["blue"], None)
    assert (other["tenant"], other["calls"], other["found"]) == ("green", ["green"], None)
    assert (again["calls"], again["found"]) == (["blue", "blue"], "blue")
    assert first["environment"] == again["environment"] != other["environment"]


def test_many_tenants_at_once(lambda_client, isolated):
    """Six tenants with three calls each, all at the same time: every environment saw one tenant."""
    answers, failures = [], []

    def call_as(tenant):
        try:
            answers.append((tenant, call(lambda_client, isolated, tenant, {"sleep_s": 0.05})))
        except Exception as error:  # Told by the test's own thread.
            failures.append(error)

    threads = [threading.Thread(target=call_as, args=[f"tenant-{number % 6}"]) for number in range(18)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failures == []
    assert len(answers) == 18
    for tenant, answer in answers:
        assert set(answer["calls"]) == {tenant} == {answer["tenant"]}
        assert answer["found"] in {None, tenant}
    environments = {answer["environment"]: tenant for tenant, answer in answers}
    assert set(environments.values()) == {f"tenant-{number}" for number in range(6)}


@pytest.mark.parametrize("tenant", ["a", "a/b", "a b", "x:y=z+1-2@c.d_e", "/", "0" * 256])
def test_every_tenant_id_of_the_model_arrives(lambda_client, isolated, tenant):
    """All characters that an id may have reach the function as they are."""
    assert call(lambda_client, isolated, tenant)["tenant"] == tenant


def test_ids_that_begin_alike_are_others(lambda_client, isolated):
    """An id with a slash is none of another's."""
    seen = [call(lambda_client, isolated, tenant)["calls"] for tenant in ("a", "a/b", "A", "a/")]
    assert seen == [["a"], ["a/b"], ["A"], ["a/"]]


def test_an_update_reaches_every_tenant(lambda_client, isolated):
    """Environments of all tenants are replaced."""
    before = [call(lambda_client, isolated, tenant)["environment"] for tenant in ("blue", "green")]
    lambda_client.update_function_configuration(FunctionName=isolated, Description="new", Timeout=5)
    wait_updated(lambda_client, isolated)
    after = [call(lambda_client, isolated, tenant) for tenant in ("blue", "green")]
    assert [answer["calls"] for answer in after] == [["blue"], ["green"]]
    assert not set(before) & {answer["environment"] for answer in after}


def test_an_unrelated_update_leaves_tenants_warm(lambda_client, isolated, make_function):
    """A change of another function, or a published version of this one, ends no environment."""
    first = call(lambda_client, isolated, "blue")
    make_function(SOURCE)
    lambda_client.publish_version(FunctionName=isolated)
    assert call(lambda_client, isolated, "blue")["environment"] == first["environment"]


def test_versions_are_isolated_as_well(lambda_client, isolated):
    """A published version tells tenants apart, and its environments are not those of $LATEST."""
    version = lambda_client.publish_version(FunctionName=isolated)["Version"]
    seen = [call(lambda_client, isolated, tenant, Qualifier=version) for tenant in ("blue", "green", "blue")]
    assert [answer["calls"] for answer in seen] == [["blue"], ["green"], ["blue", "blue"]]
    assert call(lambda_client, isolated, "blue")["calls"] == ["blue"]


def test_who_says_no_tenant_is_refused(lambda_client, isolated, make_function):
    """And who names one where there are none."""
    with pytest.raises(ClientError) as excinfo:
        invoke(lambda_client, isolated)
    assert error_of(excinfo) == (
        *INVALID,
        "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try "
        "again.",
    )
    with pytest.raises(ClientError) as excinfo:
        lambda_client.invoke(FunctionName=isolated, InvocationType="DryRun")
    assert error_of(excinfo)[:2] == INVALID
    shared = make_function(SOURCE)
    with pytest.raises(ClientError) as excinfo:
        call(lambda_client, shared, "blue")
    assert error_of(excinfo)[:2] == INVALID
    assert invoke(lambda_client, shared)[1]["tenant"] is None


def test_it_is_shown_and_for_ever(lambda_client, isolated):
    """TenancyConfig is part of the configuration; an update cannot take it away."""
    for configuration in (
        lambda_client.get_function(FunctionName=isolated)["Configuration"],
        lambda_client.update_function_configuration(FunctionName=isolated, Timeout=7),
    ):
        assert configuration["TenancyConfig"] == PER_TENANT
    wait_updated(lambda_client, isolated)
    assert call(lambda_client, isolated, "blue")["tenant"] == "blue"


def test_the_log_of_a_tenant_is_its_own(lambda_client, isolated):
    """Each environment writes to a stream of its own; LogResult is of this invocation."""
    answer, body = invoke(lambda_client, isolated, TenantId="blue", LogType="Tail")
    assert f"RequestId: {answer['ResponseMetadata']['RequestId']}" in tail_of(answer)
    assert body["environment"]
