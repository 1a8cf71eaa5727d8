"""The configuration of custom domains and their API mappings, through boto3."""

import json
import re
import urllib.error
import urllib.request

import pytest
from wire.http_apis import bare, refusal, status
from wire.support import ACCOUNT, REGION

CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/11111111-2222-3333-4444-555555555555"

_numbers = iter(range(1, 1_000_000))


@pytest.fixture
def domain(apis):
    """A custom domain that is there for one test."""
    made = apis.create_domain_name(DomainName=f"d{next(_numbers)}.shop.example")["DomainName"]
    yield made
    apis.delete_domain_name(DomainName=made)


@pytest.fixture
def mapped(apis, api):
    """The id of an API with the stages `$default` and `beta`."""
    for stage in ("$default", "beta"):
        apis.create_stage(ApiId=api, StageName=stage, AutoDeploy=True)
    return api


def test_a_life_of_a_domain(apis):
    """What is shown, what an update changes, its tags, and that there is one of a name."""
    made = apis.create_domain_name(
        DomainName="API.Life.example",
        DomainNameConfigurations=[{"CertificateArn": CERTIFICATE, "EndpointType": "REGIONAL"}],
        Tags={"team": "a"},
    )
    assert status(made) == 201
    made = bare(made)
    alias = made["DomainNameConfigurations"][0]["ApiGatewayDomainName"]
    assert re.fullmatch(rf"d-[a-z0-9]{{10}}\.execute-api\.{REGION}\.localhost", alias)
    arn = f"arn:aws:apigateway:{REGION}::/domainnames/api.life.example"
    assert made == {
        "ApiMappingSelectionExpression": "$request.basepath",
        "DomainName": "api.life.example",
        "DomainNameArn": arn,
        "DomainNameConfigurations": [
            {
                "ApiGatewayDomainName": alias,
                "CertificateArn": CERTIFICATE,
                "DomainNameStatus": "AVAILABLE",
                "EndpointType": "REGIONAL",
                "IpAddressType": "ipv4",
                "SecurityPolicy": "TLS_1_2",
            }
        ],
        "RoutingMode": "API_MAPPING_ONLY",
        "Tags": {"team": "a"},
    }
    key = {"DomainName": "api.life.example"}
    assert bare(apis.get_domain_name(**key)) == made
    assert made in apis.get_domain_names(MaxResults="500")["Items"]
    assert refusal(apis.create_domain_name, **key) == (
        409,
        "ConflictException",
        "The domain name you provided already exists.",
    )
    changed = apis.update_domain_name(
        **key,
        DomainNameConfigurations=[
            {
                "CertificateArn": CERTIFICATE.replace("1111", "9999"),
                "CertificateName": "new",
                "OwnershipVerificationCertificateArn": CERTIFICATE,
                "IpAddressType": "dualstack",
                "SecurityPolicy": "TLS_1_2",
            }
        ],
        RoutingMode="API_MAPPING_ONLY",
    )["DomainNameConfigurations"][0]
    assert changed["ApiGatewayDomainName"] == alias and changed["CertificateName"] == "new"
    assert changed["IpAddressType"] == "dualstack" and changed["CertificateArn"] != CERTIFICATE
    assert apis.get_domain_name(**key)["DomainNameConfigurations"] == [changed]
    apis.tag_resource(ResourceArn=arn, Tags={"cost": "1"})
    assert apis.get_tags(ResourceArn=arn)["Tags"] == {"team": "a", "cost": "1"}
    assert status(apis.delete_domain_name(**key)) == 204
    gone = (404, "NotFoundException", "The domain name resource specified in the request was not found.")
    for call in (apis.get_domain_name, apis.update_domain_name, apis.delete_domain_name, apis.get_api_mappings):
        assert refusal(call, **key) == gone
    assert refusal(apis.get_tags, ResourceArn=arn) == gone


