"""
What becomes of each input member and each error of the STS API's model: the rows of `lambent conformance`.

A member that comes to act moves to `acting`, and a test with a real client is to send it.
"""

from lambent.services.conformance.judgement import Judgements

JUDGEMENTS = Judgements(
    acting={
        "AssumeRole": (
            "RoleArn RoleSessionName PolicyArns[].arn Policy DurationSeconds Tags[].Key Tags[].Value "
            "TransitiveTagKeys ExternalId SourceIdentity"
        ),
        "GetAccessKeyInfo": "AccessKeyId",
        "GetCallerIdentity": "",
        "GetSessionToken": "DurationSeconds",
    },
    remarks={
        "AccessKeyId": "the account is read from the key, as on AWS from those made since 2019",
    },
    echoed={},
    taken={},
    refused={
        "MinimumSessionTokenSize": "tokens are as long as what they hold",
        "ProvidedContexts": "there is no context provider",
        "SerialNumber": "there are no MFA devices",
        "TokenCode": "there are no MFA devices",
    },
    given="MalformedPolicyDocumentException PackedPolicyTooLargeException",
    never={
        "identity providers come with a later version": (
            "ExpiredTokenException IDPCommunicationErrorException IDPRejectedClaimException "
            "InvalidIdentityTokenException"
        ),
        "no region is ever closed": "RegionDisabledException",
        "no operation that is offered has it": (
            "ExpiredTradeInTokenException InvalidAuthorizationMessageException JWTPayloadSizeExceededException "
            "OutboundWebIdentityFederationDisabledException SessionDurationEscalationException"
        ),
    },
    shown_otherwise={},
)
