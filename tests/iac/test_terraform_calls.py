"""
What the AWS provider of Terraform and OpenTofu asks for, as scripts of requests.

The provider is on no package index, so these are scripts and not the tool: for each resource the calls of
provider 6.x in their order (hashicorp/terraform-provider-aws, internal/service/lambda), and what it makes of the
answers. `read()` returns a resource's attributes as the provider would write them into its state. A plan shows
no change when they are what the configuration says, what it leaves out has its default, and reading once more
gives the same; that is what `settled()` checks.

The provider looks for the first time five seconds after a write. The scripts look at once, which is stricter.
"""

import base64
import hashlib
import http.client
import json
import re
import time
import urllib.parse
from typing import ClassVar
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from wire.observing import observed
from wire.support import ACCOUNT, REGION, ROLE, error_of, wait_for, zip_of

FIRST = zip_of({"app.py": "def handler(event, context):\n    return 1\n"})
SECOND = zip_of({"app.py": "def handler(event, context):\n    return 2\n"})


@pytest.fixture(scope="session")
def provider(server):
    """
    A client as the provider's: with the retries that SDKs come with, and no answer that Go would stumble over.

    Each answer is JSON or empty, and holds no null and no empty State: absent means absent.
    """
    client = boto3.client(
        "lambda",
        region_name=REGION,
        endpoint_url=server.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        # The provider checks little before it sends.
        config=Config(retries={"max_attempts": 4, "mode": "standard"}, parameter_validation=False),
    )

    def look(response_dict, **_):
        body = response_dict["body"]
        if body:
            assert response_dict["headers"]["content-type"] == "application/json"
            assert nulls(json.loads(body)) == [], body

    client.meta.events.register("before-parse.lambda.*", look)
    return observed(client)


def nulls(value, path=""):
    """Return where a decoded answer holds null, or an empty string for a state."""
    if isinstance(value, dict):
        states = {"State", "LastUpdateStatus", "Status"}
        empty = [f"{path}.{key}" for key, item in value.items() if key in states and item == ""]
        return empty + [found for key, item in value.items() for found in nulls(item, f"{path}.{key}")]
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in nulls(item, f"{path}[{index}]")]
    return [path] if value is None else []


def wait_through(look, allowed, target, *, within_s=120.0):
    """Look until the state is `target`; any state on the way that the provider does not allow fails, as there."""

    def there():
        state = look()
        assert state in {*allowed, target}, f"unexpected state '{state}', wanted target '{target}'"
        return state == target

    wait_for(there, within_s=within_s, every_s=0.02)


def is_gone(call, **parameters):
    """Whether a read answers 404 with the code that the provider takes for gone."""
    try:
        call(**parameters)
    except ClientError as error:
        answer = error.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404
        assert answer["Error"]["Code"].endswith("NotFoundException")
        return True
    return False


def settled(resource, **configured):
    """Return the state after checking that a plan would show no change."""
    first, second = resource.read(), resource.read()
    assert second == first
    wanted = {**resource.LEFT_OUT, **configured}
    assert {attribute: second[attribute] for attribute in wanted} == wanted
    return second


