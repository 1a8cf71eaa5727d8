"""The model's files, read without botocore's own classes."""

import pytest

from lambent.protocol.service_model import ServiceModel, UnknownService


def test_the_newest_model_is_read() -> None:
    """botocore still ships a model of 2014 for lambda."""
    assert ServiceModel("lambda").api_version == "2015-03-31"


def test_an_unknown_service_is_refused() -> None:
    """Also a name that would leave the folder of models."""
    for name in ("nope", "..", "../data"):
        with pytest.raises(UnknownService):
            ServiceModel(name)


def test_traits_at_the_reference_win() -> None:
    """A member's place and name are written where it is referred to; the rest comes from its shape."""
    shape = ServiceModel("lambda").operations["Invoke"].input
    assert shape is not None
    member = shape.members["InvocationType"]
    assert (member.location, member.wire_name("InvocationType")) == ("header", "X-Amz-Invocation-Type")
    assert "Event" in member.traits["enum"]
    assert shape.payload == "Payload"
    assert shape.required == {"FunctionName"}


def test_prose_is_forgotten() -> None:
    """Documentation is most of a model's size, and nothing reads it."""
    model = ServiceModel("logs")
    assert "documentation" not in repr(list(model.raw_shapes.values()))


def test_event_streams_are_known() -> None:
    """The engine refuses to serialize them."""
    operations = ServiceModel("logs").operations
    assert operations["StartLiveTail"].has_event_stream
    assert not operations["GetLogEvents"].has_event_stream
