"""
One class per error shape of the `iam` service model.

Written by tools/generate.py from botocore's service model. Do not edit.
"""

from typing import ClassVar, Literal

from lambent.errors.families import ApiError


class AccountNotManagementOrDelegatedAdministratorException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "AccountNotManagementOrDelegatedAdministratorException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class CallerIsNotManagementAccountException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "CallerIsNotManagementAccountException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ConcurrentModificationException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "ConcurrentModificationException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class CredentialReportExpiredException(ApiError):
    """Status 410. No fields."""

    code: ClassVar[str] = "CredentialReportExpiredException"
    status: ClassVar[int] = 410
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class CredentialReportNotPresentException(ApiError):
    """Status 410. No fields."""

    code: ClassVar[str] = "CredentialReportNotPresentException"
    status: ClassVar[int] = 410
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class CredentialReportNotReadyException(ApiError):
    """Status 404. No fields."""

    code: ClassVar[str] = "CredentialReportNotReadyException"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class DeleteConflictException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "DeleteConflictException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class DuplicateCertificateException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "DuplicateCertificateException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class DuplicateSSHPublicKeyException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "DuplicateSSHPublicKeyException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class EntityAlreadyExistsException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "EntityAlreadyExistsException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class EntityTemporarilyUnmodifiableException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "EntityTemporarilyUnmodifiableException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class FeatureDisabledException(ApiError):
    """Status 404. No fields."""

    code: ClassVar[str] = "FeatureDisabledException"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class FeatureEnabledException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "FeatureEnabledException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidAuthenticationCodeException(ApiError):
    """Status 403. No fields."""

    code: ClassVar[str] = "InvalidAuthenticationCodeException"
    status: ClassVar[int] = 403
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidCertificateException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidCertificateException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidInputException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidInputException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidPublicKeyException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidPublicKeyException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class InvalidUserTypeException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "InvalidUserTypeException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class KeyPairMismatchException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "KeyPairMismatchException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class LimitExceededException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "LimitExceededException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class MalformedCertificateException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "MalformedCertificateException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class MalformedPolicyDocumentException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "MalformedPolicyDocumentException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class NameConflictException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "NameConflictException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class NoSuchEntityException(ApiError):
    """Status 404. No fields."""

    code: ClassVar[str] = "NoSuchEntityException"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class OpenIdIdpCommunicationErrorException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "OpenIdIdpCommunicationErrorException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class OrganizationNotFoundException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "OrganizationNotFoundException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class OrganizationNotInAllFeaturesModeException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "OrganizationNotInAllFeaturesModeException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class PasswordPolicyViolationException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "PasswordPolicyViolationException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class PolicyEvaluationException(ApiError):
    """Status 500. No fields."""

    code: ClassVar[str] = "PolicyEvaluationException"
    status: ClassVar[int] = 500
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class PolicyNotAttachableException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "PolicyNotAttachableException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ReportGenerationLimitExceededException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "ReportGenerationLimitExceededException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class RoleModifiedException(ApiError):
    """Status 409. No fields."""

    code: ClassVar[str] = "RoleModifiedException"
    status: ClassVar[int] = 409
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class RoleTemplateDisabledException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "RoleTemplateDisabledException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ServiceAccessNotEnabledException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "ServiceAccessNotEnabledException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ServiceFailureException(ApiError):
    """Status 500. No fields."""

    code: ClassVar[str] = "ServiceFailureException"
    status: ClassVar[int] = 500
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class ServiceNotSupportedException(ApiError):
    """Status 404. No fields."""

    code: ClassVar[str] = "ServiceNotSupportedException"
    status: ClassVar[int] = 404
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class UnmodifiableEntityException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "UnmodifiableEntityException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False


class UnrecognizedPublicKeyEncodingException(ApiError):
    """Status 400. No fields."""

    code: ClassVar[str] = "UnrecognizedPublicKeyEncodingException"
    status: ClassVar[int] = 400
    message_key: ClassVar[Literal["message", "Message"]] = "message"
    has_type: ClassVar[bool] = False
