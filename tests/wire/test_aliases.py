"""Aliases: the operations, their errors, the names that lead to them, and that weights really route."""

import json
import math
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, ROLE, error_of, invoke, wait_updated, zip_of

# Says which version ran, and as what it was called.
SOURCE = "def handler(e, c): return [c.function_version, c.invoked_function_arn]"
INVALID = (400, "InvalidParameterValueException")
MISSING = (404, "ResourceNotFoundException")
STALE = (
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
)


def arn(name, qualifier=None, region=REGION, account=ACCOUNT):
    base = f"arn:aws:lambda:{region}:{account}:function:{name}"
    return base if qualifier is None else f"{base}:{qualifier}"


def refused(call, **parameters):
    """Return (status, code, message) of a call that must fail."""
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)


def shown(answer):
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def status_of(answer):
    return answer["ResponseMetadata"]["HTTPStatusCode"]


def weights(**by_version):
    """Return a RoutingConfig: `weights(v2=0.3)`."""
    return {"AdditionalVersionWeights": {version[1:]: weight for version, weight in by_version.items()}}


@pytest.fixture
def two_versions(lambda_client, make_function):
    """The name of a function with versions 1 and 2."""

    def make(**settings):
        name = make_function(SOURCE, Publish=True, **settings)
        lambda_client.update_function_configuration(FunctionName=name, Description="second")
        wait_updated(lambda_client, name)
        lambda_client.publish_version(FunctionName=name)
        return name

    return make


@pytest.fixture(scope="session")
def unchecked(server):
    """A client that sends whatever it is given."""
    return server.client("lambda", parameter_validation=False)


def test_fn04_a_life(lambda_client, two_versions):
    """FN-04: create, read, change, list, delete; every change has a new revision, and weights go as they came."""
    client, name = lambda_client, two_versions()
    created = client.create_alias(FunctionName=name, Name="a", FunctionVersion="1", RoutingConfig=weights(v2=0.2))
    assert status_of(created) == 201
    assert shown(created) == {
        "AliasArn": arn(name, "a"),
        "Name": "a",
        "FunctionVersion": "1",
        "Description": "",
        "RoutingConfig": weights(v2=0.2),
        "RevisionId": created["RevisionId"],
    }
    assert shown(client.get_alias(FunctionName=name, Name="a")) == shown(created)

    turned = client.update_alias(
        FunctionName=name, Name="a", FunctionVersion="2", Description="d", RoutingConfig=weights(v1=0.95)
    )
    assert status_of(turned) == 200
    assert (turned["FunctionVersion"], turned["RoutingConfig"]) == ("2", weights(v1=0.95))
    kept = client.update_alias(FunctionName=name, Name="a", Description="")
    assert (kept["FunctionVersion"], kept["RoutingConfig"], kept["Description"]) == ("2", weights(v1=0.95), "")
    cleared = client.update_alias(FunctionName=name, Name="a", RoutingConfig={"AdditionalVersionWeights": {}})
    assert "RoutingConfig" not in cleared
    client.update_alias(FunctionName=name, Name="a", RoutingConfig=weights(v1=0.5))
    assert "RoutingConfig" not in client.update_alias(FunctionName=name, Name="a", RoutingConfig={})
    assert "RoutingConfig" not in client.get_alias(FunctionName=name, Name="a")
    assert len({answer["RevisionId"] for answer in (created, turned, kept, cleared)}) == 4

    assert status_of(client.delete_alias(FunctionName=name, Name="a")) == 204
    assert client.list_aliases(FunctionName=name)["Aliases"] == []
    # FN-04: one that is not there is no error.
    assert status_of(client.delete_alias(FunctionName=name, Name="a")) == 204


