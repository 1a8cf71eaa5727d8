"""Settings of a function that act on its environments: the size of /tmp, and the way to the internet."""

import pytest
from botocore.exceptions import ClientError
from wire.support import error_of, invoke, wait_updated

STREAM = "def handler(e, c): return c.log_stream_name"


def refused(call, *arguments, **parameters):
    with pytest.raises(ClientError) as excinfo:
        call(*arguments, **parameters)
    return error_of(excinfo)


def test_ephemeral_storage_is_kept_and_shown(lambda_client, make_function):
    """512 MB unless asked for; anything up to 10,240 on create and on update; an update of something else leaves it."""
    plain = make_function(STREAM, wait=False)
    assert lambda_client.get_function_configuration(FunctionName=plain)["EphemeralStorage"] == {"Size": 512}
    name = make_function(STREAM, EphemeralStorage={"Size": 1024})
    assert lambda_client.get_function_configuration(FunctionName=name)["EphemeralStorage"] == {"Size": 1024}
    for change, size in (({"EphemeralStorage": {"Size": 10_240}}, 10_240), ({"Description": "d"}, 10_240)):
        shown = lambda_client.update_function_configuration(FunctionName=name, **change)
        assert shown["EphemeralStorage"] == {"Size": size}
        wait_updated(lambda_client, name)
    assert lambda_client.publish_version(FunctionName=name)["EphemeralStorage"] == {"Size": 10_240}
    assert isinstance(invoke(lambda_client, name)[1], str)


def test_ephemeral_storage_has_a_range(server, make_function):
    """Beyond 10,240 MB is refused as the model's other ranges are, and below 512 by the model itself."""
    name = make_function(STREAM)
    unchecked = server.client("lambda", parameter_validation=False)
    for size, word in ((511, "greater"), (10_241, "less"), (40_000, "less")):
        status, code, text = refused(
            unchecked.update_function_configuration, FunctionName=name, EphemeralStorage={"Size": size}
        )
        assert (status, code) == (400, "ValidationException")
        assert f"at 'ephemeralStorage.size' failed to satisfy constraint: Member must have value {word} than" in text
    assert refused(make_function, STREAM, EphemeralStorage={"Size": 20_000})[:2] == (400, "ValidationException")


def test_the_egress_tag_has_two_values(lambda_client, make_function):
    """`lambent:egress` is nat or none; anything else is refused by name, on create and later, and nothing is stored."""
    text = "Value 'vpn' of tag 'lambent:egress' has no meaning: it must be 'none' or 'nat'"
    assert refused(make_function, STREAM, Tags={"lambent:egress": "vpn"}) == (
        400,
        "InvalidParameterValueException",
        text,
    )
    name = make_function(STREAM, Tags={"lambent:egress": "none"})
    arn = lambda_client.get_function_configuration(FunctionName=name)["FunctionArn"]
    assert refused(lambda_client.tag_resource, Resource=arn, Tags={"lambent:egress": "vpn", "a": "b"})[2] == text
    assert lambda_client.list_tags(Resource=arn)["Tags"] == {"lambent:egress": "none"}


def test_changing_the_egress_retires_environments(lambda_client, make_function):
    """Another answer to where a function may connect needs other environments, of every version; other tags do not."""
    name = make_function(STREAM, Publish=True)
    arn = lambda_client.get_function_configuration(FunctionName=name)["FunctionArn"]

    def streams():
        return [invoke(lambda_client, name, Qualifier=each, LogType="Tail")[1] for each in ("$LATEST", "1")]

    first = streams()
    lambda_client.tag_resource(Resource=arn, Tags={"team": "blue", "lambent:egress": "nat"})
    assert streams() == first, "open is what it was"
    lambda_client.tag_resource(Resource=arn, Tags={"lambent:egress": "none"})
    closed = streams()
    assert not set(closed) & set(first)
    lambda_client.tag_resource(Resource=arn, Tags={"team": "red"})
    assert streams() == closed
    lambda_client.untag_resource(Resource=arn, TagKeys=["lambent:egress"])
    assert not set(streams()) & set(closed)
