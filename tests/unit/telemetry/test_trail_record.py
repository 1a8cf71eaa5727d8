"""Records of the audit trail: CloudTrail's shape, one line each, and no secrets."""

import json
from datetime import UTC, datetime
from time import process_time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.caller import Caller, Inside, Scope
from lambent.domain.principal import (
    ANONYMOUS,
    Principal,
    PrincipalType,
    Session,
    root_of,
    service_principal,
    session_of_role,
)
from lambent.errors.families import AccessDeniedException, ValidationException
from lambent.protocol.wire import WireRequest
from lambent.telemetry.trail_record import RECORD_MAX_BYTES, Call, event_name, is_data, is_read_only, record_of, shown

SCOPE = Scope("111122223333", "eu-west-1")
USER = Principal(
    PrincipalType.USER,
    SCOPE.account,
    "arn:aws:iam::111122223333:user/ann",
    "AIDAUSER",
    "arn:aws:iam::111122223333:user/ann",
    name="ann",
    access_key="AKIAUSER",
)
SESSION = Session("work", 1_795_000_000.0, 1_795_003_600.0, source_identity="ann")


def call_of(service: str, operation: str, parameters: Any = None, principal: Principal | None = USER) -> Call:
    call = Call(WireRequest("POST", "/", headers={"user-agent": "agent"}, client="10.0.0.9"), "the-id", "http://x")
    call.service, call.operation, call.parameters = service, operation, parameters
    if principal is not None:
        call.caller = Caller(SCOPE, principal, "signature", "the-id", "http://x")
    return call


def record(call: Call, **more: Any) -> dict[str, Any]:
    line = record_of(call, now=1_795_000_000.9, event_id="e", account="000000000000", region="us-east-1", **more)
    assert len((line + b"\n").decode().splitlines()) == 1 and line.isascii()
    found: dict[str, Any] = json.loads(line)
    # The stricter reader of the two, by which events are looked up.
    assert msgspec.json.decode(line).keys() == found.keys()
    return found


def test_a_record_is_as_cloudtrail_has_it() -> None:
    """Who, what, when, where, and what came of it."""
    call = call_of("lambda", "CreateFunction", {"FunctionName": "f", "MemorySize": 128, "Code": {"S3Bucket": "b"}})
    call.output = {"FunctionArn": "arn:aws:lambda:eu-west-1:111122223333:function:f", "Timeout": 3}
    assert record(call) == {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAUSER",
            "arn": "arn:aws:iam::111122223333:user/ann",
            "accountId": "111122223333",
            "accessKeyId": "AKIAUSER",
            "userName": "ann",
        },
        "eventTime": "2026-11-18T11:06:40Z",
        "eventSource": "lambda.amazonaws.com",
        "eventName": "CreateFunction20150331",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "10.0.0.9",
        "userAgent": "agent",
        "requestParameters": {"functionName": "f", "memorySize": 128, "code": {"s3Bucket": "b"}},
        "responseElements": {"functionArn": "arn:aws:lambda:eu-west-1:111122223333:function:f", "timeout": 3},
        "requestID": "the-id",
        "eventID": "e",
        "readOnly": False,
        "resources": [
            {
                "ARN": "arn:aws:lambda:eu-west-1:111122223333:function:f",
                "accountId": "111122223333",
                "type": "AWS::Lambda::Function",
            }
        ],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    }


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        (root_of("1" * 12, "AKIAROOT"), {"type": "Root", "principalId": "1" * 12, "accessKeyId": "AKIAROOT"}),
        (
            session_of_role("1" * 12, "r", "/p/", "AROAROLE", SESSION, "ASIAKEY"),
            {
                "type": "AssumedRole",
                "principalId": "AROAROLE:work",
                "arn": f"arn:aws:sts::{'1' * 12}:assumed-role/r/work",
                "sessionContext": {
                    "attributes": {"creationDate": "2026-11-18T11:06:40Z", "mfaAuthenticated": "false"},
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": "AROAROLE",
                        "arn": f"arn:aws:iam::{'1' * 12}:role/p/r",
                        "accountId": "1" * 12,
                        "userName": "r",
                    },
                    "sourceIdentity": "ann",
                },
            },
        ),
        (
            msgspec.structs.replace(USER, session=SESSION),
            {"type": "IAMUser", "userName": "ann", "sessionContext": {
                "attributes": {"creationDate": "2026-11-18T11:06:40Z", "mfaAuthenticated": "false"},
                "sourceIdentity": "ann",
            }},
        ),
        (ANONYMOUS, {"type": "AWSAccount", "accountId": "anonymous"}),
        (service_principal("s3.amazonaws.com"), {"type": "AWSService", "invokedBy": "s3.amazonaws.com"}),
    ],
)  # fmt: skip
def test_each_principal_is_named_in_its_way(principal: Principal, expected: dict[str, Any]) -> None:
    """Documented: CloudTrail user guide, userIdentity element."""
    identity = record(call_of("lambda", "ListFunctions", {}, principal))["userIdentity"]
    assert {name: identity.get(name) for name in expected} == expected


