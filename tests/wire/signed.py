"""Requests that are signed as real clients sign them, and a server that wants them to be."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from wire.iam import policy, put_role
from wire.support import ACCOUNT, LAMBENT, REGION, ROLE, Server
from wire.urls import ask


@dataclass(frozen=True)
class Key:
    access_key: str
    secret_key: str
    token: str | None = None


TEST = Key("test", "test")
"""Whose it is, any server says that takes any key: its own account's."""


def signed_headers(url, target="/", method="GET", body=b"", *, key=TEST, service="lambda", region=REGION, headers=()):
    """Sign a request with botocore; return its headers without Host, as pairs."""
    parts = urlsplit(url)
    request = AWSRequest(method, f"{parts.scheme}://{parts.netloc}{target}", data=body, headers=dict(headers))
    SigV4Auth(Credentials(key.access_key, key.secret_key, key.token), service, region).add_auth(request)
    return list(request.headers.items())


def ask_signed(url, target="/", method="GET", body=None, **how):
    """Send a request, signed."""
    return ask(url, method, target, body, signed_headers(url, target, method, body or b"", **how))


def presigned(url, target="/", *, key=TEST, service="lambda", region=REGION, expires_s=60):
    """Return a target whose query is signed."""
    parts = urlsplit(url)
    request = AWSRequest("GET", f"{parts.scheme}://{parts.netloc}{target}")
    SigV4QueryAuth(Credentials(key.access_key, key.secret_key, key.token), service, region, expires_s).add_auth(request)
    made = urlsplit(request.url)
    return f"{made.path}?{made.query}"


class SignedServer(Server):
    """A server that verifies signatures and goes by policies, also on loopback."""

    def __init__(self, *options):
        super().__init__(None, "--auth", "required", "--iam", "enforce", *options)
        self.first = None
        """Key of the first administrator."""
        self._owners = {}

    def start(self):
        super().start()
        text = "".join(self.log)
        found = [re.search(rf"{name}=(\S+)", text) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
        assert all(found), f"it printed no first key:\n{text}"
        self.first = Key(found[0][1], found[1][1])
        # The role of the tests' functions.
        put_role(self.with_key("iam"), name=ROLE.rpartition("/")[2])
        return self

    def with_key(self, service, key=None, region=REGION):
        """Return a client of whoever has a key; by default of the first administrator."""
        key = key or self.first
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=key.access_key,
            aws_secret_access_key=key.secret_key,
            aws_session_token=key.token,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=120),
        )

    def user(self, name, *statements, account=ACCOUNT):
        """Make a user with one policy; return a key of theirs."""
        iam = self.with_key("iam", self.administrator(account))
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return Key(made["AccessKeyId"], made["SecretAccessKey"])

    def session(self, role, key=None, **settings):
        """Return the key of somebody's session of a role."""
        sts = self.with_key("sts", key)
        found = sts.assume_role(RoleArn=role, RoleSessionName="s1", **settings)["Credentials"]
        return Key(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def administrator(self, account):
        """Return a key of an administrator of an account."""
        if account == ACCOUNT:
            return self.first
        if account not in self._owners:
            self._owners[account] = self._new_administrator(account)
        return self._owners[account]

    def _new_administrator(self, account):
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LAMBENT_", "AWS_"))},
            "AWS_ACCESS_KEY_ID": self.first.access_key,
            "AWS_SECRET_ACCESS_KEY": self.first.secret_key,
            "AWS_REGION": REGION,
        }
        command = [LAMBENT, "keys", "create", "--account", account, "--user", "owner", "--admin", "--json"]
        done = subprocess.run(
            [*command, "--endpoint", self.endpoint],
            capture_output=True,
            text=True,
            check=False,
            env=environ,
        )
        assert done.returncode == 0, done.stderr
        made = json.loads(done.stdout)
        return Key(made["access_key"], made["secret_key"])
