"""Receipt handles: the right of one receive, as a text that nobody can make up."""

import base64
import binascii
import hashlib
import hmac

import msgspec

from lambent.errors.api.sqs import ReceiptHandleIsInvalid
from lambent.store.contract import QueueName, Receipt

_PURPOSE = b"lambent receipt handle 1"
"""Mixed in, so that nothing else that is signed with the same secret passes for a handle."""

_FORM = 1
_SIGNATURE_BYTES = 16
_PAYLOAD_BYTES = 21


class Received(msgspec.Struct, frozen=True):
    """What a handle says."""

    receipt: Receipt
    at_ms: int
    """When the message was received."""


class Handles:
    """
    Writes and reads handles.

    A handle is checked without a look at the store. It is good for one queue: the queue's name is signed along.

    Args:
        secret: at least 32 bytes, the data folder's own: handles outlive the server.
    """

    def __init__(self, secret: bytes) -> None:
        assert len(secret) >= 32
        self._secret = secret

    def write(self, receipt: Receipt, at_ms: int) -> str:
        """Return the handle of a receive."""
        payload = (
            bytes([_FORM])
            + receipt.sequence.to_bytes(8, "big")
            + receipt.epoch.to_bytes(4, "big")
            + at_ms.to_bytes(8, "big")
        )
        return base64.b64encode(payload + self._sign(receipt.queue, payload)).decode()

    def read(self, queue: QueueName, handle: str) -> Received:
        """
        Return what a handle says.

        Raises:
            ReceiptHandleIsInvalid: it is none of ours, or of another queue.
        """
        try:
            raw = base64.b64decode(handle, validate=True)
        except (binascii.Error, ValueError):
            raise _invalid(handle) from None
        payload, signature = raw[:_PAYLOAD_BYTES], raw[_PAYLOAD_BYTES:]
        if len(signature) != _SIGNATURE_BYTES or not hmac.compare_digest(self._sign(queue, payload), signature):
            raise _invalid(handle)
        return Received(
            Receipt(queue, int.from_bytes(payload[1:9], "big"), int.from_bytes(payload[9:13], "big")),
            int.from_bytes(payload[13:], "big"),
        )

    def _sign(self, queue: QueueName, payload: bytes) -> bytes:
        named = f"{queue.scope.account}/{queue.scope.region}/{queue.name}".encode()
        message = b"\n".join([_PURPOSE, named, payload])
        return hmac.new(self._secret, message, hashlib.sha256).digest()[:_SIGNATURE_BYTES]


def _invalid(handle: str) -> ReceiptHandleIsInvalid:
    # Observed: localstack/localstack tests/aws/services/sqs (recorded).
    return ReceiptHandleIsInvalid(f'The input receipt handle "{handle[:1024]}" is not a valid receipt handle.')
