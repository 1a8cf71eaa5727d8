"""What tests of HTTP APIs' configuration share."""

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, error_of

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:items"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/gateway"


def bare(answer):
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def status(answer):
    return answer["ResponseMetadata"]["HTTPStatusCode"]


def refusal(call, **parameters):
    """Call, see it refused, and return status, code and message."""
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)


def make_integration(apis, api, **settings):
    wanted = {
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": FUNCTION,
        "PayloadFormatVersion": "2.0",
        **settings,
    }
    return apis.create_integration(ApiId=api, **wanted)["IntegrationId"]


def make_route(apis, api, key, integration=None, **settings):
    target = {} if integration is None else {"Target": f"integrations/{integration}"}
    return apis.create_route(ApiId=api, RouteKey=key, **target, **settings)["RouteId"]


def served(apis, api, stage="$default"):
    """Return the id of the deployment that a stage serves."""
    return apis.get_stage(ApiId=api, StageName=stage).get("DeploymentId")
