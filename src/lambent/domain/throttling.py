"""Token buckets: how many requests a second, and how many at once after a pause. Pure."""


class TokenBucket:
    """
    Lets `rate` requests a second pass, and up to `burst` at once.

    Documented: API Gateway developer guide, throttling: a token bucket, whose size is the burst limit.
    """

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Count one request; False where it has to be refused. `now`: seconds, of a clock that never goes back."""
        tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if tokens < 1:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1
        return True
