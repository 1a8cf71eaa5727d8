"""
A request as it was signed: compared with what was received, its head at once and its body whole or as it passes.

Documented: AWS General Reference, Signature Version 4 signing process; Amazon S3 API reference, authenticating
requests.
Observed: texts in field reports of SDKs' users.
"""

import hashlib
import hmac
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from urllib.parse import parse_qs

from lambent.access import chunks
from lambent.access.sigv4 import (
    OF_S3,
    UNSIGNED_PAYLOAD,
    Signature,
    canonical_request,
    is_signed_by,
    string_to_sign,
)
from lambent.domain.access_log import on_one_line
from lambent.domain.principal import Principal
from lambent.errors.families import BodyNotAsSigned, InvalidSignature, UnsupportedSignature
from lambent.protocol.wire import WireRequest

_log = logging.getLogger("lambent.access")

Note = Callable[[Principal, str, str], None]
"""Is told whose signature was good, for which service, and in which region."""

_HASH = re.compile(r"[0-9a-f]{64}")
_HASH_CHARACTERS = 64

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_MISMATCH_OF_S3 = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)


class SignedRequest:
    """
    Implements `authentication.Claim`: a request whose signature is verified, in its head or with its body.

    Args:
        key: what it was signed with, if it was by whoever it says.
        public_hosts: what the Host header may have been before a proxy in between replaced it.
        principal: whose the key is.
        note: hears of a good signature.

    Raises:
        UnsupportedSignature: what stands for its body is nothing that can be verified.
    """

    how = "signature"

    def __init__(
        self,
        request: WireRequest,
        signature: Signature,
        key: bytes,
        public_hosts: Sequence[str],
        principal: Principal,
        note: Note,
    ) -> None:
        self.principal = principal
        self._note = note
        self._request = request
        self._signature = signature
        self._key = key
        self._public_hosts = public_hosts
        self._payload = _payload_of(request, signature)
        """What stands for the body in what was signed; None: its hash, which was not sent."""
        self._is_verified = False

    @property
    def needs_body(self) -> bool:
        return self._payload is None and not self._is_verified

    def begin(self) -> None:
        """Verify what is known without the body. Raises InvalidSignature."""
        if self._payload is not None:
            self._verify(self._payload)

    def check_body(self, body: bytes) -> None:
        payload = self._payload
        if payload is None:
            self._verify(hashlib.sha256(body).hexdigest())
        elif len(payload) == _HASH_CHARACTERS:
            self._check_hash(hashlib.sha256(body).hexdigest())
        elif payload in (chunks.SIGNED, chunks.SIGNED_WITH_TRAILER):
            chunked = self._chunked()
            try:
                chunked.feed(body)
                chunked.end()
            except chunks.NotAsSigned as error:
                raise self._chunks_differ(error) from None

    async def watch_body(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        payload = self._payload
        assert payload is not None, "a body whose hash was not sent is read whole"
        if payload in (chunks.SIGNED, chunks.SIGNED_WITH_TRAILER):
            watched = self._watch_chunks(body)
        elif len(payload) == _HASH_CHARACTERS:
            watched = self._watch_hash(body)
        else:
            watched = body
        async for piece in watched:
            yield piece

    async def _watch_hash(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        digest = hashlib.sha256()
        held = b""
        async for piece in body:
            if not piece:
                continue
            digest.update(piece)
            if held:
                yield held
            held = piece
        self._check_hash(digest.hexdigest())
        if held:
            yield held

    async def _watch_chunks(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        chunked = self._chunked()
        # From the last of the data on: whoever takes the frame off has no whole body before all of it is verified.
        held: list[bytes] = []
        try:
            async for piece in body:
                before = chunked.data_bytes
                chunked.feed(piece)
                if chunked.data_bytes > before:
                    for kept in held:
                        yield kept
                    held = []
                held.append(piece)
            chunked.end()
        except chunks.NotAsSigned as error:
            raise self._chunks_differ(error) from None
        for kept in held:
            yield kept

    def _chunked(self) -> chunks.SignedChunks:
        declared = self._request.headers.get("x-amz-decoded-content-length", "")
        return chunks.SignedChunks(
            self._key,
            self._signature,
            has_trailer=self._payload == chunks.SIGNED_WITH_TRAILER,
            decoded_bytes=int(declared) if declared.isascii() and declared.isdigit() and len(declared) < 20 else None,
        )

    def _check_hash(self, made: str) -> None:
        assert self._payload is not None
        if hmac.compare_digest(made.encode(), self._payload.encode()):
            return
        if self._signature.service in OF_S3:
            raise BodyNotAsSigned(
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                fields={"ClientComputedContentSHA256": self._payload, "S3ComputedContentSHA256": made},
            )
        raise BodyNotAsSigned(f"{_MISMATCH} The hash of the body is not the one in x-amz-content-sha256.")

    def _chunks_differ(self, error: chunks.NotAsSigned) -> InvalidSignature:
        return InvalidSignature(f"{_MISMATCH_OF_S3} In the body: {error}.")

    def _verify(self, payload: str) -> None:
        self._check_signature(payload)
        self._is_verified = True
        self._note(self.principal, self._signature.service, self._signature.region)

    def _check_signature(self, payload: str) -> None:
        request, signature = self._request, self._signature
        sent = (signature, request.method, request.path, request.query, request.pairs, payload)
        canonical = canonical_request(*sent)
        text = string_to_sign(signature, canonical)
        if is_signed_by(self._key, text, signature.signature):
            return
        # A slash that was sent encoded is part of a name: it must not pass for one that was signed.
        may_be_spelled_otherwise = signature.service in OF_S3 and "%2f" not in request.path.lower()
        for query in _queries(request.query):
            for host in (None, *self._public_hosts):
                for is_path_reencoded in (False, True) if may_be_spelled_otherwise else (False,):
                    other = canonical_request(
                        signature, request.method, request.path, query, request.pairs, payload,
                        host=host, is_path_reencoded=is_path_reencoded,
                    )  # fmt: skip
                    if other != canonical and is_signed_by(
                        self._key, string_to_sign(signature, other), signature.signature
                    ):
                        return
        forwarded = request.headers.get("x-forwarded-host")
        if forwarded is not None:
            _log.info(
                "access.signature_mismatch host=%s forwarded_host=%s hint=--public-host",
                on_one_line(request.headers.get("host", "")[:255]), on_one_line(forwarded[:255]),
            )  # fmt: skip
        raise _mismatch(signature, canonical.decode("latin-1"), text)


def _queries(query: str) -> Iterator[str]:
    yield query
    if "+" in query:
        # Assumed: a client that writes a blank so has signed it as one (test_signed_request).
        yield query.replace("+", "%20")


def _payload_of(request: WireRequest, signature: Signature) -> str | None:
    """Return what stands for the body in what was signed, None where that is its hash, which was not sent."""
    given = request.headers.get("x-amz-content-sha256")
    is_s3 = signature.service in OF_S3
    if signature.is_presigned and is_s3 and "x-amz-content-sha256" not in signature.signed_headers:
        given = parse_qs(request.query).get("X-Amz-Content-Sha256", [UNSIGNED_PAYLOAD])[0]
    if given is None:
        if is_s3:
            raise UnsupportedSignature("Missing required header for this request: x-amz-content-sha256")
        return None
    if _HASH.fullmatch(given) is not None or given == UNSIGNED_PAYLOAD:
        return given
    if is_s3 and given in {chunks.SIGNED, chunks.SIGNED_WITH_TRAILER, chunks.UNSIGNED_WITH_TRAILER}:
        return given
    raise UnsupportedSignature(
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-UNSIGNED-PAYLOAD-TRAILER or a valid sha256 value."
    )


def _mismatch(signature: Signature, canonical: str, text: str) -> InvalidSignature:
    # Nothing in it is secret, and nothing else shows what a proxy in between has changed.
    if signature.service in OF_S3:
        return InvalidSignature(
            _MISMATCH_OF_S3,
            fields={
                "AWSAccessKeyId": signature.access_key,
                "StringToSign": text,
                "SignatureProvided": signature.signature,
                "StringToSignBytes": text.encode("latin-1").hex(" "),
                "CanonicalRequest": canonical,
                "CanonicalRequestBytes": canonical.encode("latin-1").hex(" "),
            },
        )
    return InvalidSignature(
        f"{_MISMATCH}\n\nThe Canonical String for this request should have been\n'{canonical}'\n\n"
        f"The String-to-Sign should have been\n'{text}'\n"
    )