class Function:
    """aws_lambda_function."""

    LEFT_OUT: ClassVar = {
        "code_signing_config_arn": "",
        "dead_letter_config": None,
        "description": "",
        "environment": None,
        "file_system_config": [],
        "image_config": None,
        "kms_key_arn": "",
        "layers": [],
        "memory_size": 128,
        "package_type": "Zip",
        "reserved_concurrent_executions": -1,
        "snap_start": None,
        "source_kms_key_arn": "",
        "tags": {},
        "tenancy_config": None,
        "timeout": 3,
        "vpc_config": None,
    }
    """What is to be read where the configuration says nothing; what the provider computes has no place here."""

    def __init__(self, client, name, runtime):
        self.client = client
        self.name = name
        self.runtime = runtime

    def create(self, reserved=None, archive=FIRST, **request):
        self.client.create_function(
            FunctionName=self.name,
            Code={"ZipFile": archive},
            Role=ROLE,
            Handler="app.handler",
            Runtime=self.runtime,
            MemorySize=request.pop("MemorySize", 128),
            Timeout=request.pop("Timeout", 3),
            PackageType="Zip",
            **request,
        )
        wait_through(lambda: self._shown().get("State"), {"Pending"}, "Active")
        if reserved is not None:
            self.client.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=reserved)

    def update_configuration(self, **request):
        self.client.update_function_configuration(FunctionName=self.name, **request)
        self._wait_updated()

    def update_code(self, archive):
        self.client.update_function_code(FunctionName=self.name, ZipFile=archive)
        self._wait_updated()

    def publish(self):
        """What `publish = true` adds to an update; returns the version."""
        made = self.client.publish_version(FunctionName=self.name)

        def status():
            shown = self.client.get_function_configuration(FunctionName=made["FunctionArn"], Qualifier=made["Version"])
            return shown.get("LastUpdateStatus", "InProgress")

        wait_through(status, {"InProgress"}, "Successful")
        return made["Version"]

    def delete(self):
        self.client.delete_function(FunctionName=self.name)
        wait_for(lambda: is_gone(self.client.get_function, FunctionName=self.name))

    def read(self):
        answer = self.client.get_function(FunctionName=self.name)
        shown, code = answer["Configuration"], answer["Code"]
        newest = self._newest_version()
        signing = self.client.get_function_code_signing_config(FunctionName=self.name)
        snap_start = shown.get("SnapStart", {})
        image = shown.get("ImageConfigResponse")
        return {
            "architectures": shown["Architectures"],
            "arn": shown["FunctionArn"],
            "code_sha256": shown["CodeSha256"],
            "code_signing_config_arn": signing.get("CodeSigningConfigArn", ""),
            "dead_letter_config": shown.get("DeadLetterConfig", {}).get("TargetArn"),
            "description": shown["Description"],
            # A block that is there and empty is not the same as none.
            "environment": None if "Environment" not in shown else shown["Environment"].get("Variables"),
            "ephemeral_storage": shown["EphemeralStorage"]["Size"],
            "file_system_config": shown.get("FileSystemConfigs", []),
            "handler": shown["Handler"],
            "image_config": image,
            "image_uri": code.get("ImageUri", ""),
            "kms_key_arn": shown.get("KMSKeyArn", ""),
            "last_modified": shown["LastModified"],
            "layers": [layer["Arn"] for layer in shown.get("Layers", [])],
            "logging_config": shown["LoggingConfig"],
            "memory_size": shown["MemorySize"],
            "package_type": shown["PackageType"],
            "qualified_arn": newest["FunctionArn"],
            "reserved_concurrent_executions": answer.get("Concurrency", {}).get("ReservedConcurrentExecutions", -1),
            "role": shown["Role"],
            "runtime": shown["Runtime"],
            "snap_start": snap_start["ApplyOn"] if snap_start.get("ApplyOn", "None") != "None" else None,
            "source_code_size": shown["CodeSize"],
            "source_kms_key_arn": code.get("SourceKMSKeyArn", ""),
            "tags": answer.get("Tags", {}),
            "tenancy_config": shown.get("TenancyConfig"),
            "timeout": shown["Timeout"],
            "tracing_config": shown["TracingConfig"]["Mode"],
            "version": newest["Version"],
            "vpc_config": self._vpc(shown.get("VpcConfig")),
        }

    def _shown(self):
        return self.client.get_function(FunctionName=self.name)["Configuration"]

    def _wait_updated(self):
        wait_through(lambda: self._shown().get("LastUpdateStatus"), {"InProgress"}, "Successful")

    def _newest_version(self):
        """The last element of the last page: the provider takes the list to be sorted from oldest to newest."""
        page = self.client.list_versions_by_function(FunctionName=self.name, MaxItems=10000)
        while "NextMarker" in page:
            page = self.client.list_versions_by_function(
                FunctionName=self.name, MaxItems=10000, Marker=page["NextMarker"]
            )
        return page["Versions"][-1]

    @staticmethod
    def _vpc(shown):
        if shown is None or not (shown["SubnetIds"] or shown["SecurityGroupIds"] or shown.get("VpcId")):
            return None
        return {
            "subnet_ids": set(shown["SubnetIds"]),
            "security_group_ids": set(shown["SecurityGroupIds"]),
            "ipv6_allowed_for_dual_stack": shown["Ipv6AllowedForDualStack"],
        }


@pytest.fixture
def function(provider, runtime, unique_name):
    """An aws_lambda_function that does not exist yet; it is deleted in the end."""
    made = Function(provider, unique_name, runtime)
    yield made
    if not is_gone(provider.get_function, FunctionName=unique_name):
        made.delete()


def test_ic01_the_reads_after_a_create(provider, function):
    """IC-01: each read that the provider makes after a create answers at once, with what AWS says of nothing set."""
    function.create()
    name, arn = function.name, function.read()["arn"]
    reads = {
        # Observed: an empty object, although the model asks for two members.
        provider.get_function_code_signing_config: {},
        provider.get_function_concurrency: {},
        provider.get_runtime_management_config: {"UpdateRuntimeOn": "Auto", "FunctionArn": arn},
        provider.list_aliases: {"Aliases": []},
        provider.list_provisioned_concurrency_configs: {"ProvisionedConcurrencyConfigs": []},
    }
    for read, expected in reads.items():
        answer = read(FunctionName=name)
        assert {key: value for key, value in answer.items() if key != "ResponseMetadata"} == expected
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    shown = provider.get_function(FunctionName=name)["Configuration"]
    assert (shown["State"], shown["LastUpdateStatus"]) == ("Active", "Successful")
    assert provider.list_tags(Resource=arn)["Tags"] == {}
    assert "Tags" not in provider.get_function(FunctionName=name)
    assert is_gone(provider.get_policy, FunctionName=name)


SIGNING_PROFILE = f"arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/p/1"

# Each row leaves with the version that offers its operations. What IC-01 then expects of the reads: 404
# ResourceNotFoundException of the first.
NOT_OFFERED_YET = [
    ("create_code_signing_config", {"AllowedPublishers": {"SigningProfileVersionArns": [SIGNING_PROFILE]}}),
]


