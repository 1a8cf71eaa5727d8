"""The report: every operation, input member and error of the service models, judged, with the test that shows it."""

import importlib
from collections.abc import Iterator, Mapping

import msgspec

from lambent.errors.families import (
    AccessDeniedException,
    ApiError,
    InternalServerError,
    NotImplementedException,
    RequestEntityTooLargeException,
    SerializationException,
    UnknownOperationException,
    UnsupportedMediaTypeException,
    ValidationException,
)
from lambent.protocol.service_model import Operation, ServiceModel, Shape
from lambent.services.apigatewayv2.conformance import JUDGEMENTS as HTTP_APIS
from lambent.services.apigatewayv2.not_offered import NOT_OFFERED as HTTP_APIS_NOT_OFFERED
from lambent.services.cloudtrail.conformance import JUDGEMENTS as CLOUDTRAIL
from lambent.services.cloudtrail.not_offered import NOT_OFFERED as CLOUDTRAIL_NOT_OFFERED
from lambent.services.conformance.evidence import Evidence, OperationEvidence, load
from lambent.services.conformance.judgement import Judgement, Judgements, Verdict
from lambent.services.iam.conformance import JUDGEMENTS as IAM
from lambent.services.iam.not_offered import NOT_OFFERED as IAM_NOT_OFFERED
from lambent.services.lambda_.conformance import JUDGEMENTS as LAMBDA
from lambent.services.lambda_.not_offered import NOT_OFFERED as LAMBDA_NOT_OFFERED
from lambent.services.logs.conformance import JUDGEMENTS as LOGS
from lambent.services.logs.not_offered import NOT_OFFERED as LOGS_NOT_OFFERED
from lambent.services.monitoring.conformance import JUDGEMENTS as CLOUDWATCH
from lambent.services.monitoring.not_offered import NOT_OFFERED as CLOUDWATCH_NOT_OFFERED
from lambent.services.sqs.conformance import JUDGEMENTS as SQS
from lambent.services.sqs.not_offered import NOT_OFFERED as SQS_NOT_OFFERED
from lambent.services.sts.conformance import JUDGEMENTS as STS
from lambent.services.sts.not_offered import NOT_OFFERED as STS_NOT_OFFERED
from lambent.services.xray.conformance import JUDGEMENTS as XRAY
from lambent.services.xray.not_offered import NOT_OFFERED as XRAY_NOT_OFFERED

SERVICES: Mapping[str, tuple[str, Judgements, Mapping[str, str]]] = {
    "apigatewayv2": ("apigatewayv2", HTTP_APIS, HTTP_APIS_NOT_OFFERED),
    "cloudtrail": ("cloudtrail", CLOUDTRAIL, CLOUDTRAIL_NOT_OFFERED),
    "cloudwatch": ("monitoring", CLOUDWATCH, CLOUDWATCH_NOT_OFFERED),
    "iam": ("iam", IAM, IAM_NOT_OFFERED),
    "lambda": ("lambda_", LAMBDA, LAMBDA_NOT_OFFERED),
    "logs": ("logs", LOGS, LOGS_NOT_OFFERED),
    "sqs": ("sqs", SQS, SQS_NOT_OFFERED),
    "sts": ("sts", STS, STS_NOT_OFFERED),
    "xray": ("xray", XRAY, XRAY_NOT_OFFERED),
}
"""Service model to its module of errors, its judgements, and its operations that are not offered."""

FRONT_DOOR: tuple[type[ApiError], ...] = (
    AccessDeniedException,
    NotImplementedException,
    RequestEntityTooLargeException,
    SerializationException,
    InternalServerError,
    UnknownOperationException,
    UnsupportedMediaTypeException,
    ValidationException,
)
"""Errors that any operation may be answered, whatever its model says. Sorted by code."""

FULL = "TooManyRequestsException"
"""What a full server answers to any operation; the gateway has it, which stands above the services."""

ANYWHERE = frozenset({FULL, *(error.code for error in FRONT_DOOR)})

ACCEPTED = frozenset({Verdict.ACTS, Verdict.ECHOED, Verdict.TAKEN})
"""Verdicts by which a request with the member is answered 2xx: the claim that a test has to show."""

DEPTH = 2
"""Levels of members that are judged. Below them is data, or what its structure is refused with."""


class MemberReport(msgspec.Struct, frozen=True):
    """One input member."""

    path: str
    verdict: Verdict
    remark: str = ""
    shown_by: str | None = None
    """A test in which it was part of a request that was answered 2xx, or that shows it otherwise; from `tests/`."""


class OperationReport(msgspec.Struct, frozen=True):
    """One operation."""

    name: str
    is_offered: bool
    reason: str = ""
    """Why it is not offered."""
    members: tuple[MemberReport, ...] = ()
    """Empty where it is not offered: then nothing that is sent matters."""
    errors: Mapping[str, str] = {}
    """Error codes that tests have seen it answer, each with one of them."""
    unseen: tuple[str, ...] = ()
    """
    Errors that the model holds for it and that this version gives, but which no client's test saw it answer. Those of
    the front door, which say nothing of the operation, are left out.
    """


