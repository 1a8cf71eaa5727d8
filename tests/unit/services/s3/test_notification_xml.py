"""Configurations as clients write them, and as they read them back."""

import pytest

from lambent.domain.bucket_notification import EVENT_TYPES, Rule
from lambent.errors.families import ApiError, NotImplementedException
from lambent.services.s3.errors import InvalidArgument, MalformedXML
from lambent.services.s3.notification_xml import NAMESPACE, parse, render

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f:live"


def configuration(inner: str) -> bytes:
    return f'<NotificationConfiguration xmlns="{NAMESPACE}">{inner}</NotificationConfiguration>'.encode()


def queue(inner: str = "<Event>s3:ObjectCreated:*</Event>", arn: str = QUEUE) -> str:
    return f"<QueueConfiguration><Queue>{arn}</Queue>{inner}</QueueConfiguration>"


def filters(*pairs: tuple[str, str]) -> str:
    rules = "".join(f"<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>" for name, value in pairs)
    return f"<Event>s3:ObjectCreated:*</Event><Filter><S3Key>{rules}</S3Key></Filter>"


def new_id() -> str:
    return "made"


def test_there_and_back() -> None:
    """All that a rule may hold, of both kinds."""
    rules = (
        Rule("a<b", FUNCTION, ("s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"), "in/&", ".png"),
        Rule("q", QUEUE, ("s3:ObjectAcl:Put",), None, ""),
    )
    assert parse(render(rules), new_id) == rules
    assert parse(render(()), new_id) == ()


def test_a_rule_without_an_id_gets_one() -> None:
    """And events that are named twice count once."""
    inner = queue("<Event>s3:ObjectCreated:Put</Event><Event>s3:ObjectCreated:Put</Event>")
    assert parse(configuration(inner), new_id) == (Rule("made", QUEUE, ("s3:ObjectCreated:Put",)),)


def test_every_type_is_taken() -> None:
    """Those that no request makes come through the door for other servers' events."""
    inner = queue("".join(f"<Event>{event}</Event>" for event in EVENT_TYPES))
    assert set(parse(configuration(inner), new_id)[0].events) == EVENT_TYPES


def test_names_of_filters_in_any_case() -> None:
    """They are shown as S3 spells them."""
    (rule,) = parse(configuration(queue(filters(("PREFIX", "a"), ("Suffix", "b")))), new_id)
    assert (rule.prefix, rule.suffix) == ("a", "b")
    assert b"<Name>Prefix</Name><Value>a</Value>" in render([rule])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no xml",
        b"<Other/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><NotificationConfiguration/>',
        configuration("<Unknown/>"),
        configuration(queue("")),
        configuration(queue("<Unknown/>")),
        configuration("<QueueConfiguration><Event>s3:ObjectCreated:*</Event></QueueConfiguration>"),
        configuration(queue("<Event>s3:ObjectCreated:*</Event><Filter><Other/></Filter>")),
        configuration(queue("<Id>" + "x" * 256 + "</Id><Event>s3:ObjectCreated:*</Event>")),
        b"\xff\xfe",
    ],
)
def test_what_is_no_configuration(body: bytes) -> None:
    """Not half of it is taken."""
    with pytest.raises(MalformedXML):
        parse(body, new_id)


@pytest.mark.parametrize(
    ("inner", "error", "message", "fields"),
    [
        (
            queue(arn="queue"),
            InvalidArgument,
            "The ARN could not be parsed",
            {"ArgumentName": "Queue", "ArgumentValue": "queue"},
        ),
        (queue(arn=FUNCTION), InvalidArgument, "The ARN could not be parsed", {"ArgumentName": "Queue"}),
        (
            "<CloudFunctionConfiguration><CloudFunction>f</CloudFunction><Event>s3:ObjectCreated:*</Event>"
            "</CloudFunctionConfiguration>",
            InvalidArgument,
            "The ARN could not be parsed",
            {"ArgumentName": "CloudFunction", "ArgumentValue": "f"},
        ),
        (queue(arn=QUEUE + ".fifo"), InvalidArgument, "SQS FIFO queues are not supported", {}),
        (
            queue("<Event>s3:ObjectCreated</Event>"),
            InvalidArgument,
            "The event is not supported for notifications",
            {"ArgumentName": "Event", "ArgumentValue": "s3:ObjectCreated"},
        ),
        (queue("<Event>s3:TestEvent</Event>"), InvalidArgument, "The event is not supported for notifications", {}),
        (
            queue(filters(("infix", "a"))),
            InvalidArgument,
            "filter rule name must be either prefix or suffix",
            {"ArgumentValue": "infix"},
        ),
        (
            queue(filters(("prefix", "a"), ("Prefix", "b"))),
            InvalidArgument,
            "Cannot specify more than one prefix rule in a filter.",
            {},
        ),
        (queue(filters(("prefix", "a" * 1025))), InvalidArgument, "Size of filter rule value cannot exceed 1024", {}),
        (queue() * 101, InvalidArgument, "A bucket takes 100 notifications at most", {}),
        (queue() * 2, InvalidArgument, "Configuration IDs must be unique", {}),
        ("<TopicConfiguration/>", NotImplementedException, "TopicConfiguration is not offered", {}),
        ("<EventBridgeConfiguration/>", NotImplementedException, "EventBridgeConfiguration is not offered", {}),
    ],
)
def test_what_is_refused(inner: str, error: type[ApiError], message: str, fields: dict[str, str]) -> None:
    """By S3's own errors, with the members that name what it was."""
    with pytest.raises(error) as excinfo:
        parse(configuration(inner), new_id)
    assert excinfo.value.message.startswith(message)
    assert fields.items() <= excinfo.value.fields.items()
