"""The configuration of function URLs, through boto3."""

import re

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, FunctionMaker, error_of
from wire.urls import ask, id_of, make_url

SOURCE = "def handler(e, c): return c.invoked_function_arn"
CORS = {
    "AllowCredentials": True,
    "AllowHeaders": ["x-k"],
    "AllowMethods": ["GET"],
    "AllowOrigins": ["https://a.example"],
    "ExposeHeaders": ["x-e"],
    "MaxAge": 60,
}


def without_metadata(answer):
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def refusal(call, **parameters):
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)


def test_ur05_a_life_of_a_url(server, lambda_client, make_function):
    """UR-05-url-config-api: what each answer holds, and that there is one URL at a time."""
    name = make_function(SOURCE)
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    made = lambda_client.create_function_url_config(FunctionName=name, AuthType="NONE")
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    made = without_metadata(made)
    assert made.keys() == {"AuthType", "CreationTime", "FunctionArn", "FunctionUrl"}
    assert (made["AuthType"], made["FunctionArn"]) == ("NONE", arn)
    assert re.fullmatch(rf"http://[a-z0-9]{{32}}\.lambda-url\.{REGION}\.localhost:{server.port}/", made["FunctionUrl"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", made["CreationTime"])
    assert refusal(lambda_client.create_function_url_config, FunctionName=name, AuthType="NONE") == (
        409,
        "ResourceConflictException",
        f"Failed to create function url config for [functionArn = {arn}]. "
        "Error message:  FunctionUrlConfig exists for this Lambda function",
    )
    got = without_metadata(lambda_client.get_function_url_config(FunctionName=name))
    assert got == {**made, "InvokeMode": "BUFFERED", "LastModifiedTime": made["CreationTime"]}

    updated = lambda_client.update_function_url_config(FunctionName=name, Cors=CORS)
    assert updated["Cors"] == CORS and "InvokeMode" not in updated
    updated = lambda_client.update_function_url_config(FunctionName=name, InvokeMode="RESPONSE_STREAM")
    assert (updated["Cors"], updated["InvokeMode"]) == (CORS, "RESPONSE_STREAM")
    assert updated["FunctionUrl"] == made["FunctionUrl"]
    assert updated["LastModifiedTime"] > made["CreationTime"]
    lambda_client.update_function_url_config(FunctionName=name, AuthType="NONE", Cors={})
    (listed,) = lambda_client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
    assert listed == without_metadata(lambda_client.get_function_url_config(FunctionName=name))
    assert "Cors" not in listed and listed["InvokeMode"] == "RESPONSE_STREAM"

    deleted = lambda_client.delete_function_url_config(FunctionName=name)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    gone = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
    for call in ("get", "update", "delete"):
        assert refusal(getattr(lambda_client, f"{call}_function_url_config"), FunctionName=name) == gone
    assert lambda_client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"] == []


def test_ur05_what_is_refused(lambda_client, make_function):
    """UR-05-url-config-api: qualifiers that are no alias, what is not there, what the model does not take."""
    name = make_function(SOURCE)
    create = lambda_client.create_function_url_config
    for qualifier in ("1", "$LATEST"):
        status, code, text = refusal(create, FunctionName=name, AuthType="NONE", Qualifier=qualifier)
        assert (status, code) == (400, "ValidationException") and "'qualifier'" in text
    missing = (404, "ResourceNotFoundException", "Function does not exist")
    assert refusal(create, FunctionName=name, AuthType="NONE", Qualifier="nobody") == missing
    assert refusal(create, FunctionName="no-such-function", AuthType="NONE") == missing
    assert refusal(lambda_client.list_function_url_configs, FunctionName="no-such-function") == missing
    for cors in ({"MaxAge": 86_401}, {"AllowMethods": ["OPTIONS"]}, {"AllowOrigins": ["https://a"] * 101}):
        status, code, _ = refusal(create, FunctionName=name, AuthType="NONE", Cors=cors)
        assert (status, code) == (400, "ValidationException"), cors
    for member in ("AllowHeaders", "AllowOrigins", "ExposeHeaders"):
        for item in ("a\rset-cookie: b", "a\0", "a€"):
            status, code, text = refusal(create, FunctionName=name, AuthType="NONE", Cors={member: [item]})
            assert (status, code) == (400, "InvalidParameterValueException") and member in text
    for auth_type in ("aws_iam", "ANY", ""):
        status, code, text = refusal(create, FunctionName=name, AuthType=auth_type)
        assert (status, code) == (400, "ValidationException") and "'authType'" in text
    tenants = make_function(SOURCE, TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    assert refusal(create, FunctionName=tenants, AuthType="NONE")[:2] == (400, "InvalidParameterValueException")


def test_ur05_a_url_of_an_alias_goes_with_it(lambda_client, make_function):
    """UR-05-url-config-api: it leads where the alias does, is one of its own, and is refused when the alias is gone."""
    name = make_function(SOURCE)
    lambda_client.publish_version(FunctionName=name)
    lambda_client.get_waiter("published_version_active").wait(
        FunctionName=name, Qualifier="1", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    own = make_url(lambda_client, name)
    url = make_url(lambda_client, name, Qualifier="live")
    config = lambda_client.get_function_url_config(FunctionName=name, Qualifier="live")
    assert config["FunctionArn"].endswith(f":{name}:live")
    assert ask(url).body.decode() == config["FunctionArn"]
    assert ask(own).body.decode() == config["FunctionArn"].removesuffix(":live")
    pages = lambda_client.get_paginator("list_function_url_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 1}
    )
    assert [[one["FunctionUrl"] for one in page["FunctionUrlConfigs"]] for page in pages] == [[own], [url]]

    lambda_client.delete_alias(FunctionName=name, Name="live")
    gone = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
    assert refusal(lambda_client.get_function_url_config, FunctionName=name, Qualifier="live") == gone
    refused = ask(url)
    assert (refused.status, refused.one("x-amzn-errortype")) == (403, "AccessDeniedException")
    assert refused.json["Message"].startswith("Forbidden. For troubleshooting Function URL authorization issues")
    # An alias of the same name is another one.
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert ask(url).status == 403
    assert id_of(make_url(lambda_client, name, Qualifier="live")) != id_of(url)
    assert ask(url).json == {"Message": None}
    updated = lambda_client.update_function_url_config(FunctionName=name, Qualifier="live", InvokeMode="BUFFERED")
    assert ask(updated["FunctionUrl"]).body.decode() == config["FunctionArn"]
    lambda_client.delete_function_url_config(FunctionName=f"{name}:live", Qualifier="live")
    assert ask(updated["FunctionUrl"]).json == {"Message": None}
    assert ask(own).status == 200


def test_a_url_goes_with_its_function(lambda_client, make_function):
    """And another function of the same name has none."""
    name = make_function(SOURCE)
    url = make_url(lambda_client, name)
    assert ask(url).status == 200
    lambda_client.delete_function(FunctionName=name)
    assert (ask(url).status, ask(url).json) == (403, {"Message": None})
    make_function(SOURCE, name=name)
    assert lambda_client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"] == []


def test_a_url_is_there_after_kill_9(lone_server, runtime):
    """Created is on disk, with all that was set; the id is the same for ever."""
    client = lone_server.client("lambda")
    name = FunctionMaker(client, runtime, "kept")(SOURCE)
    url = make_url(client, name, Cors=CORS, InvokeMode="RESPONSE_STREAM")
    before = without_metadata(client.get_function_url_config(FunctionName=name))
    lone_server.kill()
    lone_server.restart()
    client = lone_server.client("lambda")
    after = without_metadata(client.get_function_url_config(FunctionName=name))
    assert id_of(after["FunctionUrl"]) == id_of(url)
    assert {**after, "FunctionUrl": None} == {**before, "FunctionUrl": None}
    assert ask(after["FunctionUrl"]).body.endswith(f":function:{name}".encode())


@pytest.mark.parametrize(
    ("domain", "shown"),
    [
        ("fn.example.com", r"http://\w{32}\.lambda-url\.us-east-1\.fn\.example\.com:\d+/"),
        ("https://fn.example.com", r"https://\w{32}\.lambda-url\.us-east-1\.fn\.example\.com/"),
    ],
)
def test_the_domain_is_a_setting(own_server, runtime, domain, shown):
    """--url-domain: what the API returns is what clients reach, and functions are told it."""
    server = own_server(None, "--url-domain", domain).start()
    client = server.client("lambda", region="us-east-1")
    name = FunctionMaker(client, runtime, "named")("def handler(e, c): return e")
    url = make_url(client, name)
    assert re.fullmatch(shown, url)
    event = ask(f"http://{url.partition('//')[2].partition('/')[0].partition(':')[0]}:{server.port}/").json
    assert event["requestContext"]["domainName"] == f"{id_of(url)}.lambda-url.us-east-1.fn.example.com"
    assert event["headers"]["x-forwarded-proto"] == domain.partition("://")[0].replace("fn.example.com", "http")
