"""Behaviour cases of functions, versions, names and environment variables, by their ids."""

import base64
import hashlib
import json
import urllib.request
from functools import partial

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, ROLE, error_of, invoke, wait_for, wait_updated, zip_of

HELLO = "def handler(e, c): return 'hello'"
ENVIRONMENT = """
import os
def handler(e, c):
    return {"env": dict(os.environ), "memory": c.memory_limit_in_mb, "version": c.function_version}
"""


def arn(name, qualifier=None, region=REGION, account=ACCOUNT):
    base = f"arn:aws:lambda:{region}:{account}:function:{name}"
    return base if qualifier is None else f"{base}:{qualifier}"


def refused(call, **parameters):
    """Return (status, code, message) of a call that must fail."""
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)


def test_fn01_publish_on_create_and_update(lambda_client, runtime, make_function, unique_name):
    """FN-01: create with Publish answers version 1 unqualified; update with Publish the version's own ARN."""
    client, name = lambda_client, unique_name
    created = client.create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": zip_of({"app.py": HELLO})},
        Publish=True,
    )
    make_function.made.append((client, name))
    assert (created["Version"], created["FunctionArn"]) == ("1", arn(name))
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})

    latest = client.get_function(FunctionName=name)["Configuration"]
    assert (latest["Version"], latest["FunctionArn"]) == ("$LATEST", arn(name))
    assert client.get_function(FunctionName=name, Qualifier="1")["Configuration"]["FunctionArn"] == arn(name, "1")
    qualified = client.get_function(FunctionName=name, Qualifier="$LATEST")["Configuration"]
    assert qualified["FunctionArn"] == arn(name, "$LATEST")

    def versions():
        return [item["Version"] for item in client.list_versions_by_function(FunctionName=name)["Versions"]]

    assert versions() == ["$LATEST", "1"]
    first = client.get_function_configuration(FunctionName=name, Qualifier="1")
    again = client.publish_version(FunctionName=name)
    assert (again["Version"], again["RevisionId"]) == ("1", first["RevisionId"])
    assert versions() == ["$LATEST", "1"]

    other = zip_of({"app.py": "def handler(e, c): return 2"})
    updated = client.update_function_code(FunctionName=name, ZipFile=other, Publish=True)
    assert (updated["Version"], updated["FunctionArn"]) == ("2", arn(name, "2"))
    wait_updated(client, name)
    third = zip_of({"app.py": "def handler(e, c): return 3"})
    assert client.update_function_code(FunctionName=name, ZipFile=third)["Version"] == "$LATEST"
    wait_updated(client, name)
    assert versions() == ["$LATEST", "1", "2"]
    described = client.publish_version(FunctionName=name, Description="x")
    assert (described["Version"], described["Description"]) == ("3", "x")
    assert client.get_function_configuration(FunctionName=name)["Description"] == ""
    assert [invoke(client, name, Qualifier=number)[1] for number in ("1", "2", "3")] == ["hello", 2, 3]


def test_fn03_list_shapes(lone_server, runtime):
    """FN-03: one entry per function by default, every version with ALL, and never a State."""
    client = lone_server.client("lambda")
    mine = partial(arn, account=lone_server.account)
    for name, publish in (("a", True), ("b", False)):
        client.create_function(
            FunctionName=name,
            Runtime=runtime,
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": zip_of({"app.py": HELLO})},
            Publish=publish,
        )
    default = client.list_functions()["Functions"]
    assert [(item["FunctionArn"], item["Version"]) for item in default] == [
        (mine("a"), "$LATEST"),
        (mine("b"), "$LATEST"),
    ]
    every = client.list_functions(FunctionVersion="ALL")["Functions"]
    assert [item["FunctionArn"] for item in every] == [mine("a", "$LATEST"), mine("a", "1"), mine("b", "$LATEST")]
    for item in (*default, *every, *client.list_versions_by_function(FunctionName="a")["Versions"]):
        assert not {key for key in item if key.startswith(("State", "LastUpdateStatus"))}
    assert refused(client.list_functions, FunctionVersion="LATEST")[:2] == (400, "ValidationException")

    for number in range(58):
        client.create_function(
            FunctionName=f"page-{number:02d}",
            Runtime=runtime,
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": zip_of({"app.py": HELLO})},
        )
    page = client.list_functions(MaxItems=1000)
    assert len(page["Functions"]) == 50
    names = [f["FunctionName"] for p in client.get_paginator("list_functions").paginate() for f in p["Functions"]]
    assert names == ["a", "b", *(f"page-{number:02d}" for number in range(58))]
    assert refused(client.list_functions, Marker="???")[:2] == (400, "InvalidParameterValueException")


