"""
What may stand where something else should: texts, JSON values, bodies, and parts of HTTP requests. Tables: one piece.

`bad_requests.py` puts them into requests.
"""

import base64
import gzip
import json
import math
from collections.abc import Mapping
from typing import Any


class Raw(str):
    """JSON text that is written as it is: what no writer of JSON would make of a value."""

    __slots__ = ()


def write_json(value: Any) -> str:
    """
    Write a value as JSON in ASCII, each `Raw` in it as it stands.

    Lone surrogates become escapes, which is the only way in which JSON can hold them.
    """
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{write_json(str(key))}:{write_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(write_json, value)) + "]"
    if isinstance(value, bytes):
        return json.dumps(base64.b64encode(value).decode())
    if isinstance(value, float) and not math.isfinite(value):
        return "1e400" if value > 0 else "-1e400"
    return json.dumps(value)


def _nested(depth: int, opening: str, closing: str, core: str = "1") -> Raw:
    return Raw(opening * depth + core + closing * depth)


TEXTS: tuple[str, ...] = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\r\n",
    "\t\x0b\x1b\x7f",
    "a" * 257,
    "ä" * 70_000,
    "\ud800",
    "\udc00\ud800",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil\N{POP DIRECTIONAL FORMATTING}",
    "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NO-BREAK SPACE}",
    "e" + "\N{COMBINING ACUTE ACCENT}" * 200,
    "\N{COLLISION SYMBOL}" * 65,
    "\N{ARABIC-INDIC DIGIT ONE}\N{ARABIC-INDIC DIGIT TWO}",
    "\N{SUPERSCRIPT TWO}",
    "\N{LATIN SMALL LETTER DOTLESS I}\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}\N{LATIN SMALL LETTER SHARP S}",
    "\N{LINE SEPARATOR}\N{NEXT LINE}",
    "\N{REPLACEMENT CHARACTER}\uffff",
    "..",
    "../../../etc/passwd",
    "%00",
    "%2e%2e%2f",
    "%",
    "a/b",
    "a?b=c&d#e",
    "'; DROP TABLE functions; --",
    "*?[a-z]%_",
    "{}",
    "null",
    "true",
    "-0",
    "1e400",
    "0x10",
    "1_000",
    "9223372036854775808",
    "9" * 128,
    "9" * 5000,
    "NaN",
    "====",
    "e30",
    "e30=",
    "-_-_",
    "////",
    "/w==",
    "7aCA",
    "arn",
    "arn:",
    "arn:aws:lambda",
    "arn:aws:lambda:us-east-1:000000000000:function:f:1:2",
    "arn:aws:lambda:::function:f",
    "$LATEST",
    "$LATEST.PUBLISHED",
    "2026-01-01T00:00:00Z",
    "a" * 40 + "!",
    "-" * 64 + "\n",
    "a:" * 64,
    "arn:aws:iam::000000000000:role/" + "a/" * 5000 + " ",
)
"""What may go wrong with a text."""

DOCUMENTS: tuple[str, ...] = (
    "{",
    "[]",
    "nul",
    '{"a":1,"a":2}',
    '{"Version":[],"Statement":[{"Effect":"Allow","Principal":"*","Action":"lambda:GetFunction","Resource":"*"}]}',
    '{"Version":{},"Statement":1}',
    '{"Version":"2012-10-17","Statement":[{"Effect":[],"Principal":"*","Action":"lambda:*","Resource":"*"}]}',
    '{"Version":"2012-10-17","Statement":[{"Sid":[],"Effect":"Allow","Principal":"*","Action":"lambda:*"}]}',
    '{"Version":"2012-10-17","Statement":[{"Sid":{},"Effect":"Allow","Principal":{"AWS":[[]]},"Action":[1]}]}',
    '{"Version":"2012-10-17","Statement":[{"Sid":1,"Effect":"Allow","Principal":{"AWS":null},"Action":"lambda:*"}]}',
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":{},"Resource":{}}}',
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{},"Action":"*","Resource":null,"Condition":[]}}',
    '{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Condition":{"":{"":""}}}}',
    '{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Condition":{"StringEquals":{"a":[1e400]}}}}',
    '{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Condition":{"StringLike":{"aws:x":["[!","*"]}}}}',
    '{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Condition":{"Bool":{"a":true,"b":null}}}}',
    '{"Statement":{"Effect":"Allow","Principal":"*","Action":"\\ud800","Resource":"\\u0000"}}',
    '{"Id":[],"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*"}}',
    '{"Id":1e400,"Version":"2012-10-17","Statement":[]}',
    '{"Statement":' + "[" * 900 + "]" * 900 + "}",
    '{"Statement":[{"Sid":' + "[" * 400 + "]" * 400 + ',"Effect":"Allow","Principal":"*","Action":"*"}]}',
    '{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"' + "*a" * 60 + '"}}',
    "[" * 1500 + "]" * 1500,
)
"""What may go wrong with JSON inside a text."""

