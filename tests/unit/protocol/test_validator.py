"""What breaks the model's constraints is told in AWS's words, in one message."""

from typing import Any

import pytest

from lambent.protocol.service_model import ServiceModel
from lambent.protocol.validator import UNCHECKED, Validator, compile_pattern, compile_validator

MODELS = {name: ServiceModel(name) for name in ("lambda", "logs", "sqs", "sns", "cloudwatch", "apigatewayv2")}


def validator(service: str, operation: str) -> Validator:
    return compile_validator(MODELS[service], MODELS[service].operations[operation])


def clauses(text: str | None, count: int) -> list[str]:
    """Check the head of a message and return its clauses."""
    plural = "" if count == 1 else "s"
    head = f"{count} validation error{plural} detected: "
    assert text is not None
    assert text.startswith(head)
    found = text.removeprefix(head).split("; ")
    assert len(found) == count
    return found


FUNCTION = {"FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "Code": {"ZipFile": b"zip"}}


def create(**members: Any) -> str | None:
    return validator("lambda", "CreateFunction")({**FUNCTION, **members})


def test_valid_parameters_break_nothing() -> None:
    """No message."""
    assert create(Timeout=3, Tags={"a": "b"}, Layers=[], Architectures=["arm64"], Environment={}) is None


def test_missing_members_are_collected() -> None:
    """Every required member that is absent, in one message."""
    assert clauses(validator("lambda", "CreateFunction")({"FunctionName": "f"}), 2) == [
        "Value null at 'role' failed to satisfy constraint: Member must not be null",
        "Value null at 'code' failed to satisfy constraint: Member must not be null",
    ]


@pytest.mark.parametrize(
    ("members", "clause"),
    [
        (
            {"Timeout": 0},
            "Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            {"MemorySize": 100_000},
            "Value '100000' at 'memorySize' failed to satisfy constraint: "
            "Member must have value less than or equal to 32768",
        ),
        (
            {"Description": "d" * 257},
            f"Value '{'d' * 257}' at 'description' failed to satisfy constraint: "
            "Member must have length less than or equal to 256",
        ),
        (
            {"PackageType": "Tar"},
            "Value 'Tar' at 'packageType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Zip, Image]",
        ),
        (
            {"Handler": "a b"},
            r"Value 'a b' at 'handler' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [^\s]+",
        ),
        (
            {"TracingConfig": {"Mode": "Loud"}},
            "Value 'Loud' at 'tracingConfig.mode' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Active, PassThrough]",
        ),
        (
            {"FileSystemConfigs": [{"LocalMountPath": "/mnt/a"}]},
            "Value null at 'fileSystemConfigs.1.member.arn' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"Architectures": ["mips"]},
            "Value '[mips]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: "
            "[Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
        ),
        (
            {"Architectures": ["arm64", "x86_64"]},
            "Value '[arm64, x86_64]' at 'architectures' failed to satisfy constraint: "
            "Member must have length less than or equal to 1",
        ),
        (
            {"Architectures": [None]},
            "Value '[null]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: "
            "[Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
        ),
        # The variables are sensitive: the text does not repeat them.
        (
            {"Environment": {"Variables": {"1": "secret"}}},
            "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: "
            "[Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
        ),
        (
            {"Tags": {"a": "v" * 257}},
            f"Value '{{a={'v' * 257}}}' at 'tags' failed to satisfy constraint: Map value must satisfy constraint: "
            "[Member must have length less than or equal to 256, Member must satisfy regular expression pattern: "
            r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*), Member must not be null]",
        ),
    ],
)
def test_a_broken_constraint_is_told_in_awss_words(members: dict[str, Any], clause: str) -> None:
    """One clause: the value, the path in lowerCamelCase, the constraint."""
    assert clauses(create(**members), 1) == [clause]