def test_nm01_every_name_form_works(lambda_client, make_function):
    """NM-01: names, partial and full ARNs, qualified where that is allowed."""
    name = make_function(HELLO)
    lambda_client.publish_version(FunctionName=name)
    for form in (name, f"{ACCOUNT}:function:{name}", f"function:{name}", arn(name)):
        assert lambda_client.get_function(FunctionName=form)["Configuration"]["FunctionArn"] == arn(name)
        assert invoke(lambda_client, form)[1] == "hello"
        lambda_client.update_function_configuration(FunctionName=form, Description=form)
        wait_updated(lambda_client, name)
        qualified = lambda_client.get_function_configuration(FunctionName=f"{form}:1")
        assert qualified["FunctionArn"] == arn(name, "1")
        assert invoke(lambda_client, f"{form}:1")[0]["ExecutedVersion"] == "1"


def test_nm01_name_errors(lambda_client, make_function):
    """NM-01: mismatching qualifiers, malformed and missing names get the service's own texts."""
    client, name = lambda_client, make_function(HELLO)
    assert refused(client.invoke, FunctionName=f"{name}:live", Qualifier="1") == (
        400,
        "InvalidParameterValueException",
        "The derived qualifier from the function name does not match the specified qualifier.",
    )
    assert client.get_function(FunctionName=f"{name}:$LATEST", Qualifier="$LATEST")
    assert refused(client.delete_function, FunctionName=f"{name}:$LATEST") == (
        400,
        "InvalidParameterValueException",
        "$LATEST version cannot be deleted without deleting the function.",
    )
    status, code, text = refused(client.get_function, FunctionName="a:b:c")
    assert (status, code) == (400, "ValidationException")
    assert "functionName" in text
    assert "regular expression pattern" in text
    long_name = "x" * 65
    status, code, text = refused(
        client.create_function,
        FunctionName=long_name,
        Runtime="python3.11",
        Handler="h.h",
        Role=ROLE,
        Code={"ZipFile": zip_of({"app.py": HELLO})},
    )
    assert (status, code) == (400, "InvalidParameterValueException")
    assert "length less than or equal to 64" in text
    missing = (404, "ResourceNotFoundException")
    assert refused(client.get_function, FunctionName="nope") == (*missing, f"Function not found: {arn('nope')}")
    assert refused(client.invoke, FunctionName="nope") == (*missing, f"Function not found: {arn('nope')}:$LATEST")
    with pytest.raises(ClientError) as excinfo:
        client.get_function(FunctionName="nope")
    assert excinfo.value.response["Type"] == "User"
    assert excinfo.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"] == missing[1]


def test_nm02_other_regions_are_not_reachable(lambda_client, make_function):
    """NM-02: a function of another region is never looked up here."""
    name = make_function(HELLO)
    elsewhere = arn(name, region="eu-west-1")
    expected = (
        404,
        "ResourceNotFoundException",
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
    )
    for call in (
        lambda_client.get_function,
        lambda_client.invoke,
        lambda_client.delete_function,
        lambda_client.get_function_concurrency,
        lambda_client.get_function_url_config,
    ):
        assert refused(call, FunctionName=elsewhere) == expected
    assert lambda_client.get_function(FunctionName=name)


