"""
The Lambda API, 2015-03-31: one class per resource.

In: a caller and validated parameters. Out: output shapes as plain mappings. Never: HTTP, SQL, processes.
"""

import msgspec

from lambent.access.links import CodeLinks
from lambent.clock import Clock
from lambent.destinations.contract import Destinations
from lambent.dispatch.async_invocations import AsyncInvocations
from lambent.dispatch.dispatcher import Dispatcher
from lambent.domain.function_url import UrlDomain
from lambent.domain.quotas import AccountQuotas, Quotas
from lambent.errors.api.lambda_ import RequestTooLargeException
from lambent.errors.families import ValidationException
from lambent.services.lambda_.account import AccountSettings
from lambent.services.lambda_.activation import Activation
from lambent.services.lambda_.aliases import Aliases
from lambent.services.lambda_.code import PackageIntake
from lambent.services.lambda_.concurrency import FunctionConcurrency
from lambent.services.lambda_.configuration import ConfigurationRules
from lambent.services.lambda_.cross_account import CrossAccount
from lambent.services.lambda_.demands import DEMANDS
from lambent.services.lambda_.event_invoke_configs import EventInvokeConfigs
from lambent.services.lambda_.event_source_mappings import EventSourceMappings
from lambent.services.lambda_.execution_roles import ExecutionRoles
from lambent.services.lambda_.facts import FunctionFacts
from lambent.services.lambda_.function_urls import FunctionUrlConfigs
from lambent.services.lambda_.functions import Functions
from lambent.services.lambda_.invoke import Invoke
from lambent.services.lambda_.layer_permissions import LayerPermissions
from lambent.services.lambda_.layers import Layers
from lambent.services.lambda_.not_offered import NOT_OFFERED
from lambent.services.lambda_.permissions import Permissions
from lambent.services.lambda_.provisioned_concurrency import ProvisionedConcurrencyConfigs, ProvisionedStates
from lambent.services.lambda_.recursion import RecursionConfigs
from lambent.services.lambda_.role_checks import TargetRights
from lambent.services.lambda_.runtime_management import RuntimeManagement
from lambent.services.lambda_.stream_mappings import StreamLooks
from lambent.services.lambda_.tags import Tags
from lambent.services.lambda_.versions import Versions
from lambent.services.operation import BodyLimit, Service, collect_handlers
from lambent.services.s3.objects import S3Objects
from lambent.services.sqs.source_queues import SourceQueues
from lambent.store.contract import FunctionStore, Packages, StreamPositions


def service(
    *,
    store: FunctionStore,
    packages: Packages,
    rules: ConfigurationRules,
    activation: Activation,
    dispatcher: Dispatcher,
    events: AsyncInvocations,
    provisioned: ProvisionedStates,
    destinations: Destinations,
    rights: TargetRights,
    facts: FunctionFacts,
    queues: SourceQueues,
    streams: StreamLooks,
    positions: StreamPositions,
    objects: S3Objects,
    roles: ExecutionRoles,
    links: CodeLinks,
    urls: UrlDomain,
    quotas: Quotas,
    of_accounts: AccountQuotas | None = None,
    clock: Clock,
) -> Service:
    """
    Put the Lambda service together from its resources.

    Args:
        quotas: limits that are the same for every account.
        of_accounts: those that may differ; None: `quotas`.
    """
    of_accounts = of_accounts or quotas
    code_upload = BodyLimit(quotas.create_request_max_bytes, quotas.create_request_max_bytes)
    payload = BodyLimit(
        quotas.invoke_payload_max_bytes,
        # A payload that is a little too large gets its size told by the handler.
        quotas.invoke_payload_max_bytes + 1_048_576,
        RequestTooLargeException,
        # Observed: `InvokeFunction` is how the service calls the operation here (field reports).
        "InvokeFunction",
    )
    intake = PackageIntake(packages, objects, quotas)
    return Service(
        name="lambda",
        handlers=CrossAccount(store, clock).open(
            collect_handlers(
                Functions(
                    store, packages, intake, rules, activation, destinations, rights, roles, links, of_accounts, clock
                ),
                Versions(store, activation, of_accounts, clock),
                Aliases(store, clock),
                Permissions(store, clock),
                Layers(store, intake, links, of_accounts, clock),
                LayerPermissions(store, clock),
                RuntimeManagement(store, clock),
                FunctionConcurrency(store, of_accounts),
                ProvisionedConcurrencyConfigs(store, provisioned, of_accounts, clock),
                EventInvokeConfigs(store, destinations, rights, clock),
                FunctionUrlConfigs(store, urls, clock),
                EventSourceMappings(store, queues, streams, positions, destinations, rights, quotas, clock),
                RecursionConfigs(store),
                Tags(store, activation, quotas, clock),
                AccountSettings(store, of_accounts),
                Invoke(dispatcher, events, quotas, clock),
            )
        ),
        not_offered=NOT_OFFERED,
        shape_violation=ValidationException,
        demands=DEMANDS,
        facts=facts,
        body_limits={
            "CreateFunction": code_upload,
            "UpdateFunctionCode": code_upload,
            "PublishLayerVersion": code_upload,
            "Invoke": payload,
            "InvokeWithResponseStream": msgspec.structs.replace(payload, shown_as=None),
            "InvokeAsync": BodyLimit(
                quotas.invoke_async_payload_max_bytes,
                quotas.invoke_async_payload_max_bytes + 1_048_576,
                RequestTooLargeException,
            ),
        },
    )
