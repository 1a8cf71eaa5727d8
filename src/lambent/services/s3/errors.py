"""S3's own errors, as far as Lambent answers for it."""

from typing import ClassVar

from lambent.errors.families import FrameworkError


class InvalidArgument(FrameworkError):
    """An argument that S3 does not take. `fields` say which."""

    code: ClassVar[str] = "InvalidArgument"
    status: ClassVar[int] = 400


class MalformedXML(FrameworkError):
    """A body that is not the XML that it should be."""

    code: ClassVar[str] = "MalformedXML"
    status: ClassVar[int] = 400

    def __init__(self) -> None:
        # Documented: Amazon S3 API reference, error responses.
        super().__init__("The XML you provided was not well-formed or did not validate against our published schema")


class NoSuchBucket(FrameworkError):
    """There is no such bucket."""

    code: ClassVar[str] = "NoSuchBucket"
    status: ClassVar[int] = 404


class SlowDown(FrameworkError):
    """A request, or the event that it makes, cannot be taken now. SDKs send it again."""

    code: ClassVar[str] = "SlowDown"
    status: ClassVar[int] = 503