def test_a_configuration_can_be_given_as_it_was_shown(apis):
    """What only answers have is no input, and is not looked at."""
    shown = {
        "ApiGatewayDomainName": "d-mine.example",
        "CertificateArn": CERTIFICATE,
        "CertificateName": "name",
        "CertificateUploadDate": 1,
        "DomainNameStatus": "UPDATING",
        "DomainNameStatusMessage": "wait",
        "EndpointType": "REGIONAL",
        "HostedZoneId": "Z",
        "IpAddressType": "ipv4",
        "SecurityPolicy": "TLS_1_2",
        "OwnershipVerificationCertificateArn": CERTIFICATE,
    }
    (made,) = apis.create_domain_name(DomainName="as.shown.example", DomainNameConfigurations=[shown])[
        "DomainNameConfigurations"
    ]
    assert made["ApiGatewayDomainName"].endswith(".localhost") and made["DomainNameStatus"] == "AVAILABLE"
    assert "HostedZoneId" not in made and made["CertificateName"] == "name"
    (changed,) = apis.update_domain_name(DomainName="as.shown.example", DomainNameConfigurations=[shown])[
        "DomainNameConfigurations"
    ]
    assert changed == made
    first = apis.get_domain_names(MaxResults="1")
    apis.create_domain_name(DomainName="bs.shown.example")
    assert apis.get_domain_names(MaxResults="1", NextToken=apis.get_domain_names(MaxResults="1")["NextToken"])["Items"]
    assert len(first["Items"]) == 1
    for name in ("as.shown.example", "bs.shown.example"):
        apis.delete_domain_name(DomainName=name)


def test_wildcards_take_nothing_from_other_accounts(server, apis):
    """Neither a wildcard above another account's name, nor a name below its wildcard; one's own stand together."""
    other = server.client("apigatewayv2", account="222233334444")
    apis.create_domain_name(DomainName="*.wild.example")
    other.create_domain_name(DomainName="one.tame.example")
    for call, name in ((other.create_domain_name, "a.wild.example"), (apis.create_domain_name, "*.tame.example")):
        assert refusal(call, DomainName=name) == (
            409,
            "ConflictException",
            f"The domain name {name} conflicts with one of another account.",
        )
    # A wildcard stands for one label.
    other.create_domain_name(DomainName="a.b.wild.example")
    apis.create_domain_name(DomainName="own.wild.example")
    for client, names in (
        (apis, ("*.wild.example", "own.wild.example")),
        (other, ("one.tame.example", "a.b.wild.example")),
    ):
        for name in names:
            client.delete_domain_name(DomainName=name)


def test_the_name_by_which_a_caller_came(own_server):
    """Whoever took it, or a wildcard for it, would have every request that names the server so."""
    server = own_server(None, "--public-host", "lambent.shop.example").start()
    for name in ("lambent.shop.example", "*.shop.example"):
        request = urllib.request.Request(
            f"{server.endpoint}/v2/domainnames",
            data=json.dumps({"domainName": name}).encode(),
            headers={"Host": "lambent.shop.example:80", "Content-Type": "application/json"},
        )
        with pytest.raises(urllib.error.HTTPError) as excinfo:
            urllib.request.urlopen(request, timeout=30)
        assert excinfo.value.code == 400 and b"under which this server answers" in excinfo.value.read()


def test_names_that_only_look_like_the_servers(apis):
    """A label of a service alone takes nothing from it."""
    for name in ("logs.shop.example", "shop.localhost", "*.shop.localhost"):
        assert apis.create_domain_name(DomainName=name)["DomainName"] == name
        apis.delete_domain_name(DomainName=name)


def test_a_name_leads_to_one_place(server, apis, domain):
    """Another account cannot have it too, nor see it."""
    other = server.client("apigatewayv2", account="222233334444")
    assert refusal(other.create_domain_name, DomainName=domain)[:2] == (409, "ConflictException")
    assert refusal(other.get_domain_name, DomainName=domain)[0] == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"DomainName": "localhost"},
        {"DomainName": "127.0.0.1"},
        {"DomainName": "a_b.example"},
        {"DomainName": "a..example"},
        {"DomainName": "a.*.example"},
        {"DomainName": "*"},
        {"DomainName": "a" * 64 + ".example"},
        {"DomainName": "a1b2c3d4e5.execute-api.us-east-1.localhost"},
        {"DomainName": "x.lambda-url.us-east-1.localhost"},
        {"DomainName": "sqs.us-east-1.localhost"},
        {"DomainName": "*.us-east-1.localhost"},
        {"DomainName": "*.localhost"},
        {"DomainName": "lambda.localhost"},
        {"DomainName": "*.s3.localhost"},
        {"DomainName": "media.s3.eu-west-1.localhost"},
        {"DomainNameConfigurations": [{}, {}]},
        {"DomainNameConfigurations": [{"EndpointType": "EDGE"}]},
        {"DomainNameConfigurations": [{"SecurityPolicy": "TLS_1_0"}]},
        {"DomainNameConfigurations": [{"CertificateArn": "mine"}]},
        {"MutualTlsAuthentication": {"TruststoreUri": "s3://bucket/store.pem"}},
        {"RoutingMode": "ROUTING_RULE_ONLY"},
        {"Tags": {"aws:a": "b"}},
    ],
    ids=lambda wrong: json.dumps(wrong)[:60],
)
def test_what_a_domain_may_not_be(apis, wrong):
    """Each is refused when it is made; no name may stand in the way of the server's own."""
    call = {"DomainName": "wrong.example", **wrong}
    assert refusal(apis.create_domain_name, **call)[:2] == (400, "BadRequestException")
    assert refusal(apis.get_domain_name, DomainName="wrong.example")[0] == 404


