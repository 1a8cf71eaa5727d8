"""
Structures of the `cloudtrail` service model that this version reads or answers.

Members that an input must have are `Required`: the validator has seen them before a handler does.
For who checks types: while the server runs each name stands for `dict`, which saves it some MiB.
Written by tools/generate.py from botocore's service model. Do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Required, TypedDict

    class Event(TypedDict, total=False):
        EventId: str
        EventName: str
        ReadOnly: str
        AccessKeyId: str
        EventTime: datetime
        EventSource: str
        Username: str
        Resources: list[Resource]
        CloudTrailEvent: str

    class LookupAttribute(TypedDict, total=False):
        AttributeKey: Required[str]
        AttributeValue: Required[str]

    class LookupEventsRequest(TypedDict, total=False):
        LookupAttributes: list[LookupAttribute]
        StartTime: datetime
        EndTime: datetime
        EventCategory: str
        MaxResults: int
        NextToken: str

    class LookupEventsResponse(TypedDict, total=False):
        Events: list[Event]
        NextToken: str

    class Resource(TypedDict, total=False):
        ResourceType: str
        ResourceName: str

else:

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return dict
