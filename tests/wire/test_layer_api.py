"""Layers: published, numbered, read, listed, deleted, shared by policy, and attached to functions."""

import base64
import hashlib
import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, FunctionMaker, error_of, wait_updated, zip_of

HELLO = "def handler(e, c): return 'hello'"
CONTENT = zip_of({"python/m1.py": "NAME = 'layer'"})
OTHER = zip_of({"python/m1.py": "NAME = 'other'"})
STRANGER = "222222222222"
INVALID = (400, "InvalidParameterValueException")
MISSING = (404, "ResourceNotFoundException")
NOT_THERE = (*MISSING, "The resource you requested does not exist.")
GET = "lambda:GetLayerVersion"


def layer_arn(name, number=None, region=REGION, account=ACCOUNT):
    base = f"arn:aws:lambda:{region}:{account}:layer:{name}"
    return base if number is None else f"{base}:{number}"


def refused(call, **parameters):
    """Return (status, code, message) of a call that must fail."""
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)


def denied(resource, action=GET, account=STRANGER):
    text = (
        f"User: arn:aws:iam::{account}:root is not authorized to perform: {action} on resource: {resource} "
        f"because no resource-based policy allows the {action} action"
    )
    return (403, "AccessDeniedException", text)


def shown(answer):
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def status_of(answer):
    return answer["ResponseMetadata"]["HTTPStatusCode"]


def publish(client, name, content=CONTENT, **settings):
    return client.publish_layer_version(LayerName=name, Content={"ZipFile": content}, **settings)


def layers_of(configuration):
    return [(layer["Arn"], layer["CodeSize"]) for layer in configuration.get("Layers", [])]


@pytest.fixture(scope="session")
def stranger(server):
    """A client of another account."""
    return server.client("lambda", account=STRANGER)


@pytest.fixture(scope="session")
def unchecked(server):
    """A client that sends whatever it is given."""
    return server.client("lambda", parameter_validation=False)


@pytest.fixture
def own_account(server, request):
    """A client of an account without layers."""
    number = int(hashlib.sha256(request.node.name.encode()).hexdigest(), 16) % 10**11
    return server.client("lambda", account=f"9{number:011d}"), f"9{number:011d}"


def test_publish_answers_what_was_given(lambda_client, unique_name):
    """201 with ARNs, number, date and content; optional members only where they were given."""
    plain = publish(lambda_client, unique_name)
    assert status_of(plain) == 201
    sha256 = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert (plain["Content"]["CodeSha256"], plain["Content"]["CodeSize"]) == (sha256, len(CONTENT))
    with urllib.request.urlopen(plain["Content"]["Location"], timeout=30) as answer:
        assert answer.read() == CONTENT
    assert {key: value for key, value in shown(plain).items() if key not in {"Content", "CreatedDate"}} == {
        "LayerArn": layer_arn(unique_name),
        "LayerVersionArn": layer_arn(unique_name, 1),
        "Description": "",
        "Version": 1,
    }
    assert plain["CreatedDate"].endswith("+0000")
    assert len(plain["CreatedDate"]) == len("2026-11-25T02:10:19.123+0000")

    told = {
        "Description": "ü",
        "CompatibleRuntimes": ["python3.13", "nodejs22.x"],
        "CompatibleArchitectures": ["arm64", "x86_64"],
        "LicenseInfo": "MIT",
    }
    full = publish(lambda_client, unique_name, OTHER, **told)
    assert {key: full[key] for key in told} == told
    assert full["LayerVersionArn"] == layer_arn(unique_name, 2)


def test_get_by_number_and_by_arn(lambda_client, unique_name):
    """Both ways answer what publishing did, whether the layer is given by name or by ARN."""
    client = lambda_client
    answers = {
        1: publish(client, unique_name, Description="d", CompatibleRuntimes=["python3.13"]),
        2: publish(client, unique_name, OTHER),
    }
    for number, published in answers.items():
        expected = shown(published)
        del expected["Content"]["Location"]
        for answer in (
            client.get_layer_version(LayerName=unique_name, VersionNumber=number),
            client.get_layer_version(LayerName=layer_arn(unique_name), VersionNumber=number),
            client.get_layer_version_by_arn(Arn=layer_arn(unique_name, number)),
        ):
            assert status_of(answer) == 200
            assert answer["Content"].pop("Location").startswith("http")
            assert shown(answer) == expected


