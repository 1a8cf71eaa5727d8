"""Members of requests that no story needs: each with what it is to do, so that `lambent conformance` can claim it."""

import json
import platform
import time

import pytest
from botocore.exceptions import ClientError
from wire.support import FunctionMaker, error_of, invoke, newest_python, tail_of, wait_for, wait_updated, zip_of

ECHO = "def handler(event, context):\n    return [event, context.log_stream_name]\n"
OTHER = {"app.py": "def handler(e, c):\n    return 'first'\n\ndef second(e, c):\n    return 'second'\n"}
HERE = "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"
VPC = {"SubnetIds": ["subnet-0123"], "SecurityGroupIds": ["sg-0123"], "Ipv6AllowedForDualStack": True}
KEY = "arn:aws:kms:us-east-1:000000000000:key/01234567-89ab-cdef-0123-456789abcdef"

# Restores more slowly than the ten seconds that hooks have.
SLOW_RESTORE = """
import time
from snapshot_restore_py import register_after_restore
register_after_restore(lambda: time.sleep(60))
def handler(event, context):
    return "ran"
"""


def refused(call, **parameters):
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)


def publish(client, name, description):
    """Publish what is another version than the one before."""
    client.update_function_configuration(FunctionName=name, Description=description)
    wait_updated(client, name)
    return client.publish_version(FunctionName=name)["Version"]


# Functions -----------------------------------------------------------------------------------------------------------


def test_create_shows_what_it_was_given(lambda_client, make_function):
    """Description, VPC and architecture of CreateFunction are shown, there is no VpcId, and the function runs."""
    name = make_function(ECHO, Description="what it is for", VpcConfig=VPC, Architectures=[HERE])
    shown = lambda_client.get_function_configuration(FunctionName=name)
    assert (shown["Description"], shown["Architectures"]) == ("what it is for", [HERE])
    assert shown["VpcConfig"] == {**VPC, "VpcId": ""}
    assert invoke(lambda_client, name, 1)[1][0] == 1


def test_an_update_shows_what_it_was_given(lambda_client, make_function):
    """UpdateFunctionConfiguration: VPC and key come, and go again by empty values."""
    name = make_function(ECHO)
    shown = lambda_client.update_function_configuration(FunctionName=name, VpcConfig=VPC, KMSKeyArn=KEY)
    assert (shown["VpcConfig"], shown["KMSKeyArn"]) == ({**VPC, "VpcId": ""}, KEY)
    wait_updated(lambda_client, name)
    nowhere = {"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": False}
    shown = lambda_client.update_function_configuration(FunctionName=name, VpcConfig=nowhere, KMSKeyArn="")
    assert shown["VpcConfig"] == {**nowhere, "VpcId": ""}
    assert "KMSKeyArn" not in shown


def test_an_update_of_the_handler_acts(lambda_client, make_function, runtime):
    """Handler, and Runtime named once more: the next call runs the other function."""
    name = make_function(entries=OTHER, Handler="app.handler")
    assert invoke(lambda_client, name)[1] == "first"
    lambda_client.update_function_configuration(FunctionName=name, Handler="app.second", Runtime=runtime)
    wait_updated(lambda_client, name)
    assert invoke(lambda_client, name)[1] == "second"


