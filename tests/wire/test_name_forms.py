"""NM-01: every operation that takes a function's name takes each of its forms, and answers the same."""

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, error_of, wait_for, wait_updated, zip_of

SOURCE = "def handler(e, c): return c.invoked_function_arn"

FORMS = {
    "name": "{name}",
    "partial": "function:{name}",
    "account": ACCOUNT + ":function:{name}",
    "full": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{name}}",
}
"""Documented: Lambda API reference, FunctionName: name formats."""

STORY = [
    ("get_function", {}),
    ("get_function_configuration", {}),
    ("get_function_code_signing_config", {}),
    ("get_function_concurrency", {}),
    ("get_runtime_management_config", {}),
    ("invoke", {"Payload": b"{}"}),
    ("invoke_async", {"InvokeArgs": b"{}"}),
    ("get_function_recursion_config", {}),
    ("put_function_recursion_config", {"RecursiveLoop": "Allow"}),
    ("put_function_event_invoke_config", {"MaximumRetryAttempts": 0}),
    ("update_function_event_invoke_config", {"MaximumRetryAttempts": 1}),
    ("get_function_event_invoke_config", {}),
    ("list_function_event_invoke_configs", {}),
    ("delete_function_event_invoke_config", {}),
    ("invoke_with_response_stream", {"Payload": b"{}"}),
    ("list_aliases", {}),
    ("list_provisioned_concurrency_configs", {}),
    ("list_versions_by_function", {}),
    ("put_function_concurrency", {"ReservedConcurrentExecutions": 2}),
    ("delete_function_concurrency", {}),
    ("put_runtime_management_config", {"UpdateRuntimeOn": "FunctionUpdate"}),
    ("add_permission", {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}),
    ("get_policy", {}),
    ("remove_permission", {"StatementId": "s"}),
    ("update_function_configuration", {"Description": "again"}),
    ("update_function_code", {"ZipFile": zip_of({"app.py": SOURCE + "\n"})}),
    ("publish_version", {}),
    ("put_provisioned_concurrency_config", {"Qualifier": "1", "ProvisionedConcurrentExecutions": 1}),
    ("get_provisioned_concurrency_config", {"Qualifier": "1"}),
    ("delete_provisioned_concurrency_config", {"Qualifier": "1"}),
    ("create_alias", {"Name": "live", "FunctionVersion": "1"}),
    ("get_alias", {"Name": "live"}),
    ("update_alias", {"Name": "live", "Description": "d"}),
    ("delete_alias", {"Name": "live"}),
    ("create_function_url_config", {"AuthType": "NONE"}),
    ("get_function_url_config", {}),
    ("update_function_url_config", {"InvokeMode": "BUFFERED"}),
    ("list_function_url_configs", {}),
    ("delete_function_url_config", {}),
    ("delete_function", {}),
]
"""One life of a function: every operation that names one, but CreateFunction, in an order in which each succeeds."""


@pytest.mark.parametrize("form", FORMS)
def test_nm01_a_whole_life_by_each_form(lambda_client, make_function, form):
    """Each operation succeeds, and whatever ARN it answers is the function's own."""
    name = make_function(SOURCE)
    given = FORMS[form].format(name=name)
    own = FORMS["full"].format(name=name)
    for operation, parameters in STORY:
        answer = getattr(lambda_client, operation)(FunctionName=given, **parameters)
        assert not [event for event in answer.get("EventStream", ()) if "ErrorCode" in event.get("InvokeComplete", {})]
        shown = answer.get("Configuration", answer)
        arn = shown.get("FunctionArn") or shown.get("AliasArn") or own
        assert arn == own or arn.startswith(own + ":"), operation
        if operation.startswith("update_function"):
            wait_updated(lambda_client, name)
    with pytest.raises(ClientError) as gone:
        lambda_client.get_function(FunctionName=given)
    assert error_of(gone) == (404, "ResourceNotFoundException", f"Function not found: {own}")


@pytest.mark.parametrize("form", FORMS)
def test_nm01_created_by_each_form(lambda_client, make_function, unique_name, form):
    """CreateFunction takes a name in any form, and makes a function of the bare name."""
    make_function(SOURCE, name=FORMS[form].format(name=unique_name), wait=False)
    found = wait_for(lambda: lambda_client.get_function_configuration(FunctionName=unique_name))
    assert found["FunctionName"] == unique_name
    assert found["FunctionArn"] == FORMS["full"].format(name=unique_name)


@pytest.mark.parametrize("form", FORMS)
def test_nm01_mapped_by_each_form(server, lambda_client, make_function, unique_name, form):
    """Mappings take a function's name in any form, and show its ARN."""
    name = make_function(SOURCE)
    given, own = FORMS[form].format(name=name), FORMS["full"].format(name=name)
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName=unique_name)["QueueUrl"]
    source = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    made = lambda_client.create_event_source_mapping(EventSourceArn=source, FunctionName=given, Enabled=False)
    assert made["FunctionArn"] == own
    listed = lambda_client.list_event_source_mappings(FunctionName=given)["EventSourceMappings"]
    assert [mapping["UUID"] for mapping in listed] == [made["UUID"]]
    wait_for(lambda: lambda_client.get_event_source_mapping(UUID=made["UUID"])["State"] == "Disabled")
    changed = lambda_client.update_event_source_mapping(UUID=made["UUID"], FunctionName=given, BatchSize=3)
    assert changed["FunctionArn"] == own


def test_nm01_the_story_is_complete(server):
    """An operation that comes to be offered and names a function by FunctionName joins the story."""
    client = server.client("lambda", parameter_validation=False)
    methods = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
    told = {operation for operation, method in methods.items() if method in dict(STORY)}
    told |= {"CreateFunction", "CreateEventSourceMapping"}
    missing = set()
    for operation in set(methods) - told:
        shape = client.meta.service_model.operation_model(operation).input_shape
        if shape is None or "FunctionName" not in shape.required_members:
            continue
        with pytest.raises(ClientError) as excinfo:
            getattr(client, methods[operation])(FunctionName="no-such-function")
        if error_of(excinfo)[0] != 501:
            missing.add(operation)
    assert missing == set()