JUNK: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    1.5,
    2**31,
    -(2**31) - 1,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    10**400,
    float("inf"),
    Raw("-0"),
    Raw("-0.0"),
    Raw("1e400"),
    Raw("1E-999"),
    Raw("3.0"),
    Raw("1e2"),
    Raw("01"),
    Raw("+1"),
    Raw(".5"),
    Raw("NaN"),
    Raw("-Infinity"),
    Raw('"\\ud800"'),
    Raw('"\\ud800\\u0041"'),
    Raw('"\\x41"'),
    Raw('"\\u00"'),
    Raw('"tab\tinside"'),
    Raw("undefined"),
    Raw("'single'"),
    Raw("// comment"),
    Raw('{"a":1,"a":2}'),
    Raw('{"Size":512,"Size":null,"size":[]}'),
    _nested(20, "[", "]"),
    _nested(20, '{"a":', "}"),
    _nested(900, "[", "]"),
    _nested(3000, '{"Variables":', "}"),
    _nested(100_000, "[", "]"),
    [],
    {},
    [None],
    [[]],
    [{}],
    [None, "", 0, [], {}],
    ["a"] * 5000,
    {"": ""},
    {"": None},
    {"a": {"a": {"a": []}}},
    {f"k{number}": "v" for number in range(2000)},
    {"__proto__": {}, "constructor": 1},
    b"",
    b"PK\x05\x06" + bytes(18),
    b"PK\x03\x04" + b"\xff" * 60,
    bytes(100_000),
)
"""What may stand where something else should."""

BODIES: tuple[bytes, ...] = (
    b"",
    b" ",
    b"{",
    b"}",
    b"[]",
    b'""',
    b"null",
    b"0",
    b"{}{}",
    b"{},",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    '{"a": "b"}'.encode("utf-16"),
    b'{"a": "\xff"}',
    b'{"a": "\xed\xa0\x80"}',
    b'{"\xc3\x28": 1}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"' + b"a" * 200_000 + b'": 1}',
    b"<xml/>",
    b"Action=ListFunctions&Version=2015-03-31",
    b"--boundary\r\nContent-Disposition: form-data\r\n\r\n",
    gzip.compress(b"{}", mtime=0),
    b"\xa1\x61\x61\xff",
)
"""What may stand in the place of a whole body."""

CONTENT_TYPES: tuple[str | None, ...] = (
    None,
    "",
    "application/json",
    "application/json; charset=utf-16",
    "APPLICATION/JSON",
    "application/x-amz-json-1.0",
    "application/x-amz-json-1.1",
    "application/x-amz-json-9.9",
    "application/x-www-form-urlencoded",
    "application/cbor",
    "multipart/form-data; boundary=",
    "text/plain",
    ";",
    "/",
    "\x80\xff",
    "application/json, application/xml",
    "a" * 5000,
)

