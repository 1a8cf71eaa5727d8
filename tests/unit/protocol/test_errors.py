"""Errors before a model was chosen: the request itself shows which form its sender reads."""

import cbor2
import msgspec
import pytest

from lambent.errors.families import AccessDeniedException, AccessError, InvalidSignature, UnrecognizedClient
from lambent.protocol.errors import error_response_without_model
from lambent.protocol.wire import WireRequest

JSON = {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0"}
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
CBOR = {"smithy-protocol": "rpc-v2-cbor"}


@pytest.mark.parametrize(
    ("kind", "code", "query_code", "s3_code"),
    [
        (AccessDeniedException, "AccessDeniedException", "AccessDenied", "AccessDenied"),
        (UnrecognizedClient, "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"),
        (InvalidSignature, "InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch"),
    ],
)
def test_errors_of_access(kind: type[AccessError], code: str, query_code: str, s3_code: str) -> None:
    """A code and a status for each protocol."""
    raised = kind("a < b", fields={"AWSAccessKeyId": "AKIA"})

    def answer(service: str, headers: dict[str, str], method: str = "POST") -> tuple[int, bytes]:
        found = error_response_without_model(WireRequest(method, "/", headers=headers), service, raised, "id")
        assert isinstance(found.body, bytes)
        return found.status, found.body

    status, body = answer("dynamodb", JSON)
    assert (status, msgspec.json.decode(body)) == (400, {"__type": code, "message": "a < b"})
    status, body = answer("monitoring", CBOR)
    assert (status, cbor2.loads(body)) == (400, {"__type": code, "message": "a < b"})
    status, body = answer("sts", FORM)
    assert status == 403
    assert f"<Code>{query_code}</Code><Message>a &lt; b</Message>".encode() in body
    for service in ("s3", "s3control"):
        status, body = answer(service, {})
        assert status == 403
        assert (
            f"<Code>{s3_code}</Code><Message>a &lt; b</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId>".encode() in body
        )
    assert answer("s3", {}, "HEAD") == (403, b"")
    status, body = answer("scheduler", {})
    key = "Message" if kind is AccessDeniedException else "message"
    assert (status, msgspec.json.decode(body)) == (403, {key: "a < b"})
