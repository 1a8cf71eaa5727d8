"""
Structures of the `sts` service model that this version reads or answers.

Members that an input must have are `Required`: the validator has seen them before a handler does.
For who checks types: while the server runs each name stands for `dict`, which saves it some MiB.
Written by tools/generate.py from botocore's service model. Do not edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Required, TypedDict

    class AssumeRoleRequest(TypedDict, total=False):
        RoleArn: Required[str]
        RoleSessionName: Required[str]
        PolicyArns: list[PolicyDescriptorType]
        Policy: str
        DurationSeconds: int
        Tags: list[Tag]
        TransitiveTagKeys: list[str]
        ExternalId: str
        SerialNumber: str
        TokenCode: str
        SourceIdentity: str
        ProvidedContexts: list[ProvidedContext]
        MinimumSessionTokenSize: int

    class AssumeRoleResponse(TypedDict, total=False):
        Credentials: Credentials
        AssumedRoleUser: AssumedRoleUser
        PackedPolicySize: int
        SourceIdentity: str
        SessionTokenUtilization: int
        SessionTokenSize: int

    class AssumedRoleUser(TypedDict, total=False):
        AssumedRoleId: str
        Arn: str

    class Credentials(TypedDict, total=False):
        AccessKeyId: str
        SecretAccessKey: str
        SessionToken: str
        Expiration: datetime

    class GetAccessKeyInfoRequest(TypedDict, total=False):
        AccessKeyId: Required[str]

    class GetAccessKeyInfoResponse(TypedDict, total=False):
        Account: str

    class GetCallerIdentityRequest(TypedDict, total=False):
        pass

    class GetCallerIdentityResponse(TypedDict, total=False):
        UserId: str
        Account: str
        Arn: str

    class GetSessionTokenRequest(TypedDict, total=False):
        DurationSeconds: int
        SerialNumber: str
        TokenCode: str
        MinimumSessionTokenSize: int

    class GetSessionTokenResponse(TypedDict, total=False):
        Credentials: Credentials
        SessionTokenUtilization: int
        SessionTokenSize: int

    class PolicyDescriptorType(TypedDict, total=False):
        arn: str

    class ProvidedContext(TypedDict, total=False):
        ProviderArn: str
        ContextAssertion: str

    class Tag(TypedDict, total=False):
        Key: Required[str]
        Value: Required[str]

else:

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return dict