def test_length_comes_before_pattern() -> None:
    """A name that is too long and malformed gets both clauses, the length first."""
    pattern = MODELS["lambda"].operations["CreateFunction"].input
    assert pattern is not None
    name = "n/" * 71
    assert clauses(create(FunctionName=name), 2) == [
        f"Value '{name}' at 'functionName' failed to satisfy constraint: "
        "Member must have length less than or equal to 140",
        f"Value '{name}' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression "
        f"pattern: {pattern.members['FunctionName'].traits['pattern']}",
    ]


def test_the_qualifier_comes_before_the_function_name() -> None:
    """Where both fail."""
    broken = validator("lambda", "GetFunction")({"FunctionName": "a/b", "Qualifier": "x y"})
    first, second = clauses(broken, 2)
    assert first.startswith("Value 'x y' at 'qualifier' failed")
    assert second.startswith("Value 'a/b' at 'functionName' failed")


def test_a_pattern_holds_for_the_whole_value() -> None:
    """NM-01: a malformed name is refused although a part of it would do; a final line feed counts too."""
    get = validator("lambda", "GetFunction")
    for name in ("a:b:c", "f/", "f\n", ""):
        text = get({"FunctionName": name})
        assert text is not None
        assert f"Value '{name}' at 'functionName' failed to satisfy constraint" in text
    for name in ("f", "f:live", "f:$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:f:1"):
        assert get({"FunctionName": name}) is None


def test_the_text_of_another_service_is_the_same() -> None:
    """logs: the text is known from recordings."""
    broken = validator("logs", "GetLogEvents")({"logGroupName": "g", "logStreamName": "s", "limit": 10001})
    assert broken == (
        "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: "
        "Member must have value less than or equal to 10000"
    )


def test_numbers_with_a_fraction_show_it() -> None:
    """As Java prints them."""
    broken = validator("lambda", "CreateAlias")(
        {
            "FunctionName": "f",
            "Name": "live",
            "FunctionVersion": "1",
            "RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}},
        }
    )
    assert clauses(broken, 1) == [
        "Value '{2=1.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: "
        "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
        "Member must have value greater than or equal to 0.0, Member must not be null]"
    ]


def test_an_unknown_runtime_is_left_to_the_service() -> None:
    """Lambda answers it with another error than the other enums."""
    assert create(Runtime="cobol") is None


@pytest.mark.parametrize(("service", "operation", "shape", "trait"), sorted(UNCHECKED))
def test_what_is_left_to_the_service(service: str, operation: str, shape: str, trait: str) -> None:
    """An entry stays for as long as the model has the constraint."""
    assert operation in MODELS[service].operations
    assert trait in MODELS[service].raw_shapes[shape]


def test_a_constraint_is_left_alone_to_the_service() -> None:
    """Those beside it hold, and so does it in other operations."""
    logs = MODELS["logs"]
    create = compile_validator(logs, logs.operations["CreateLogGroup"])
    assert create({"logGroupName": "x" * 513}) is None
    assert "satisfy regular expression pattern" in (create({"logGroupName": "a b"}) or "")
    delete = compile_validator(logs, logs.operations["DeleteLogGroup"])
    assert "length less than or equal to 512" in (delete({"logGroupName": "x" * 513}) or "")


@pytest.mark.parametrize("service", sorted(MODELS))
def test_every_pattern_of_the_models_compiles(service: str) -> None:
    """A pattern that cannot be compiled would otherwise show at the first value that meets it."""
    for shape in MODELS[service].raw_shapes.values():
        if "pattern" in shape:
            compile_pattern(shape["pattern"])


@pytest.mark.parametrize("service", sorted(MODELS))
def test_every_validator_of_the_models_compiles(service: str) -> None:
    """For every operation, and a missing member is found in each that requires one."""
    for operation in MODELS[service].operations.values():
        broken = compile_validator(MODELS[service], operation)({})
        assert (broken is not None) == bool(operation.input is not None and operation.input.required)


def test_classes_in_patterns_are_ascii_unless_they_name_properties() -> None:
    r"""\d is a digit of ASCII as in Java; \p{L} is a letter of any script."""
    assert compile_pattern(r"\d")("٣") is None
    assert compile_pattern(r"[\p{L}]")("é") is not None
