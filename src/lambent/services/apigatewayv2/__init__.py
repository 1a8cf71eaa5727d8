"""
The API Gateway v2 API, 2018-11-29, for HTTP APIs: one class per resource.

In: a caller and validated parameters. Out: output shapes as plain mappings. Never: HTTP, SQL, a request to an API.
"""

from lambent.access.authorize import Authorizer, Everything
from lambent.clock import Clock
from lambent.domain.function_url import UrlDomain
from lambent.errors.api.apigatewayv2 import BadRequestException
from lambent.services.apigatewayv2.api_mappings import ApiMappings
from lambent.services.apigatewayv2.apis import Apis
from lambent.services.apigatewayv2.authorizers import Authorizers
from lambent.services.apigatewayv2.definitions import Definitions
from lambent.services.apigatewayv2.demands import DEMANDS
from lambent.services.apigatewayv2.deployments import Deployments
from lambent.services.apigatewayv2.domain_names import DomainNames
from lambent.services.apigatewayv2.facts import ApiFacts
from lambent.services.apigatewayv2.integrations import Integrations
from lambent.services.apigatewayv2.limits import IMPORT_MAX_BYTES
from lambent.services.apigatewayv2.not_offered import NOT_OFFERED
from lambent.services.apigatewayv2.routes import Routes
from lambent.services.apigatewayv2.stages import ForgetVerdicts, Stages
from lambent.services.apigatewayv2.tags import Tags
from lambent.services.operation import BodyLimit, Service, collect_handlers
from lambent.store.contract import FunctionStore

_DEFINITION = BodyLimit(IMPORT_MAX_BYTES, 2 * IMPORT_MAX_BYTES)
"""A definition is a text in JSON: what it has to escape counts twice on its way."""


def service(
    *,
    store: FunctionStore,
    domain: UrlDomain,
    forget_verdicts: ForgetVerdicts,
    clock: Clock,
    authorizer: Authorizer | None = None,
) -> Service:
    """
    Put the service together from its resources.

    Args:
        domain: below which APIs answer.
        forget_verdicts: makes authorizers of a stage, which is an API's id and a name, be asked anew.
        authorizer: says whether callers may pass the roles on that definitions name; None: they may.
    """
    return Service(
        name="apigatewayv2",
        handlers=collect_handlers(
            ApiMappings(store, clock),
            Apis(store, domain, clock),
            Authorizers(store, clock),
            Definitions(store, domain, authorizer or Everything(), clock),
            Deployments(store, clock),
            DomainNames(store, domain, clock),
            Integrations(store, clock),
            Routes(store, clock),
            Stages(store, forget_verdicts, clock),
            Tags(store),
        ),
        not_offered=NOT_OFFERED,
        # Documented: API Gateway v2 API reference: every operation has it for what is malformed.
        shape_violation=BadRequestException,
        demands=DEMANDS,
        facts=ApiFacts(store),
        body_limits=dict.fromkeys(("ImportApi", "ReimportApi"), _DEFINITION),
    )
