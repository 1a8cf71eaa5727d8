"""Function URLs of AWS_IAM: whoever signs and may, as botocore signs. Where any key is taken, and where none is."""

import json
import time

import pytest
from botocore.exceptions import ClientError
from wire.iam import allow
from wire.signed import TEST, Key, ask_signed, presigned, signed_headers
from wire.support import ACCOUNT, REGION, FunctionMaker, error_of, listed_runtimes, wait_for
from wire.urls import ECHO, ask, connect, id_of

OTHER = "444455556666"
BOTH = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
FORBIDDEN = {
    "Message": "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
}
INVALID = (403, "InvalidSignatureException")
MISMATCH = "The request signature we calculated does not match the signature you provided."

SLOW_STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, out) => {
  for (let n = 0; n < 6; n++) { out.write("piece "); await new Promise(done => setTimeout(done, 500)); }
  out.end("end");
});
"""


def make(client, runtime, name, source=ECHO, **settings):
    """Make a function with a URL of AWS_IAM; return its name and the URL."""
    made = FunctionMaker(client, runtime, name)(source, MemorySize=256)
    return made, client.create_function_url_config(FunctionName=made, AuthType="AWS_IAM", **settings)["FunctionUrl"]


@pytest.fixture
def signed_url(server, lambda_client, make_function):
    """A function's name, and its URL of AWS_IAM, on the server that takes any key."""
    name = make_function(ECHO)
    return name, lambda_client.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")["FunctionUrl"]


def let_in(client, name, principal, **more):
    whom = principal[-12:].replace("*", "all")
    for number, action in enumerate(BOTH):
        client.add_permission(
            FunctionName=name, StatementId=f"in-{whom}-{number}", Action=action, Principal=principal,
            **({"FunctionUrlAuthType": "AWS_IAM"} if number == 0 else {"InvokedViaFunctionUrl": True}), **more,
        )  # fmt: skip


def test_what_is_configured_is_shown_and_acts(lambda_client, make_function):
    """AuthType is answered as it was given, and changing it changes who gets in."""
    name = make_function(ECHO)
    made = lambda_client.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    assert made["AuthType"] == "AWS_IAM"
    url = made["FunctionUrl"]
    assert lambda_client.get_function_url_config(FunctionName=name)["AuthType"] == "AWS_IAM"
    (listed,) = lambda_client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert listed["AuthType"] == "AWS_IAM"
    lambda_client.add_permission(
        FunctionName=name, StatementId="all", Action="lambda:InvokeFunctionUrl", Principal="*",
        FunctionUrlAuthType="NONE",
    )  # fmt: skip
    lambda_client.add_permission(
        FunctionName=name, StatementId="all-too", Action="lambda:InvokeFunction", Principal="*",
        InvokedViaFunctionUrl=True,
    )  # fmt: skip
    assert ask(url).status == 403 and ask_signed(url).status == 200
    assert lambda_client.update_function_url_config(FunctionName=name, InvokeMode="BUFFERED")["AuthType"] == "AWS_IAM"
    assert lambda_client.update_function_url_config(FunctionName=name, AuthType="NONE")["AuthType"] == "NONE"
    assert ask(url).status == 200
    lambda_client.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    refused = ask(url)
    assert (refused.status, refused.json, refused.one("x-amzn-errortype")) == (
        403, FORBIDDEN, "AccessDeniedException"
    )  # fmt: skip


def test_the_event_says_who_signed(signed_url):
    """By payload 2.0; the signature itself does not go on."""
    _, url = signed_url
    event = ask_signed(url, "/a%20b?x=1&y=%2F", "POST", b"hello", headers=[("Content-Type", "text/plain")]).json
    assert (event["rawPath"], event["rawQueryString"], event["body"]) == ("/a%20b", "x=1&y=%2F", "hello")
    context = event["requestContext"]
    assert context["accountId"] == ACCOUNT
    iam = context["authorizer"]["iam"]
    root = f"arn:aws:iam::{ACCOUNT}:root"
    assert iam == {
        "accessKey": iam["accessKey"], "accountId": ACCOUNT, "callerId": ACCOUNT, "cognitoIdentity": None,
        "principalOrgId": None, "userArn": root, "userId": ACCOUNT,
    }  # fmt: skip
    assert "authorization" not in event["headers"] and "x-amz-date" in event["headers"]


