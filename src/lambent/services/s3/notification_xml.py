"""Notification configurations as S3's clients write and read them."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lambent.domain.bucket_notification import EVENT_TYPES, Rule
from lambent.domain.destination import Target, parse_target
from lambent.errors.families import NotImplementedException
from lambent.protocol.xml import escape
from lambent.services.s3.errors import InvalidArgument, MalformedXML

if TYPE_CHECKING:
    from xml.etree import ElementTree

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

RULES_MAX = 100
"""Documented: Amazon S3 endpoints and quotas: event notifications per bucket."""

_ID_MAX = 255
_FILTER_MAX_BYTES = 1024

_KINDS = {"CloudFunctionConfiguration": "CloudFunction", "QueueConfiguration": "Queue"}
"""Kind of rule to the element of its target."""
_SERVICES = {"CloudFunctionConfiguration": "lambda", "QueueConfiguration": "sqs"}
_COMING = {
    "TopicConfiguration": "SNS topics come with a later version; use a function or a queue",
    "EventBridgeConfiguration": "EventBridge comes with a later version; use a function or a queue",
}


def parse(body: bytes, new_id: Callable[[], str]) -> tuple[Rule, ...]:
    """
    Read the rules of a configuration, none where it is empty.

    Args:
        new_id: makes an id for a rule without one.

    Raises:
        MalformedXML: it is no configuration.
        InvalidArgument: it names a target, an event or a filter that there cannot be.
        NotImplementedException: it names a target that is not offered.
    """
    # Loaded with the first document: at rest the server has no parser.
    from xml.etree import ElementTree

    # Without document types there are no entities to blow up.
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise MalformedXML
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError):
        raise MalformedXML from None
    if _name(root) != "NotificationConfiguration":
        raise MalformedXML
    rules = []
    for element in root:
        kind = _name(element)
        if kind in _COMING:
            raise NotImplementedException(f"{kind} is not offered by this version of Lambent: {_COMING[kind]}")
        if kind not in _KINDS:
            raise MalformedXML
        rules.append(_rule(element, kind, new_id))
    if len(rules) > RULES_MAX:
        # Assumed: no recorded text (test_notification_xml).
        raise InvalidArgument(f"A bucket takes {RULES_MAX} notifications at most")
    ids = [rule.id for rule in rules]
    if len(set(ids)) < len(ids):
        # Assumed: no recorded text (test_notification_xml).
        raise InvalidArgument("Configuration IDs must be unique", fields={"ArgumentName": "Id"})
    return tuple(rules)


def render(rules: Sequence[Rule]) -> bytes:
    """Return a configuration as GetBucketNotificationConfiguration answers it."""
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n', f'<NotificationConfiguration xmlns="{NAMESPACE}">']
    for rule in rules:
        target = parse_target(rule.target_arn)
        assert target is not None
        kind = "CloudFunctionConfiguration" if target.service == "lambda" else "QueueConfiguration"
        parts.append(f"<{kind}><Id>{escape(rule.id)}</Id>")
        parts.append(f"<{_KINDS[kind]}>{escape(rule.target_arn)}</{_KINDS[kind]}>")
        parts += [f"<Event>{event}</Event>" for event in rule.events]
        filters = [
            (name, value) for name, value in (("Prefix", rule.prefix), ("Suffix", rule.suffix)) if value is not None
        ]
        if filters:
            shown = "".join(
                f"<FilterRule><Name>{name}</Name><Value>{escape(value)}</Value></FilterRule>" for name, value in filters
            )
            parts.append(f"<Filter><S3Key>{shown}</S3Key></Filter>")
        parts.append(f"</{kind}>")
    parts.append("</NotificationConfiguration>")
    return "".join(parts).encode()


def _rule(element: "ElementTree.Element", kind: str, new_id: Callable[[], str]) -> Rule:
    identifier, arn, events = "", "", []
    prefix = suffix = None
    for child in element:
        name, text = _name(child), (child.text or "").strip()
        if name == "Id":
            identifier = text
        elif name == _KINDS[kind]:
            arn = text
        elif name == "Event":
            events.append(text)
        elif name == "Filter":
            prefix, suffix = _filters(child)
        else:
            raise MalformedXML
    if not arn or not events or len(identifier) > _ID_MAX:
        raise MalformedXML
    for event in events:
        if event not in EVENT_TYPES:
            # Observed: field reports of the text.
            raise InvalidArgument(
                "The event is not supported for notifications",
                fields={"ArgumentName": "Event", "ArgumentValue": event},
            )
    _check_target(arn, kind)
    return Rule(identifier or new_id(), arn, tuple(dict.fromkeys(events)), prefix, suffix)


def _check_target(arn: str, kind: str) -> Target:
    target = parse_target(arn)
    if target is None or target.service != _SERVICES[kind] or not target.scope.account or not target.scope.region:
        # Observed: field reports of the text, for functions.
        raise InvalidArgument(
            "The ARN could not be parsed", fields={"ArgumentName": _KINDS[kind], "ArgumentValue": arn}
        )
    if target.service == "sqs" and target.resource.endswith(".fifo"):
        # Documented: Amazon S3 user guide: FIFO queues are not supported as an event notification destination.
        raise InvalidArgument(
            "SQS FIFO queues are not supported as an event notification destination",
            fields={"ArgumentName": _KINDS[kind], "ArgumentValue": arn},
        )
    return target


def _filters(element: "ElementTree.Element") -> tuple[str | None, str | None]:
    found: dict[str, str] = {}
    for keys in element:
        if _name(keys) != "S3Key":
            raise MalformedXML
        for rule in keys:
            parts = {_name(part): part.text or "" for part in rule}
            if _name(rule) != "FilterRule" or parts.keys() != {"Name", "Value"}:
                raise MalformedXML
            name = parts["Name"].strip().lower()
            if name not in {"prefix", "suffix"}:
                # Observed: field reports of the text.
                raise InvalidArgument(
                    "filter rule name must be either prefix or suffix",
                    fields={"ArgumentName": "FilterRule.Name", "ArgumentValue": parts["Name"]},
                )
            if name in found:
                # Observed: field reports of the text.
                raise InvalidArgument(
                    f"Cannot specify more than one {name} rule in a filter.",
                    fields={"ArgumentName": "FilterRule.Name", "ArgumentValue": name},
                )
            if len(parts["Value"].encode()) > _FILTER_MAX_BYTES:
                # Documented: Amazon S3 API reference, FilterRule: up to 1,024 characters.
                raise InvalidArgument(
                    "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation",
                    fields={"ArgumentName": "FilterRule.Value", "ArgumentValue": parts["Value"]},
                )
            found[name] = parts["Value"]
    return found.get("prefix"), found.get("suffix")


def _name(element: "ElementTree.Element") -> str:
    return element.tag.rpartition("}")[2]
