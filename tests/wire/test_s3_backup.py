"""examples/s3-backup, as its README has it, by the AWS CLI as well as by boto3."""

import os
import re
import shlex
import subprocess
import time

import pytest
from botocore.exceptions import ClientError
from wire.support import LAMBENT, ROOT

EXAMPLE = ROOT / "examples" / "s3-backup"


def test_the_readme_works(own_server, aws_cli_1, tmp_path):
    """Each command of it, one after the other; then each new object appears in the other bucket."""
    server = own_server().start()
    (commands,) = re.findall(r"```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)
    commands = commands.replace("http://127.0.0.1:4566", server.endpoint).replace(
        ".venv/bin/lambent", shlex.quote(str(LAMBENT))
    )
    # The CLI writes its caches somewhere, and is to be this one.
    aws = tmp_path / "aws"
    aws.symlink_to(aws_cli_1)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMBENT_"))}
    environ = {
        **kept,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LAMBENT_ENDPOINT": server.endpoint,
    }
    done = subprocess.run(
        ["sh", "-euc", commands], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    s3 = server.client("s3")
    assert wait_for(s3, "my first object.md") == (ROOT / "README.md").read_bytes()
    s3.put_object(Bucket="photos", Key="2026/a b+c(1)é.txt", Body=b"hello")
    assert wait_for(s3, "2026/a b+c(1)é.txt") == b"hello"


def wait_for(s3, key, wait_s=60):
    """Return an object of the backup, once it is there."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return s3.get_object(Bucket="photos-backup", Key=key)["Body"].read()
        except ClientError:
            if time.monotonic() > deadline:
                pytest.fail(f"{key} was not copied")
            time.sleep(0.1)
