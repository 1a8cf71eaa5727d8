"""
Operations of the STS API that this version does not offer, each with its reason.

A test proves that the handlers and this table together are the service model, no more and no less.
"""

_REASONS = {
    "identity providers come with a later version": "AssumeRoleWithSAML AssumeRoleWithWebIdentity",
    "sessions of federated users come with a later version: make a role, and assume it with a session policy": (
        "GetFederationToken"
    ),
    "there is no organisation whose accounts a root could be assumed in": "AssumeRoot",
    "it reads messages that EC2 alone encodes": "DecodeAuthorizationMessage",
    "access that is delegated to partners is not planned": "GetDelegatedAccessToken",
    "tokens for services outside are not planned": "GetWebIdentityToken",
}

NOT_OFFERED = {operation: reason for reason, operations in _REASONS.items() for operation in operations.split()}
"""Operation to the reason."""
