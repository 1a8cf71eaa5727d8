"""How much the gateway takes in at once."""

from lambent.errors.families import FrameworkError


class TooManyRequests(FrameworkError):
    """The gateway is full. SDKs back off and retry."""

    code = "TooManyRequestsException"
    status = 429


class Admission:
    """
    Counts requests in flight and the bytes of their bodies. Plain and atomic on the loop.

    Args:
        requests_max: requests at once.
        body_bytes_max: bytes of bodies at once.
    """

    def __init__(self, requests_max: int, body_bytes_max: int) -> None:
        self._requests_max = requests_max
        self._body_bytes_max = body_bytes_max
        self.requests = 0
        self.body_bytes = 0

    def enter(self) -> None:
        """
        Count a request in; pair with `leave`.

        Raises:
            TooManyRequests: as many as allowed are in flight.
        """
        if self.requests >= self._requests_max:
            raise TooManyRequests("Rate Exceeded.", headers={"retry-after": "1"})
        self.requests += 1

    def leave(self, body_bytes: int) -> None:
        """Count a request out, with the body bytes that it took."""
        self.requests -= 1
        self.body_bytes -= body_bytes

    def take_body(self, size_bytes: int) -> None:
        """
        Count body bytes in; `leave` gives them back.

        Raises:
            TooManyRequests: more would be in memory than allowed.
        """
        if self.body_bytes + size_bytes > self._body_bytes_max:
            raise TooManyRequests("Rate Exceeded.", headers={"retry-after": "1"})
        self.body_bytes += size_bytes