def test_ic01_what_was_never_set_is_read_as_nothing(provider, function):
    """IC-01: no event invoke config is a 404, recursion is Terminate; each is set and read without a difference."""
    function.create()
    name = function.name
    assert is_gone(provider.get_function_event_invoke_config, FunctionName=name)
    assert provider.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Terminate"
    assert is_gone(provider.get_function_url_config, FunctionName=name)
    assert provider.list_event_source_mappings(FunctionName=name)["EventSourceMappings"] == []
    provider.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60)
    for _ in range(2):
        found = provider.get_function_event_invoke_config(FunctionName=name)
        assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (0, 60)
        assert found["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    provider.delete_function_event_invoke_config(FunctionName=name)
    assert is_gone(provider.get_function_event_invoke_config, FunctionName=name)
    provider.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert provider.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"


@pytest.mark.parametrize(("operation", "parameters"), NOT_OFFERED_YET, ids=[row[0] for row in NOT_OFFERED_YET])
def test_ic01_what_is_not_offered_yet_says_so_at_once(provider, function, operation, parameters):
    """IC-01: 501 as JSON, a status that no SDK retries, so that an apply ends with the reason and not after minutes."""
    function.create()
    parameters = {key: function.name if value == "NAME" else value for key, value in parameters.items()}
    began = time.monotonic()
    with pytest.raises(ClientError) as excinfo:
        getattr(provider, operation)(**parameters)
    status, code, message = error_of(excinfo)
    assert (status, code) == (501, "NotImplementedException")
    assert "is not offered by this version of Lambent" in message
    assert excinfo.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    assert time.monotonic() - began < 60


def raw(server, method, path, body=None):
    """Send a request as it stands, without an SDK; return (status, content type, decoded body)."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    scope = f"test/20261129/{REGION}/lambda/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}",
        "Content-Type": "application/json",
        "User-Agent": "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 terraform-provider-aws/6.0.0",
    }
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/2015-03-31/functions/a/no-such-thing"),
        ("GET", "/2031-01-01/functions/a/of-a-later-model"),
        ("PUT", "/2031-01-01/functions/a/of-a-later-model"),
        ("DELETE", "/2015-03-31/no-such-thing"),
    ],
)
def test_ic01_unknown_routes_are_a_json_error(server, method, path):
    """IC-01: a route that no operation has is a JSON error at once, never a page and never an answer of S3."""
    status, content_type, answer = raw(server, method, path)
    assert (status, content_type) == (404, "application/json")
    assert set(answer) == {"message"}


def test_reads_take_a_percent_encoded_arn(server, function):
    """The provider's SDK sends an ARN in a path percent-encoded; each read of a function takes it."""
    function.create()
    arn = function.read()["arn"]
    encoded = urllib.parse.quote(arn, safe="")
    status, _, answer = raw(server, "GET", f"/2015-03-31/functions/{encoded}")
    assert (status, answer["Configuration"]["FunctionArn"]) == (200, arn)
    assert raw(server, "GET", f"/2015-03-31/functions/{encoded}/policy")[0] == 404
    status, _, answer = raw(server, "GET", f"/2021-07-20/functions/{encoded}/runtime-management-config")
    assert (status, answer["FunctionArn"]) == (200, arn)


def test_ic02_a_published_version_and_latest_on_their_way(provider, function):
    """
    IC-02: after an update that publishes, neither the version nor $LATEST shows a state that AWS does not have,
    and a second update while the first is running is a 409 with the text that tools match.
    """
    function.create()
    made = provider.update_function_code(FunctionName=function.name, ZipFile=SECOND, Publish=True)
    assert made["Version"] == "1"
    conflict = None
    try:
        provider.update_function_configuration(FunctionName=function.name, Timeout=9)
    except provider.exceptions.ResourceConflictException as error:
        conflict = error.response["Error"]["Message"]
    # The update may be over by then.
    in_progress = "The operation cannot be performed at this time. An update is in progress for resource: "
    assert conflict is None or conflict == in_progress + function.read()["arn"]

    def shown(qualifier):
        answer = provider.get_function(FunctionName=function.name, Qualifier=qualifier)["Configuration"]
        return answer["State"], answer.get("LastUpdateStatus", "absent"), answer.get("StateReasonCode", "absent")

    allowed = {("Pending", "absent", "Creating"), ("Active", "InProgress", "absent")}
    wait_through(lambda: shown("1"), allowed, ("Active", "Successful", "absent"))
    wait_through(lambda: shown("$LATEST"), allowed, ("Active", "Successful", "absent"))
    latest = provider.get_function(FunctionName=function.name)["Configuration"]
    assert not {"LastUpdateStatusReason", "LastUpdateStatusReasonCode", "StateReason"} & set(latest)


def test_a_plain_function_shows_no_drift(provider, function):
    """Created with nothing but what is required: the second read equals the first, and defaults are AWS's."""
    function.create(archive=FIRST)
    state = settled(function)
    assert state["code_sha256"] == base64.b64encode(hashlib.sha256(FIRST).digest()).decode()
    assert state["source_code_size"] == len(FIRST)
    assert state["arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}"
    assert (state["version"], state["qualified_arn"]) == ("$LATEST", state["arn"] + ":$LATEST")
    assert (state["ephemeral_storage"], state["tracing_config"]) == (512, "PassThrough")
    assert state["logging_config"] == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.name}"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", state["last_modified"])
    function.delete()


KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000001"