class ErrorReport(msgspec.Struct, frozen=True):
    """One error shape."""

    name: str
    status: int
    is_given: bool
    reason: str = ""
    """Why it is never given."""
    operations: tuple[str, ...] = ()
    """Those that tests have seen answer it."""
    shown_by: str | None = None
    """The test that shows it, where no client's test does; from `tests/`."""


class ServiceReport(msgspec.Struct, frozen=True):
    """One service."""

    name: str
    api_version: str
    operations: tuple[OperationReport, ...]
    errors: tuple[ErrorReport, ...]


class FrontDoorError(msgspec.Struct, frozen=True):
    """An error that any operation may be answered, whether its model holds it or not."""

    name: str
    status: int
    meaning: str


class Report(msgspec.Struct, frozen=True):
    """All of it."""

    services: tuple[ServiceReport, ...]
    front_door: tuple[FrontDoorError, ...]


def report() -> Report:
    """Judge the models that are installed, with the evidence that is committed."""
    return Report(
        services=tuple(
            report_service(ServiceModel(name), module, judgements, not_offered, load(name))
            for name, (module, judgements, not_offered) in SERVICES.items()
        ),
        front_door=tuple(
            FrontDoorError(error.code, error.status, (error.__doc__ or "").splitlines()[0]) for error in FRONT_DOOR
        ),
    )


def report_service(
    model: ServiceModel, module: str, judgements: Judgements, not_offered: Mapping[str, str], evidence: Evidence
) -> ServiceReport:
    """
    Judge one service.

    Args:
        module: of `errors/api`, for the statuses.
        not_offered: operation to the reason.
    """
    return ServiceReport(
        name=model.name,
        api_version=model.api_version,
        operations=tuple(
            _operation(operation, judgements, not_offered, evidence.get(operation.name, OperationEvidence()))
            for operation in sorted(model.operations.values(), key=lambda operation: operation.name)
        ),
        errors=tuple(_error(name, module, judgements, evidence) for name in sorted(model.errors)),
    )


def members_of(operation: Operation) -> Iterator[tuple[str, Shape]]:
    """Yield the input members of an operation, `DEPTH` levels deep, each structure before its members."""
    if operation.input is not None:
        yield from _members(operation.input, "", DEPTH)


def _members(shape: Shape, before: str, depth: int) -> Iterator[tuple[str, Shape]]:
    for name, member in shape.members.items():
        path = before + name
        yield path, member
        inner, step = member, "."
        while inner.type == "list":
            inner, step = inner.item, "[]" + step
        if inner.type == "structure" and depth > 1:
            yield from _members(inner, path + step, depth - 1)


def _operation(
    operation: Operation, judgements: Judgements, not_offered: Mapping[str, str], found: OperationEvidence
) -> OperationReport:
    name = operation.name
    if name not in judgements.acting:
        return OperationReport(name, is_offered=False, reason=not_offered.get(name, "unknown to this version"))
    judged: dict[str, Judgement | None] = {path: judgements.judge(name, path) for path, _ in members_of(operation)}
    members = []
    for path, alone in judged.items():
        judgement = alone or _of_members(
            [judged[other] for other in judged if other.startswith((f"{path}.", f"{path}[]."))]
        )
        shown_by = None
        if judgement.verdict in ACCEPTED:
            shown_by = found.members.get(path) or judgements.shown_otherwise.get(f"{name}:{path}")
        members.append(MemberReport(path, judgement.verdict, judgement.remark, shown_by))
    given = judgements.given.split()
    return OperationReport(
        name,
        is_offered=True,
        members=tuple(members),
        errors=dict(sorted(found.errors.items())),
        unseen=tuple(sorted(set(operation.error_names).intersection(given).difference(found.errors, ANYWHERE))),
    )


def _of_members(inner: list[Judgement | None]) -> Judgement:
    """Judge a structure that no table holds by its members."""
    verdicts = {Verdict.UNKNOWN if judgement is None else judgement.verdict for judgement in inner}
    if not verdicts:
        return Judgement(Verdict.UNKNOWN)
    return Judgement(verdicts.pop() if len(verdicts) == 1 else Verdict.PARTLY)


def _error(name: str, module: str, judgements: Judgements, evidence: Evidence) -> ErrorReport:
    reason = judgements.why_never(name)
    shapes = importlib.import_module(f"lambent.errors.api.{module}")
    # A model that is newer than this version may hold errors that it does not know.
    status = getattr(getattr(shapes, name, None), "status", 0)
    if name not in judgements.given.split():
        return ErrorReport(name, status, is_given=False, reason=reason or "unknown to this version")
    return ErrorReport(
        name,
        status,
        is_given=True,
        operations=tuple(sorted(operation for operation, found in evidence.items() if name in found.errors)),
        shown_by=judgements.shown_otherwise.get(name),
    )