def test_a_denied_call_has_no_parameters() -> None:
    """Its code and text say what was denied."""
    call = call_of("lambda", "DeleteFunction", {"FunctionName": "f"})
    call.error = AccessDeniedException("User: ann is not authorized")
    found = record(call)
    assert (found["errorCode"], found["errorMessage"]) == ("AccessDenied", "User: ann is not authorized")
    assert found["requestParameters"] is None and found["responseElements"] is None


def test_whoever_is_not_known_is_the_operators_affair() -> None:
    """What the request says of its key is shown, if it looks like one: a secret in its place does not."""
    call = call_of("lambda", "ListFunctions", None, None)
    found = record(call, access_key="AKIAWRONG", suppressed=3)
    assert found["userIdentity"] == {"type": "Unknown", "principalId": "", "accessKeyId": "AKIAWRONG"}
    assert (found["recipientAccountId"], found["awsRegion"]) == ("000000000000", "us-east-1")
    assert found["additionalEventData"] == {"suppressedEvents": 3}
    assert record(call, access_key="wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYxx")["userIdentity"]["accessKeyId"] == ""


@pytest.mark.parametrize(
    ("service", "operation", "name", "is_read", "is_of_data"),
    [
        ("lambda", "GetFunction", "GetFunction20150331v2", True, False),
        ("lambda", "TagResource", "TagResource20170331v2", False, False),
        ("lambda", "CreateFunctionUrlConfig", "CreateFunctionUrlConfig", False, False),
        ("lambda", "Invoke", "Invoke", False, True),
        ("sqs", "SendMessage", "SendMessage", False, True),
        ("sqs", "CreateQueue", "CreateQueue", False, False),
        ("sts", "AssumeRole", "AssumeRole", True, False),
        ("s3", "GetObject", "GetObject", True, True),
        ("s3", "CreateBucket", "CreateBucket", False, False),
        ("logs", "FilterLogEvents", "FilterLogEvents", True, False),
        ("logs", "PutLogEvents", "PutLogEvents", False, True),
        ("cloudtrail", "LookupEvents", "LookupEvents", True, False),
        ("ssm", "", "Unknown", False, False),
    ],
)
def test_operations_have_their_names_and_kinds(
    service: str, operation: str, name: str, is_read: bool, is_of_data: bool
) -> None:
    """Lambda's names carry versions; what reads, and what is about contents, is told by the operation."""
    assert event_name(service, operation) == name
    assert (is_read_only(service, operation), is_data(service, operation)) == (is_read, is_of_data)


def test_calls_of_iam_and_sts_are_filed_in_one_region() -> None:
    """Documented: CloudTrail user guide, global service events."""
    assert record(call_of("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::1:role/r"}))["awsRegion"] == "us-east-1"


def test_secrets_are_left_out_wherever_they_stand() -> None:
    """By name, in requests and answers, however deep; blobs always."""
    secret = "hunter2"
    call = call_of(
        "lambda",
        "CreateFunction",
        {
            "FunctionName": "f",
            "Code": {"ZipFile": secret.encode(), "Other": object()},
            "Environment": {"Variables": {"KEY": secret}},
            "Entries": [{"Id": "1", "MessageBody": secret}],
            "StageVariables": {"key": secret},
            "RequestParameters": {"append:header.Authorization": secret},
            "SecretString": secret,
            "Password": secret,
            "secret_key": secret,
        },
    )
    call.output = {
        "AccessKey": {"AccessKeyId": "AKIA", "SecretAccessKey": secret},
        "Credentials": {"SessionToken": secret, "AccessKeyId": "ASIA"},
        "Code": {"Location": f"http://x/?signature={secret}"},
        "Environment": {"Variables": {"KEY": secret}},
    }
    found = record(call)
    assert secret not in json.dumps(found)
    assert found["requestParameters"] == {"functionName": "f", "code": {}, "entries": [{"id": "1"}]}
    assert found["responseElements"] == {
        "accessKey": {"accessKeyId": "AKIA"}, "credentials": {"accessKeyId": "ASIA"}, "code": {},
    }  # fmt: skip


