"""AWS's SDK for JavaScript: it takes the QueueUrl for its endpoint, and checks the digests of all it sends and gets."""

import json
import shutil
import subprocess
from pathlib import Path


def test_a_program_sends_and_receives(server, javascript_sdk, unique_name, tmp_path):
    """Create, send, batch, long poll, delete; a queue that is missing is the SDK's own error class."""
    script = tmp_path / "sqs_client.mjs"
    shutil.copyfile(Path(__file__).parent / "clients" / "sqs_client.mjs", script)
    (tmp_path / "node_modules").symlink_to(javascript_sdk / "node_modules")
    done = subprocess.run(
        ["node", str(script), server.endpoint, unique_name], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["QueueUrl"] == f"{server.endpoint}/111122223333/{unique_name}"
    assert sorted(said["got"], key=str) == [{"body": "batched", "k": 0}, {"body": "héllo", "k": 2}]
    assert said["missing"]["typed"] is True