def test_nobody_without_a_signature(lambda_client, signed_url):
    """Not even where the policy lets everybody in; a bearer token is none."""
    name, url = signed_url
    let_in(lambda_client, name, "*")
    for headers in ([], [("Authorization", "Bearer x")], [("Authorization", "AWS4-HMAC-SHA256 x")]):
        refused = ask(url, "POST", "/", b"x" * 10_000, headers)
        assert refused.status == 403
    assert ask(url).json == FORBIDDEN
    assert ask_signed(url).status == 200


def test_another_account_needs_the_policy(lambda_client, signed_url):
    """Both actions; granting takes effect at once, and so does taking away."""
    name, url = signed_url
    stranger = Key(OTHER, "x")
    assert ask_signed(url, key=stranger).json == FORBIDDEN
    lambda_client.add_permission(
        FunctionName=name, StatementId="one", Action=BOTH[0], Principal=OTHER, FunctionUrlAuthType="AWS_IAM"
    )
    assert ask_signed(url, key=stranger).status == 403
    let_in(lambda_client, name, OTHER)
    assert ask_signed(url, key=stranger).json["requestContext"]["accountId"] == OTHER
    lambda_client.remove_permission(FunctionName=name, StatementId=f"in-{OTHER}-1")
    assert ask_signed(url, key=stranger).status == 403
    assert ask_signed(url, key=TEST).status == 200


def test_a_signature_for_another_region(signed_url):
    """What is asked for is in one."""
    _, url = signed_url
    refused = ask_signed(url, region="eu-west-1")
    assert (refused.status, refused.one("x-amzn-errortype")) == INVALID
    assert refused.json == {"message": "Credential should be scoped to a valid region, not 'eu-west-1'. "}


def test_a_preflight_is_open(lambda_client, make_function):
    """No browser signs it."""
    cors = {"AllowOrigins": ["https://a.example"], "AllowHeaders": ["authorization", "x-amz-date"]}
    name = make_function(ECHO)
    url = lambda_client.create_function_url_config(FunctionName=name, AuthType="AWS_IAM", Cors=cors)["FunctionUrl"]
    origin = [("Origin", "https://a.example")]
    answered = ask(url, "OPTIONS", headers=[*origin, ("Access-Control-Request-Method", "GET")])
    assert (answered.status, answered.one("access-control-allow-origin")) == (200, "https://a.example")
    refused = ask(url, headers=origin)
    assert (refused.status, refused.one("access-control-allow-origin")) == (403, "https://a.example")
    assert ask(url, "OPTIONS", headers=origin).status == 403


def test_by_path_and_presigned(server, signed_url):
    """The path is part of what is signed, as it was sent; a presigned URL needs no header."""
    _, url = signed_url
    base = f"{server.endpoint}/"
    target = f"/_lambent/url/{id_of(url)}/a"
    event = ask_signed(base, target).json
    assert event["rawPath"] == "/a" and event["requestContext"]["accountId"] == ACCOUNT
    assert ask(base, target=target).status == 403
    assert ask(url, target=presigned(url, "/b?c=d")).json["rawPath"] == "/b"


def test_a_url_of_none_takes_any_signature_for_none(lambda_client, make_function):
    """It is the function's to look at."""
    name = make_function(ECHO)
    url = lambda_client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    lambda_client.add_permission(
        FunctionName=name, StatementId="all", Action=BOTH[0], Principal="*", FunctionUrlAuthType="NONE"
    )
    # One grant is not enough, for no URL.
    assert ask(url).json == FORBIDDEN and ask_signed(url).json == FORBIDDEN
    lambda_client.add_permission(
        FunctionName=name, StatementId="too", Action=BOTH[1], Principal="*", InvokedViaFunctionUrl=True
    )
    event = ask_signed(url, key=Key("AKIANOBODY", "x"), service="s3").json
    assert event["headers"]["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIANOBODY/")
    assert event["requestContext"]["accountId"] == "anonymous" and "authorizer" not in event["requestContext"]