def test_fn04_bad_weights(unchecked, lambda_client, two_versions):
    """FN-04: impossible weights are refused in AWS's words, by CreateAlias and UpdateAlias, and change nothing."""
    name = two_versions()
    before = shown(lambda_client.create_alias(FunctionName=name, Name="there", FunctionVersion="1"))

    def both(routing, version="1"):
        made = refused(
            unchecked.create_alias, FunctionName=name, Name="new", FunctionVersion=version, RoutingConfig=routing
        )
        changed = refused(
            unchecked.update_alias, FunctionName=name, Name="there", FunctionVersion=version, RoutingConfig=routing
        )
        assert made == changed
        return made

    assert both(weights(v1=0.1, v2=0.1)) == (
        *INVALID, "Number of items in AdditionalVersionWeights cannot be greater than 1",
    )  # fmt: skip
    assert both(weights(v1=0.5)) == (
        *INVALID,
        "Invalid function version 1. Function version 1 is already included in routing configuration.",
    )
    assert both(weights(v2=0.5), version="$LATEST") == (
        *INVALID, "$LATEST is not supported for an alias pointing to more than 1 version",
    )  # fmt: skip
    assert both(weights(v10=0.5)) == (*MISSING, f"Function not found: {arn(name, '10')}")
    assert both(weights(v2=0.5), version="10") == (*MISSING, f"Function not found: {arn(name, '10')}")
    for routing in ({"2": 2.0}, {"2": -1}, {"$LATEST": 0.5}, {"a": 0.5}):
        assert both({"AdditionalVersionWeights": routing})[:2] == (400, "ValidationException")
    assert lambda_client.list_aliases(FunctionName=name)["Aliases"] == [before]


def test_fn04_an_error_without_type(lambda_client, two_versions):
    """The refusal of weights on `$LATEST` carries no Type, the others do: recorded so."""
    name = two_versions()
    types = {}
    for version, routing in (("$LATEST", weights(v2=0.5)), ("1", weights(v1=0.5))):
        with pytest.raises(ClientError) as excinfo:
            lambda_client.create_alias(FunctionName=name, Name="a", FunctionVersion=version, RoutingConfig=routing)
        types[version] = excinfo.value.response.get("Type")
    assert types == {"$LATEST": None, "1": "User"}


def test_weights_need_one_role(lambda_client, two_versions):
    """Two versions behind one alias must run as the same role: documented."""
    client, name = lambda_client, two_versions()
    client.update_function_configuration(FunctionName=name, Role=ROLE + "-2")
    wait_updated(client, name)
    client.publish_version(FunctionName=name)
    code, text = refused(
        client.create_alias, FunctionName=name, Name="a", FunctionVersion="1", RoutingConfig=weights(v3=0.5)
    )[1:]
    assert code == INVALID[1]
    assert "role" in text
    client.create_alias(FunctionName=name, Name="a", FunctionVersion="1", RoutingConfig=weights(v2=0.5))
    assert refused(client.update_alias, FunctionName=name, Name="a", FunctionVersion="3")[1] == INVALID[1]
    # Without weights any version will do.
    client.update_alias(FunctionName=name, Name="a", FunctionVersion="3", RoutingConfig={})


def test_fn04_what_is_missing_or_taken(lambda_client, two_versions):
    """FN-04: each operation's own words for an alias, a function or a version that is not there, or is."""
    client, name = lambda_client, two_versions()
    client.create_alias(FunctionName=name, Name="a", FunctionVersion="1")
    assert refused(client.create_alias, FunctionName=name, Name="a", FunctionVersion="2") == (
        409, "ResourceConflictException", f"Alias already exists: {arn(name, 'a')}",
    )  # fmt: skip
    assert client.get_alias(FunctionName=name, Name="a")["FunctionVersion"] == "1"
    never = "never-existed"
    assert refused(client.get_alias, FunctionName=name, Name=never) == (
        *MISSING, f"Cannot find alias arn: {arn(name, never)}",
    )  # fmt: skip
    assert refused(client.update_alias, FunctionName=name, Name=never, Description="x") == (
        *MISSING, f"Alias not found: {arn(name, never)}",
    )  # fmt: skip
    for call, parameters in (
        (client.get_function, {"Qualifier": never}),
        (client.get_function_configuration, {"Qualifier": never}),
        (client.invoke, {"Qualifier": never}),
    ):
        assert refused(call, FunctionName=name, **parameters) == (
            *MISSING, f"Function not found: {arn(name, never)}",
        )  # fmt: skip
    gone = f"{name}-gone"
    for call, parameters in (
        (client.create_alias, {"Name": "a", "FunctionVersion": "1"}),
        (client.get_alias, {"Name": "a"}),
        (client.update_alias, {"Name": "a"}),
        (client.delete_alias, {"Name": "a"}),
        (client.list_aliases, {}),
    ):
        assert refused(call, FunctionName=gone, **parameters) == (*MISSING, f"Function not found: {arn(gone)}")


