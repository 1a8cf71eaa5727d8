"""
The IAM API, 2010-05-08: users, groups, roles, policies and keys of an account. It is global: regions do not matter.

In: a caller and validated parameters. Out: output shapes as plain mappings. Never: HTTP, SQL, a decision on who may do
what, which is the authorizer's.
"""

from lambent.access.key_use import KeyUse
from lambent.access.secrets import Secrets
from lambent.clock import Clock
from lambent.services.iam.access_keys import AccessKeys
from lambent.services.iam.account import Accounts
from lambent.services.iam.attached_policies import AttachedPolicies
from lambent.services.iam.authorization_details import AuthorizationDetails
from lambent.services.iam.boundaries import Boundaries
from lambent.services.iam.demands import DEMANDS
from lambent.services.iam.facts import IdentityFacts
from lambent.services.iam.groups import Groups
from lambent.services.iam.inline_policies import InlinePolicies
from lambent.services.iam.instance_profiles import InstanceProfiles
from lambent.services.iam.not_offered import NOT_OFFERED
from lambent.services.iam.policies import ManagedPolicies
from lambent.services.iam.policy_versions import PolicyVersions
from lambent.services.iam.refusals import shape_violation
from lambent.services.iam.roles import Roles
from lambent.services.iam.service_linked_roles import ServiceLinkedRoles
from lambent.services.iam.simulation import Simulations
from lambent.services.iam.tags import IdentityTags
from lambent.services.iam.users import Users
from lambent.services.operation import Service, collect_handlers
from lambent.store.contract import IdentityStore


def service(store: IdentityStore, secrets: Secrets, key_use: KeyUse, clock: Clock) -> Service:
    """Put the service together."""
    return Service(
        name="iam",
        handlers=collect_handlers(
            AccessKeys(store, secrets, clock, key_use.flush),
            Accounts(store, clock),
            AttachedPolicies(store),
            AuthorizationDetails(store),
            Boundaries(store),
            Groups(store, clock),
            IdentityTags(store),
            InlinePolicies(store),
            InstanceProfiles(store, clock),
            ManagedPolicies(store, clock),
            PolicyVersions(store, clock),
            Roles(store, clock),
            ServiceLinkedRoles(store, clock),
            Simulations(store),
            Users(store, clock),
        ),
        not_offered=NOT_OFFERED,
        shape_violation=shape_violation,
        demands=DEMANDS,
        facts=IdentityFacts(store),
    )
