"""Signatures are verified as botocore and the published vectors make them, and as nothing else."""

import hashlib
import json
import string
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.access.sigv4 import (
    EMPTY_SHA256,
    Incomplete,
    canonical_request,
    is_signed_by,
    read_signature,
    signing_key,
    string_to_sign,
    time_of,
)

VECTORS = json.loads(Path(__file__).with_name("sigv4_vectors.json").read_text())
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HOST = "127.0.0.1:4566"


def parsed(text: str) -> SimpleNamespace:
    """Take a request of the vectors apart as a server does: bytes as latin-1, folded headers in one value."""
    head, _, body = text.encode().decode("latin-1").partition("\n\n")
    line, *rest = head.rstrip("\n").split("\n")
    method, _, target = line.removesuffix(" HTTP/1.1").partition(" ")
    path, _, query = target.partition("?")
    pairs: list[tuple[bytes, bytes]] = []
    for header in rest:
        if header.startswith((" ", "\t")):
            name, value = pairs.pop()
            pairs.append((name, value + b"\r\n" + header.encode("latin-1")))
        else:
            key, _, text = header.partition(":")
            pairs.append((key.lower().encode(), text.encode("latin-1")))
    return SimpleNamespace(method=method, path=path, query=query, pairs=pairs, body=body.encode("latin-1"))


@pytest.mark.parametrize("name", VECTORS["cases"])
def test_published_vectors(name: str) -> None:
    """All cases of the suite: canonical request, string to sign and signature, to the byte."""
    case = VECTORS["cases"][name]
    request = parsed(case["request"])
    headers = {key.decode(): value.decode("latin-1").strip() for key, value in request.pairs}
    # Of one case the signed request has another signature than the string to sign, and than its own header.
    headers["authorization"] = case["authorization"]
    signature = read_signature(headers, request.query)
    assert signature is not None
    payload = hashlib.sha256(request.body).hexdigest()
    canonical = canonical_request(signature, request.method, request.path, request.query, request.pairs, payload)
    assert canonical.decode() == case["canonical"]
    text = string_to_sign(signature, canonical)
    assert text == case["string_to_sign"]
    key = signing_key(SECRET, signature.date, signature.region, signature.service)
    assert is_signed_by(key, text, signature.signature)


SIGNERS: dict[tuple[str, bool], Any] = {
    ("s3", False): S3SigV4Auth,
    ("s3", True): S3SigV4QueryAuth,
    **{(service, False): SigV4Auth for service in ("lambda", "sqs", "sts", "execute-api")},
    **{(service, True): SigV4QueryAuth for service in ("lambda", "sqs", "sts", "execute-api")},
}
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8) | st.sampled_from(
    ["arn:aws:lambda:eu-west-1:111122223333:function:f:live", "a b+c", "~é", "%2F", "", "..", "."]
)
VALUE = st.text(string.ascii_letters + string.digits + " ;,=/+'\"", max_size=12).map(str.strip)


class Sent:
    """A request as botocore signs it, as it arrives."""

    def __init__(self, service: str, is_presigned: bool, draw: Any) -> None:
        signer = SIGNERS[service, is_presigned]
        self.service = service
        path = "/" + "/".join(quote(part, safe="~") for part in draw(st.lists(TEXT, max_size=3)))
        # Repeated names are nothing that botocore signs with the values of a dictionary.
        asked = draw(st.dictionaries(TEXT, TEXT, max_size=3))
        query = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in asked.items())
        # What a URL is signed for has no body that botocore would let be.
        self.body = b"" if is_presigned else draw(st.binary(max_size=20))
        self.method = draw(st.sampled_from(["GET", "POST", "PUT"]))
        url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
        headers = {"X-Amz-Target": "Some.Target", "X-Own": draw(VALUE)}
        request = AWSRequest(self.method, url, headers, data=self.body)
        request.context["payload_signing_enabled"] = True
        token = draw(st.sampled_from([None, "a+token/="]))
        signer(Credentials(KEY, SECRET, token), service, "eu-west-1").add_auth(request)
        prepared = request.prepare()
        self.path, _, self.query = prepared.url.removeprefix(f"http://{HOST}").partition("?")
        self.path = self.path or "/"
        self.pairs = [(b"host", HOST.encode())] + [
            (name.lower().encode(), value if isinstance(value, bytes) else value.encode())
            for name, value in prepared.headers.items()
        ]

    def is_accepted(self) -> bool:
        headers = {name.decode(): value.decode("latin-1") for name, value in self.pairs}
        try:
            signature = read_signature(headers, self.query)
        except Incomplete:
            return False
        if signature is None:
            return False
        payload = headers.get("x-amz-content-sha256")
        if payload is None:
            is_url_of_s3 = signature.is_presigned and self.service == "s3"
            payload = "UNSIGNED-PAYLOAD" if is_url_of_s3 else hashlib.sha256(self.body).hexdigest()
        elif payload != hashlib.sha256(self.body).hexdigest():
            return False
        canonical = canonical_request(signature, self.method, self.path, self.query, self.pairs, payload)
        key = signing_key(SECRET, signature.date, signature.region, signature.service)
        return is_signed_by(key, string_to_sign(signature, canonical), signature.signature)


@pytest.mark.parametrize(("service", "is_presigned"), SIGNERS)
def test_what_botocore_signs_is_accepted(service: str, is_presigned: bool) -> None:
    """Paths with ARNs, dots and doubled slashes, queries of anything, headers with blanks in them."""

    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        assert Sent(service, is_presigned, data.draw).is_accepted()

    check()