# Where signatures are verified and policies decide -----------------------------------------------------------------


@pytest.fixture(scope="module")
def strict_url(signed, runtime):
    return make(signed.with_key("lambda"), runtime, "signed")


def arn_of(name, *qualifier):
    return ":".join((f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}", *qualifier))


def test_whoever_may(signed, strict_url):
    """Case 46 of the table of access: the caller's own policy, both actions, nothing in the function's."""
    name, url = strict_url
    key = signed.user("both", allow(*BOTH, resource=arn_of(name)))
    event = ask_signed(url, method="POST", body=b"x", key=key).json
    iam = event["requestContext"]["authorizer"]["iam"]
    assert (iam["accessKey"], iam["userArn"]) == (key.access_key, f"arn:aws:iam::{ACCOUNT}:user/both")
    assert iam["userId"] == iam["callerId"] and iam["userId"].startswith("AIDA")
    assert ask_signed(url, key=signed.user("one", allow(BOTH[0]))).json == FORBIDDEN
    assert ask_signed(url, key=signed.user("other", allow(BOTH[1]))).json == FORBIDDEN
    assert ask_signed(url, key=signed.user("nothing")).json == FORBIDDEN
    assert ask_signed(url, key=signed.first).status == 200
    condition = {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
    assert ask_signed(url, key=signed.user("for-none", allow(*BOTH, Condition=condition))).json == FORBIDDEN


def told(reply):
    return reply.status, reply.one("x-amzn-errortype"), reply.json.get("message", "")[:78]


def test_signatures_that_do_not_hold(signed, strict_url):
    """Each is told what is wrong, none runs the function; the right one, beside it, does."""
    _, url = strict_url
    key = signed.first
    body = b"pay 1"
    headers = signed_headers(url, "/a", "POST", body, key=key)
    assert ask(url, "POST", "/a", body, headers).status == 200
    assert told(ask(url, "POST", "/a", b"pay 2", headers)) == (*INVALID, MISMATCH)
    assert told(ask(url, "POST", "/b", body, headers)) == (*INVALID, MISMATCH)
    assert told(ask(url, "POST", "/a?b=c", body, headers)) == (*INVALID, MISMATCH)
    assert told(ask(url, "PUT", "/a", body, headers)) == (*INVALID, MISMATCH)
    wrong = Key(key.access_key, "wrong")
    assert told(ask_signed(url, key=wrong)) == (*INVALID, MISMATCH)
    scoped = ask_signed(url, key=key, service="execute-api")
    assert told(scoped) == (*INVALID, "Credential should be scoped to correct service: 'lambda'. ")
    unknown = ask_signed(url, key=Key("AKIAIOSFODNN7EXAMPLE", "x"))
    assert told(unknown)[:2] == (403, "UnrecognizedClientException")
    assert ask(url).json == FORBIDDEN
    late = [
        (name, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 3600)) if name == "X-Amz-Date" else value)
        for name, value in signed_headers(url, key=key)
    ]
    assert told(ask(url, headers=late))[:2] == INVALID
    assert ask(url, target=presigned(url, "/b", key=key)).json["rawPath"] == "/b"


def test_everybody_in_the_policy_is_everybody_who_signs(signed, runtime):
    """With `*` a user without policies gets in; who did not sign does not (AWS: denied)."""
    client = signed.with_key("lambda")
    name, url = make(client, runtime, "everybody")
    key = signed.user("without-policies")
    assert ask_signed(url, key=key).json == FORBIDDEN
    let_in(client, name, "*")
    assert ask_signed(url, key=key).status == 200
    assert ask(url).json == FORBIDDEN