def test_what_is_no_layer_version(lambda_client, unchecked, unique_name):
    """Missing ones are 404, numbers below 1 and malformed names 400; deleting what is missing is fine."""
    client, name = lambda_client, unique_name
    publish(client, name)
    for parameters in (
        {"LayerName": name, "VersionNumber": 2},
        {"LayerName": f"{name}-gone", "VersionNumber": 1},
        {"LayerName": name, "VersionNumber": 10**18},
    ):
        assert refused(client.get_layer_version, **parameters) == NOT_THERE
        assert status_of(client.delete_layer_version(**parameters)) == 204
    assert refused(client.get_layer_version_by_arn, Arn=layer_arn(name, 2)) == NOT_THERE
    assert refused(client.get_layer_version_by_arn, Arn=layer_arn(name, "9" * 60)) == NOT_THERE
    for call in (client.get_layer_version, client.delete_layer_version):
        for number in (0, -1):
            assert refused(call, LayerName=name, VersionNumber=number) == (
                *INVALID, "Layer Version Cannot be less than 1",
            )  # fmt: skip
    for arn in (layer_arn(name), layer_arn(name, "x"), name, "arn:aws:s3:::b"):
        assert refused(client.get_layer_version_by_arn, Arn=arn)[:2] == (400, "ValidationException")
    assert refused(client.get_layer_version_by_arn, Arn="arn:aws:lambda:::awslayer:x")[:2] == INVALID
    for bad in ("a.b", "ü", "a" * 141, layer_arn(name, 1)):
        assert refused(unchecked.get_layer_version, LayerName=bad, VersionNumber=1)[:2] == (
            400, "ValidationException",
        )  # fmt: skip
    assert client.get_layer_version(LayerName=name, VersionNumber=1)


def test_numbers_are_never_used_twice(lambda_client, unique_name):
    """1, 2, both deleted, then 3: also when all versions of the layer are gone."""
    numbers = [publish(lambda_client, unique_name)["Version"] for _ in range(2)]
    for number in numbers:
        answer = lambda_client.delete_layer_version(LayerName=unique_name, VersionNumber=number)
        assert status_of(answer) == 204
        assert refused(lambda_client.get_layer_version, LayerName=unique_name, VersionNumber=number) == NOT_THERE
    assert lambda_client.list_layer_versions(LayerName=unique_name)["LayerVersions"] == []
    assert [*numbers, publish(lambda_client, unique_name)["Version"]] == [1, 2, 3]


def test_many_publish_at_once(lambda_client, unique_name):
    """Eight clients that publish together get eight numbers, without a gap."""
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda _: publish(lambda_client, unique_name)["Version"], range(8)))
    assert sorted(numbers) == list(range(1, 9))


def test_a_refused_publish_takes_no_number(lambda_client, unique_name):
    """What is no zip, holds nothing or says nothing is refused like a function's code, and leaves no trace."""
    texts = []
    for content in ({"ZipFile": b"no zip"}, {"ZipFile": zip_of({})}, {}):
        status, code, text = refused(lambda_client.publish_layer_version, LayerName=unique_name, Content=content)
        assert (status, code) == INVALID
        texts.append(text)
    assert texts[0] == "Could not unzip uploaded file. Please check your file, then try to upload again."
    assert lambda_client.list_layer_versions(LayerName=unique_name)["LayerVersions"] == []
    assert publish(lambda_client, unique_name)["Version"] == 1