def test_a_life_of_a_mapping(apis, mapped, domain):
    """What is shown, what an update changes, and that there is one of a key."""
    made = apis.create_api_mapping(DomainName=domain, ApiId=mapped, Stage="$default")
    assert status(made) == 201
    made = bare(made)
    assert made == {
        "ApiId": mapped,
        "ApiMappingId": made["ApiMappingId"],
        "ApiMappingKey": "",
        "Stage": "$default",
    }
    deep = apis.create_api_mapping(DomainName=domain, ApiId=mapped, Stage="beta", ApiMappingKey="v1/items")
    key = {"DomainName": domain, "ApiMappingId": made["ApiMappingId"]}
    conflict = (409, "ConflictException", "ApiMapping key already exists for this domain name")
    assert refusal(apis.create_api_mapping, DomainName=domain, ApiId=mapped, Stage="beta") == conflict
    assert refusal(apis.update_api_mapping, **key, ApiId=mapped, ApiMappingKey="v1/items") == conflict
    changed = apis.update_api_mapping(**key, ApiId=mapped, Stage="beta", ApiMappingKey="shop")
    assert bare(changed) == bare(apis.get_api_mapping(**key)) == {**made, "Stage": "beta", "ApiMappingKey": "shop"}
    ids = [item["ApiMappingId"] for item in apis.get_api_mappings(DomainName=domain)["Items"]]
    assert sorted(ids) == sorted([made["ApiMappingId"], deep["ApiMappingId"]])
    first = apis.get_api_mappings(DomainName=domain, MaxResults="1")
    rest = apis.get_api_mappings(DomainName=domain, MaxResults="1", NextToken=first["NextToken"])
    assert len(first["Items"]) == len(rest["Items"]) == 1 and "NextToken" not in rest
    # An API and a stage that a domain leads to stay.
    assert refusal(apis.delete_api, ApiId=mapped) == (
        400,
        "BadRequestException",
        f"Deleting API {mapped} failed. Please remove all API mappings for the API from your custom domain names.",
    )
    assert refusal(apis.delete_stage, ApiId=mapped, StageName="beta")[:2] == (400, "BadRequestException")
    for mapping in ids:
        assert status(apis.delete_api_mapping(DomainName=domain, ApiMappingId=mapping)) == 204
    gone = (404, "NotFoundException", "The api mapping resource specified in the request was not found.")
    assert refusal(apis.get_api_mapping, **key) == refusal(apis.delete_api_mapping, **key) == gone
    assert refusal(apis.update_api_mapping, **key, ApiId=mapped) == gone
    apis.delete_stage(ApiId=mapped, StageName="beta")


def test_what_a_mapping_may_not_be(apis, mapped, domain):
    """A key of other characters or with empty segments, an API or a stage that is not there."""
    create = apis.create_api_mapping
    call = {"DomainName": domain, "ApiId": mapped, "Stage": "beta"}
    for key in ("/", "/a", "a/", "a//b", "a b", "é", "a" * 301):
        assert refusal(create, **call, ApiMappingKey=key) == (
            400,
            "BadRequestException",
            "An ApiMapping key may contain only letters, numbers and one of $-_.+!*'(),",
        )
    assert refusal(create, **{**call, "Stage": "none"}) == (
        400,
        "BadRequestException",
        "Invalid stage identifier specified",
    )
    assert refusal(create, **{**call, "ApiId": "none"})[:2] == (404, "NotFoundException")


def test_a_domain_goes_with_its_mappings(apis, mapped):
    """Then its API can go, too."""
    apis.create_domain_name(DomainName="*.gone.example")
    apis.create_api_mapping(DomainName="*.gone.example", ApiId=mapped, Stage="beta")
    apis.delete_domain_name(DomainName="*.gone.example")
    apis.delete_stage(ApiId=mapped, StageName="beta")