def test_an_update_of_the_runtime_acts(lambda_client, make_function):
    """`provided.al2023` starts the package's own bootstrap in the place of an interpreter."""
    bootstrap = "#!/bin/sh\necho the bootstrap was started >&2\nexit 3\n"
    entries = {"app.py": ECHO, "bootstrap": bootstrap}
    name = make_function(archive=zip_of(entries, modes={"bootstrap": 0o755}))
    assert invoke(lambda_client, name, 1)[1][0] == 1
    shown = lambda_client.update_function_configuration(FunctionName=name, Runtime="provided.al2023")
    assert shown["Runtime"] == "provided.al2023"
    wait_updated(lambda_client, name)
    answer, _ = invoke(lambda_client, name, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert "the bootstrap was started" in tail_of(answer)


def test_update_code_takes_the_architecture_and_the_revision(lambda_client, make_function):
    """UpdateFunctionCode: this machine's architecture is no change, and only the latest revision may be changed."""
    name = make_function(ECHO)
    shown = lambda_client.get_function_configuration(FunctionName=name)
    update = {"FunctionName": name, "ZipFile": zip_of(OTHER), "Architectures": [HERE]}
    stale = "00000000-0000-0000-0000-000000000000"
    status, code, _ = refused(lambda_client.update_function_code, **update, RevisionId=stale)
    assert (status, code) == (412, "PreconditionFailedException")
    answer = lambda_client.update_function_code(**update, RevisionId=shown["RevisionId"])
    assert answer["Architectures"] == [HERE]
    assert answer["RevisionId"] != shown["RevisionId"]
    wait_updated(lambda_client, name)
    assert invoke(lambda_client, name)[1] == "first"


LOGGING = """
import logging
def handler(event, context):
    for level in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger(), level)(level)
"""


def levels(answer):
    """Return the levels of the function's own records in the tail of the log."""
    records = [json.loads(line) for line in tail_of(answer).splitlines() if line.startswith("{")]
    return [record["level"] for record in records if "level" in record]


def test_log_levels_act_from_the_first_call(lambda_client, make_function):
    """LoggingConfig of CreateFunction: what the function logs comes as JSON, and nothing below its level does."""
    config = {"LogFormat": "JSON", "ApplicationLogLevel": "ERROR", "SystemLogLevel": "WARN"}
    name = make_function(LOGGING, LoggingConfig=config)
    shown = lambda_client.get_function_configuration(FunctionName=name)["LoggingConfig"]
    assert shown == {**config, "LogGroup": f"/aws/lambda/{name}"}
    assert levels(invoke(lambda_client, name, LogType="Tail")[0]) == ["ERROR"]


def test_an_update_of_the_log_acts(lambda_client, logs_client, make_function, unique_name):
    """LoggingConfig of UpdateFunctionConfiguration: format, level and group hold from the next call on."""
    name = make_function(LOGGING)
    assert levels(invoke(lambda_client, name, LogType="Tail")[0]) == []
    group = f"/elsewhere/{unique_name}"
    config = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "DEBUG", "LogGroup": group}
    shown = lambda_client.update_function_configuration(FunctionName=name, LoggingConfig=config)
    assert shown["LoggingConfig"] == config
    wait_updated(lambda_client, name)
    answer, _ = invoke(lambda_client, name, LogType="Tail")
    assert levels(answer) == ["INFO", "WARNING", "ERROR"]
    events = wait_for(lambda: group_events(logs_client, group))
    assert any('"level"' in event["message"] for event in events)


def group_events(client, group):
    try:
        return client.filter_log_events(logGroupName=group)["events"]
    except client.exceptions.ResourceNotFoundException:
        return []


def test_a_file_system_comes_with_an_update(own_server, unique_name, tmp_path):
    """FileSystemConfigs of UpdateFunctionConfiguration: the directory is there from the next call on."""
    arn = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
    server = own_server(None, "--file-system", f"{arn}={tmp_path}").start()
    client = server.client("lambda")
    source = "import os\ndef handler(e, c):\n    return os.path.isdir('/mnt/data')\n"
    name = FunctionMaker(client, newest_python(server.sandbox["driver"]), unique_name)(source)
    assert invoke(client, name)[1] is False
    mounted = [{"Arn": arn, "LocalMountPath": "/mnt/data"}]
    shown = client.update_function_configuration(FunctionName=name, FileSystemConfigs=mounted)
    assert shown["FileSystemConfigs"] == mounted
    wait_updated(client, name)
    assert invoke(client, name)[1] is True


# Lists and versions --------------------------------------------------------------------------------------------------


def test_a_master_region_lists_replicas_only(lambda_client, make_function):
    """There are no replicas of Lambda@Edge functions: ALL is everything, any region is nothing."""
    name = make_function(ECHO, wait=False)
    pages = lambda_client.get_paginator("list_functions").paginate(MasterRegion="ALL")
    assert name in [found["FunctionName"] for page in pages for found in page["Functions"]]
    assert lambda_client.list_functions(MasterRegion="us-east-1", FunctionVersion="ALL")["Functions"] == []