QUERIES: tuple[str, ...] = (
    "",
    "&",
    "=",
    "&&&===&",
    "%",
    "%zz=%zz",
    "%00=%00",
    "Qualifier",
    "Qualifier=",
    "Qualifier=%",
    "Qualifier=%00",
    "Qualifier=%ED%A0%80",
    "Qualifier=1&Qualifier=2",
    "Qualifier=+%2B+",
    "MaxItems=",
    "MaxItems=-0",
    "MaxItems=1e3",
    "MaxItems=%D9%A1",
    "MaxItems=99999999999999999999",
    "MaxItems=" + "9" * 5000,
    "Marker=",
    "Marker=%2F%2F%2F",
    "Marker=AAAA",
    "Marker=" + "A" * 9000,
    "Marker=" + base64.urlsafe_b64encode(b"f:99999999999999999999").decode(),
    "Marker=" + base64.urlsafe_b64encode(b"f:-1").decode(),
    "Marker=" + base64.urlsafe_b64encode(b"f").decode(),
    "Marker=" + base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    "Marker=" + base64.urlsafe_b64encode(b"a\x00b").decode(),
    "Marker=" + base64.urlsafe_b64encode("\u0661".encode()).decode(),
    "find=LayerVersion",
    "find=LayerVersion&Arn=",
    "find=layerversion&Arn=x",
    "List=ALL&List=",
    "tagKeys=",
    "tagKeys=a&tagKeys=a&tagKeys=%00",
    "a=" + "b" * 60_000,
    "&".join(f"k{number}={number}" for number in range(5000)),
    "&".join("tagKeys=k" for _ in range(5000)),
    "[a]=1&a[]=2&a[b]=3",
    "a;b;c",
    "\x80\xff=\xe9",
    "X-Amz-Credential=a/b/c/d/e",
    "X-Amz-Credential=%ff/2/us-east-1/lambda/aws4_request",
    "Action=ListFunctions",
)
"""What may follow the question mark."""

AUTHORIZATIONS: tuple[str, ...] = (
    "",
    "AWS4-HMAC-SHA256",
    "AWS4-HMAC-SHA256 Credential=",
    "AWS4-HMAC-SHA256 Credential=////",
    "AWS4-HMAC-SHA256 Credential=a/b/c/d/e/f/g/h",
    "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/nosuchservice/aws4_request",
    "AWS4-HMAC-SHA256 Credential=111122223333/20260101/eu-west-1/lambda/aws4_request",
    "AWS4-HMAC-SHA256 Credential=" + "9" * 12 + "/x/" + "a" * 41 + "/lambda/aws4_request",
    "Basic \xff\xff",
    "Bearer " + "a" * 60_000,
)

HEADERS: tuple[tuple[str, str], ...] = (
    ("x-amz-target", "Logs_20140328.DescribeLogGroups"),
    ("x-amz-target", "Logs_20140328."),
    ("x-amz-target", "\xff.\xff"),
    ("x-amz-target", "." * 5000),
    ("x-amz-date", "yesterday"),
    ("content-encoding", "gzip"),
    ("content-md5", "nonsense"),
    ("accept", "application/xml"),
    ("expect", "100-continue"),
    ("x-http-method-override", "DELETE"),
    ("x-amzn-trace-id", "Root=nonsense;;;=;" + "a" * 5000),
    ("x-amzn-trace-id", "\xff"),
    ("host", "\xff\xfe"),
    ("host", ""),
    ("host", "a" * 5000),
    ("x-amz-invocation-type", "event"),
    ("x-amz-invocation-type", "DryRun, Event"),
    ("x-amz-log-type", "Tail\xff"),
    ("x-amz-client-context", "e30="),
    ("x-amz-client-context", "====" * 100),
    ("x-amz-client-context", base64.b64encode(b'{"a":' + b"[" * 1100 + b"]" * 1100 + b"}").decode()),
    ("x-amz-client-context", base64.b64encode(b'{"a":1e400}').decode()),
    ("x-amz-client-context", base64.b64encode(b'{"a":"\\ud800"}').decode()),
    ("x-amz-client-context", "\xe9"),
    ("x-amz-tenant-id", " "),
)

PATHS: tuple[str, ...] = (
    "",
    "/",
    "//",
    "/%",
    "/%00",
    "/..",
    "/../..",
    "/%2e%2e/%2e%2e",
    "/%2F%2F",
    "/\xe9\xff",
    "/" + "a/" * 2000,
    "/" + "%41" * 5000,
    "/policy",
    "/versions/",
    "/;a=b",
    "/%ED%A0%80",
    "/%c3%28",
    "/*",
    "/$LATEST",
    "/:",
)
"""What may follow a path."""
