"""A service's protocol is read at its first request and answers as a whole."""

import subprocess
import sys
from pathlib import Path

import pytest

from lambent.errors.api.lambda_ import TooManyRequestsException
from lambent.errors.api.logs import InvalidParameterException
from lambent.errors.families import SerializationException, ValidationException
from lambent.protocol.service import Protocols
from lambent.protocol.service_model import UnknownService
from lambent.protocol.wire import WireRequest

SOURCE = Path(__file__).resolve().parents[3] / "src"


def test_importing_the_engine_reads_nothing() -> None:
    """No model, and none of the libraries that only a request needs."""
    script = (
        "import sys, lambent.protocol.service as s; s.Protocols({});"
        "print([m for m in ('botocore', 'regex', 'cbor2') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_service_is_read_once_at_its_first_use() -> None:
    """Also one that botocore does not know fails only then."""
    protocols = Protocols({"lambda": ValidationException, "nope": ValidationException})
    assert "lambda" in protocols
    assert "sqs" not in protocols
    assert protocols.get("lambda") is protocols.get("lambda")
    with pytest.raises(UnknownService):
        protocols.get("nope")
    with pytest.raises(KeyError):
        protocols.get("sqs")


def test_each_service_has_its_own_word_for_a_shape_violation() -> None:
    """lambda: ValidationException; logs: InvalidParameterException."""
    protocols = Protocols({"lambda": ValidationException, "logs": InvalidParameterException})
    for service, path, target, word in (
        ("lambda", "/2015-03-31/functions", "", ValidationException),
        ("logs", "/", "Logs_20140328.DeleteLogGroup", InvalidParameterException),
    ):
        protocol = protocols.get(service)
        headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.1"}
        request = WireRequest("POST", path, headers=headers, body=b"{}")
        match = protocol.match(request)
        with pytest.raises(word, match="Member must not be null"):
            protocol.validate(match.operation, protocol.parse(match, request))


def test_an_invocation_crosses_the_engine() -> None:
    """Match, parse, validate, serialize; and the error form of the same service."""
    protocol = Protocols({"lambda": ValidationException}).get("lambda")
    assert (protocol.name, protocol.signing_name) == ("lambda", "lambda")
    request = WireRequest("POST", "/2015-03-31/functions/f/invocations", body=b"{}")
    match = protocol.match(request)
    parameters = protocol.parse(match, request)
    assert parameters == {"FunctionName": "f", "Payload": b"{}"}
    protocol.validate(match.operation, parameters)
    assert protocol.serialize(match.operation, {"StatusCode": 200, "Payload": b"1"}, "id").body == b"1"
    assert protocol.serialize_error(TooManyRequestsException("slow"), "id").status == 429


def test_parameters_too_deep_to_check_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter's stack is no reason to fail otherwise than for any other malformed body."""

    def exhausted(_parameters: object) -> str | None:
        raise RecursionError

    monkeypatch.setattr("lambent.protocol.service.compile_validator", lambda _model, _operation: exhausted)
    protocol = Protocols({"lambda": ValidationException}).get("lambda")
    operation = protocol.match(WireRequest("GET", "/2015-03-31/functions")).operation
    with pytest.raises(SerializationException):
        protocol.validate(operation, {})


def test_signing_names_are_the_models() -> None:
    """Where a model has no signing name, it is the endpoint's."""
    protocols = Protocols(dict.fromkeys(("logs", "cloudwatch"), ValidationException))
    assert [protocols.get(name).signing_name for name in ("logs", "cloudwatch")] == ["logs", "monitoring"]


def test_only_the_query_protocol_needs_a_body_to_match() -> None:
    """The other protocols name the operation before the body."""
    protocols = Protocols(dict.fromkeys(("lambda", "logs", "sns", "cloudwatch"), ValidationException))
    assert [name for name in ("lambda", "logs", "sns", "cloudwatch") if protocols.get(name).needs_body_to_match] == [
        "sns"
    ]