def test_an_error_does_not_repeat_what_was_sent() -> None:
    """Constraints that were broken name the value: it may be a secret in the wrong place."""
    call = call_of("lambda", "CreateFunction")
    call.error = ValidationException(
        "2 validation errors detected: Value '{A='hunter2' at 'x}' at 'environment' failed to satisfy constraint: c; "
        "Value 'hunter2\n' at 'role' failed to satisfy constraint: Member must be short"
    )
    message = record(call)["errorMessage"]
    assert "hunter2" not in message
    assert message == "2 validation errors detected: Value at 'role' failed to satisfy constraint: Member must be short"


def test_an_error_does_not_repeat_what_was_signed() -> None:
    """A session's token is among it."""
    call = call_of("sqs", "ListQueues", principal=None)
    call.error = ValidationException("It does not match.\n\nThe Canonical String\n'x-amz-security-token:SECRET'\n")
    assert record(call)["errorMessage"] == "It does not match."


def test_an_error_as_long_as_a_body_holds_nobody_up() -> None:
    """Full of what looks like the beginning of a value, of which there is no end."""
    call = call_of("sqs", "CreateQueue")
    call.error = ValidationException("Value '" * 500_000)
    began = process_time()
    record(call)
    assert process_time() - began < 5


def test_who_calls_from_inside_is_named() -> None:
    """The function and its environment, as the listener knows them; and that nobody proved who they are."""
    call = call_of("sqs", "ListQueues", {})
    call.request.inside = Inside(SCOPE, "arn:aws:lambda:eu-west-1:111122223333:function:f", "env-1")
    call.caller = Caller(SCOPE, USER, "none", "the-id", "http://x")
    assert record(call)["additionalEventData"] == {
        "authenticatedBy": "none",
        "functionArn": "arn:aws:lambda:eu-west-1:111122223333:function:f",
        "environment": "env-1",
    }


def test_what_is_huge_is_cut() -> None:
    """Agents, names, texts, lists and depths; what is too large all the same loses its largest parts."""
    call = call_of("lambda", "CreateFunction", {"FunctionName": "n" * 9_000_000, "List": ["x"] * 9_000})
    call.request.headers = {"user-agent": "a" * 1_000_000, "host": "h" * 100_000}
    call.request.client = "c" * 10_000
    assert len(json.dumps(record(call))) < 20_000
    call = call_of("lambda", "CreateFunction", {f"Member{number}": "v" * 8_000 for number in range(100)})
    found = record(call)
    assert found["requestParameters"]["omitted"] is True
    assert len(json.dumps(found)) < RECORD_MAX_BYTES
    deep: Any = "x"
    for _ in range(5_000):
        deep = {"Deep": deep}
    assert len(json.dumps(shown(deep))) < 500


def test_what_is_no_json_is_shown_as_it_can_be() -> None:
    """Moments as texts; structures by their fields, without those that nobody set."""

    class Asked(msgspec.Struct):
        access_key: str
        is_kept: bool | msgspec.UnsetType = msgspec.UNSET

    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert shown({"When": at, "Asked": Asked("k")}) == {"when": "2026-01-02T03:04:05Z", "asked": {"accessKey": "k"}}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=20,
)


@given(_VALUES, st.text(), st.text())
def test_whatever_is_sent_is_one_line(parameters: Any, agent: str, message: str) -> None:
    """Also with other ends of lines than LF, and halves of characters."""
    call = call_of("lambda", "CreateFunction", {"FunctionName": agent, "Any": parameters})
    call.request.headers = {"user-agent": agent + "\u2028\x85\ud800"}
    call.error = ValidationException(message)
    record(call)


@pytest.mark.parametrize(
    ("service", "operation", "member", "value"),
    [
        ("logs", "PutLogEvents", "logEvents", [{"timestamp": 1, "message": "card 4111"}]),
        ("logs", "TestMetricFilter", "logEventMessages", ["card 4111"]),
        ("xray", "PutTraceSegments", "TraceSegmentDocuments", ['{"annotations": {"card": "4111"}}']),
    ],
)
def test_what_programs_log_and_trace_is_no_part_of_a_record(
    service: str, operation: str, member: str, value: Any
) -> None:
    """The trail is no second log, and is kept for longer."""
    assert "4111" not in json.dumps(record(call_of(service, operation, {member: value, "other": "x"})))
