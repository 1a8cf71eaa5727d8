"""What is written down of the calls that tests make: members in use, and how they were answered."""

import json

import pytest
from botocore.exceptions import ClientError
from wire.observing import members_in_use


@pytest.fixture
def observe(monkeypatch, tmp_path, server):
    """Give a client whose calls are written down, and a function that reads what was."""
    file = tmp_path / "observed.jsonl"
    monkeypatch.setenv("LAMBENT_TEST_OBSERVED", str(file))
    return server.client("lambda"), lambda: [json.loads(line) for line in file.read_text().splitlines()]


def test_members_two_levels_deep(lambda_client):
    """Structures and lists of them are looked into, keys of maps are data, and None is no value."""
    shape = lambda_client.meta.service_model.operation_model("CreateFunction").input_shape
    request = {
        "FunctionName": "f",
        "Description": None,
        "Code": {"ZipFile": b"", "S3Key": None},
        "Environment": {"Variables": {"Handler": "x"}},
        "FileSystemConfigs": [{"Arn": "a"}, {"LocalMountPath": "/mnt/a"}],
        "CapacityProviderConfig": {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": "a"}},
        "Layers": ["a"],
        "Tags": {},
        "Unheard": 1,
    }
    assert members_in_use(request, shape) == {
        "FunctionName",
        "Code",
        "Code.ZipFile",
        "Environment",
        "Environment.Variables",
        "FileSystemConfigs",
        "FileSystemConfigs[].Arn",
        "FileSystemConfigs[].LocalMountPath",
        "CapacityProviderConfig",
        "CapacityProviderConfig.LambdaManagedInstancesCapacityProviderConfig",
        "Layers",
        "Tags",
    }
    assert members_in_use({"FileSystemConfigs": 7, "Code": "no structure"}, shape) == {"FileSystemConfigs", "Code"}


def test_calls_are_written_down_once(observe):
    """With operation, members, status, error and the test that made them; the same again is not written again."""
    client, lines = observe
    for _ in range(2):
        client.list_functions(MaxItems=1)
    with pytest.raises(ClientError):
        client.get_function(FunctionName="observing-nothing", Qualifier="7")
    test = "wire/test_observing.py"
    assert lines() == [
        {
            "service": "lambda",
            "operation": "ListFunctions",
            "members": ["MaxItems"],
            "status": 200,
            "error": None,
            "test": test,
        },
        {
            "service": "lambda",
            "operation": "GetFunction",
            "members": ["FunctionName", "Qualifier"],
            "status": 404,
            "error": "ResourceNotFoundException",
            "test": test,
        },
    ]


def test_without_a_file_nothing_is_written(monkeypatch, server, tmp_path):
    """A client is the unmodified one where nobody asked."""
    monkeypatch.delenv("LAMBENT_TEST_OBSERVED", raising=False)
    monkeypatch.chdir(tmp_path)
    server.client("lambda").get_account_settings()
    assert list(tmp_path.iterdir()) == []