def test_every_block_shows_no_drift_and_can_be_taken_away(provider, function):
    """
    A function with each optional block that is offered reads back as configured, in the spelling and order given;
    each block taken out of the configuration is gone from the next read; what was not touched stays.
    """
    layers = [Layer(provider, f"{function.name}-{letter}").create() for letter in "ba"]
    subnets, groups = ["subnet-0b", "subnet-0a"], ["sg-0a"]
    function.create(
        reserved=5,
        Description="with all",
        MemorySize=256,
        Timeout=30,
        Environment={"Variables": {"KEY": "value", "empty_is_kept": ""}},
        EphemeralStorage={"Size": 1024},
        KMSKeyArn=KEY,
        Layers=layers,
        LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN"},
        TracingConfig={"Mode": "PassThrough"},
        VpcConfig={"SubnetIds": subnets, "SecurityGroupIds": groups, "Ipv6AllowedForDualStack": False},
        Tags={"Team": "blue", "empty": ""},
    )
    vpc = {"subnet_ids": set(subnets), "security_group_ids": set(groups), "ipv6_allowed_for_dual_stack": False}
    logging = {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "DEBUG",
        "SystemLogLevel": "WARN",
        "LogGroup": f"/aws/lambda/{function.name}",
    }
    configured = {
        "description": "with all",
        "memory_size": 256,
        "timeout": 30,
        "environment": {"KEY": "value", "empty_is_kept": ""},
        "ephemeral_storage": 1024,
        "kms_key_arn": KEY,
        "layers": layers,
        "logging_config": logging,
        "reserved_concurrent_executions": 5,
        "tags": {"Team": "blue", "empty": ""},
        "tracing_config": "PassThrough",
        "vpc_config": vpc,
    }
    before = settled(function, **configured)

    # One member changes: the request holds that one only.
    function.update_configuration(Description="changed")
    configured["description"] = "changed"
    after = settled(function, **configured)
    assert {key for key in after if after[key] != before[key]} == {"description", "last_modified"}

    # Tags are an operation of their own, on the ARN.
    provider.untag_resource(Resource=after["arn"], TagKeys=["empty"])
    provider.tag_resource(Resource=after["arn"], Tags={"Team": "red", "Cost Centre": "7"})
    configured["tags"] = {"Team": "red", "Cost Centre": "7"}
    settled(function, **configured)

    # Every block leaves the configuration, in the spelling in which the provider takes each away.
    provider.untag_resource(Resource=after["arn"], TagKeys=["Team", "Cost Centre"])
    function.update_configuration(
        DeadLetterConfig={"TargetArn": ""},
        Description="",
        Environment={"Variables": {}},
        KMSKeyArn="",
        Layers=[],
        LoggingConfig={"LogFormat": "Text"},
        MemorySize=128,
        SnapStart={"ApplyOn": "None"},
        Timeout=3,
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": False},
    )
    provider.delete_function_concurrency(FunctionName=function.name)
    bare = settled(function)
    assert bare["logging_config"] == {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.name}"}
    # Computed: it stays as it is when the configuration no longer names it.
    assert bare["ephemeral_storage"] == 1024
    function.delete()


def test_an_environment_that_never_was_stays_away(function):
    """
    With another key the provider sends `{"Variables": {}}` for a function without variables: the member stays away.

    Observed: a member that is there and empty is a block that every plan wants to remove (floci-io/floci#2834).
    """
    function.create()
    function.update_configuration(KMSKeyArn=KEY, Environment={"Variables": {}})
    settled(function, kms_key_arn=KEY)


def test_an_environment_is_replaced_only_by_variables(function):
    """
    An Environment without Variables changes nothing (observed: go-to-k/cdkd#1161); given empty at creation the
    member is shown empty (observed: recorded answers of localstack's test_function_lifecycle).
    """
    function.create(Environment={"Variables": {}})
    settled(function, environment={})
    function.update_configuration(Environment={"Variables": {"KEY": "value"}})
    function.update_configuration(Environment={})
    settled(function, environment={"KEY": "value"})


