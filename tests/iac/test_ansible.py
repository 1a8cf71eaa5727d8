"""
Ansible's collection amazon.aws, the real modules, against a real server.

One playbook for each module. Each task's `changed` tells what the modules read back, so the order of the tasks
is the proof: `create` changes something although `create` ran in check mode before it, so check mode created
nothing; `create` once more changes nothing, so each member read back as it was sent; and so on to the end.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from wire.support import ACCOUNT, REGION, ROLE, zip_of

FIRST = "def handler(event, context):\n    return {'code': 'first', 'got': event}\n"
SECOND = "import os\n\ndef handler(event, context):\n    return {'code': 'second', 'colour': os.environ['COLOUR']}\n"


class Ansible:
    """Runs tasks with ansible-playbook on this machine, one playbook a call."""

    def __init__(self, program, server, folder):
        self.program = program
        self.folder = folder
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            # Ansible refuses to start without UTF-8.
            "LC_ALL": "C.UTF-8",
            "AWS_ENDPOINT_URL": server.endpoint,
            # Ansible blots out both wherever they occur in a result: they are to occur nowhere else.
            "AWS_ACCESS_KEY_ID": "key-of-the-playbook",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-playbook",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            # The modules run in their own process: in the interpreter that has boto3.
            "ANSIBLE_PYTHON_INTERPRETER": str(Path(program).parent / "python"),
            "ANSIBLE_PIPELINING": "1",
        }

    def run(self, *tasks):
        """
        Run tasks and return their results in order; a task that fails fails the test.

        A task is (name, module of amazon.aws, arguments). A name that starts with `check ` asks for check mode.
        """
        playbook = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "tasks": [
                {"name": name, f"amazon.aws.{module}": arguments, "check_mode": name.startswith("check ")}
                for name, module, arguments in tasks
            ],
        }
        path = self.folder / "playbook.json"
        path.write_text(json.dumps([playbook]))
        done = subprocess.run(
            [self.program, "--inventory", "localhost,", str(path)],
            capture_output=True,
            text=True,
            env=self.environ,
            timeout=300,
            check=False,
        )
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        ran = json.loads(done.stdout)["plays"][0]["tasks"]
        results = [task["hosts"]["localhost"] for task in ran]
        failures = [(task["task"]["name"], task["hosts"]["localhost"].get("msg")) for task in ran]
        assert done.returncode == 0, failures[-1]
        assert len(results) == len(tasks)
        return results


@pytest.fixture
def ansible(ansible_playbook, server, tmp_path):
    return Ansible(ansible_playbook, server, tmp_path)


def changes(tasks, results):
    """Return (name, changed) for each task."""
    return [(name, result["changed"]) for (name, _, _), result in zip(tasks, results, strict=True)]


def test_functions(ansible, lambda_client, runtime, unique_name, tmp_path):
    """
    `lambda` creates a function, finds nothing to do the second time, sees each change of configuration, code and
    tags once, and deletes it; what runs is what was deployed.
    """
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    first.write_bytes(zip_of({"app.py": FIRST}))
    second.write_bytes(zip_of({"app.py": SECOND}))
    created = {
        "name": unique_name,
        "runtime": runtime,
        "handler": "app.handler",
        "role": ROLE,
        "zip_file": str(first),
        "description": "made by a playbook",
        "timeout": 10,
        "memory_size": 256,
        "environment_variables": {"COLOUR": "red", "Case_Of_Names": "kept"},
        "tracing_mode": "PassThrough",
        "tags": {"team": "blue", "Stage": "test"},
    }
    changed = {
        **created,
        "zip_file": str(second),
        "timeout": 20,
        "environment_variables": {"COLOUR": "green"},
        "tags": {"team": "red"},
    }
    absent = {"name": unique_name, "state": "absent"}
    tasks = [
        ("check create", "lambda", created),
        ("create", "lambda", created),
        ("create once more", "lambda", created),
        ("check change", "lambda", changed),
        ("change", "lambda", changed),
        ("check delete", "lambda", absent),
        ("change once more", "lambda", changed),
        ("invoke", "lambda_execute", {"name": unique_name, "payload": {"n": 1}}),
        ("read", "lambda_info", {"function_name": unique_name, "query": "config"}),
        ("delete", "lambda", absent),
        ("delete once more", "lambda", absent),
    ]
    results = ansible.run(*tasks)
    assert changes(tasks, results) == [
        ("check create", True),
        ("create", True),
        ("create once more", False),
        ("check change", True),
        ("change", True),
        ("check delete", True),
        ("change once more", False),
        ("invoke", True),
        ("read", False),
        ("delete", True),
        ("delete once more", False),
    ]
    by_name = {name: result for (name, _, _), result in zip(tasks, results, strict=True)}
    made = by_name["create once more"]
    assert (made["configuration"]["timeout"], made["configuration"]["memory_size"]) == (10, 256)
    assert made["tags"] == {"team": "blue", "Stage": "test"}
    again = by_name["change once more"]
    assert again["tags"] == {"team": "red"}
    assert again["configuration"]["description"] == "made by a playbook"
    # The module publishes with each change of code: at the creation, and with the second package.
    assert (by_name["create"]["configuration"]["version"], by_name["change"]["configuration"]["version"]) == ("1", "2")
    assert by_name["invoke"]["result"]["output"] == {"code": "second", "colour": "green"}
    read = by_name["read"]["functions"][0]
    assert read["environment"]["variables"] == {"COLOUR": "green"}
    with pytest.raises(lambda_client.exceptions.ResourceNotFoundException):
        lambda_client.get_function(FunctionName=unique_name)


def test_aliases(ansible, lambda_client, make_function):
    """`lambda_alias` points at $LATEST, then at a version with another description, and is deleted once."""
    name = make_function(FIRST)
    version = lambda_client.publish_version(FunctionName=name)["Version"]
    created = {"function_name": name, "name": "live", "description": "the newest"}
    changed = {**created, "function_version": int(version), "description": "a version"}
    absent = {"function_name": name, "name": "live", "state": "absent"}
    tasks = [
        ("check create", "lambda_alias", created),
        ("create", "lambda_alias", created),
        ("create once more", "lambda_alias", created),
        ("check change", "lambda_alias", changed),
        ("change", "lambda_alias", changed),
        ("check delete", "lambda_alias", absent),
        ("change once more", "lambda_alias", changed),
        ("invoke", "lambda_execute", {"name": name, "version_qualifier": "live", "payload": {"n": 1}}),
        ("delete", "lambda_alias", absent),
        ("delete once more", "lambda_alias", absent),
    ]
    results = ansible.run(*tasks)
    assert changes(tasks, results) == [
        ("check create", True),
        ("create", True),
        ("create once more", False),
        ("check change", True),
        ("change", True),
        ("check delete", True),
        ("change once more", False),
        ("invoke", True),
        ("delete", True),
        ("delete once more", False),
    ]
    made, again = results[2], results[6]
    assert (made["function_version"], made["description"]) == ("$LATEST", "the newest")
    assert (again["function_version"], again["description"]) == (version, "a version")
    assert again["alias_arn"].endswith(f":function:{name}:live")
    assert results[7]["result"]["output"] == {"code": "first", "got": {"n": 1}}
    assert lambda_client.list_aliases(FunctionName=name)["Aliases"] == []


def test_layers(ansible, lambda_client, runtime, unique_name, tmp_path):
    """
    `lambda_layer` publishes, lists and deletes versions, and `lambda` finds a layer by name and version.

    The module publishes whenever it is asked to: a second run is a second version, on AWS as well.
    """
    layer, package = tmp_path / "layer.zip", tmp_path / "package.zip"
    layer.write_bytes(zip_of({"python/shared.py": "WORD = 'from the layer'\n"}))
    package.write_bytes(zip_of({"app.py": "import shared\n\ndef handler(event, context):\n    return shared.WORD\n"}))
    published = {
        "name": unique_name,
        "description": "shared code",
        "content": {"zip_file": str(layer)},
        "compatible_runtimes": [runtime],
        "license_info": "MIT",
    }
    function = {
        "name": unique_name,
        "runtime": runtime,
        "handler": "app.handler",
        "role": ROLE,
        "zip_file": str(package),
        "layers": [{"layer_name": unique_name, "version": 1}],
    }
    first = {"name": unique_name, "state": "absent", "version": 1}
    every = {"name": unique_name, "state": "absent", "version": -1}
    tasks = [
        ("check publish", "lambda_layer", published),
        ("publish", "lambda_layer", published),
        ("publish once more", "lambda_layer", published),
        ("create function", "lambda", function),
        ("create function once more", "lambda", function),
        ("invoke", "lambda_execute", {"name": unique_name}),
        ("check delete", "lambda_layer", every),
        ("delete the first", "lambda_layer", first),
        ("delete the first once more", "lambda_layer", first),
        ("read", "lambda_layer_info", {"name": unique_name}),
        ("delete all", "lambda_layer", every),
        ("delete all once more", "lambda_layer", every),
        ("delete function", "lambda", {"name": unique_name, "state": "absent"}),
    ]
    results = ansible.run(*tasks)
    assert changes(tasks, results) == [
        ("check publish", True),
        ("publish", True),
        ("publish once more", True),
        ("create function", True),
        ("create function once more", False),
        ("invoke", True),
        ("check delete", True),
        ("delete the first", True),
        ("delete the first once more", False),
        ("read", False),
        ("delete all", True),
        ("delete all once more", False),
        ("delete function", True),
    ]
    by_name = {name: result for (name, _, _), result in zip(tasks, results, strict=True)}

    def versions(task):
        return [version["version"] for version in by_name[task]["layer_versions"]]

    assert (versions("publish"), versions("publish once more")) == ([1], [2])
    made = by_name["publish"]["layer_versions"][0]
    assert (made["description"], made["license_info"]) == ("shared code", "MIT")
    assert made["compatible_runtimes"] == [runtime]
    assert by_name["invoke"]["result"]["output"] == "from the layer"
    assert versions("check delete") == [2, 1]
    assert [version["version"] for version in by_name["read"]["layers_versions"]] == [2]
    assert versions("delete all") == [2]
    assert lambda_client.list_layer_versions(LayerName=unique_name)["LayerVersions"] == []


def test_policies(ansible, lambda_client, make_function):
    """
    `lambda_policy` adds a statement, reads it back as it was given, replaces it, and removes it once.

    In check mode the module reports no change whatever it finds; its fact tells what it would do.
    """
    name = make_function(FIRST)
    created = {
        "function_name": name,
        "statement_id": "from-a-bucket",
        "action": "lambda:InvokeFunction",
        "principal": "s3.amazonaws.com",
        "source_arn": "arn:aws:s3:::a-bucket",
        "source_account": "000000000000",
    }
    changed = {**created, "source_arn": "arn:aws:s3:::another-bucket"}
    absent = {**changed, "state": "absent"}
    tasks = [
        ("check create", "lambda_policy", created),
        ("create", "lambda_policy", created),
        ("create once more", "lambda_policy", created),
        ("check change", "lambda_policy", changed),
        ("change", "lambda_policy", changed),
        ("check delete", "lambda_policy", absent),
        ("change once more", "lambda_policy", changed),
        ("read", "lambda_info", {"function_name": name, "query": "policy"}),
        ("delete", "lambda_policy", absent),
        ("delete once more", "lambda_policy", absent),
    ]
    results = ansible.run(*tasks)
    assert changes(tasks, results) == [
        ("check create", False),
        ("create", True),
        ("create once more", False),
        ("check change", False),
        ("change", True),
        ("check delete", False),
        ("change once more", False),
        ("read", False),
        ("delete", True),
        ("delete once more", False),
    ]
    actions = [result["ansible_facts"]["lambda_policy_action"] for result in results if "ansible_facts" in result]
    assert actions == ["added", "added", "none", "updated", "updated", "deleted", "none", "deleted", "none"]
    statements = results[7]["functions"][0]["policy"]["statement"]
    assert [statement["sid"] for statement in statements] == ["from-a-bucket"]
    with pytest.raises(lambda_client.exceptions.ResourceNotFoundException):
        lambda_client.get_policy(FunctionName=name)


def test_event_source_mappings(ansible, lambda_client, make_function, server, unique_name):
    """`lambda_event` maps a queue, sees one change of the batch, and takes the mapping away; again is nothing."""
    name = make_function(FIRST)
    queue = unique_name[:80]
    server.client("sqs").create_queue(QueueName=queue)
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
    source = {"source_arn": arn, "enabled": True, "batch_size": 5}
    given = {"lambda_function_arn": name, "event_source": "sqs", "source_params": source}
    changed = {**given, "source_params": {**source, "batch_size": 7}}
    tasks = [
        ("create", "lambda_event", given),
        ("create once more", "lambda_event", given),
        ("change", "lambda_event", changed),
        ("read", "lambda_info", {"function_name": name, "query": "mappings"}),
        ("delete", "lambda_event", {**changed, "state": "absent"}),
        ("delete once more", "lambda_event", {**changed, "state": "absent"}),
    ]
    results = ansible.run(*tasks)
    assert changes(tasks, results) == [
        ("create", True),
        ("create once more", False),
        ("change", True),
        ("read", False),
        ("delete", True),
        ("delete once more", False),
    ]
    (mapping,) = results[3]["functions"][0]["mappings"] if "functions" in results[3] else results[3]["mappings"]
    assert (mapping["event_source_arn"], mapping["batch_size"]) == (arn, 7)
