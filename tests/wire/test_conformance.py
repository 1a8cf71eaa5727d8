"""The report on conformance, put to the server: what it calls refused or not offered is, in so many words."""

import json
import subprocess

import pytest
from botocore.exceptions import ClientError
from wire.observing import members_in_use
from wire.support import ACCOUNT, LAMBENT, REGION, ROLE, error_of, wait_for, zip_of

ZIP = zip_of({"app.py": "def handler(event, context):\n    return event\n"})
KEY = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000"

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:refused"

REQUESTS = {
    "CreateEventSourceMapping": {"FunctionName": "refused", "EventSourceArn": f"{QUEUE}-too"},
    "CreateFunction": {
        "FunctionName": "refused",
        "Handler": "app.handler",
        "Role": ROLE,
        "Code": {"ZipFile": ZIP},
    },
    "DeleteResourcePolicy": {"policyName": "refused"},
    "DescribeResourcePolicies": {},
    "ListLogGroups": {},
    "PutMetricFilter": {
        "logGroupName": "/aws/lambda/refused",
        "filterName": "refused",
        "filterPattern": "",
        "metricTransformations": [{"metricName": "m", "metricNamespace": "refused", "metricValue": "1"}],
    },
    "PutQueryDefinition": {"name": "refused", "queryString": "fields @message"},
    "PutResourcePolicy": {"policyName": "refused", "policyDocument": '{"Version":"2012-10-17","Statement":[]}'},
    "PutSubscriptionFilter": {
        "logGroupName": "/aws/lambda/refused",
        "filterName": "refused",
        "filterPattern": "",
        "destinationArn": "arn:aws:lambda:us-east-1:000000000000:function:refused",
    },
    "StartQuery": {
        "logGroupName": "/aws/lambda/refused",
        "startTime": 0,
        "endTime": 1,
        "queryString": "fields @message",
    },
    "Invoke": {"FunctionName": "refused"},
    "PublishLayerVersion": {"LayerName": "refused", "Content": {"ZipFile": ZIP}},
    "PublishVersion": {"FunctionName": "refused"},
    "UpdateEventSourceMapping": {},
    "UpdateFunctionCode": {"FunctionName": "refused", "ZipFile": ZIP},
    "UpdateFunctionConfiguration": {"FunctionName": "refused"},
}
"""A request of each operation that has refused members, with nothing in it to refuse."""

VALUES = {
    "CollectionName": "collection",
    "ConsumerGroupId": "group",
    "DatabaseName": "database",
    "DestinationConfig.OnSuccess": {"Destination": QUEUE},
    "Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["127.0.0.1:9092"]},
    "FullDocument": "UpdateLookup",
    "LoggingConfig.SystemLogLevel": "DEBUG",
    "PollerGroupName": "pollers",
    "Queues": ["queue"],
    "SchemaRegistryConfig": {"SchemaRegistryURI": "http://127.0.0.1"},
    "SourceAccessConfigurations[].Type": "BASIC_AUTH",
    "SourceAccessConfigurations[].URI": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s",
    "Topics": ["topic"],
    "LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": "arn:aws:lambda:us-east-1:000000000000:capacity-provider:p"
    },
    "CodeSigningConfigArn": "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0",
    "DeadLetterConfig.TargetArn": "arn:aws:sqs:us-east-1:000000000000:q",
    "DurableConfig.ExecutionTimeout": 60,
    "DurableConfig.KMSKeyArn": KEY,
    "DurableConfig.RetentionPeriodInDays": 1,
    "DurableExecutionName": "once",
    "FileSystemConfigs[].S3FilesConfig": {"DirectS3Read": "ENABLED"},
    "ImageConfig.Command": ["app.handler"],
    "ImageConfig.EntryPoint": ["/app"],
    "ImageConfig.WorkingDirectory": "/app",
    "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/app:latest",
    "PublishTo": "LATEST_PUBLISHED",
    "S3ObjectStorageMode": "REFERENCE",
    "SourceKMSKeyArn": KEY,
    "applyOnTransformedLogs": True,
    "dataSources": [{"name": "source"}],
    "emitSystemFieldDimensions": ["@aws.account"],
    "emitSystemFields": ["@aws.account"],
    "expectedRevisionId": "1",
    "fieldIndexNames": ["field"],
    "fieldSelectionCriteria": "@aws.account = 1",
    "name": "source",
    "queryLanguage": "SQL",
    "resourceArn": "arn:aws:logs:us-east-1:000000000000:log-group:refused",
    "roleArn": "arn:aws:iam::000000000000:role/refused",
    "type": "source",
}
"""A value that is not AWS's default, by member or by the last part of its path."""