def test_unknown_runtimes_and_architectures(unchecked, unique_name):
    """Both are told in one answer; filters that nothing can match are refused as well."""
    status, code, text = refused(
        unchecked.publish_layer_version,
        LayerName=unique_name, Content={"ZipFile": CONTENT},
        CompatibleRuntimes=["fortran77"], CompatibleArchitectures=["z80"],
    )  # fmt: skip
    assert (status, code) == (400, "ValidationException")
    assert text.startswith("2 validation errors detected: Value '[")
    for clause in ("Value '[fortran77]' at 'compatibleRuntimes'", "Value '[z80]' at 'compatibleArchitectures'"):
        assert f"{clause} failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy" in text
    for parameters in ({"CompatibleRuntime": "fortran77"}, {"CompatibleArchitecture": "z80"}):
        assert refused(unchecked.list_layers, **parameters)[:2] == (400, "ValidationException")
        assert refused(unchecked.list_layer_versions, LayerName=unique_name, **parameters)[:2] == (
            400, "ValidationException",
        )  # fmt: skip


def test_versions_are_listed_newest_first(lambda_client, unique_name):
    """All, or those that name a runtime and an architecture, in pages; an unknown layer has none."""
    client = lambda_client
    for number in range(1, 6):
        runtimes = ["python3.13"] if number % 2 else ["nodejs22.x", "python3.12"]
        architectures = {"CompatibleArchitectures": ["arm64"]} if number > 3 else {}
        publish(client, unique_name, CompatibleRuntimes=runtimes, Description=str(number), **architectures)
    publish(client, unique_name)

    def numbers(**narrowing):
        items = client.list_layer_versions(LayerName=unique_name, **narrowing)["LayerVersions"]
        return [item["Version"] for item in items]

    assert numbers() == [6, 5, 4, 3, 2, 1]
    assert numbers(CompatibleRuntime="python3.13") == [5, 3, 1]
    assert numbers(CompatibleRuntime="python3.12", CompatibleArchitecture="arm64") == [4]
    assert numbers(CompatibleArchitecture="x86_64") == []
    assert numbers(CompatibleRuntime="python3.13", MaxItems=1) == [5]
    pages = list(
        client.get_paginator("list_layer_versions").paginate(
            LayerName=layer_arn(unique_name), CompatibleRuntime="python3.13", PaginationConfig={"PageSize": 2}
        )
    )
    assert [[item["Version"] for item in page["LayerVersions"]] for page in pages] == [[5, 3], [1]]
    assert "NextMarker" not in pages[-1]
    (item,) = client.list_layer_versions(LayerName=unique_name, MaxItems=1)["LayerVersions"]
    assert item == {
        "LayerVersionArn": layer_arn(unique_name, 6),
        "Version": 6,
        "Description": "",
        "CreatedDate": item["CreatedDate"],
    }
    assert client.list_layer_versions(LayerName=f"{unique_name}-gone")["LayerVersions"] == []
    for marker in ("???", "eA==", base64.b64encode(b"9" * 30).decode()):
        assert refused(client.list_layer_versions, LayerName=unique_name, Marker=marker)[:2] == INVALID


def test_layers_are_listed_by_name(own_account):
    """Each with the newest version that suits the filters, in pages; one without such a version is left out."""
    client, account = own_account
    assert client.list_layers()["Layers"] == []
    publish(client, "b", CompatibleRuntimes=["python3.13"], CompatibleArchitectures=["arm64"])
    publish(client, "b", CompatibleRuntimes=["nodejs22.x"])
    publish(client, "a", CompatibleRuntimes=["python3.13"])
    publish(client, "B")
    publish(client, "gone")
    client.delete_layer_version(LayerName="gone", VersionNumber=1)

    def found(**narrowing):
        layers = client.list_layers(**narrowing)["Layers"]
        return [(layer["LayerName"], layer["LatestMatchingVersion"]["Version"]) for layer in layers]

    assert found() == [("B", 1), ("a", 1), ("b", 2)]
    assert found(CompatibleRuntime="python3.13") == [("a", 1), ("b", 1)]
    assert found(CompatibleRuntime="python3.13", CompatibleArchitecture="arm64") == [("b", 1)]
    assert found(CompatibleRuntime="java21") == []
    pages = list(client.get_paginator("list_layers").paginate(PaginationConfig={"PageSize": 2}))
    assert [[layer["LayerName"] for layer in page["Layers"]] for page in pages] == [["B", "a"], ["b"]]
    first = pages[0]["Layers"][0]
    assert first["LayerArn"] == layer_arn("B", account=account)
    assert first["LatestMatchingVersion"]["LayerVersionArn"] == layer_arn("B", 1, account=account)
    client.delete_layer_version(LayerName="b", VersionNumber=2)
    assert found() == [("B", 1), ("a", 1), ("b", 1)]


