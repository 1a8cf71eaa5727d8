"""Runtime management: what is stored for each version, and that the one runtime version there is can be pinned."""

import json
import urllib.request

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, error_of, invoke, wait_updated

HELLO = "def handler(e, c): return 'hello'"
INVALID = (400, "InvalidParameterValueException")
MISSING = (404, "ResourceNotFoundException")


def arn(name, qualifier=None):
    base = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    return base if qualifier is None else f"{base}:{qualifier}"


def refused(call, **parameters):
    """Return (status, code, message) of a call that must fail."""
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)


def shown(answer):
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def get(client, name, **where):
    return shown(client.get_runtime_management_config(FunctionName=name, **where))


def put(client, name, mode, **settings):
    return shown(client.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn=mode, **settings))


def runtime_version(client, name):
    answer = client.get_function_configuration(FunctionName=name)
    return answer["RuntimeVersionConfig"]["RuntimeVersionArn"]


def test_the_default(lambda_client, make_function):
    """Nothing set is Auto, and no runtime version is named."""
    name = make_function(HELLO, Publish=True)
    assert get(lambda_client, name) == {"UpdateRuntimeOn": "Auto", "FunctionArn": arn(name)}
    assert get(lambda_client, name, Qualifier="1") == {"UpdateRuntimeOn": "Auto", "FunctionArn": arn(name, "1")}


def test_each_version_has_its_own(lambda_client, make_function):
    """`$LATEST` and published versions are set apart; the answer says what was set, and a new revision tells."""
    client, name = lambda_client, make_function(HELLO, Publish=True)
    before = client.get_function_configuration(FunctionName=name)["RevisionId"]
    expected = {"UpdateRuntimeOn": "FunctionUpdate", "FunctionArn": arn(name)}
    assert put(client, name, "FunctionUpdate") == expected
    assert get(client, name) == expected
    assert client.get_function_configuration(FunctionName=name)["RevisionId"] != before
    assert get(client, name, Qualifier="1")["UpdateRuntimeOn"] == "Auto"

    pinned = {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": runtime_version(client, name)}
    assert put(client, f"{name}:1", "Manual", RuntimeVersionArn=pinned["RuntimeVersionArn"]) == {
        **pinned,
        "FunctionArn": arn(name, "1"),
    }
    assert get(client, arn(name), Qualifier="1") == {**pinned, "FunctionArn": arn(name, "1")}
    assert get(client, name) == expected
    # Going back forgets the pinned version.
    assert put(client, name, "Auto", Qualifier="1") == {"UpdateRuntimeOn": "Auto", "FunctionArn": arn(name, "1")}
    assert invoke(client, f"{name}:1", {})[1] == "hello"


def test_null_is_no_member_of_the_answer(server, lambda_client, make_function):
    """On the wire RuntimeVersionArn is absent, not null, unless Manual names it."""
    name = make_function(HELLO, wait=False)
    request = urllib.request.Request(
        f"{server.endpoint}/2021-07-20/functions/{name}/runtime-management-config",
        headers={"Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/lambda/aws4_request"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer).keys() == {"UpdateRuntimeOn", "FunctionArn"}


def test_what_it_takes_to_pin(lambda_client, make_function):
    """Manual needs the ARN of the version that is there; the other modes take none; nothing changes on a refusal."""
    client, name = lambda_client, make_function(HELLO)
    there = runtime_version(client, name)
    other = f"arn:aws:lambda:{REGION}::runtime:{'0' * 64}"
    call = client.put_runtime_management_config
    for settings, word in (
        ({"UpdateRuntimeOn": "Manual"}, "RuntimeVersionArn"),
        ({"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": other}, there),
        ({"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": there}, "Auto"),
        ({"UpdateRuntimeOn": "FunctionUpdate", "RuntimeVersionArn": there}, "FunctionUpdate"),
    ):
        status, code, text = refused(call, FunctionName=name, **settings)
        assert (status, code) == INVALID
        assert word in text
    for settings in (
        {"UpdateRuntimeOn": "Never"},
        {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "arn:aws:lambda:python3.13-and-so-on"},
    ):
        assert refused(call, FunctionName=name, **settings)[:2] == (400, "ValidationException")
    assert get(client, name)["UpdateRuntimeOn"] == "Auto"


def test_which_version_is_meant(lambda_client, make_function):
    """What is missing is 404; an alias is no version here: documented."""
    client, name = lambda_client, make_function(HELLO, Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert get(client, name, Qualifier="$LATEST")["FunctionArn"] == arn(name, "$LATEST")
    for call, more in (
        (client.get_runtime_management_config, {}),
        (client.put_runtime_management_config, {"UpdateRuntimeOn": "FunctionUpdate"}),
    ):
        for qualifier in ("7", "live"):
            assert refused(call, FunctionName=name, Qualifier=qualifier, **more) == (
                *MISSING, f"Function not found: {arn(name, qualifier)}",
            )  # fmt: skip
        gone = f"{name}-gone"
        assert refused(call, FunctionName=gone, **more) == (*MISSING, f"Function not found: {arn(gone)}")


def test_it_is_no_part_of_what_is_published(lambda_client, make_function):
    """Setting it makes nothing to publish, and updates keep it."""
    client, name = lambda_client, make_function(HELLO, Publish=True)
    put(client, name, "FunctionUpdate")
    assert client.publish_version(FunctionName=name)["Version"] == "1"
    client.update_function_configuration(FunctionName=name, Description="d")
    wait_updated(client, name)
    assert get(client, name)["UpdateRuntimeOn"] == "FunctionUpdate"