def test_versions_come_in_pages(lambda_client, make_function):
    """ListVersionsByFunction: MaxItems is the size of a page, Marker goes on where one ended."""
    name = make_function(ECHO, Publish=True)
    publish(lambda_client, name, "second")
    first = lambda_client.list_versions_by_function(FunctionName=name, MaxItems=2)
    rest = lambda_client.list_versions_by_function(FunctionName=name, MaxItems=2, Marker=first["NextMarker"])
    found = [[version["Version"] for version in page["Versions"]] for page in (first, rest)]
    assert found == [["$LATEST", "1"], ["2"]]
    assert "NextMarker" not in rest


def test_provisioned_concurrency_comes_in_pages(lambda_client, make_function):
    """ListProvisionedConcurrencyConfigs: the same."""
    name = make_function(ECHO, Publish=True)
    versions = ["1", publish(lambda_client, name, "second")]
    for version in versions:
        lambda_client.put_provisioned_concurrency_config(
            FunctionName=name, Qualifier=version, ProvisionedConcurrentExecutions=1
        )
    first = lambda_client.list_provisioned_concurrency_configs(FunctionName=name, MaxItems=1)
    rest = lambda_client.list_provisioned_concurrency_configs(FunctionName=name, MaxItems=1, Marker=first["NextMarker"])
    found = [page["ProvisionedConcurrencyConfigs"][0]["FunctionArn"] for page in (first, rest)]
    assert [arn.rpartition(":")[2] for arn in found] == versions
    assert "NextMarker" not in rest


def test_publishing_what_was_looked_at(lambda_client, make_function):
    """PublishVersion: hash and revision that are current publish, others leave everything as it is."""
    name = make_function(ECHO)
    shown = lambda_client.get_function_configuration(FunctionName=name)
    current = {"CodeSha256": shown["CodeSha256"], "RevisionId": shown["RevisionId"]}
    wrong = {"CodeSha256": "A" * 43 + "=", "RevisionId": "00000000-0000-0000-0000-000000000000"}
    codes = {"CodeSha256": "InvalidParameterValueException", "RevisionId": "PreconditionFailedException"}
    for member, value in wrong.items():
        answer = refused(lambda_client.publish_version, FunctionName=name, **{**current, member: value})
        assert answer[1] == codes[member]
    assert lambda_client.publish_version(FunctionName=name, **current)["Version"] == "1"


# Policies ------------------------------------------------------------------------------------------------------------


def test_policies_are_replaced_at_their_revision(lambda_client, make_function):
    """PutResourcePolicy with the current revision replaces the whole policy."""
    arn = lambda_client.get_function_configuration(FunctionName=make_function(ECHO))["FunctionArn"]

    def policy(sid):
        principal = {"AWS": "arn:aws:iam::111122223333:root"}
        statement = {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction"}
        return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": arn}]})

    first = lambda_client.put_resource_policy(ResourceArn=arn, Policy=policy("first"))
    second = {"ResourceArn": arn, "Policy": policy("second")}
    revision = lambda_client.put_resource_policy(**second, RevisionId=first["RevisionId"])["RevisionId"]
    found = lambda_client.get_resource_policy(ResourceArn=arn)
    assert [statement["Sid"] for statement in json.loads(found["Policy"])["Statement"]] == ["second"]
    assert found["RevisionId"] == revision
    assert refused(lambda_client.put_resource_policy, **second, RevisionId=first["RevisionId"])[0] == 412


def test_a_layers_grant_is_taken_back_at_its_revision(lambda_client, unique_name):
    """RemoveLayerVersionPermission with the current revision removes the statement."""
    layer = lambda_client.publish_layer_version(LayerName=unique_name, Content={"ZipFile": zip_of(OTHER)})
    version = {"LayerName": unique_name, "VersionNumber": layer["Version"]}
    grant = {"StatementId": "all", "Action": "lambda:GetLayerVersion", "Principal": "*"}
    revision = lambda_client.add_layer_version_permission(**version, **grant)["RevisionId"]
    lambda_client.remove_layer_version_permission(**version, StatementId="all", RevisionId=revision)
    assert refused(lambda_client.get_layer_version_policy, **version)[:2] == (404, "ResourceNotFoundException")
    lambda_client.delete_layer_version(**version)


# Errors --------------------------------------------------------------------------------------------------------------


def test_a_restore_has_ten_seconds(lambda_client, make_function):
    """A hook after the restore that does not end makes the call an error of its own, with its own status."""
    name = make_function(SLOW_RESTORE, SnapStart={"ApplyOn": "PublishedVersions"}, Timeout=30)
    version = lambda_client.publish_version(FunctionName=name)["Version"]
    lambda_client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
    )
    started = time.monotonic()
    status, code, _ = refused(lambda_client.invoke, FunctionName=name, Qualifier=version)
    assert (status, code) == (408, "SnapStartTimeoutException")
    assert 9 < time.monotonic() - started < 55