def test_layers_take_code_storage(own_account):
    """Every version counts for the account's storage until it is deleted."""
    client, _ = own_account

    def used():
        return client.get_account_settings()["AccountUsage"]["TotalCodeSize"]

    assert used() == 0
    publish(client, "a")
    publish(client, "a")
    assert used() == 2 * len(CONTENT)
    client.delete_layer_version(LayerName="a", VersionNumber=1)
    assert used() == len(CONTENT)


def test_scopes_have_their_own_layers(server, lambda_client, stranger, unique_name):
    """The same name in another account or region is another layer; ARNs of other regions lead nowhere here."""
    publish(lambda_client, unique_name)
    assert stranger.list_layer_versions(LayerName=unique_name)["LayerVersions"] == []
    elsewhere = server.client("lambda", region="eu-west-1")
    assert publish(elsewhere, unique_name, OTHER)["LayerVersionArn"] == layer_arn(unique_name, 1, region="eu-west-1")
    text = f"Layers from 'eu-west-1' are not reachable in this region ('{REGION}')"
    arn = layer_arn(unique_name, region="eu-west-1")
    for call, parameters in (
        (lambda_client.get_layer_version, {"LayerName": arn, "VersionNumber": 1}),
        (lambda_client.get_layer_version_by_arn, {"Arn": f"{arn}:1"}),
        (lambda_client.delete_layer_version, {"LayerName": arn, "VersionNumber": 1}),
        (lambda_client.list_layer_versions, {"LayerName": arn}),
    ):
        assert refused(call, **parameters) == (*MISSING, text)
    assert elsewhere.get_layer_version(LayerName=unique_name, VersionNumber=1)


def test_what_belongs_to_another_account_stays_theirs(lambda_client, stranger, unique_name):
    """Nobody else publishes, lists, deletes or shares; a stranger is not told what is there."""
    publish(lambda_client, unique_name)
    arn = layer_arn(unique_name)
    version = {"LayerName": arn, "VersionNumber": 1}
    statement = {"StatementId": "s", "Action": GET, "Principal": "*"}
    assert refused(stranger.publish_layer_version, LayerName=arn, Content={"ZipFile": CONTENT}) == denied(
        arn, "lambda:PublishLayerVersion"
    )
    assert refused(stranger.list_layer_versions, LayerName=arn) == denied(arn, "lambda:ListLayerVersions")
    for call, action, more in (
        (stranger.get_layer_version, "GetLayerVersion", {}),
        (stranger.delete_layer_version, "DeleteLayerVersion", {}),
        (stranger.get_layer_version_policy, "GetLayerVersionPolicy", {}),
        (stranger.add_layer_version_permission, "AddLayerVersionPermission", statement),
        (stranger.remove_layer_version_permission, "RemoveLayerVersionPermission", {"StatementId": "s"}),
    ):
        assert refused(call, **version, **more) == denied(f"{arn}:1", f"lambda:{action}")
    assert refused(stranger.get_layer_version_by_arn, Arn=f"{arn}:7") == denied(f"{arn}:7")
    assert lambda_client.get_layer_version(**version)


def allow(client, name, sid="s", principal=STRANGER, number=1, **settings):
    return client.add_layer_version_permission(
        LayerName=name, VersionNumber=number, StatementId=sid, Action=GET, Principal=principal, **settings
    )