@pytest.mark.parametrize("key", ["AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "LAMBDA_TASK_ROOT", "AWS_SESSION_TOKEN"])
def test_ev01_reserved_keys_are_refused(lambda_client, make_function, key):
    """EV-01: reserved keys are named in the refusal, on create and on update."""
    text = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        "contains reserved keys that are currently not supported for modification. "
        f"Reserved keys used in this request: {key}"
    )
    with pytest.raises(ClientError) as excinfo:
        make_function(HELLO, Environment={"Variables": {key: "x"}})
    expected = (400, "InvalidParameterValueException", text)
    assert error_of(excinfo) == expected
    name = make_function(HELLO)
    change = {"FunctionName": name, "Environment": {"Variables": {key: "x"}}}
    assert refused(lambda_client.update_function_configuration, **change) == expected


def test_ev01_a_reserved_key_that_breaks_the_models_pattern(make_function):
    """EV-01: `_HANDLER` is refused as well, by the model's own pattern for names, which is checked first."""
    with pytest.raises(ClientError) as excinfo:
        make_function(HELLO, Environment={"Variables": {"_HANDLER": "x"}})
    assert error_of(excinfo)[:2] == (400, "ValidationException")


def test_ev01_size_limit_and_allowed_names(lambda_client, make_function):
    """EV-01: 4 KB are measured on the JSON text; ordinary and overridable names are allowed and win."""
    room = 4096 - len(json.dumps({"KEY": ""}, separators=(",", ":")))
    make_function(HELLO, Environment={"Variables": {"KEY": "x" * room}}, wait=False)
    with pytest.raises(ClientError) as excinfo:
        make_function(HELLO, Environment={"Variables": {"KEY": "x" * (room + 1)}})
    status, code, text = error_of(excinfo)
    assert (status, code) == (400, "InvalidParameterValueException")
    assert 'exceeded the 4KB limit. String measured: {"KEY":"x' in text
    allowed = {"TZ": "Europe/Berlin", "LANG": "C.UTF-8", "NODE_OPTIONS": "-x", "AWS_ENDPOINT_URL": "http://elsewhere"}
    name = make_function(ENVIRONMENT, Environment={"Variables": allowed})
    seen = invoke(lambda_client, name)[1]["env"]
    assert {key: seen[key] for key in allowed} == allowed


def test_ev02_updates_reach_warm_functions_and_versions_keep_theirs(lambda_client, make_function, sandbox):
    """EV-02: an update retires warm environments; a published version keeps variables and memory."""
    client = lambda_client
    name = make_function(ENVIRONMENT, Environment={"Variables": {"KEY": "1", "GONE": "x"}})
    assert invoke(client, name)[1]["env"]["KEY"] == "1"
    client.publish_version(FunctionName=name)
    change = {"Environment": {"Variables": {"KEY": "2"}}, "MemorySize": 256, "Timeout": 7}
    client.update_function_configuration(FunctionName=name, **change)
    wait_updated(client, name)
    latest, old = invoke(client, name)[1], invoke(client, name, Qualifier="1")[1]
    assert (latest["env"]["KEY"], "GONE" in latest["env"], latest["memory"]) == ("2", False, "256")
    assert latest["env"]["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert (old["env"]["KEY"], old["env"]["GONE"], old["memory"], old["version"]) == ("1", "x", "128", "1")
    client.update_function_configuration(FunctionName=name, Description="kept")
    wait_updated(client, name)
    assert invoke(client, name)[1]["env"]["KEY"] == "2"
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {}})
    wait_updated(client, name)
    emptied = invoke(client, name)[1]["env"]
    assert "KEY" not in emptied
    # Where functions have a network of their own the gateway is at one address for all of them.
    inside = client.meta.endpoint_url if sandbox == "process" else "http://127.0.0.1:4566"
    assert emptied["AWS_ENDPOINT_URL"] == inside