# Logs ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def written(lambda_client, logs_client, make_function):
    """A function that two environments have served; return its log group and their streams in order of name."""
    name = make_function(ECHO, Description="first")
    streams = [invoke(lambda_client, name, LogType="Tail")[1][1]]
    lambda_client.update_function_configuration(FunctionName=name, Description="second")
    wait_updated(lambda_client, name)
    streams.append(invoke(lambda_client, name, LogType="Tail")[1][1])
    group = f"/aws/lambda/{name}"
    wait_for(lambda: len(group_events(logs_client, group)) == 8)
    return group, sorted(streams)


def arn_of(group):
    return f"arn:aws:logs:us-east-1:000000000000:log-group:{group}"


def test_groups_by_identifier_account_and_class(logs_client, written):
    """DescribeLogGroups: names and ARNs find groups; other accounts and other classes have none here."""
    group, _ = written

    def names(**asked):
        return [found["logGroupName"] for found in logs_client.describe_log_groups(**asked)["logGroups"]]

    assert names(logGroupIdentifiers=[group]) == names(logGroupIdentifiers=[arn_of(group)]) == [group]
    assert names(logGroupIdentifiers=["/nowhere"]) == []
    by_prefix = {"logGroupNamePrefix": group, "includeLinkedAccounts": True}
    assert names(**by_prefix, accountIdentifiers=["000000000000"]) == [group]
    assert names(**by_prefix, accountIdentifiers=["111122223333"]) == []
    assert names(logGroupNamePrefix=group, logGroupClass="STANDARD") == [group]
    assert names(logGroupNamePrefix=group, logGroupClass="INFREQUENT_ACCESS") == []


def test_streams_by_identifier_and_prefix_in_pages(logs_client, written):
    """DescribeLogStreams: the group by its ARN, streams by the beginning of their names, page by page."""
    group, streams = written
    first = logs_client.describe_log_streams(logGroupIdentifier=arn_of(group), limit=1)
    rest = logs_client.describe_log_streams(logGroupIdentifier=group, limit=1, nextToken=first["nextToken"])
    assert [page["logStreams"][0]["logStreamName"] for page in (first, rest)] == streams
    assert "nextToken" not in rest
    found = logs_client.describe_log_streams(logGroupName=group, logStreamNamePrefix=streams[1])["logStreams"]
    assert [stream["logStreamName"] for stream in found] == [streams[1]]


def test_events_by_identifier_in_either_direction(logs_client, written):
    """GetLogEvents by ARN; FilterLogEvents newest first. `unmask` shows nothing more: nothing is masked."""
    group, streams = written
    of_stream = {"logStreamName": streams[0], "startFromHead": True}
    by_name = logs_client.get_log_events(logGroupName=group, **of_stream)["events"]
    by_arn = logs_client.get_log_events(logGroupIdentifier=arn_of(group), **of_stream, unmask=True)["events"]
    assert by_arn == by_name != []
    oldest_first = logs_client.filter_log_events(logGroupName=group, startFromHead=True, unmask=True)["events"]
    start = oldest_first[0]["timestamp"]
    newest_first = logs_client.filter_log_events(logGroupName=group, startFromHead=False, startTime=start)["events"]
    assert newest_first == oldest_first[::-1]
    assert len(newest_first) == 8
