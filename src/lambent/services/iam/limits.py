"""
How much of everything an account may have: a table.

Documented: IAM user guide, IAM and AWS STS quotas: the defaults; none of them can be raised here.
"""

from collections.abc import Mapping

from lambent.domain.identity import Group, InstanceProfile, ManagedPolicy, Role, User

PER_ACCOUNT: Mapping[type, tuple[str, int]] = {
    Role: ("RolesPerAccount", 1_000),
    User: ("UsersPerAccount", 5_000),
    Group: ("GroupsPerAccount", 300),
    ManagedPolicy: ("PoliciesPerAccount", 1_500),
    InstanceProfile: ("InstanceProfilesPerAccount", 1_000),
}
"""Kind to the name of its quota, and how many there may be."""

ATTACHED: Mapping[type, tuple[str, int]] = {
    Role: ("PoliciesPerRole", 10),
    User: ("PoliciesPerUser", 10),
    Group: ("PoliciesPerGroup", 10),
}

INLINE_MAX: Mapping[type, int] = {Role: 10_240, User: 2_048, Group: 5_120}
"""Characters of all inline policies together, without white space."""

VERSIONS_MAX = 5
KEYS_PER_USER = 2
GROUPS_PER_USER = 10
TAGS_MAX = 50