def test_what_is_told_first(lambda_client, two_versions):
    """A missing version comes before an alias that is taken, and that before weights that cannot be."""
    client, name = lambda_client, two_versions()
    client.create_alias(FunctionName=name, Name="a", FunctionVersion="1")
    bad = {"FunctionName": name, "Name": "a", "RoutingConfig": weights(v7=0.5, v8=0.5)}
    assert refused(client.create_alias, FunctionVersion="9", **bad) == (
        *MISSING, f"Function not found: {arn(name, '9')}",
    )  # fmt: skip
    assert refused(client.create_alias, FunctionVersion="1", **bad)[:2] == (409, "ResourceConflictException")
    assert refused(client.update_alias, FunctionVersion="9", **bad)[:2] == MISSING
    assert refused(client.update_alias, FunctionVersion="9", RevisionId="old", **bad)[0] == 412


def test_names_of_aliases(unchecked, lambda_client, two_versions):
    """Digits alone are a version's name, and other characters nobody's: the model's pattern refuses them."""
    name = two_versions()
    for alias in ("1", "$LATEST", "a.b", "a" * 129, "ü"):
        status, code, text = refused(unchecked.create_alias, FunctionName=name, Name=alias, FunctionVersion="1")
        assert (status, code) == (400, "ValidationException")
        assert "'name'" in text
    for alias in ("1a", "a" * 128, "-", "_"):
        assert lambda_client.create_alias(FunctionName=name, Name=alias, FunctionVersion="1")["Name"] == alias


def test_a_stale_revision_changes_nothing(lambda_client, two_versions):
    """UpdateAlias with an old RevisionId is 412; with the current one it acts."""
    client, name = lambda_client, two_versions()
    first = client.create_alias(FunctionName=name, Name="a", FunctionVersion="1")["RevisionId"]
    second = client.update_alias(FunctionName=name, Name="a", FunctionVersion="2", RevisionId=first)["RevisionId"]
    assert refused(client.update_alias, FunctionName=name, Name="a", FunctionVersion="1", RevisionId=first) == (
        412, "PreconditionFailedException", STALE,
    )  # fmt: skip
    after = client.get_alias(FunctionName=name, Name="a")
    assert (after["FunctionVersion"], after["RevisionId"]) == ("2", second)


def test_of_many_who_know_one_revision_one_wins(lambda_client, two_versions):
    """Eight clients update with the same RevisionId at once: one is answered 200, the others 412, and it holds."""
    client, name = lambda_client, two_versions()
    revision = client.create_alias(FunctionName=name, Name="a", FunctionVersion="1")["RevisionId"]

    def update(number):
        try:
            return client.update_alias(FunctionName=name, Name="a", Description=str(number), RevisionId=revision)
        except client.exceptions.PreconditionFailedException:
            return None

    with ThreadPoolExecutor(8) as threads:
        (won,) = [answer for answer in threads.map(update, range(8)) if answer is not None]
    assert shown(client.get_alias(FunctionName=name, Name="a")) == shown(won)


def test_aliases_leave_the_functions_revision(lambda_client, two_versions):
    """Making and changing an alias changes neither the function's revision nor the version's."""
    client, name = lambda_client, two_versions()

    def revisions():
        return [
            client.get_function_configuration(FunctionName=name, Qualifier=qualifier)["RevisionId"]
            for qualifier in ("$LATEST", "1", "2")
        ]

    before = revisions()
    client.create_alias(FunctionName=name, Name="a", FunctionVersion="1")
    client.update_alias(FunctionName=name, Name="a", FunctionVersion="2")
    client.delete_alias(FunctionName=name, Name="a")
    assert revisions() == before


