"""Who there is, what opens what, what policies do, and the trail of who did what."""

import contextlib
from collections.abc import Callable

from lambent.access.account_limits import AccountLimits
from lambent.access.audit import Audit
from lambent.access.authentication import AnyKey, Verifying
from lambent.access.clients import Clients, NewKey
from lambent.access.function_credentials import FunctionCredentials, RoleIds
from lambent.access.identities import Identities
from lambent.access.key_use import KeyUse
from lambent.access.keyring import Keyring
from lambent.access.links import CodeLinks
from lambent.access.modes import iam_mode, make_authorizer
from lambent.access.role_trust import CallerRights, RoleTrust
from lambent.access.secrets import Secrets
from lambent.clock import Clock
from lambent.domain.quotas import Quotas
from lambent.gateway.access_paths import AccessPaths
from lambent.gateway.own_access import OwnAccess
from lambent.gateway.s3_events_door import read_token
from lambent.services.iam.managed_policies import aws_document
from lambent.settings import (
    Settings,
)
from lambent.store.data_folder import DataFolder
from lambent.store.database import Database
from lambent.store.identities import IdentityRepository
from lambent.telemetry.trail import Trail


class Access:
    """Who there is, what opens what, what policies do, and the trail of who did what."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        database: Database,
        quotas: Quotas,
        clock: Clock,
        stack: contextlib.AsyncExitStack,
    ) -> None:
        self._settings = settings
        self._quotas = quotas
        self.links = CodeLinks(folder.secret, clock)
        self.secrets = Secrets(folder.secret)
        self.identities = IdentityRepository(database)
        self.keyring = Keyring(self.identities, self.secrets)
        self.key_use = KeyUse(self.identities, clock)
        self.limits = AccountLimits(self.identities, quotas)
        self.clients = Clients(self.identities, self.secrets, settings.api.account, clock)
        is_verified = settings.verifies_signatures
        mode = iam_mode(settings.access.iam, is_verified=is_verified)
        self.rights = Identities(self.identities, aws_document)
        audit = Audit(clock)
        self.authorizer = make_authorizer(mode, self.rights, audit, clock, is_verified=is_verified)
        self.trust = RoleTrust(self.identities, CallerRights(self.rights, clock), mode, audit.note)
        self.function_credentials = FunctionCredentials(
            self.secrets, RoleIds(self.identities), clock, lasts_s=settings.sandbox.environment_age_s
        )
        self.authenticator = (
            Verifying(
                self.keyring,
                clock,
                public_hosts=settings.access.public_host,
                is_alive=self.function_credentials.is_alive,
                note=self.key_use.note,
            )
            if is_verified
            else AnyKey(
                settings.api.account, self.keyring, None if mode == "off" else self.function_credentials.session_of
            )
        )
        self.own = OwnAccess(
            self.authenticator,
            self.authorizer,
            settings.api.region,
            account=settings.api.account if is_verified else None,
            metrics_token=read_token(settings.access.metrics_token_file, "--metrics-token-file"),
        )
        self.trail = None
        """None: --trail is off."""
        if settings.access.trail != "off":
            self.trail = Trail(
                folder.trail,
                clock,
                max_bytes=settings.access.trail_max_mib << 20,
                has_data=settings.access.trail == "all",
                account=settings.api.account,
                region=settings.api.region,
            )
            stack.enter_context(contextlib.closing(self.trail))

    def paths(self) -> AccessPaths:
        """Return what answers the operator."""
        return AccessPaths(self.clients, self.own, self._quotas, self.trail)

    async def make_first_key(self, tell: Callable[[NewKey], None]) -> None:
        """Make a key where nothing can be done without, and there is none."""
        if self._settings.verifies_signatures and (made := await self.clients.first_key()) is not None:
            tell(made)
