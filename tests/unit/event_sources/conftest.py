"""Stories that hold wherever a mapping's queue is are told twice."""

import functools

import pytest
from unit.event_sources.elsewhere_bench import ElsewhereBench
from unit.event_sources.mapping_bench import Bench, Tell, tell


@pytest.fixture(name="tell", params=[Bench, ElsewhereBench], ids=["ours", "elsewhere"])
def tell_of_both(request: pytest.FixtureRequest) -> Tell:
    """Tell a story of our own queues, and of those of another server."""
    return functools.partial(tell, kind=request.param)