@pytest.mark.parametrize(("service", "is_presigned"), SIGNERS)
def test_one_byte_elsewhere_is_refused(service: str, is_presigned: bool) -> None:
    """Whichever byte of what is signed is another one, the signature is nobody's."""

    @settings(max_examples=50, deadline=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        sent = Sent(service, is_presigned, data.draw)
        assert sent.is_accepted()
        places = ["path", "query", "header", "method"]
        if not (is_presigned and service == "s3"):
            places.append("body")
        place = data.draw(st.sampled_from(places))
        if place == "method":
            sent.method = "DELETE"
        elif place == "path":
            sent.path += "x"
        elif place == "body":
            sent.body += b"x"
        elif place == "query":
            # In the midst of whatever there is; of the signature itself, too.
            at = data.draw(st.integers(0, max(0, len(sent.query) - 1)))
            other = "q" if sent.query[at : at + 1] != "q" else "z"
            sent.query = f"{sent.query[:at]}{other}{sent.query[at + 1 :]}"
        else:
            signed = [number for number, (name, _) in enumerate(sent.pairs) if name in _signed_names(sent)]
            number = data.draw(st.sampled_from(signed))
            name, value = sent.pairs[number]
            sent.pairs[number] = name, value + b"x"
        assert not sent.is_accepted()

    check()


def _signed_names(sent: Sent) -> set[bytes]:
    headers = {name.decode(): value.decode("latin-1") for name, value in sent.pairs}
    signature = read_signature(headers, sent.query)
    assert signature is not None
    return {name.encode() for name in signature.signed_headers}


USUAL = (
    "AWS4-HMAC-SHA256 Credential=K/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=" + "0" * 64
)
DATED = {"x-amz-date": "20260101T000000Z"}


@pytest.mark.parametrize(
    ("authorization", "headers", "said"),
    [
        (USUAL.replace("host", "Host"), DATED, "lower-case"),
        (USUAL.replace("host", "x;host"), DATED, "in order"),
        (USUAL.replace("host", "host;host"), DATED, "each once"),
        (USUAL.replace("host", "x-amz-date"), DATED, "'Host' or ':authority' must be a 'SignedHeader'"),
        (USUAL.replace("host", ";".join(["host", *(f"x{n:03}" for n in range(200))])), DATED, "SignedHeaders"),
        (USUAL, {}, "requires existence of either a 'X-Amz-Date' or a 'Date' header"),
        (USUAL, {"x-amz-date": "20260101T000000Z, 20260101T000000Z"}, "basic format"),
        (USUAL, {"date": "tomorrow"}, "basic format"),
        (USUAL.partition(", Sig")[0], DATED, "requires 'Signature' parameter"),
        ("AWS4-HMAC-SHA256 ", DATED, "not a valid key=value pair"),
        ("AWS4-HMAC-SHA256 a=b", DATED, "each once"),
        (f"{USUAL}, {USUAL}", DATED, "each once"),
        (USUAL.replace("K/", "K"), DATED, "exactly 5"),
        (USUAL.replace("000", "00A"), DATED, "64 lower-case"),
        (USUAL.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), DATED, "AWS4-ECDSA-P256-SHA256 is not supported"),
    ],
)
def test_what_cannot_be_read(authorization: str, headers: dict[str, str], said: str) -> None:
    """Each has AWS's text, and none of them the header itself, in which somebody may have put a secret."""
    with pytest.raises(Incomplete) as refused:
        read_signature({**headers, "authorization": authorization}, "")
    assert said in str(refused.value)
    assert USUAL[-64:] not in str(refused.value)


def test_a_request_signed_twice_is_not_read() -> None:
    """A signature in the header and one in the query: which one counts is not left to chance."""
    with pytest.raises(Incomplete, match="Only one auth mechanism"):
        read_signature({**DATED, "authorization": USUAL}, "X-Amz-Algorithm=AWS4-HMAC-SHA256")
    with pytest.raises(Incomplete, match="must not repeat X-Amz-Date"):
        read_signature({}, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=a&X-Amz-Dat%65=b")
    assert read_signature({"authorization": "Bearer x"}, "") is None


def test_a_path_of_s3_encoded_by_the_rules() -> None:
    """Some clients send characters as they are that they have signed encoded."""
    signature = read_signature({**DATED, "authorization": USUAL.replace("/lambda/", "/s3/")}, "")
    assert signature is not None

    def path(sent: str, *, is_reencoded: bool) -> bytes:
        return canonical_request(signature, "GET", sent, "", [], EMPTY_SHA256, is_path_reencoded=is_reencoded).split(
            b"\n"
        )[1]

    assert path("/b/a:b%2F//../c", is_reencoded=False) == b"/b/a:b%2F//../c"
    assert path("/b/a:b%2F//../c", is_reencoded=True) == b"/b/a%3Ab///../c"


def test_a_host_that_a_proxy_replaced() -> None:
    """The host may be said to have been another one."""
    signature = read_signature({**DATED, "authorization": USUAL}, "")
    assert signature is not None
    lines = canonical_request(signature, "GET", "/", "", [(b"host", b"inner")], EMPTY_SHA256, host="outer").split(b"\n")
    assert lines[3] == b"host:outer"


def test_moments() -> None:
    """A timestamp is a moment, or it is none."""
    assert time_of("20260101T000000Z") == 1767225600
    assert time_of("20261301T000000Z") is None
    assert botocore.auth.SIGV4_TIMESTAMP == "%Y%m%dT%H%M%SZ"
