"""What requests for other services ask leave for: a table of them, and what is not understood."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import cbor2
import pytest

from lambent.domain.caller import Scope
from lambent.errors.families import SerializationException, ValidationException
from lambent.gateway.neighbour_demands import demands_of, needs_body
from lambent.protocol.wire import WireRequest

A = "111122223333"
SCOPE = Scope(A, "eu-west-1")
T = f"arn:aws:dynamodb:eu-west-1:{A}:table/"
K = f"arn:aws:kinesis:eu-west-1:{A}:stream/"
P = f"arn:aws:ssm:eu-west-1:{A}:parameter/"
S = f"arn:aws:secretsmanager:eu-west-1:{A}:secret:"
KEY_ID = "12345678-1234-1234-1234-123456789012"
KMS = f"arn:aws:kms:eu-west-1:{A}:"
STREAM = f"{T}t/stream/2026-01-01T00:00:00.000"


def asked(service: str, request: WireRequest, body: bytes = b"") -> list[tuple[str, str]]:
    return [(demand.action, demand.resource) for demand in demands_of(service, request, SCOPE, body)]


def call(service: str, operation: str, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    request = WireRequest("POST", "/", headers={"x-amz-target": f"Target_2012.{operation}"})
    return asked(service, request, json.dumps(given).encode())


def test_of_s3_only_a_list_of_many_objects_is_read() -> None:
    """And one that is too long needs leave for all."""
    request = WireRequest("POST", "/b", "delete", {"host": "x"})
    assert needs_body("s3", request) and not needs_body("s3", WireRequest("PUT", "/b/k"))
    one = b"<Object><Key>k</Key></Object>"
    assert asked("s3", request, b"<Delete>" + one + b"</Delete>") == [("s3:DeleteObject", "arn:aws:s3:::b/k")]
    many = b"<Delete>" + b"".join(b"<Object><Key>%d</Key></Object>" % number for number in range(1_001)) + b"</Delete>"
    assert asked("s3", request, many) == [("s3:*", "*")]


@pytest.mark.parametrize(
    ("service", "operation", "given", "expected"),
    [
        ("dynamodb", "GetItem", {"TableName": "t"}, [("dynamodb:GetItem", f"{T}t")]),
        ("dynamodb", "GetItem", {"TableName": f"{T}t"}, [("dynamodb:GetItem", f"{T}t")]),
        ("dynamodb", "Query", {"TableName": "t", "IndexName": "i"}, [("dynamodb:Query", f"{T}t/index/i")]),
        ("dynamodb", "ListTables", {}, [("dynamodb:ListTables", "*")]),
        (
            "dynamodb",
            "BatchGetItem",
            {"RequestItems": {"t": {}, "u": {}}},
            [("dynamodb:BatchGetItem", f"{T}t"), ("dynamodb:BatchGetItem", f"{T}u")],
        ),
        (
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "u"}}]},
            [("dynamodb:PutItem", f"{T}t"), ("dynamodb:ConditionCheckItem", f"{T}u")],
        ),
        (
            "dynamodb",
            "TransactGetItems",
            {"TransactItems": [{"Get": {"TableName": "t"}}]},
            [("dynamodb:GetItem", f"{T}t")],
        ),
        ("dynamodb", "TransactWriteItems", {}, [("dynamodb:*", "*")]),
        ("dynamodb", "TransactWriteItems", {"TransactItems": [{"Odd": {"TableName": "t"}}]}, [("dynamodb:*", f"{T}t")]),
        ("dynamodb", "ExecuteStatement", {"Statement": "SELECT * FROM t"}, [("dynamodb:PartiQLSelect", "*")]),
        (
            "dynamodb",
            "BatchExecuteStatement",
            {"Statements": [{"Statement": "DELETE FROM t"}, {"Statement": "drop"}]},
            [("dynamodb:PartiQLDelete", "*"), ("dynamodb:*", "*")],
        ),
        ("dynamodb", "TagResource", {"ResourceArn": f"{T}t"}, [("dynamodb:TagResource", f"{T}t")]),
        (
            "dynamodb",
            "RestoreTableFromBackup",
            {"BackupArn": f"{T}t/backup/b", "TargetTableName": "u"},
            [("dynamodb:RestoreTableFromBackup", f"{T}t/backup/b"), ("dynamodb:RestoreTableFromBackup", f"{T}u")],
        ),
        ("dynamodbstreams", "DescribeStream", {"StreamArn": STREAM}, [("dynamodb:DescribeStream", STREAM)]),
        ("dynamodbstreams", "GetRecords", {"ShardIterator": f"{STREAM}|1|x"}, [("dynamodb:GetRecords", STREAM)]),
        ("dynamodbstreams", "GetRecords", {"ShardIterator": "opaque"}, [("dynamodb:GetRecords", "*")]),
        ("dynamodbstreams", "ListStreams", {"TableName": "t"}, [("dynamodb:ListStreams", "*")]),
        ("kinesis", "PutRecord", {"StreamName": "s"}, [("kinesis:PutRecord", f"{K}s")]),
        (
            "kinesis",
            "PutRecord",
            {"StreamName": "s", "StreamARN": f"{K}other"},
            [("kinesis:PutRecord", f"{K}other"), ("kinesis:PutRecord", f"{K}s")],
        ),
        (
            "kinesis",
            "GetRecords",
            {"ShardIterator": base64.encodebytes(b"s:shardId-000000000000:0").decode(), "StreamARN": f"{K}mine"},
            [("kinesis:GetRecords", f"{K}mine"), ("kinesis:GetRecords", f"{K}s")],
        ),
        ("kinesis", "GetRecords", {"ShardIterator": "opaque"}, [("kinesis:GetRecords", "*")]),
        ("kinesis", "ListStreams", {}, [("kinesis:ListStreams", "*")]),
        ("ssm", "GetParameter", {"Name": "/a/b:3"}, [("ssm:GetParameter", f"{P}a/b")]),
        ("ssm", "GetParameter", {"Name": f"{P}a/b:3"}, [("ssm:GetParameter", f"{P}a/b")]),
        (
            "ssm",
            "GetParameters",
            {"Names": ["a", "/b"]},
            [("ssm:GetParameters", f"{P}a"), ("ssm:GetParameters", f"{P}b")],
        ),
        ("ssm", "GetParametersByPath", {"Path": "/a/"}, [("ssm:GetParametersByPath", f"{P}a/")]),
        (
            "ssm",
            "AddTagsToResource",
            {"ResourceType": "Parameter", "ResourceId": "/a"},
            [("ssm:AddTagsToResource", f"{P}a")],
        ),
        (
            "dynamodb",
            "ImportTable",
            {"S3BucketSource": {"S3Bucket": "b"}, "TableCreationParameters": {"TableName": "t"}},
            [
                ("dynamodb:ImportTable", f"{T}t"),
                ("s3:GetObject", "arn:aws:s3:::b/*"),
                ("s3:ListBucket", "arn:aws:s3:::b"),
            ],
        ),
        (
            "dynamodb",
            "ExportTableToPointInTime",
            {"TableArn": f"{T}t", "S3Bucket": "b"},
            [("dynamodb:ExportTableToPointInTime", f"{T}t"), ("s3:PutObject", "arn:aws:s3:::b/*")],
        ),
        (
            "ssm",
            "GetParameters",
            {"Names": ["a", "/aws/reference/secretsmanager/x/y"]},
            [
                ("ssm:GetParameters", f"{P}a"),
                ("ssm:GetParameters", f"{P}aws/reference/secretsmanager/x/y"),
                ("secretsmanager:GetSecretValue", f"{S}x/y-??????"),
            ],
        ),
        (
            "ssm",
            "GetParameter",
            {"Name": "/aws/reference/secretsmanager/arn:x"},
            [
                ("ssm:GetParameter", f"{P}aws/reference/secretsmanager/arn"),
                ("secretsmanager:GetSecretValue", "*"),
            ],
        ),
        ("ssm", "DescribeParameters", {}, [("ssm:DescribeParameters", "*")]),
        ("ssm", "SendCommand", {"Name": "doc"}, [("ssm:SendCommand", "*")]),
        (
            "secretsmanager",
            "GetSecretValue",
            {"SecretId": "db"},
            [("secretsmanager:GetSecretValue", f"{S}db-??????")],
        ),
        (
            "secretsmanager",
            "GetSecretValue",
            {"SecretId": f"{S}db-AbCdEf"},
            [("secretsmanager:GetSecretValue", f"{S}db-AbCdEf")],
        ),
        ("secretsmanager", "CreateSecret", {"Name": "db"}, [("secretsmanager:CreateSecret", f"{S}db-??????")]),
        ("secretsmanager", "ListSecrets", {}, [("secretsmanager:ListSecrets", "*")]),
        (
            "secretsmanager",
            "BatchGetSecretValue",
            {"SecretIdList": ["db"]},
            [("secretsmanager:BatchGetSecretValue", "*"), ("secretsmanager:GetSecretValue", f"{S}db-??????")],
        ),
        (
            "secretsmanager",
            "BatchGetSecretValue",
            {"Filters": []},
            [("secretsmanager:BatchGetSecretValue", "*"), ("secretsmanager:GetSecretValue", "*")],
        ),
        ("kms", "Encrypt", {"KeyId": KEY_ID}, [("kms:Encrypt", f"{KMS}key/{KEY_ID}")]),
        ("kms", "Encrypt", {"KeyId": "alias/a"}, [("kms:Encrypt", f"{KMS}alias/a")]),
        (
            "kms",
            "Decrypt",
            {"CiphertextBlob": base64.b64encode(KEY_ID.encode() + b"\xff" * 40).decode()},
            [("kms:Decrypt", f"{KMS}key/{KEY_ID}")],
        ),
        ("kms", "Decrypt", {"CiphertextBlob": "b3BhcXVl"}, [("kms:Decrypt", "*")]),
        (
            "kms",
            "ReEncrypt",
            {"CiphertextBlob": "b3BhcXVl", "DestinationKeyId": KEY_ID},
            [("kms:ReEncryptFrom", "*"), ("kms:ReEncryptTo", f"{KMS}key/{KEY_ID}")],
        ),
        ("kms", "CreateKey", {}, [("kms:CreateKey", "*")]),
        ("events", "PutEvents", {"Entries": []}, [("events:PutEvents", "*")]),
    ],
)
def test_other_services(
    service: str, operation: str, given: Mapping[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert call(service, operation, given) == expected


@pytest.mark.parametrize(
    ("headers", "path"),
    [({}, "/"), ({"x-amz-target": "DynamoDB_20120810.Get-Item"}, "/"), ({"x-amz-target": "A.GetItem, A.PutItem"}, "/")],
)
def test_a_request_that_names_no_operation_is_all_of_its_service(headers: Mapping[str, str], path: str) -> None:
    assert asked("dynamodb", WireRequest("POST", path, headers=headers), b"{}") == [("dynamodb:*", "*")]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"TableName": 1}'])
def test_a_body_that_names_nothing_needs_leave_for_all(body: bytes) -> None:
    request = WireRequest("POST", "/", headers={"x-amz-target": "DynamoDB_20120810.GetItem"})
    assert asked("dynamodb", request, body) == [("dynamodb:GetItem", "*")]


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b"\xff", b'{"TableName":', b"[" * 100_000, b'{"TableName": "t", "x": NaN}', b"TableName=t"]
)
def test_a_body_that_others_may_read_is_refused(body: bytes) -> None:
    """A policy that denies something of a table would not be found, and a less exact server would do it."""
    request = WireRequest("POST", "/", headers={"x-amz-target": "DynamoDB_20120810.GetItem"})
    with pytest.raises(SerializationException):
        asked("dynamodb", request, body)


FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("query", "headers", "body"),
    [
        ("Action=DeleteSecret", {}, b"{}"),
        ("%41ction=DeleteSecret", {}, b"{}"),
        ("SecretId=other", {}, b"{}"),
        ("", FORM, b"Action=DeleteSecret"),
    ],
)
def test_what_names_an_operation_twice_is_all_of_its_service(
    query: str, headers: Mapping[str, str], body: bytes
) -> None:
    """Which of them counts, servers see in different ways."""
    request = WireRequest("POST", "/", query, {"x-amz-target": "secretsmanager.ListSecrets", **headers})
    assert asked("secretsmanager", request, body) == [("secretsmanager:*", "*")]


def test_a_presigned_target_is_one() -> None:
    request = WireRequest("POST", "/", "X-Amz-Algorithm=a&X-Amz-Expires=1", {"x-amz-target": "kms.ListKeys"})
    assert asked("kms", request, b"{}") == [("kms:ListKeys", "*")]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("Action=Publish", b"Action=DeleteTopic"),
        ("Action=Publish&%41ction=DeleteTopic", b""),
        ("", b"Action=Publish&Action=DeleteTopic"),
        ("", b"%41ction=DeleteTopic&Action=Publish"),
    ],
)
def test_a_form_that_names_two_operations_is_all_of_its_service(query: str, body: bytes) -> None:
    assert asked("sns", WireRequest("POST", "/", query, FORM), body) == [("sns:*", "*")]


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "DeleteTable"])
def test_only_queries_and_scans_are_on_an_index(operation: str) -> None:
    """The others leave the name out of account, and so would a policy that denies the table."""
    assert call("dynamodb", operation, {"TableName": "t", "IndexName": "i"}) == [(f"dynamodb:{operation}", f"{T}t")]


@pytest.mark.parametrize(
    ("service", "operation", "given"),
    [
        ("secretsmanager", "GetSecretValue", {"SecretId": f"{S}mine-:secret:other"}),
        ("secretsmanager", "GetSecretValue", {"SecretId": "mine:other"}),
        ("dynamodb", "GetItem", {"TableName": f"{T}mine/table/other"}),
        ("dynamodb", "PutResourcePolicy", {"ResourceArn": f"{T}mine/index/other"}),
        ("dynamodb", "PutResourcePolicy", {"ResourceArn": f"{T}mine/stream/2026"}),
        ("dynamodb", "GetItem", {"TableName": "arn:x"}),
        ("kinesis", "PutRecord", {"StreamARN": f"{K}mine/stream/other"}),
        ("kms", "Decrypt", {"KeyId": f"{KMS}key/a/key/b"}),
        ("ssm", "GetParameter", {"Name": "arn:aws:ssm:x"}),
        ("ssm", "GetParameter", {"Name": f"{P}mine{P}"}),
    ],
)
def test_what_may_be_the_name_of_something_else_is_refused(
    service: str, operation: str, given: Mapping[str, Any]
) -> None:
    with pytest.raises(ValidationException):
        call(service, operation, given)


def test_what_is_named_elsewhere_needs_leave_for_what_has_the_name_here() -> None:
    """Servers for development find it by its name."""
    there = "arn:aws:dynamodb:us-east-1:444455556666:table/t"
    assert call("dynamodb", "GetItem", {"TableName": there}) == [
        ("dynamodb:GetItem", there),
        ("dynamodb:GetItem", f"{T}t"),
    ]


def test_the_query_protocol_and_cbor_are_read() -> None:
    form = WireRequest("POST", "/", headers={"content-type": "application/x-www-form-urlencoded"})
    assert asked("sns", form, b"Version=2010-03-31&Action=Publish") == [("sns:Publish", "*")]
    assert asked("monitoring", WireRequest("GET", "/", "Action=ListMetrics")) == [("cloudwatch:ListMetrics", "*")]
    rpc = WireRequest(
        "POST", "/service/Kinesis_20131202/operation/PutRecord", headers={"content-type": "application/cbor"}
    )
    assert asked("kinesis", rpc, cbor2.dumps({"StreamName": "s"})) == [("kinesis:PutRecord", f"{K}s")]


@pytest.mark.parametrize(
    ("service", "method", "path", "query", "headers", "body"),
    [
        ("s3", "GET", "/b/k", "unheard-of", {}, b""),
        ("s3", "GET", "//b/k", "", {}, b""),
        ("s3", "PUT", "/b/k", "", {"x-amz-copy-source": "a/../c/x"}, b""),
        ("secretsmanager", "POST", "/", "Action=GetSecretValue", {"x-amz-target": "secretsmanager.ListSecrets"}, b"{}"),
        ("dynamodb", "POST", "/", "", {"x-amz-target": "DynamoDB_20120810.ExecuteStatement"}, b"{}"),
        ("dynamodb", "POST", "/", "", {"x-amz-target": "DynamoDBStreams_20120810.GetRecords"}, b"{}"),
    ],
)
def test_what_is_not_understood_is_vague(
    service: str, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> None:
    """So that what denies a part of it is asked."""
    request = WireRequest(method, path, query, {"host": "127.0.0.1:4566", **headers})
    assert any(demand.is_vague for demand in demands_of(service, request, SCOPE, body))


def test_what_has_no_resource_is_not_vague() -> None:
    request = WireRequest("POST", "/", headers={"x-amz-target": "DynamoDB_20120810.ListTables"})
    assert not any(demand.is_vague for demand in demands_of("dynamodb", request, SCOPE, b"{}"))