def test_snap_start_and_tenancy_show_no_drift(provider, runtime, function, unique_name):
    """`snap_start` reads back as PublishedVersions and then as none, `tenancy_config` as it was given at creation."""
    function.create(SnapStart={"ApplyOn": "PublishedVersions"})
    settled(function, snap_start="PublishedVersions")
    function.update_configuration(SnapStart={"ApplyOn": "None"})
    settled(function)
    tenants = Function(provider, f"{unique_name}-tenants", runtime)
    tenants.create(TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    settled(tenants, tenancy_config={"TenantIsolationMode": "PER_TENANT"})
    tenants.delete()


def test_new_code_and_published_versions(function):
    """
    `publish = true`: each change makes a version, which the provider finds as the last of the list, with its
    qualified ARN; the tenth stands after the ninth.
    """
    function.create(Publish=True)
    state = settled(function)
    assert (state["version"], state["qualified_arn"]) == ("1", f"{state['arn']}:1")
    function.update_code(SECOND)
    assert function.publish() == "2"
    state = settled(function)
    assert state["code_sha256"] == base64.b64encode(hashlib.sha256(SECOND).digest()).decode()
    assert (state["version"], state["qualified_arn"]) == ("2", f"{state['arn']}:2")
    # The same code and configuration: AWS publishes nothing new, and neither plan nor state changes.
    assert function.publish() == "2"
    for number in range(3, 12):
        function.update_configuration(Description=f"number {number}")
        assert function.publish() == str(number)
    assert settled(function, description="number 11")["version"] == "11"


# Texts upon which the provider sends a create or an update again for minutes.
SENT_AGAIN = (
    "cannot be assumed by Lambda",
    "execution role does not have permissions",
    "throttled by EC2",
    "invalid for CreateGrant",
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"Runtime": "python2.7"},
        {"MemorySize": 64},
        {"Timeout": 0},
        {"Handler": "with blank"},
        {"Role": "no-arn"},
        {"Code": {"ZipFile": b"no zip"}},
        {"Layers": [f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:none:1"]},
        {"Environment": {"Variables": {"AWS_REGION": "x"}}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_lasting_error_is_not_sent_again(provider, runtime, unique_name, wrong):
    """What no repetition mends is a 400 without the texts, and without the codes, upon which tools try for minutes."""
    request = {
        "FunctionName": unique_name,
        "Code": {"ZipFile": FIRST},
        "Role": ROLE,
        "Handler": "app.handler",
        "Runtime": runtime,
        **wrong,
    }
    with pytest.raises(ClientError) as excinfo:
        provider.create_function(**request)
    status, code, message = error_of(excinfo)
    assert (status, code != "ResourceConflictException") == (400, True)
    assert not [text for text in SENT_AGAIN if text in message]
    assert excinfo.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    assert is_gone(provider.get_function, FunctionName=unique_name)


class Permission:
    """aws_lambda_permission."""

    LEFT_OUT: ClassVar = {
        "event_source_token": None,
        "function_url_auth_type": None,
        "invoked_via_function_url": None,
        "principal_org_id": None,
        "qualifier": "",
        "source_account": None,
        "source_arn": None,
    }

    def __init__(self, client, function_name, statement_id, qualifier=None):
        self.client = client
        self.statement_id = statement_id
        self.named = {"FunctionName": function_name, **({"Qualifier": qualifier} if qualifier else {})}

    def create(self, **request):
        self.client.add_permission(**self.named, StatementId=self.statement_id, **request)

    def delete(self):
        self.client.remove_permission(**self.named, StatementId=self.statement_id)
        wait_for(lambda: is_gone(self.client.get_policy, **self.named) or self._statement() is None)

    def read(self):
        statement = self._statement()
        assert statement is not None
        # Fixed types: an array where the provider wants a string ends the apply.
        for member in ("Action", "Effect", "Resource", "Sid"):
            assert isinstance(statement[member], str), statement
        condition = statement.get("Condition", {})
        assert condition or "Condition" not in statement
        for keys in condition.values():
            assert all(isinstance(value, str) for value in keys.values()), statement
        principal = statement["Principal"]
        if not isinstance(principal, str):
            assert set(principal) in ({"AWS"}, {"Service"}), statement
            principal = next(iter(principal.values()))
            assert isinstance(principal, str), statement
        equals = condition.get("StringEquals", {})
        via_url = condition.get("Bool", {}).get("lambda:InvokedViaFunctionUrl")
        name, qualifier = re.search(r":function:([^:]+)(?::(.+))?$", statement["Resource"]).groups()
        return {
            "action": statement["Action"],
            "event_source_token": equals.get("lambda:EventSourceToken"),
            "function_name": name,
            "function_url_auth_type": equals.get("lambda:FunctionUrlAuthType"),
            "invoked_via_function_url": None if via_url is None else via_url.lower() == "true",
            "principal": principal,
            "principal_org_id": equals.get("aws:PrincipalOrgID"),
            "qualifier": qualifier or "",
            "source_account": equals.get("AWS:SourceAccount"),
            "source_arn": condition.get("ArnLike", {}).get("AWS:SourceArn"),
            "statement_id": statement["Sid"],
        }

    def _statement(self):
        policy = json.loads(self.client.get_policy(**self.named)["Policy"])
        found = [statement for statement in policy["Statement"] if statement["Sid"] == self.statement_id]
        return found[0] if found else None


INVOKE = "lambda:InvokeFunction"
PERMISSIONS = {
    "a service with its source": (
        {"Action": INVOKE, "Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::b", "SourceAccount": ACCOUNT},
        {"principal": "s3.amazonaws.com", "source_arn": "arn:aws:s3:::b", "source_account": ACCOUNT},
    ),
    "a service alone": (
        {"Action": INVOKE, "Principal": "events.amazonaws.com"},
        {"principal": "events.amazonaws.com"},
    ),
    "a pattern of an API": (
        {
            "Action": INVOKE,
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abc/*/*",
        },
        {"principal": "apigateway.amazonaws.com", "source_arn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abc/*/*"},
    ),
    "a token": (
        {"Action": INVOKE, "Principal": "alexa-appkit.amazon.com", "EventSourceToken": "amzn1.ask.skill.x"},
        {"principal": "alexa-appkit.amazon.com", "event_source_token": "amzn1.ask.skill.x"},
    ),
    "an account": (
        {"Action": "lambda:*", "Principal": "arn:aws:iam::123456789012:root"},
        {"action": "lambda:*", "principal": "arn:aws:iam::123456789012:root"},
    ),
    "an organization": (
        {"Action": INVOKE, "Principal": "*", "PrincipalOrgID": "o-abcdefghij"},
        {"principal": "*", "principal_org_id": "o-abcdefghij"},
    ),
    "a function URL": (
        {"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"},
        {"action": "lambda:InvokeFunctionUrl", "principal": "*", "function_url_auth_type": "NONE"},
    ),
    "by way of a function URL": (
        {"Action": INVOKE, "Principal": "*", "InvokedViaFunctionUrl": True},
        {"principal": "*", "invoked_via_function_url": True},
    ),
}


def test_permissions_show_no_drift(provider, function):
    """
    aws_lambda_permission: each kind of statement reads back as given, beside the others; removing one leaves the
    rest, and a policy that lost its last statement is a 404.
    """
    function.create()
    made = {}
    for number, (title, (request, expected)) in enumerate(PERMISSIONS.items()):
        permission = Permission(provider, function.name, f"statement-{number}")
        permission.create(**request)
        fixed = {"statement_id": permission.statement_id, "function_name": function.name, "action": INVOKE}
        made[title] = (permission, {**fixed, **expected})
    while made:
        for permission, expected in made.values():
            settled(permission, **expected)
        _, (permission, _) = made.popitem()
        permission.delete()
    assert is_gone(provider.get_policy, FunctionName=function.name)


def test_a_permission_of_an_alias(provider, function):
    """With `qualifier` the statement is in the alias's own policy and its Resource qualified; an ARN names it too."""
    function.create(Publish=True)
    alias = Alias(provider, function.name, "live")
    alias.create("1")
    permission = Permission(provider, function.name, "of-the-alias", qualifier="live")
    permission.create(Action=INVOKE, Principal="sns.amazonaws.com")
    expected = {"principal": "sns.amazonaws.com", "qualifier": "live", "function_name": function.name}
    settled(permission, **expected)
    by_arn = Permission(provider, function.read()["arn"], "of-the-alias", qualifier="live")
    assert by_arn.read() == permission.read()
    assert is_gone(provider.get_policy, FunctionName=function.name)
    permission.delete()
    assert is_gone(provider.get_policy, FunctionName=function.name, Qualifier="live")


class Alias:
    """aws_lambda_alias."""

    LEFT_OUT: ClassVar = {"description": "", "routing_config": None}

    def __init__(self, client, function_name, name):
        self.client = client
        self.named = {"FunctionName": function_name, "Name": name}

    def create(self, version, description="", weights=None):
        routing = {"AdditionalVersionWeights": weights} if weights else {}
        made = self.client.create_alias(
            **self.named, FunctionVersion=version, Description=description, RoutingConfig=routing
        )
        return made["AliasArn"]

    def update(self, version, description="", weights=None):
        routing = {"AdditionalVersionWeights": weights} if weights else {}
        self.client.update_alias(**self.named, FunctionVersion=version, Description=description, RoutingConfig=routing)
        if not weights:
            wait_for(lambda: not self.client.get_alias(**self.named).get("RoutingConfig"))

    def delete(self):
        self.client.delete_alias(**self.named)

    def read(self):
        answer = self.client.get_alias(**self.named)
        return {
            "arn": answer["AliasArn"],
            "description": answer["Description"],
            "function_version": answer["FunctionVersion"],
            "name": answer["Name"],
            # An empty object is a block that every plan wants to remove.
            "routing_config": answer["RoutingConfig"].get("AdditionalVersionWeights")
            if "RoutingConfig" in answer
            else None,
        }


def test_aliases_show_no_drift(provider, function):
    """aws_lambda_alias: weights come, change and go; without them RoutingConfig is absent; delete is for good."""
    function.create(Publish=True)
    function.update_code(SECOND)
    function.publish()
    alias = Alias(provider, function.name, "live")
    arn = alias.create("1")
    expected = {"arn": arn, "name": "live"}
    settled(alias, **expected, function_version="1")
    alias.update("1", "some go ahead", {"2": 0.25})
    settled(alias, **expected, function_version="1", description="some go ahead", routing_config={"2": 0.25})
    alias.update("2")
    settled(alias, **expected, function_version="2")
    by_arn = Alias(provider, function.read()["arn"], "live")
    assert by_arn.read() == alias.read()
    alias.delete()
    # The provider takes a 404 for done.
    assert is_gone(provider.get_alias, **alias.named)


class Mapping:
    """aws_lambda_event_source_mapping, of a queue."""

    LEFT_OUT: ClassVar = {
        "batch_size": 10,
        "enabled": True,
        "filter_criteria": None,
        "function_response_types": set(),
        "maximum_batching_window_in_seconds": 0,
        "scaling_config": None,
        "tags": {},
    }

    def __init__(self, client, function_name, queue_arn):
        self.client = client
        self.named = {"FunctionName": function_name, "EventSourceArn": queue_arn}
        self.uuid = None

    def create(self, **request):
        self.uuid = self.client.create_event_source_mapping(**self.named, **request)["UUID"]
        self.wait({"Creating", "Disabling", "Enabling"})

    def update(self, **request):
        self.client.update_event_source_mapping(UUID=self.uuid, FunctionName=self.named["FunctionName"], **request)
        self.wait({"Disabling", "Enabling", "Updating"})

    def wait(self, pending):
        """Poll as the provider does: any state but these and the two settled ones is an error."""

        def settled():
            state = self.client.get_event_source_mapping(UUID=self.uuid)["State"]
            assert state in pending | {"Enabled", "Disabled"}
            return state not in pending

        wait_for(settled)

    def delete(self):
        self.client.delete_event_source_mapping(UUID=self.uuid)

        def gone():
            try:
                # Enabled, for however short a while, is an error.
                assert self.client.get_event_source_mapping(UUID=self.uuid)["State"] == "Deleting"
            except self.client.exceptions.ResourceNotFoundException:
                return True

        wait_for(gone)

    def read(self):
        answer = self.client.get_event_source_mapping(UUID=self.uuid)
        return {
            "arn": answer["EventSourceMappingArn"],
            "batch_size": answer["BatchSize"],
            "enabled": answer["State"] == "Enabled",
            "event_source_arn": answer["EventSourceArn"],
            # Empty objects are blocks that every plan wants to remove.
            "filter_criteria": answer.get("FilterCriteria"),
            "function_arn": answer["FunctionArn"],
            "function_response_types": set(answer["FunctionResponseTypes"]),
            "maximum_batching_window_in_seconds": answer["MaximumBatchingWindowInSeconds"],
            "scaling_config": answer.get("ScalingConfig"),
            "tags": self.client.list_tags(Resource=answer["EventSourceMappingArn"])["Tags"],
            "uuid": answer["UUID"],
        }


def test_event_source_mappings_show_no_drift(provider, function, server):
    """aws_lambda_event_source_mapping: blocks come and go, empty objects clear them; delete passes through Deleting."""
    function.create()
    name = f"{function.name[:70]}-q"
    server.client("sqs").create_queue(QueueName=name)
    mapping = Mapping(provider, function.name, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
    mapping.create(Enabled=True, Tags={"a": "1"})
    expected = {
        "arn": mapping.read()["arn"],
        "uuid": mapping.uuid,
        "event_source_arn": mapping.named["EventSourceArn"],
        "function_arn": function.read()["arn"],
        "tags": {"a": "1"},
    }
    settled(mapping, **expected)
    filters = {"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]}
    mapping.update(
        Enabled=False, BatchSize=5, FilterCriteria=filters, ScalingConfig={"MaximumConcurrency": 3},
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )  # fmt: skip
    settled(
        mapping,
        **expected,
        enabled=False,
        batch_size=5,
        filter_criteria=filters,
        scaling_config={"MaximumConcurrency": 3},
        function_response_types={"ReportBatchItemFailures"},
    )
    mapping.update(Enabled=True, FilterCriteria={}, ScalingConfig={}, FunctionResponseTypes=[], BatchSize=10)
    settled(mapping, **expected)
    mapping.delete()


class Url:
    """aws_lambda_function_url."""

    LEFT_OUT: ClassVar = {"cors": None, "invoke_mode": "BUFFERED"}

    def __init__(self, client, function_name, qualifier=None):
        self.client = client
        self.named = {"FunctionName": function_name, **({"Qualifier": qualifier} if qualifier else {})}

    def create(self, **request):
        made = self.client.create_function_url_config(**self.named, AuthType="NONE", **request)
        # Since October 2025 a URL asks for both; the provider takes statements that are there for done.
        for statement_id, grant in (
            ("FunctionURLAllowPublicAccess", {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}),
            ("FunctionURLInvokeAllowPublicAccess", {"Action": INVOKE, "InvokedViaFunctionUrl": True}),
        ):
            allowed = {**self.named, "StatementId": statement_id, "Principal": "*", **grant}
            self.client.add_permission(**allowed)
            with pytest.raises(ClientError) as excinfo:
                self.client.add_permission(**allowed)
            assert f"The statement id ({statement_id}) provided already exists" in error_of(excinfo)[2]
        return made["FunctionUrl"]

    def update(self, **request):
        self.client.update_function_url_config(**self.named, AuthType="NONE", **request)

    def delete(self):
        self.client.delete_function_url_config(**self.named)

    def read(self):
        answer = self.client.get_function_url_config(**self.named)
        host = urlsplit(answer["FunctionUrl"]).hostname
        return {
            "authorization_type": answer["AuthType"],
            # An empty object is a block that every plan wants to remove.
            "cors": answer.get("Cors"),
            "function_arn": answer["FunctionArn"],
            "function_url": answer["FunctionUrl"],
            "invoke_mode": answer["InvokeMode"],
            "url_id": host.partition(".")[0],
        }


@pytest.mark.parametrize("qualifier", [None, "live"])
def test_function_urls_show_no_drift(provider, function, qualifier):
    """aws_lambda_function_url: made with both permissions, changed, its block of CORS taken away, deleted."""
    function.create(Publish=True)
    if qualifier:
        Alias(provider, function.name, qualifier).create("1")
    url = Url(provider, function.name, qualifier)
    address = url.create()
    url_id = re.match(r"http://(\w{32})\.", address)[1]
    expected = {"authorization_type": "NONE", "function_url": address, "url_id": url_id}
    settled(url, **expected)
    cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET", "POST"], "MaxAge": 60}
    url.update(Cors=cors, InvokeMode="RESPONSE_STREAM")
    state = settled(url, **expected, cors=cors, invoke_mode="RESPONSE_STREAM")
    assert state["function_arn"].endswith(f":{function.name}:{qualifier}" if qualifier else f":{function.name}")
    url.update(Cors={}, InvokeMode="BUFFERED")
    settled(url, **expected)
    url.delete()
    assert is_gone(provider.get_function_url_config, **url.named)


class Layer:
    """aws_lambda_layer_version."""

    LEFT_OUT: ClassVar = {
        "compatible_architectures": set(),
        "compatible_runtimes": set(),
        "description": "",
        "license_info": "",
        "signing_job_arn": "",
        "signing_profile_version_arn": "",
    }

    def __init__(self, client, name):
        self.client = client
        self.name = name
        self.version = None

    def create(self, archive=None, **request):
        archive = archive or zip_of({"python/of_layer.py": f"NAME = {self.name!r}\n"})
        made = self.client.publish_layer_version(LayerName=self.name, Content={"ZipFile": archive}, **request)
        self.version = made["Version"]
        return made["LayerVersionArn"]

    def delete(self):
        self.client.delete_layer_version(LayerName=self.name, VersionNumber=self.version)

    def read(self):
        answer = self.client.get_layer_version(LayerName=self.name, VersionNumber=self.version)
        content = answer["Content"]
        return {
            "arn": answer["LayerVersionArn"],
            "compatible_architectures": set(answer.get("CompatibleArchitectures", [])),
            "compatible_runtimes": set(answer.get("CompatibleRuntimes", [])),
            "created_date": answer["CreatedDate"],
            "description": answer.get("Description", ""),
            "layer_arn": answer["LayerArn"],
            "license_info": answer.get("LicenseInfo", ""),
            "signing_job_arn": content.get("SigningJobArn", ""),
            "signing_profile_version_arn": content.get("SigningProfileVersionArn", ""),
            "source_code_hash": content["CodeSha256"],
            "source_code_size": content["CodeSize"],
            "version": str(answer["Version"]),
        }


def test_layer_versions_show_no_drift(provider, runtime, unique_name):
    """aws_lambda_layer_version: bare and with each member; changed content is a new version; delete is for good."""
    archive = zip_of({"python/one.py": "ONE = 1\n"})
    layer = Layer(provider, unique_name)
    # Members that the configuration leaves out are sent empty.
    arn = layer.create(archive, Description="", LicenseInfo="")
    digest = base64.b64encode(hashlib.sha256(archive).digest()).decode()
    state = settled(layer, arn=arn, version="1", source_code_hash=digest, source_code_size=len(archive))
    assert state["arn"] == f"{state['layer_arn']}:1"
    assert state["layer_arn"] == f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{unique_name}"

    full = Layer(provider, unique_name)
    full.create(
        Description="with all",
        LicenseInfo="Apache-2.0",
        CompatibleRuntimes=[runtime, "python3.9"],
        CompatibleArchitectures=["x86_64", "arm64"],
    )
    settled(
        full,
        version="2",
        description="with all",
        license_info="Apache-2.0",
        compatible_runtimes={runtime, "python3.9"},
        compatible_architectures={"x86_64", "arm64"},
    )
    settled(layer, arn=arn, version="1")
    by_arn = provider.get_layer_version_by_arn(Arn=arn)
    assert by_arn["Content"]["CodeSha256"] == digest
    for made in (layer, full):
        made.delete()
        assert is_gone(provider.get_layer_version, LayerName=unique_name, VersionNumber=made.version)
    layer.delete()


class ProvisionedConcurrency:
    """aws_lambda_provisioned_concurrency_config."""

    LEFT_OUT: ClassVar = {}

    def __init__(self, client, function_name, qualifier):
        self.client = client
        self.named = {"FunctionName": function_name, "Qualifier": qualifier}

    def put(self, count):
        self.client.put_provisioned_concurrency_config(**self.named, ProvisionedConcurrentExecutions=count)

        def status():
            return self.client.get_provisioned_concurrency_config(**self.named)["Status"]

        wait_through(status, {"IN_PROGRESS"}, "READY")

    def delete(self):
        self.client.delete_provisioned_concurrency_config(**self.named)

    def read(self):
        answer = self.client.get_provisioned_concurrency_config(**self.named)
        # Older releases read what is allocated, newer ones what is requested.
        return {kind: answer[f"{kind}ProvisionedConcurrentExecutions"] for kind in ("Allocated", "Requested")}


@pytest.mark.parametrize("qualifier", ["1", "live"], ids=["version", "alias"])
def test_provisioned_concurrency_shows_no_drift(provider, function, qualifier):
    """aws_lambda_provisioned_concurrency_config: READY means as many as wished; more, then none, then a 404."""
    function.create(Publish=True)
    Alias(provider, function.name, "live").create("1")
    provisioned = ProvisionedConcurrency(provider, function.name, qualifier)
    provisioned.put(1)
    settled(provisioned, Allocated=1, Requested=1)
    provisioned.put(2)
    settled(provisioned, Allocated=2, Requested=2)
    provisioned.delete()
    assert is_gone(provider.get_provisioned_concurrency_config, **provisioned.named)


class RuntimeManagement:
    """aws_lambda_runtime_management_config."""

    LEFT_OUT: ClassVar = {"runtime_version_arn": None}

    def __init__(self, client, function_name, qualifier=None):
        self.client = client
        self.named = {"FunctionName": function_name, **({"Qualifier": qualifier} if qualifier else {})}

    def put(self, update_runtime_on, **request):
        answer = self.client.put_runtime_management_config(**self.named, UpdateRuntimeOn=update_runtime_on, **request)
        # What the put answers becomes the state without another read.
        assert self._attributes(answer) == self.read()

    def read(self):
        return self._attributes(self.client.get_runtime_management_config(**self.named))

    @staticmethod
    def _attributes(answer):
        return {
            "function_arn": answer["FunctionArn"],
            "runtime_version_arn": answer.get("RuntimeVersionArn"),
            "update_runtime_on": answer["UpdateRuntimeOn"],
        }


@pytest.mark.parametrize("qualifier", [None, "1"], ids=["latest", "version"])
def test_runtime_management_shows_no_drift(provider, function, qualifier):
    """aws_lambda_runtime_management_config: each mode reads back as put; deleting the resource puts Auto again."""
    function.create(Publish=True)
    shown = provider.get_function_configuration(FunctionName=function.name)
    version_arn = shown["RuntimeVersionConfig"]["RuntimeVersionArn"]
    management = RuntimeManagement(provider, function.name, qualifier)
    settled(management, update_runtime_on="Auto")
    management.put("FunctionUpdate")
    settled(management, update_runtime_on="FunctionUpdate")
    management.put("Manual", RuntimeVersionArn=version_arn)
    settled(management, update_runtime_on="Manual", runtime_version_arn=version_arn)
    management.put("Auto")
    settled(management, update_runtime_on="Auto")
    settled(function)