def test_a_layer_versions_policy(lambda_client, unique_name):
    """Statements come and go one by one, each change with a revision; the last takes the policy along."""
    client, name = lambda_client, unique_name
    publish(client, name)
    publish(client, name)
    version = {"LayerName": name, "VersionNumber": 1}
    no_policy = (*MISSING, "No policy is associated with the given resource.")
    assert refused(client.get_layer_version_policy, **version) == no_policy
    assert refused(client.remove_layer_version_permission, **version, StatementId="s") == no_policy

    added = allow(client, name, "one")
    assert status_of(added) == 201
    one = {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{STRANGER}:root"},
        "Action": GET,
        "Resource": layer_arn(name, 1),
    }
    assert json.loads(added["Statement"]) == one
    policy = client.get_layer_version_policy(**version)
    assert json.loads(policy["Policy"]) == {"Version": "2012-10-17", "Id": "default", "Statement": [one]}
    assert policy["RevisionId"] == added["RevisionId"]
    assert refused(client.get_layer_version_policy, LayerName=name, VersionNumber=2) == no_policy

    organization = allow(client, layer_arn(name), "two", "*", OrganizationId="o-aabbccddee")
    two = json.loads(organization["Statement"])
    assert two["Principal"] == "*"
    assert two["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-aabbccddee"}}
    assert organization["RevisionId"] != added["RevisionId"]

    removed = client.remove_layer_version_permission(**version, StatementId="one")
    assert status_of(removed) == 204
    assert json.loads(client.get_layer_version_policy(**version)["Policy"])["Statement"] == [two]
    client.remove_layer_version_permission(**version, StatementId="two")
    assert refused(client.get_layer_version_policy, **version) == no_policy


def test_what_a_layers_policy_refuses(lambda_client, unchecked, unique_name):
    """A taken id is 409, a stale revision 412, other actions and principals 400, what is missing 404."""
    client, name = lambda_client, unique_name
    publish(client, name)
    first = allow(client, name, "s")["RevisionId"]
    assert refused(lambda: allow(client, name, "s")) == (
        409,
        "ResourceConflictException",
        "The statement id (s) provided already exists. Please provide a new statement id, or remove the existing "
        "statement.",
    )  # fmt: skip
    second = allow(client, name, "t", RevisionId=first)["RevisionId"]
    stale = (
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        "Call the GetLayerPolicy API to retrieve the latest Revision Id",
    )
    version = {"LayerName": name, "VersionNumber": 1}
    assert refused(lambda: allow(client, name, "u", RevisionId=first)) == stale
    remove = client.remove_layer_version_permission
    assert refused(remove, **version, StatementId="s", RevisionId=first) == stale
    assert refused(remove, **version, StatementId="nobody", RevisionId=second) == (
        *MISSING, "Statement nobody is not found in resource policy.",
    )  # fmt: skip
    assert client.get_layer_version_policy(**version)["RevisionId"] == second
    for changed in ({"Action": "lambda:*"}, {"Principal": "s3.amazonaws.com"}):
        parameters = {**version, "StatementId": "v", "Action": GET, "Principal": "*", **changed}
        assert refused(unchecked.add_layer_version_permission, **parameters)[:2] == (400, "ValidationException")
    assert refused(lambda: allow(client, name, "w", STRANGER, OrganizationId="o-aabbccddee"))[:2] == INVALID
    gone = (*MISSING, f"Layer version {layer_arn(name, 7)} does not exist.")
    assert refused(lambda: allow(client, name, number=7)) == gone
    assert refused(lambda: allow(client, name, number=7, OrganizationId="o-aabbccddee")) == gone
    assert refused(client.get_layer_version_policy, LayerName=name, VersionNumber=7) == gone
    assert refused(remove, LayerName=name, VersionNumber=7, StatementId="s") == gone