def test_fn01_an_alias_shows_its_version(lambda_client, two_versions):
    """FN-01, FN-04: the ARN is the alias's as asked for; Version, description and revision are the version's."""
    client, name = lambda_client, two_versions()
    client.create_alias(FunctionName=name, Name="a", FunctionVersion="2")
    version = client.get_function_configuration(FunctionName=name, Qualifier="2")
    for answer in (
        client.get_function_configuration(FunctionName=name, Qualifier="a"),
        client.get_function(FunctionName=name, Qualifier="a")["Configuration"],
    ):
        assert shown(answer) == {**shown(version), "FunctionArn": arn(name, "a")}
        assert (answer["Version"], answer["Description"]) == ("2", "second")
    assert [item["Version"] for item in client.list_versions_by_function(FunctionName=name)["Versions"]] == [
        "$LATEST", "1", "2",
    ]  # fmt: skip


def test_lists(lambda_client, two_versions):
    """By name, in pages, and only those that point at a version: where weights lead does not count."""
    client, name = lambda_client, two_versions()
    for alias, version in (("b", "1"), ("B", "2"), ("a-", "1"), ("a_", "$LATEST"), ("a1", "2")):
        client.create_alias(FunctionName=name, Name=alias, FunctionVersion=version)
    client.update_alias(FunctionName=name, Name="b", RoutingConfig=weights(v2=0.5))

    def names(**narrowing):
        return [item["Name"] for item in client.list_aliases(FunctionName=name, **narrowing)["Aliases"]]

    assert names() == ["B", "a-", "a1", "a_", "b"]
    assert names(FunctionVersion="1") == ["a-", "b"]
    assert names(FunctionVersion="2") == ["B", "a1"]
    assert names(FunctionVersion="$LATEST") == ["a_"]
    assert names(FunctionVersion="7") == names(FunctionVersion="9" * 30) == []
    pages = list(client.get_paginator("list_aliases").paginate(FunctionName=name, PaginationConfig={"PageSize": 2}))
    assert [[item["Name"] for item in page["Aliases"]] for page in pages] == [["B", "a-"], ["a1", "a_"], ["b"]]
    assert "NextMarker" not in pages[-1]
    assert names(FunctionVersion="2", MaxItems=1) == ["B"]
    assert refused(client.list_aliases, FunctionName=name, Marker="???")[:2] == INVALID


def test_nm01_every_name_form_leads_to_an_alias(lambda_client, two_versions):
    """NM-01, RT-03: a name, a partial or a full ARN, each with the alias behind it or beside it as Qualifier."""
    client, name = lambda_client, two_versions()
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for form in (name, f"{ACCOUNT}:function:{name}", f"function:{name}", arn(name)):
        for parameters in (
            {"FunctionName": f"{form}:live"},
            {"FunctionName": form, "Qualifier": "live"},
            {"FunctionName": f"{form}:live", "Qualifier": "live"},
        ):
            found = client.get_function(**parameters)["Configuration"]
            assert (found["FunctionArn"], found["Version"]) == (arn(name, "live"), "1")
            found = client.get_function_configuration(**parameters)
            assert (found["FunctionArn"], found["Version"]) == (arn(name, "live"), "1")
            answer = client.invoke(**parameters)
            assert answer["ExecutedVersion"] == "1"
            assert json.load(answer["Payload"]) == ["1", arn(name, "live")]
        assert client.get_alias(FunctionName=form, Name="live")["AliasArn"] == arn(name, "live")
        assert len(client.list_aliases(FunctionName=form)["Aliases"]) == 1
        assert client.update_alias(FunctionName=form, Name="live", Description=form)["Description"] == form
        made = client.create_alias(FunctionName=form, Name="other", FunctionVersion="2")
        assert made["AliasArn"] == arn(name, "other")
        client.delete_alias(FunctionName=form, Name="other")