FILE_SYSTEM = {
    "Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0",
    "LocalMountPath": "/mnt/data",
}


@pytest.fixture(scope="module")
def services():
    """What `lambent conformance --json` says, by service."""
    printed = subprocess.run([LAMBENT, "conformance", "--json"], capture_output=True, check=True).stdout
    return {service["name"]: service for service in json.loads(printed)["services"]}


def refused_members(service):
    """Return (operation, member) of what is refused, structures by what they hold."""
    found = [
        (operation["name"], member["path"])
        for operation in service["operations"]
        for member in operation["members"]
        if member["verdict"] == "refused"
    ]
    return [
        (operation, path)
        for operation, path in found
        if not any(other == operation and inner.startswith((f"{path}.", f"{path}[].")) for other, inner in found)
    ]


def with_member(operation, path):
    """Return a request that sets one refused member and is otherwise one that would be answered."""
    request = dict(REQUESTS[operation])
    outer, _, leaf = path.rpartition(".")
    value = VALUES.get(path, VALUES.get(leaf))
    if outer == "FileSystemConfigs[]":
        return {**request, "FileSystemConfigs": [{**FILE_SYSTEM, leaf: value}]}
    if outer == "dataSources[]":
        return {**request, "dataSources": [{"name": "source", leaf: value}]}
    if outer.endswith("[]"):
        return {**request, outer[:-2]: [{leaf: value}]}
    if outer:
        return {**request, outer: {**request.get(outer, {}), leaf: value}}
    return {**request, leaf: value}


def called(client, operation):
    """Return the client's method for an operation."""
    return getattr(client, next(name for name, api in client.meta.method_to_api_mapping.items() if api == operation))


def disabled_mapping(server, function):
    """Make a queue and a mapping that a request may change; return its UUID."""
    client, sqs = server.client("lambda"), server.client("sqs")
    for queue in ("refused", "refused-too"):
        sqs.create_queue(QueueName=queue)
    uuid = client.create_event_source_mapping(FunctionName=function, EventSourceArn=QUEUE, Enabled=False)["UUID"]
    wait_for(lambda: client.get_event_source_mapping(UUID=uuid)["State"] == "Disabled")
    return uuid


@pytest.mark.parametrize("name", ["lambda", "logs"])
def test_what_is_refused_is_refused_by_name(server, make_function, runtime, services, name):
    """Each member by itself, beside what would be answered: 400, and the text names it or what holds it."""
    made = make_function("def handler(event, context):\n    return event\n", name="refused")
    client, faults = server.client(name), []
    uuid = disabled_mapping(server, made) if name == "lambda" else ""
    refused = refused_members(services[name])
    assert refused
    for operation, path in refused:
        request = with_member(operation, path)
        shape = client.meta.service_model.operation_model(operation).input_shape
        assert path in members_in_use(request, shape), f"{operation}: {path} is not what the test sends"
        if operation == "CreateFunction":
            request.update(FunctionName=f"{made}-not", Runtime=runtime)
        if operation == "UpdateEventSourceMapping":
            request.update(UUID=uuid)
        try:
            called(client, operation)(**request)
            faults.append(f"{operation}: {path} was taken")
        except ClientError as error:
            answered, words = error.response["Error"], path.replace("[]", "").split(".")
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status != 400 or not any(word in answered["Message"] for word in words):
                faults.append(f"{operation}: {path} was answered {status} {answered}")
    assert faults == []


def sample(shape):
    """Return a value that a client can send where nothing is checked."""
    if shape.type_name == "structure":
        return {name: sample(shape.members[name]) for name in shape.required_members}
    values = {"list": [], "map": {}, "integer": 1, "long": 1, "float": 1.0, "double": 1.0, "boolean": True}
    return {**values, "blob": b"a", "timestamp": 0}.get(shape.type_name, "a")


@pytest.mark.parametrize("name", ["lambda", "logs"])
def test_what_is_not_offered_is_answered_501(server, services, name):
    """Each operation, with the reason of the report, before anything that was sent is looked at."""
    # Some operations have a host name of their own, which a loopback address has no part of.
    client = server.client(name, parameter_validation=False, inject_host_prefix=False)
    not_offered = [operation for operation in services[name]["operations"] if not operation["is_offered"]]
    assert not_offered
    answers = {}
    for operation in not_offered:
        shape = client.meta.service_model.operation_model(operation["name"]).input_shape
        with pytest.raises(ClientError) as excinfo:
            called(client, operation["name"])(**sample(shape))
        answers[operation["name"]] = error_of(excinfo)
    assert answers == {
        operation["name"]: (
            501,
            "NotImplementedException",
            f"{operation['name']} is not offered by this version of Lambent: {operation['reason']}",
        )
        for operation in not_offered
    }