def test_an_unconfigured_function_shows_every_member(lambda_client, make_function):
    """A function with nothing but the required settings shows AWS's defaults, and passes through Pending."""
    archive = zip_of({"app.py": HELLO})
    name = make_function(archive=archive)
    shown = lambda_client.get_function_configuration(FunctionName=name)
    expected = {
        "CodeSha256": base64.b64encode(hashlib.sha256(archive).digest()).decode(),
        "CodeSize": len(archive),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "PackageType": "Zip",
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "TracingConfig": {"Mode": "PassThrough"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Version": "$LATEST",
    }
    assert {key: shown.get(key) for key in expected} == expected
    assert "Environment" not in shown
    assert "StateReason" not in shown


def test_stale_revisions_are_refused(lambda_client, make_function):
    """Every change makes a new RevisionId; a stale one is a 412."""
    name = make_function(HELLO)
    revision = lambda_client.get_function_configuration(FunctionName=name)["RevisionId"]
    changed = lambda_client.update_function_configuration(FunctionName=name, Description="a", RevisionId=revision)
    assert changed["RevisionId"] != revision
    assert changed["LastUpdateStatus"] == "InProgress"
    wait_updated(lambda_client, name)
    for operation in (lambda_client.publish_version, lambda_client.update_function_configuration):
        assert refused(operation, FunctionName=name, RevisionId=revision)[:2] == (412, "PreconditionFailedException")
    status, code, text = refused(lambda_client.publish_version, FunctionName=name, RevisionId=revision)
    assert (status, code) == (412, "PreconditionFailedException")
    assert text.startswith("The Revision Id provided does not match the latest Revision Id.")


def test_dry_run_of_an_update_stores_nothing(lambda_client, make_function):
    """UpdateFunctionCode with DryRun answers what would be and leaves the function as it is."""
    name = make_function(HELLO)
    before = lambda_client.get_function_configuration(FunctionName=name)
    other = zip_of({"app.py": "def handler(e, c): return 2"})
    answer = lambda_client.update_function_code(FunctionName=name, ZipFile=other, DryRun=True)
    assert answer["CodeSha256"] == base64.b64encode(hashlib.sha256(other).digest()).decode()
    after = lambda_client.get_function_configuration(FunctionName=name)
    assert (after["CodeSha256"], after["RevisionId"]) == (before["CodeSha256"], before["RevisionId"])


def test_tags_and_account_settings(lone_server, runtime):
    """Tags are kept and limited; the account's numbers count every version's copy of the code."""
    client = lone_server.client("lambda")
    mine = partial(arn, account=lone_server.account)
    archive = zip_of({"app.py": HELLO})
    client.create_function(
        FunctionName="f",
        Runtime=runtime,
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": archive},
        Publish=True,
        Tags={"a": "1"},
    )
    client.tag_resource(Resource=mine("f"), Tags={"b": "2"})
    client.untag_resource(Resource=mine("f"), TagKeys=["a", "unknown"])
    assert client.list_tags(Resource=mine("f"))["Tags"] == {"b": "2"}
    assert client.get_function(FunctionName="f")["Tags"] == {"b": "2"}
    assert refused(client.list_tags, Resource=mine("f", "1"))[2] == (
        "Tags on function aliases and versions are not supported. Please specify a function ARN."
    )
    many = {str(number): "x" for number in range(50)}
    assert (
        refused(client.tag_resource, Resource=mine("f"), Tags=many)[2] == "Number of tags exceeds resource tag limit."
    )
    settings = client.get_account_settings()
    assert settings["AccountUsage"] == {"TotalCodeSize": 2 * len(archive), "FunctionCount": 1}
    assert settings["AccountLimit"]["ConcurrentExecutions"] == 1000


def test_accounts_and_regions_are_separate(server, lambda_client, make_function):
    """A twelve-digit access key is its account; nothing of one shows in another, nor in another region."""
    name = make_function(HELLO)
    other = server.client("lambda", account="111111111111")
    assert refused(other.get_function, FunctionName=name)[2] == (
        f"Function not found: arn:aws:lambda:us-east-1:111111111111:function:{name}"
    )
    assert refused(server.client("lambda", region="eu-west-1").get_function, FunctionName=name)[0] == 404
    assert refused(other.get_function, FunctionName=arn(name))[:2] == (403, "AccessDeniedException")


def test_code_location_downloads_the_same_bytes(lambda_client, make_function):
    """PK-04: Code.Location is a link to exactly the uploaded bytes."""
    archive = zip_of({"app.py": HELLO})
    code = lambda_client.get_function(FunctionName=make_function(archive=archive))["Code"]
    assert code["RepositoryType"] == "S3"
    with urllib.request.urlopen(code["Location"], timeout=30) as response:
        assert response.read() == archive


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ImageConfig", {"Command": ["app"]}),
        ("CodeSigningConfigArn", "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"),
    ],
)
def test_settings_that_do_not_act_are_refused_by_name(make_function, setting, value):
    """A setting is refused until the version that makes it act; that version turns its row round."""
    with pytest.raises(ClientError) as excinfo:
        make_function(HELLO, **{setting: value})
    status, code, text = error_of(excinfo)
    assert (status, code) == (400, "InvalidParameterValueException")
    assert text.endswith("is not offered by this version of Lambent")
    assert text.startswith(setting)


def test_defaults_that_tools_spell_out_are_accepted(lambda_client, make_function):
    """Terraform and CDK send AWS's defaults explicitly; that is no setting to refuse."""
    name = make_function(
        HELLO,
        EphemeralStorage={"Size": 512},
        TracingConfig={"Mode": "PassThrough"},
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
        SnapStart={"ApplyOn": "None"},
        Layers=[],
        DeadLetterConfig={"TargetArn": ""},
        KMSKeyArn="",
        LoggingConfig={"LogFormat": "Text"},
        PackageType="Zip",
    )
    assert invoke(lambda_client, name)[1] == "hello"


def test_accept_inert_stores_and_echoes(own_server, runtime):
    """--accept-inert keeps a setting that does not act, shows it, and says so in the log."""
    server = own_server(None, "--accept-inert").start()
    client = server.client("lambda")
    client.create_function(
        FunctionName="f",
        Runtime=runtime,
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": zip_of({"app.py": HELLO})},
        ImageConfig={"Command": ["app"]},
    )
    shown = client.get_function_configuration(FunctionName="f")["ImageConfigResponse"]
    assert shown == {"ImageConfig": {"Command": ["app"]}}
    wait_for(lambda: any("function.inert_setting" in line and "ImageConfig" in line for line in server.log))


def test_runtimes_unknown_not_offered_and_not_here(lambda_client, make_function):
    """An unknown identifier is refused, another language too, a version that is not here becomes Failed."""
    with pytest.raises(ClientError) as excinfo:
        make_function(HELLO, Runtime="cobol85")
    status, code, text = error_of(excinfo)
    assert (status, code) == (400, "InvalidParameterValueException")
    assert text.startswith(
        "Value cobol85 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ["
    )
    with pytest.raises(ClientError) as excinfo:
        make_function(HELLO, Runtime="ruby2.7")
    assert error_of(excinfo)[2] == "Runtime ruby2.7 is not offered by this version of Lambent"
