"""What becomes of asynchronous events, as it is configured: event invoke configs, dead-letter queues, recursion."""

import json

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, ROLE, error_of, wait_updated, zip_of

SOURCE = "def handler(e, c): return e"
SETTINGS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")
NOT_FOUND = (404, "ResourceNotFoundException")
INVALID = (400, "InvalidParameterValueException")
NOTHING_SET = {"OnSuccess": {}, "OnFailure": {}}


def arn_of(name, qualifier="$LATEST"):
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}:{qualifier}"


def queue_arn(name, account=ACCOUNT, region=REGION):
    return f"arn:aws:sqs:{region}:{account}:{name}"


@pytest.fixture(scope="module", autouse=True)
def queues(server):
    """The queues that are named here: a queue has to be there before a function sends to it."""
    sqs = server.client("sqs")
    for name in ("q", "dead", "again"):
        sqs.create_queue(QueueName=name)


def refused(call, **parameters):
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    status, code, message = error_of(excinfo)
    return (status, code), message


def settings_of(answer):
    return {name: answer[name] for name in SETTINGS if name in answer}


def test_fn05_put_replaces_and_update_merges(lambda_client, make_function):
    """FN-05: the second Put leaves nothing of the first; Update keeps what it does not name; versions are bare."""
    name = make_function(SOURCE)
    put, update = lambda_client.put_function_event_invoke_config, lambda_client.update_function_event_invoke_config
    assert settings_of(put(FunctionName=name, MaximumRetryAttempts=0)) == {"MaximumRetryAttempts": 0}
    answer = put(FunctionName=name, MaximumEventAgeInSeconds=60)
    assert settings_of(answer) == {"MaximumEventAgeInSeconds": 60}
    assert answer["FunctionArn"] == arn_of(name)
    assert answer["DestinationConfig"] == NOTHING_SET
    both = {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60}
    assert settings_of(update(FunctionName=name, MaximumRetryAttempts=1)) == both
    found = lambda_client.get_function_event_invoke_config(FunctionName=name)
    assert settings_of(found) == both
    assert found["LastModified"] >= answer["LastModified"]
    assert found["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/json"
    lambda_client.publish_version(FunctionName=name)
    problem = refused(lambda_client.get_function_event_invoke_config, FunctionName=name, Qualifier="1")
    assert problem == (NOT_FOUND, f"The function {arn_of(name, '1')} doesn't have an EventInvokeConfig")


def test_fn05_what_put_refuses(lambda_client, make_function):
    """FN-05: nothing to set, the function itself, functions that are not there; each in AWS's words."""
    name = make_function(SOURCE)
    put = lambda_client.put_function_event_invoke_config
    nothing = "You must specify at least one of error handling or destination setting."
    assert refused(put, FunctionName=name) == (INVALID, nothing)
    assert refused(lambda_client.update_function_event_invoke_config, FunctionName=name) == (INVALID, nothing)
    missing = (NOT_FOUND, "The function doesn't exist.")
    assert refused(put, FunctionName="nobody", MaximumRetryAttempts=1) == missing
    assert refused(put, FunctionName=name, Qualifier="1", MaximumRetryAttempts=1) == missing
    assert refused(put, FunctionName=name, Qualifier="alias", MaximumRetryAttempts=1) == missing
    assert refused(lambda_client.list_function_event_invoke_configs, FunctionName="nobody") == missing
    none = (NOT_FOUND, f"The function {arn_of(name)} doesn't have an EventInvokeConfig")
    for call, settings in (
        (lambda_client.get_function_event_invoke_config, {}),
        (lambda_client.delete_function_event_invoke_config, {}),
        (lambda_client.update_function_event_invoke_config, {"MaximumRetryAttempts": 1}),
    ):
        assert refused(call, FunctionName=name, **settings) == none

    def to(destination, on="OnSuccess"):
        return refused(put, FunctionName=name, DestinationConfig={on: {"Destination": destination}})

    itself = (INVALID, "You can't specify the function as a destination for itself.")
    assert to(arn_of(name)) == itself
    assert to(arn_of(name).rpartition(":")[0], "OnFailure") == itself
    for gone in (arn_of("nobody"), arn_of(name, "7")):
        assert to(gone) == (INVALID, f"The destination ARN {gone} is invalid.")
    assert to(ROLE) == (
        INVALID,
        "The provided destination config DestinationConfig("
        f"onSuccess=OnSuccess(destination={ROLE}), onFailure=null) is invalid.",
    )
    fifo = queue_arn("q.fifo")
    assert to(fifo, "OnFailure") == (
        INVALID,
        "The provided destination config DestinationConfig("
        f"onSuccess=null, onFailure=OnFailure(destination={fifo})) is invalid.",
    )
    assert refused(lambda_client.get_function_event_invoke_config, FunctionName=name) == none


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:sns:{REGION}:{ACCOUNT}:topic",
        f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",
        "kafka://topic",
    ],
)
def test_destinations_that_come_later_are_refused_by_name(lambda_client, make_function, arn):
    """A destination that nothing is delivered to is refused, and the message says what to use."""
    problem, message = refused(
        lambda_client.put_function_event_invoke_config,
        FunctionName=make_function(SOURCE),
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    assert problem == INVALID
    assert message.startswith(f"Destination {arn} is not offered by this version of Lambent")


@pytest.mark.parametrize("elsewhere", [queue_arn("q", account="111122223333"), queue_arn("q", region="eu-west-1")])
def test_destinations_are_of_the_functions_account_and_region(lambda_client, make_function, elsewhere):
    """A queue of another account or region is refused, and the message says where it must be."""
    problem, message = refused(
        lambda_client.put_function_event_invoke_config,
        FunctionName=make_function(SOURCE),
        DestinationConfig={"OnFailure": {"Destination": elsewhere}},
    )
    assert problem == INVALID
    assert f"it must be of account {ACCOUNT} in {REGION}" in message


def test_each_qualifier_has_its_own(lambda_client, make_function):
    """A version, an alias and $LATEST are configured apart, listed together, and lose theirs with themselves."""
    name, other = make_function(SOURCE), make_function(SOURCE)
    lambda_client.publish_version(FunctionName=name)
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    destinations = {
        "OnSuccess": {"Destination": arn_of(other).rpartition(":")[0]},
        "OnFailure": {"Destination": queue_arn("q")},
    }
    put = lambda_client.put_function_event_invoke_config
    put(FunctionName=name, Qualifier="live", DestinationConfig=destinations)
    put(FunctionName=f"{name}:1", MaximumRetryAttempts=1)
    put(FunctionName=name, Qualifier="$LATEST", MaximumRetryAttempts=2)
    pages = lambda_client.get_paginator("list_function_event_invoke_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 1}
    )
    listed = {one["FunctionArn"]: one for page in pages for one in page["FunctionEventInvokeConfigs"]}
    assert set(listed) == {arn_of(name, qualifier) for qualifier in ("$LATEST", "1", "live")}
    assert listed[arn_of(name, "live")]["DestinationConfig"] == destinations
    assert settings_of(listed[arn_of(name, "1")]) == {"MaximumRetryAttempts": 1}
    first = lambda_client.list_function_event_invoke_configs(FunctionName=name, MaxItems=1)
    rest = lambda_client.list_function_event_invoke_configs(FunctionName=name, MaxItems=5, Marker=first["NextMarker"])
    assert len(rest["FunctionEventInvokeConfigs"]) == 2

    found = lambda_client.get_function_event_invoke_config(FunctionName=name, Qualifier="live")
    assert found["DestinationConfig"] == destinations
    # A DestinationConfig is merged as a whole.
    answer = lambda_client.update_function_event_invoke_config(
        FunctionName=name, Qualifier="live", DestinationConfig={"OnFailure": destinations["OnFailure"]}
    )
    assert answer["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": destinations["OnFailure"]}

    answer = lambda_client.update_function_event_invoke_config(
        FunctionName=name,
        Qualifier="live",
        MaximumEventAgeInSeconds=90,
        DestinationConfig={"OnSuccess": destinations["OnSuccess"]},
    )
    assert answer["DestinationConfig"] == {"OnSuccess": destinations["OnSuccess"], "OnFailure": {}}
    assert settings_of(answer) == {"MaximumEventAgeInSeconds": 90}

    lambda_client.delete_function_event_invoke_config(FunctionName=name, Qualifier="$LATEST")
    lambda_client.delete_alias(FunctionName=name, Name="live")
    lambda_client.delete_function(FunctionName=name, Qualifier="1")
    assert lambda_client.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"] == []
    lambda_client.create_alias(FunctionName=name, Name="live", FunctionVersion="$LATEST")
    assert refused(lambda_client.get_function_event_invoke_config, FunctionName=name, Qualifier="live")[0] == NOT_FOUND


def test_a_dead_letter_queue_acts_and_is_shown(lambda_client, make_function):
    """Created with a function, versioned with it, taken away by an empty name; topics and FIFO queues are refused."""
    name = make_function(SOURCE, DeadLetterConfig={"TargetArn": queue_arn("dead")})

    def shown(**qualifier):
        return lambda_client.get_function_configuration(FunctionName=name, **qualifier).get("DeadLetterConfig")

    assert shown() == {"TargetArn": queue_arn("dead")}
    lambda_client.publish_version(FunctionName=name)
    lambda_client.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": ""})
    wait_updated(lambda_client, name)
    assert shown() is None
    assert shown(Qualifier="1") == {"TargetArn": queue_arn("dead")}
    lambda_client.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": queue_arn("again")})
    wait_updated(lambda_client, name)
    assert shown() == {"TargetArn": queue_arn("again")}
    for target, part in (
        (f"arn:aws:sns:{REGION}:{ACCOUNT}:topic", "SNS topics come with a later version"),
        (f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f", "is no SQS queue"),
        (queue_arn("dead.fifo"), "use a standard queue"),
        (queue_arn("dead", account="111122223333"), f"must be of account {ACCOUNT}"),
        (queue_arn("not a queue"), "does not exist"),
    ):
        config = {"TargetArn": target}
        for call, settings in (
            (lambda_client.update_function_configuration, {"FunctionName": name}),
            (
                lambda_client.create_function,
                {
                    "FunctionName": f"{name}-x",
                    "Code": {"ZipFile": zip_of({"app.py": SOURCE})},
                    "Runtime": "python3.13",
                    "Handler": "app.handler",
                    "Role": ROLE,
                },
            ),
        ):
            problem, message = refused(call, DeadLetterConfig=config, **settings)
            assert problem == INVALID
            assert part in message


def test_recursion_control_is_kept(lambda_client, make_function):
    """Terminate unless it was set otherwise; of the function as a whole; a missing one is not found."""
    name = make_function(SOURCE)

    def get():
        return lambda_client.get_function_recursion_config(FunctionName=name)["RecursiveLoop"]

    assert get() == "Terminate"
    for loop in ("Allow", "Terminate"):
        answer = lambda_client.put_function_recursion_config(FunctionName=name, RecursiveLoop=loop)
        assert answer["RecursiveLoop"] == loop
        assert get() == loop
    missing = (NOT_FOUND, f"Function not found: {arn_of('nobody').rpartition(':')[0]}")
    assert refused(lambda_client.get_function_recursion_config, FunctionName="nobody") == missing
    put = lambda_client.put_function_recursion_config
    assert refused(put, FunctionName="nobody", RecursiveLoop="Allow") == missing
    assert refused(put, FunctionName=name, RecursiveLoop="Sometimes")[0] == (400, "ValidationException")


def test_lastmodified_is_a_number_on_the_wire(server, lambda_client, make_function):
    """Seconds since the epoch with a fraction, as for no other time of functions."""
    bodies = []
    client = server.client("lambda")
    client.meta.events.register(
        "after-call.lambda.PutFunctionEventInvokeConfig",
        lambda http_response, **_: bodies.append(http_response.content),
    )
    client.put_function_event_invoke_config(FunctionName=make_function(SOURCE), MaximumRetryAttempts=1)
    assert isinstance(json.loads(bodies[0])["LastModified"], float)