def test_another_account_needs_both_sides(signed, runtime):
    """Cases 12 to 14: its own policy alone, the function's alone, both."""
    client = signed.with_key("lambda")
    name, url = make(client, runtime, "elsewhere")
    may = signed.user("may", allow(*BOTH, resource=arn_of(name)), account=OTHER)
    may_not = signed.user("may-not", account=OTHER)
    assert ask_signed(url, key=may).json == FORBIDDEN
    let_in(client, name, OTHER)
    event = ask_signed(url, key=may).json
    assert event["requestContext"]["accountId"] == OTHER
    assert ask_signed(url, key=may_not).json == FORBIDDEN


def test_policies_know_what_a_url_is(signed, runtime):
    """lambda:FunctionUrlAuthType is the URL's own, also in calls that do not name it."""
    name, _ = make(signed.with_key("lambda"), runtime, "configured")
    calls = allow("lambda:UpdateFunctionUrlConfig", "lambda:DeleteFunctionUrlConfig")
    for auth_type, is_let in (("NONE", False), ("AWS_IAM", True)):
        condition = {"StringEquals": {"lambda:FunctionUrlAuthType": auth_type}}
        client = signed.with_key("lambda", signed.user(f"of-{auth_type}", {**calls, "Condition": condition}))
        if is_let:
            client.update_function_url_config(FunctionName=name, InvokeMode="BUFFERED")
            client.delete_function_url_config(FunctionName=name)
            continue
        with pytest.raises(ClientError) as excinfo:
            client.update_function_url_config(FunctionName=name, InvokeMode="BUFFERED")
        assert error_of(excinfo)[:2] == (403, "AccessDeniedException")


def test_an_open_url_stays_open(signed, runtime):
    """By its own policy; case 45: one grant is not enough."""
    client = signed.with_key("lambda")
    name = FunctionMaker(client, runtime, "open")(ECHO)
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    client.add_permission(FunctionName=name, StatementId="a", Action=BOTH[0], Principal="*", FunctionUrlAuthType="NONE")
    assert ask(url).json == FORBIDDEN
    client.add_permission(FunctionName=name, StatementId="b", Action=BOTH[1], Principal="*", InvokedViaFunctionUrl=True)
    assert ask(url).json["requestContext"]["accountId"] == "anonymous"
    # Case 24: a NotPrincipal lets in all others, who did not sign included.
    statement = {
        "Effect": "Allow", "NotPrincipal": {"AWS": f"arn:aws:iam::{OTHER}:user/x"}, "Action": list(BOTH),
        "Resource": arn_of(name),
    }  # fmt: skip
    document = {"Version": "2012-10-17", "Statement": [statement]}
    client.put_resource_policy(ResourceArn=arn_of(name), Policy=json.dumps(document))
    assert ask(url).status == 200


def test_a_key_that_is_ended_while_a_response_is_under_way(signed, strict_url, runtime):
    """The response goes on to its end; the next request is refused."""
    client = signed.with_key("lambda")
    found = [name for name, row in listed_runtimes().items() if row["available"] and name.startswith("nodejs")]
    assert found, "no Node.js runtime is available on this machine"
    maker = FunctionMaker(client, max(found), "slowly")
    name = maker(entries={"index.js": SLOW_STREAM}, Handler="index.handler", Timeout=30)
    url = client.create_function_url_config(FunctionName=name, AuthType="AWS_IAM", InvokeMode="RESPONSE_STREAM")[
        "FunctionUrl"
    ]
    key = signed.user("leaves", allow(*BOTH))
    connection = connect(url)
    connection.request("GET", "/", headers=dict([("Host", url.split("/")[2]), *signed_headers(url, key=key)]))
    response = connection.getresponse()
    assert response.status == 200 and response.read(6) == b"piece "
    signed.with_key("iam").update_access_key(UserName="leaves", AccessKeyId=key.access_key, Status="Inactive")
    wait_for(lambda: ask_signed(url, key=key).status == 403)
    assert response.read().endswith(b"end")
    connection.close()