def test_another_account_reads_by_grant(lambda_client, stranger, unique_name):
    """Denied, granted for one version only, read by number and by ARN, denied again."""
    publish(lambda_client, unique_name)
    publish(lambda_client, unique_name)
    arn = layer_arn(unique_name)
    assert refused(stranger.get_layer_version_by_arn, Arn=f"{arn}:1") == denied(f"{arn}:1")
    allow(lambda_client, unique_name)
    for answer in (
        stranger.get_layer_version_by_arn(Arn=f"{arn}:1"),
        stranger.get_layer_version(LayerName=arn, VersionNumber=1),
    ):
        assert answer["LayerVersionArn"] == f"{arn}:1"
        with urllib.request.urlopen(answer["Content"]["Location"], timeout=30) as code:
            assert code.read() == CONTENT
    assert refused(stranger.get_layer_version_by_arn, Arn=f"{arn}:2") == denied(f"{arn}:2")
    lambda_client.remove_layer_version_permission(LayerName=unique_name, VersionNumber=1, StatementId="s")
    assert refused(stranger.get_layer_version_by_arn, Arn=f"{arn}:1") == denied(f"{arn}:1")


def test_ly02_layers_of_a_function(lambda_client, make_function, unique_name):
    """LY-02: shown in request order with the size of their zips; replaced, kept when not named, cleared by []."""
    client = lambda_client
    one = publish(client, f"{unique_name}-1")["LayerVersionArn"]
    two = publish(client, f"{unique_name}-2", OTHER + b"")["LayerVersionArn"]
    sizes = {one: len(CONTENT), two: len(OTHER)}
    name = make_function(HELLO, Layers=[two, one])
    assert layers_of(client.get_function_configuration(FunctionName=name)) == [(two, sizes[two]), (one, sizes[one])]

    def update(**changes):
        answer = client.update_function_configuration(FunctionName=name, **changes)
        wait_updated(client, name)
        assert layers_of(client.get_function_configuration(FunctionName=name)) == layers_of(answer)
        return [arn for arn, _ in layers_of(answer)]

    assert update(Layers=[one, two]) == [one, two]
    assert update(Description="d") == [one, two]
    # A deleted layer stays with the functions that have it, and can be attached no more.
    client.delete_layer_version(LayerName=f"{unique_name}-1", VersionNumber=1)
    assert update(Description="e") == [one, two]
    assert refused(client.update_function_configuration, FunctionName=name, Layers=[one]) == (
        *INVALID, f"Layer version {one} does not exist.",
    )  # fmt: skip
    version = client.publish_version(FunctionName=name)["Version"]
    assert update(Layers=[]) == []
    assert "Layers" not in client.get_function_configuration(FunctionName=name)
    listed = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [[arn for arn, _ in layers_of(item)] for item in listed] == [[], [one, two]]
    assert layers_of(client.get_function_configuration(FunctionName=name, Qualifier=version))


def test_layers_that_a_function_cannot_have(server, lambda_client, make_function, unique_name):
    """Too many, missing, one layer twice, another region: AWS's words, on create and update, and nothing changes."""
    client = lambda_client
    arns = [publish(client, f"{unique_name}-{number}")["LayerVersionArn"] for number in range(6)]
    newer = publish(client, f"{unique_name}-0", OTHER)["LayerVersionArn"]
    far = publish(server.client("lambda", region="eu-west-1"), unique_name)["LayerVersionArn"]
    name = make_function(HELLO, Layers=arns[:5])
    twice = (
        "Two different versions of the same layer are not allowed to be referenced in the same function. "
        "{} and {} are versions of the same layer."
    )
    for layers, text in (
        (arns, "Cannot reference more than 5 layers."),
        ([arns[0], arns[1], newer], twice.format(arns[0], newer)),
        ([arns[0], arns[0]], twice.format(arns[0], arns[0])),
        ([far], f"Layers are not in the same region as the function. Layers are expected to be in region {REGION}."),
        ([layer_arn(unique_name, 9)], f"Layer version {layer_arn(unique_name, 9)} does not exist."),
    ):
        assert refused(client.update_function_configuration, FunctionName=name, Layers=layers) == (*INVALID, text)
        with pytest.raises(ClientError) as excinfo:
            make_function(HELLO, Layers=layers)
        assert error_of(excinfo) == (*INVALID, text)
    assert refused(client.update_function_configuration, FunctionName=name, Layers=[layer_arn(unique_name)])[:2] == (
        400, "ValidationException",
    )  # fmt: skip
    assert [arn for arn, _ in layers_of(client.get_function_configuration(FunctionName=name))] == arns[:5]


