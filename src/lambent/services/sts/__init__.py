"""
The Security Token Service, 2011-06-15: who calls, and temporary credentials.

In: a caller and validated parameters. Out: output shapes as plain mappings. Never: HTTP, SQL, a signature.
"""

from lambent.access.role_trust import RoleTrust
from lambent.access.secrets import Secrets
from lambent.clock import Clock
from lambent.services.operation import Service, collect_handlers
from lambent.services.sts.assume_role import AssumeRole
from lambent.services.sts.callers import Callers
from lambent.services.sts.demands import DEMANDS
from lambent.services.sts.errors import ValidationError
from lambent.services.sts.not_offered import NOT_OFFERED
from lambent.store.contract import IdentityStore


def service(*, trust: RoleTrust, identities: IdentityStore, secrets: Secrets, clock: Clock) -> Service:
    """Put STS together from its resources."""
    return Service(
        name="sts",
        handlers=collect_handlers(AssumeRole(trust, identities, secrets, clock), Callers(secrets, clock)),
        not_offered=NOT_OFFERED,
        shape_violation=ValidationError,
        demands=DEMANDS,
    )