def test_nm01_an_escaped_arn_in_a_path(server, lambda_client, two_versions):
    """NM-01: an ARN whose colons arrive as %3A, or as they are, is one segment of the path."""
    name = two_versions()
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    credential = (
        f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/lambda/aws4_request, SignedHeaders=host, Signature=0"
    )
    for path in (arn(name, "live").replace(":", "%3A"), arn(name, "live")):
        request = urllib.request.Request(
            f"{server.endpoint}/2015-03-31/functions/{path}/configuration", headers={"Authorization": credential}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["FunctionArn"] == arn(name, "live")


def test_nm01_where_an_alias_is_not_meant(lambda_client, two_versions):
    """NM-01: operations that take no alias say so, and leave everything as it was."""
    client, name = lambda_client, two_versions()
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert refused(client.delete_function, FunctionName=f"{name}:live") == (
        *INVALID, "Deletion of aliases is not currently supported.",
    )  # fmt: skip
    assert refused(client.put_function_concurrency, FunctionName=arn(name, "live"), ReservedConcurrentExecutions=1) == (
        *INVALID,
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
        "Please specify either a function name or an unqualified function ARN.",
    )
    assert refused(client.tag_resource, Resource=arn(name, "live"), Tags={"a": "b"}) == (
        *INVALID, "Tags on function aliases and versions are not supported. Please specify a function ARN.",
    )  # fmt: skip
    assert refused(client.update_function_configuration, FunctionName=f"{name}:live", Description="x")[:2] == INVALID
    for call in (client.get_function, client.invoke, client.get_policy):
        assert refused(call, FunctionName=f"{name}:live", Qualifier="1") == (
            *INVALID, "The derived qualifier from the function name does not match the specified qualifier.",
        )  # fmt: skip
    assert client.get_function_configuration(FunctionName=name)["Description"] == "second"


def test_nm02_aliases_of_other_regions_are_not_reachable(lambda_client, two_versions):
    """NM-02: neither by an ARN of another region, nor does an alias of that name here serve for it."""
    name = two_versions()
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    elsewhere = arn(name, region="eu-west-1")
    expected = (*MISSING, f"Functions from 'eu-west-1' are not reachable in this region ('{REGION}')")
    assert refused(lambda_client.invoke, FunctionName=f"{elsewhere}:live") == expected
    for call in (lambda_client.get_alias, lambda_client.delete_alias, lambda_client.update_alias):
        assert refused(call, FunctionName=elsewhere, Name="live") == expected
    assert lambda_client.get_alias(FunctionName=name, Name="live")


def invocations(client, name, count):
    """Invoke through the alias `a` so often; count who says to have answered."""

    def one(_):
        answer, (version, invoked_arn) = invoke(client, f"{name}:a", {})
        assert answer["ExecutedVersion"] == version
        assert invoked_arn == arn(name, "a")
        return version

    with ThreadPoolExecutor(4) as threads:
        return Counter(threads.map(one, range(count)))


@pytest.mark.parametrize("weight", [0.3, 0.95])
def test_fn04_weights_route(lambda_client, two_versions, weight):
    """FN-04: over 400 calls each version answers as often as its weight says, within five standard deviations."""
    name, count = two_versions(), 400
    lambda_client.create_alias(FunctionName=name, Name="a", FunctionVersion="1", RoutingConfig=weights(v2=weight))
    answered = invocations(lambda_client, name, count)
    assert answered.keys() <= {"1", "2"}
    # Once in two million runs a true die is out of this; one that ignores the weight, or turns it round, always is.
    most = 5 * math.sqrt(count * weight * (1 - weight))
    assert abs(answered["2"] - count * weight) <= most, answered


def test_weights_of_nothing_and_all(lambda_client, two_versions):
    """With 0 the further version never answers, with 1 it always does; a change acts on the next call."""
    name = two_versions()
    lambda_client.create_alias(FunctionName=name, Name="a", FunctionVersion="1", RoutingConfig=weights(v2=0.0))
    assert invocations(lambda_client, name, 30) == {"1": 30}
    lambda_client.update_alias(FunctionName=name, Name="a", RoutingConfig=weights(v2=1.0))
    assert invocations(lambda_client, name, 30) == {"2": 30}
    lambda_client.update_alias(FunctionName=name, Name="a", RoutingConfig={})
    assert invocations(lambda_client, name, 5) == {"1": 5}


def test_an_alias_follows_at_once(lambda_client, two_versions):
    """The call after UpdateAlias runs where the alias points now; one on `$LATEST` follows every update."""
    client, name = lambda_client, two_versions()
    client.create_alias(FunctionName=name, Name="a", FunctionVersion="1")
    for version in ("2", "1", "2"):
        client.update_alias(FunctionName=name, Name="a", FunctionVersion=version)
        assert invoke(client, f"{name}:a", {})[1] == [version, arn(name, "a")]
    client.update_alias(FunctionName=name, Name="a", FunctionVersion="$LATEST")
    assert invoke(client, f"{name}:a", {})[1] == ["$LATEST", arn(name, "a")]
    client.update_function_code(FunctionName=name, ZipFile=zip_of({"app.py": "def handler(e, c): return 'new'"}))
    wait_updated(client, name)
    assert invoke(client, f"{name}:a", {})[1] == "new"
    client.delete_alias(FunctionName=name, Name="a")
    assert refused(client.invoke, FunctionName=f"{name}:a")[:2] == MISSING


def test_versions_and_functions_that_aliases_hold(lambda_client, two_versions, make_function):
    """A version that an alias leads to, by weight as well, is not deleted; a function goes with its aliases."""
    client, name = lambda_client, two_versions()
    client.create_alias(FunctionName=name, Name="a", FunctionVersion="1", RoutingConfig=weights(v2=0.5))
    for version in ("1", "2"):
        status, code, text = refused(client.delete_function, FunctionName=name, Qualifier=version)
        assert (status, code) == (409, "ResourceConflictException")
        assert f"Version {version}" in text
        assert "a" in text.partition("attached: ")[2]
    client.update_alias(FunctionName=name, Name="a", RoutingConfig={})
    client.delete_function(FunctionName=name, Qualifier="2")
    client.delete_function(FunctionName=name)
    make_function(SOURCE, name=name, Publish=True)
    assert client.list_aliases(FunctionName=name)["Aliases"] == []


def test_aliases_outlive_a_restart(lone_server, runtime):
    """Alias, weights, description and revision are there after a crash, and route."""
    client = lone_server.client("lambda")
    client.create_function(
        FunctionName="f", Runtime=runtime, Handler="app.handler", Role=ROLE, Publish=True,
        Code={"ZipFile": zip_of({"app.py": SOURCE})},
    )  # fmt: skip
    client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    client.update_function_configuration(FunctionName="f", Description="second")
    wait_updated(client, "f")
    client.publish_version(FunctionName="f")
    before = shown(
        client.create_alias(
            FunctionName="f", Name="a", FunctionVersion="1", Description="d", RoutingConfig=weights(v2=1.0)
        )
    )
    lone_server.kill()
    client = lone_server.restart().client("lambda")
    assert shown(client.get_alias(FunctionName="f", Name="a")) == before
    assert invoke(client, "f:a", {})[0]["ExecutedVersion"] == "2"


def test_get_function_code_signing_config(lambda_client, two_versions):
    """Tools ask after every read: 200 without a configuration for a function, 404 without a function."""
    name = two_versions()
    answer = lambda_client.get_function_code_signing_config(FunctionName=name)
    assert status_of(answer) == 200
    assert shown(answer) == {}
    gone = f"{name}-gone"
    assert refused(lambda_client.get_function_code_signing_config, FunctionName=gone) == (
        *MISSING, f"Function not found: {arn(gone)}",
    )  # fmt: skip