def test_another_account_attaches_by_grant(server, lambda_client, stranger, runtime, unique_name):
    """Without a grant 403, naming the layer; with one it attaches, and stays when the grant goes."""
    mine = publish(lambda_client, unique_name)["LayerVersionArn"]
    far = publish(server.client("lambda", region="eu-west-1"), unique_name)["LayerVersionArn"]
    make = FunctionMaker(stranger, runtime, unique_name)
    try:
        name = make(HELLO)
        for arn in (mine, layer_arn(unique_name, 9), far):
            assert refused(stranger.update_function_configuration, FunctionName=name, Layers=[arn]) == denied(arn)
        with pytest.raises(ClientError) as excinfo:
            make(HELLO, name=f"{unique_name}-2", Layers=[mine])
        assert error_of(excinfo) == denied(mine)
        allow(lambda_client, unique_name)
        answer = stranger.update_function_configuration(FunctionName=name, Layers=[mine])
        assert layers_of(answer) == [(mine, len(CONTENT))]
        wait_updated(stranger, name)
        lambda_client.remove_layer_version_permission(LayerName=unique_name, VersionNumber=1, StatementId="s")
        assert layers_of(stranger.update_function_configuration(FunctionName=name, Description="d")) == [
            (mine, len(CONTENT))
        ]
    finally:
        for _, made in make.made:
            stranger.delete_function(FunctionName=made)


def test_code_and_layers_share_250_mb(lambda_client, make_function, unique_name):
    """Unzipped, code and layers together may take 262,144,000 bytes: whichever comes last is refused."""
    client = lambda_client
    half = zip_of({"zeros": bytes(131_072_000)})
    layer = publish(client, unique_name, half)["LayerVersionArn"]
    code = zip_of({"app.py": HELLO, "zeros": bytes(131_072_000)})
    most = 262_144_000
    text = (
        f"Function code combined with layers exceeds the maximum allowed size of {most} bytes. "
        f"The actual size is {most + len(HELLO)} bytes."
    )
    with pytest.raises(ClientError) as excinfo:
        make_function(archive=code, Layers=[layer])
    assert error_of(excinfo) == (*INVALID, text)
    name = make_function(HELLO, Layers=[layer])
    assert refused(client.update_function_code, FunctionName=name, ZipFile=code) == (*INVALID, text)
    exact = zip_of({"app.py": HELLO, "zeros": bytes(131_072_000 - len(HELLO))})
    client.update_function_code(FunctionName=name, ZipFile=exact)
    wait_updated(client, name)
    small = publish(client, f"{unique_name}-small", zip_of({"one": "1"}))["LayerVersionArn"]
    status, code, text = refused(client.update_function_configuration, FunctionName=name, Layers=[layer, small])
    assert (status, code) == INVALID
    assert text.endswith(f"The actual size is {most + 1} bytes.")
    assert [arn for arn, _ in layers_of(client.get_function_configuration(FunctionName=name))] == [layer]


def test_layers_outlive_a_restart(lone_server):
    """Versions, policies and the next number are there after a crash."""
    client = lone_server.client("lambda")
    publish(client, "a", Description="d", CompatibleRuntimes=["python3.13"])
    publish(client, "a")
    client.delete_layer_version(LayerName="a", VersionNumber=2)
    allow(client, "a")
    before = [
        shown(client.list_layers()),
        shown(client.get_layer_version_policy(LayerName="a", VersionNumber=1)),
    ]
    lone_server.kill()
    client = lone_server.restart().client("lambda")
    assert [
        shown(client.list_layers()),
        shown(client.get_layer_version_policy(LayerName="a", VersionNumber=1)),
    ] == before
    with urllib.request.urlopen(
        client.get_layer_version(LayerName="a", VersionNumber=1)["Content"]["Location"], timeout=30
    ) as answer:
        assert answer.read() == CONTENT
    assert publish(client, "a")["Version"] == 3
