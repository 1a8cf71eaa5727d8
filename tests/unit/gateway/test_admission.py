"""How much the gateway takes in at once."""

import pytest

from lambent.gateway.admission import Admission, TooManyRequests


def test_requests_are_bounded() -> None:
    """One more than allowed is refused, and costs nothing; one that leaves makes room."""
    admission = Admission(requests_max=2, body_bytes_max=10)
    admission.enter()
    admission.enter()
    with pytest.raises(TooManyRequests) as refused:
        admission.enter()
    assert (refused.value.status, refused.value.code) == (429, "TooManyRequestsException")
    assert refused.value.headers == {"retry-after": "1"}
    assert admission.requests == 2
    admission.leave(0)
    admission.enter()


def test_bytes_of_bodies_are_bounded() -> None:
    """Exactly the bound fits; a refused part is not counted; a request that leaves gives back all it took."""
    admission = Admission(requests_max=2, body_bytes_max=10)
    admission.enter()
    admission.take_body(4)
    admission.take_body(6)
    with pytest.raises(TooManyRequests):
        admission.take_body(1)
    assert admission.body_bytes == 10
    admission.leave(10)
    assert (admission.requests, admission.body_bytes) == (0, 0)
    admission.take_body(10)
