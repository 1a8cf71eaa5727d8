"""
Operations of the IAM API that this version does not offer, each with its reason.

A test proves that the handlers and this table together are the service model, no more and no less.
"""

_REASONS = {
    "identity providers come with a later version": (
        "AddClientIDToOpenIDConnectProvider CreateOpenIDConnectProvider DeleteOpenIDConnectProvider "
        "GetOpenIDConnectProvider ListOpenIDConnectProviderTags ListOpenIDConnectProviders "
        "RemoveClientIDFromOpenIDConnectProvider TagOpenIDConnectProvider UntagOpenIDConnectProvider "
        "UpdateOpenIDConnectProviderThumbprint"
    ),
    "there is no console that takes a password": (
        "ChangePassword CreateLoginProfile DeleteAccountPasswordPolicy DeleteLoginProfile GetLoginProfile "
        "UpdateAccountPasswordPolicy UpdateLoginProfile"
    ),
    "MFA devices are not planned: keys are the only credentials": (
        "CreateVirtualMFADevice DeactivateMFADevice DeleteVirtualMFADevice EnableMFADevice GetMFADevice "
        "ListMFADeviceTags ListMFADevices ListVirtualMFADevices ResyncMFADevice TagMFADevice UntagMFADevice"
    ),
    "SAML is not planned": (
        "CreateSAMLProvider DeleteSAMLProvider GetSAMLProvider ListSAMLProviderTags ListSAMLProviders TagSAMLProvider "
        "UntagSAMLProvider UpdateSAMLProvider"
    ),
    "certificates and SSH keys are for services that are not here": (
        "DeleteSSHPublicKey DeleteServerCertificate DeleteSigningCertificate GetSSHPublicKey GetServerCertificate "
        "ListSSHPublicKeys ListServerCertificateTags ListServerCertificates ListSigningCertificates "
        "TagServerCertificate UntagServerCertificate UpdateSSHPublicKey UpdateServerCertificate "
        "UpdateSigningCertificate UploadSSHPublicKey UploadServerCertificate UploadSigningCertificate"
    ),
    "credentials of single services are for services that are not here": (
        "CreateServiceSpecificCredential DeleteServiceSpecificCredential ListServiceSpecificCredentials "
        "ResetServiceSpecificCredential UpdateServiceSpecificCredential"
    ),
    "reports on what was used are not planned: the audit trail has it": (
        "GenerateCredentialReport GenerateOrganizationsAccessReport GenerateServiceLastAccessedDetails "
        "GetCredentialReport GetOrganizationsAccessReport GetServiceLastAccessedDetails "
        "GetServiceLastAccessedDetailsWithEntities ListPoliciesGrantingServiceAccess"
    ),
    "there are no organizations": (
        "DisableOrganizationsRootCredentialsManagement DisableOrganizationsRootSessions "
        "EnableOrganizationsRootCredentialsManagement EnableOrganizationsRootSessions ListOrganizationsFeatures"
    ),
    "delegation requests and role templates are not planned": (
        "AcceptDelegationRequest AcquireRole AssociateDelegationRequest CreateDelegationRequest GetDelegationRequest "
        "GetHumanReadableSummary GetRoleTemplateVersion ListDelegationRequests RejectDelegationRequest "
        "SendDelegationToken UpdateDelegationRequest"
    ),
    "outbound federation, account properties and preferences of tokens are not planned": (
        "DisableOutboundWebIdentityFederation EnableOutboundWebIdentityFederation GetAccountProperties "
        "GetOutboundWebIdentityFederationInfo PutAccountProperties SetSecurityTokenServicePreferences"
    ),
}

NOT_OFFERED = {operation: reason for reason, operations in _REASONS.items() for operation in operations.split()}
"""Operation to the reason."""
