"""Where any key is taken, a page whose domain is pointed at this machine (DNS rebinding) is no caller."""

import json
import urllib.error
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from wire.support import ACCOUNT, wait_for

LIST_QUEUES = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.ListQueues"}
EVIL = "rebound.example.com:4566"

CALLS = {
    "a GET of an API": ("lambda", "/2015-03-31/functions", None, {}),
    "a POST of an API": ("sqs", "/", b"{}", LIST_QUEUES),
    "a query": ("iam", "/", b"Action=ListUsers&Version=2010-05-08", {}),
    "a bucket": ("s3", "/", None, {}),
    "an own path": ("lambent", "/_lambent/functions", None, {}),
    "health": (None, "/_lambent/health", None, {}),
    "a GET that nobody signed": (None, "/2015-03-31/functions", None, {}),
}


def send(server, call, host):
    """Send a request with a name in Host; return status and body."""
    service, path, body, headers = CALLS[call]
    url = server.endpoint + path
    request = AWSRequest("GET" if body is None else "POST", url, dict(headers), body)
    if service is not None:
        # As a page can: it knows that any key will do.
        SigV4Auth(Credentials(ACCOUNT, "test"), service, "us-east-1").add_auth(request)
    headers = dict(request.headers.items()) | {"Host": host}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


@pytest.mark.parametrize("call", CALLS)
def test_a_strangers_name_is_refused(server, call):
    """In the form of each protocol, with the remedy; by names of this machine the same is answered."""
    status, body = send(server, call, EVIL)
    # As AWS does: errors of JSON protocols are 400.
    assert status == (400 if call == "a POST of an API" else 403) and "--public-host" in body
    assert ("<Code>" in body) == (call in {"a bucket", "a query"})
    for host in ("localhost:4566", "127.0.0.1", "host.docker.internal:4566", "lambent:4566", "[::1]:4566"):
        if call != "a bucket":
            assert send(server, call, host)[0] == 200
        else:
            assert "--public-host" not in send(server, call, host)[1]


def test_function_urls_are_for_everybody_by_any_name(server):
    """A tunnel leads to them by their path."""
    request = urllib.request.Request(f"{server.endpoint}/_lambent/url/{'a' * 32}/", headers={"Host": EVIL})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    with refused.value:
        assert "--public-host" not in refused.value.read().decode()


def test_the_operator_names_others(own_server):
    """And what is below them."""
    server = own_server(None, "--public-host", EVIL).start()
    assert send(server, "a POST of an API", EVIL)[0] == 200
    status, body = send(server, "a POST of an API", f"sqs.us-east-1.{EVIL}")
    assert status == 200 and json.loads(body) == {}
    assert send(server, "a POST of an API", "other.example.com")[0] == 400
    wait_for(lambda: "request.host_refused host=other.example.com" in "".join(server.log))
