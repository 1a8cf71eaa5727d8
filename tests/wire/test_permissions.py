"""Resource policies: statements and documents, what they let other accounts do, and how they are refused."""

import json

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, error_of, invoke, wait_for

SOURCE = "def handler(e, c): return [c.function_version, c.invoked_function_arn]"
STRANGER = "222222222222"
INVALID = (400, "InvalidParameterValueException")
MISSING = (404, "ResourceNotFoundException")
NOT_THERE = (*MISSING, "The resource you requested does not exist.")
STALE = (
    "The Revision Id provided does not match the latest Revision Id. Call the {} API to retrieve the latest Revision Id"
)


def arn(name, qualifier=None, region=REGION, account=ACCOUNT):
    base = f"arn:aws:lambda:{region}:{account}:function:{name}"
    return base if qualifier is None else f"{base}:{qualifier}"


def refused(call, **parameters):
    """Return (status, code, message) of a call that must fail."""
    with pytest.raises(ClientError) as excinfo:
        call(**parameters)
    return error_of(excinfo)


def allow(client, name, sid="s", action="lambda:InvokeFunction", principal="s3.amazonaws.com", **settings):
    """Add a statement; return it."""
    answer = client.add_permission(FunctionName=name, StatementId=sid, Action=action, Principal=principal, **settings)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    return json.loads(answer["Statement"])


def policy_of(client, name, **qualifier):
    return json.loads(client.get_policy(FunctionName=name, **qualifier)["Policy"])


def denied(name_or_arn, action):
    """Return what a caller of the other account is told."""
    text = (
        f"User: arn:aws:iam::{STRANGER}:root is not authorized to perform: {action} on resource: {name_or_arn} "
        f"because no resource-based policy allows the {action} action"
    )
    return (403, "AccessDeniedException", text)


@pytest.fixture(scope="session")
def stranger(server):
    """A client of another account."""
    return server.client("lambda", account=STRANGER)


def test_fn02_each_qualifier_has_its_policy(lambda_client, make_function):
    """FN-02: function, version and alias each have a document and a revision of their own."""
    client, name = lambda_client, make_function(SOURCE)
    bucket = "arn:aws:s3:::bkt"
    statement = allow(client, name, "s3", SourceArn=bucket)
    assert statement == {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn(name),
        "Condition": {"ArnLike": {"AWS:SourceArn": bucket}},
    }
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="LIVE", FunctionVersion=version)
    document = {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    assert policy_of(client, name) == policy_of(client, f"{name}:$LATEST") == document
    for qualifier in (version, "LIVE", "nobody", "99"):
        assert refused(client.get_policy, FunctionName=name, Qualifier=qualifier) == NOT_THERE

    for qualifier in ("LIVE", version):
        own = allow(client, name, "s3", Qualifier=qualifier)
        assert own["Resource"] == arn(name, qualifier)
        assert "Condition" not in own
        assert policy_of(client, f"{name}:{qualifier}")["Statement"] == [own]
    assert policy_of(client, name) == document
    revisions = [
        client.get_policy(FunctionName=name, **where)["RevisionId"]
        for where in ({}, {"Qualifier": version}, {"Qualifier": "LIVE"})
    ]
    assert len(set(revisions)) == 3
    assert revisions == [
        client.get_function_configuration(FunctionName=name)["RevisionId"],
        client.get_function_configuration(FunctionName=name, Qualifier=version)["RevisionId"],
        client.get_alias(FunctionName=name, Name="LIVE")["RevisionId"],
    ]


def test_fn02_latest_takes_no_policy(lambda_client, make_function):
    """FN-02: `$LATEST` by name or as Qualifier is refused in AWS's words."""
    name = make_function(SOURCE)
    parameters = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    for where in ({"FunctionName": name, "Qualifier": "$LATEST"}, {"FunctionName": f"{name}:$LATEST"}):
        assert refused(lambda_client.add_permission, **where, **parameters) == (
            *INVALID, "We currently do not support adding policies for $LATEST.",
        )  # fmt: skip
    assert refused(lambda_client.get_policy, FunctionName=name) == NOT_THERE


def test_fn02_a_statement_id_is_taken_once(lambda_client, make_function):
    """FN-02: the same id again is 409, in words that tools look for; the first statement stays."""
    client, name = lambda_client, make_function(SOURCE)
    first = allow(client, name, "again")
    assert refused(
        client.add_permission,
        FunctionName=name, StatementId="again", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com",
    ) == (
        409,
        "ResourceConflictException",
        "The statement id (again) provided already exists. Please provide a new statement id, or remove the existing "
        "statement.",
    )  # fmt: skip
    second = allow(client, name, "other", principal="sns.amazonaws.com")
    assert policy_of(client, name)["Statement"] == [first, second]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("*", "*"),
        ("111122223333", {"AWS": "arn:aws:iam::111122223333:root"}),
        ("arn:aws:iam::111122223333:role/r", {"AWS": "arn:aws:iam::111122223333:role/r"}),
        ("arn:aws:iam::111122223333:root", {"AWS": "arn:aws:iam::111122223333:root"}),
        (
            "arn:aws:sts::111122223333:assumed-role/r/session",
            {"AWS": "arn:aws:sts::111122223333:assumed-role/r/session"},
        ),
        ("events.amazonaws.com", {"Service": "events.amazonaws.com"}),
        ("logs.eu-west-1.amazonaws.com", {"Service": "logs.eu-west-1.amazonaws.com"}),
        ("alexa-appkit.amazon.com", {"Service": "alexa-appkit.amazon.com"}),
        ("alexa-connectedhome.amazon.com", {"Service": "alexa-connectedhome.amazon.com"}),
    ],
)
def test_principals(lambda_client, make_function, given, shown):
    """A principal is shown as policies have it: everybody, an account's root, an ARN or a service."""
    assert allow(lambda_client, make_function(SOURCE, wait=False), principal=given)["Principal"] == shown


@pytest.mark.parametrize("principal", ["invalid", "1234", "arn:aws:s3:::b", "s3.amazonaws.com.evil.org", "example.com"])
def test_principals_that_are_none(lambda_client, make_function, principal):
    """What is neither is refused, and nothing is stored."""
    name = make_function(SOURCE, wait=False)
    assert refused(
        lambda_client.add_permission,
        FunctionName=name, StatementId="s", Action="lambda:InvokeFunction", Principal=principal,
    ) == (*INVALID, "The provided principal was invalid. Please check the principal and try again.")  # fmt: skip
    assert refused(lambda_client.get_policy, FunctionName=name) == NOT_THERE


def test_every_condition(lambda_client, make_function):
    """Each condition of AddPermission has its operator and key, alone and with the others."""
    name = make_function(SOURCE, wait=False)
    for number, (parameter, value, condition) in enumerate(
        [
            ("SourceArn", "arn:aws:s3:::b", {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"}}),
            ("SourceAccount", "111122223333", {"StringEquals": {"AWS:SourceAccount": "111122223333"}}),
            ("EventSourceToken", "amzn1.x-1", {"StringEquals": {"lambda:EventSourceToken": "amzn1.x-1"}}),
            ("FunctionUrlAuthType", "NONE", {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}),
            ("PrincipalOrgID", "o-aabbccddee", {"StringEquals": {"aws:PrincipalOrgID": "o-aabbccddee"}}),
            ("InvokedViaFunctionUrl", True, {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}),
        ]
    ):
        statement = allow(lambda_client, name, f"s{number}", "lambda:InvokeFunctionUrl", "*", **{parameter: value})
        assert statement["Condition"] == condition
    together = allow(
        lambda_client, name, "all", SourceArn="arn:aws:s3:::b", SourceAccount="111122223333",
        EventSourceToken="t", PrincipalOrgID="o-aabbccddee",
    )  # fmt: skip
    assert together["Condition"] == {
        "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::b"},
        "StringEquals": {
            "AWS:SourceAccount": "111122223333",
            "lambda:EventSourceToken": "t",
            "aws:PrincipalOrgID": "o-aabbccddee",
        },
    }
    assert len(policy_of(lambda_client, name)["Statement"]) == 7


def test_what_is_not_there(lambda_client, make_function):
    """Each operation's own words for a function, a version, an alias, a policy or a statement that is missing."""
    client, name = lambda_client, make_function(SOURCE)
    gone = f"{name}-gone"
    statement = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    add, remove = client.add_permission, client.remove_permission
    assert refused(add, FunctionName=gone, **statement) == (*MISSING, f"Function not found: {arn(gone)}")
    assert refused(client.get_policy, FunctionName=gone) == NOT_THERE
    for function_name in (gone, arn(gone, "1")):
        assert refused(remove, FunctionName=function_name, StatementId="s") == (
            *MISSING, f"No policy found for: {arn(gone)}",
        )  # fmt: skip
    no_alias = (*MISSING, f"Cannot find alias arn: {arn(name, 'live')}")
    no_version = (*MISSING, f"Function not found: {arn(name, '7')}")
    assert refused(add, FunctionName=name, Qualifier="live", **statement) == no_alias
    assert refused(add, FunctionName=name, Qualifier="7", **statement) == no_version
    assert refused(remove, FunctionName=name, Qualifier="live", StatementId="s") == no_alias
    assert refused(remove, FunctionName=name, Qualifier="7", StatementId="s") == no_version
    assert refused(remove, FunctionName=name, StatementId="s") == (
        *MISSING, "No policy is associated with the given resource.",
    )  # fmt: skip
    allow(client, name, "s")
    assert refused(remove, FunctionName=name, StatementId="other") == (
        *MISSING, "Statement other is not found in resource policy.",
    )  # fmt: skip


def test_existence_comes_before_what_was_asked(lambda_client, make_function):
    """A function that is missing, and then a statement id that is taken, is told before a principal that is none."""
    client, name = lambda_client, make_function(SOURCE, wait=False)
    allow(client, name, "s")
    bad = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "invalid"}
    gone = (*MISSING, f"Function not found: {arn(f'{name}-gone')}")
    assert refused(client.add_permission, FunctionName=f"{name}-gone", **bad) == gone
    assert refused(client.put_resource_policy, ResourceArn=arn(f"{name}-gone"), Policy="no JSON") == gone
    assert refused(client.add_permission, FunctionName=name, **bad)[:2] == (409, "ResourceConflictException")
    assert refused(client.add_permission, FunctionName=name, RevisionId="old", **bad)[0] == 412


def test_the_last_statement_takes_the_policy_along(lambda_client, make_function):
    """Removing answers 204, one by one; without statements there is no policy."""
    client, name = lambda_client, make_function(SOURCE)
    allow(client, name, "a")
    b = allow(client, name, "b")
    answer = client.remove_permission(FunctionName=name, StatementId="a")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert policy_of(client, name)["Statement"] == [b]
    client.remove_permission(FunctionName=name, StatementId="b")
    assert refused(client.get_policy, FunctionName=name) == NOT_THERE


def test_revisions(lambda_client, make_function):
    """
    A change gives what the policy belongs to a new revision, and nothing else one; a stale one is 412.

    AddPermission sends callers to GetPolicy, RemovePermission to GetFunction or GetAlias: recorded so.
    """
    client, name = lambda_client, make_function(SOURCE, Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    def revisions():
        return {
            "$LATEST": client.get_function_configuration(FunctionName=name)["RevisionId"],
            "1": client.get_function_configuration(FunctionName=name, Qualifier="1")["RevisionId"],
            "live": client.get_alias(FunctionName=name, Name="live")["RevisionId"],
        }

    for qualifier in ("$LATEST", "1", "live"):
        where = {} if qualifier == "$LATEST" else {"Qualifier": qualifier}
        start = revisions()
        allow(client, name, "a", RevisionId=start[qualifier], **where)
        added = revisions()
        assert {key for key in start if added[key] != start[key]} == {qualifier}
        assert client.get_policy(FunctionName=name, **where)["RevisionId"] == added[qualifier]
        stale = {"FunctionName": name, "RevisionId": start[qualifier], **where}
        statement = {"StatementId": "b", "Action": "lambda:InvokeFunction", "Principal": "*"}
        precondition = (412, "PreconditionFailedException")
        assert refused(client.add_permission, **stale, **statement) == (*precondition, STALE.format("GetPolicy"))
        assert refused(client.remove_permission, **stale, StatementId="a") == (
            *precondition, STALE.format("GetFunction/GetAlias"),
        )  # fmt: skip
        assert revisions() == added
        client.remove_permission(FunctionName=name, StatementId="a", RevisionId=added[qualifier], **where)
        assert revisions()[qualifier] not in {start[qualifier], added[qualifier]}


def test_policies_go_with_what_they_belong_to(lambda_client, make_function):
    """A deleted alias, version or function takes its policy along: one made anew has none."""
    client, name = lambda_client, make_function(SOURCE, Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    allow(client, name, Qualifier="live")
    client.update_alias(FunctionName=name, Name="live", Description="kept")
    assert policy_of(client, f"{name}:live")
    client.delete_alias(FunctionName=name, Name="live")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    assert refused(client.get_policy, FunctionName=f"{name}:live") == NOT_THERE
    allow(client, name)
    client.delete_function(FunctionName=name)
    make_function(SOURCE, name=name)
    assert refused(client.get_policy, FunctionName=name) == NOT_THERE


def test_the_length_of_a_policy(lambda_client, make_function):
    """A policy of more than 20,480 bytes is refused, and stays as it was."""
    client, name = lambda_client, make_function(SOURCE, wait=False)
    long_arn = "arn:aws:s3:::" + "b" * 8000
    for sid in "ab":
        allow(client, name, sid, SourceArn=long_arn)
    before = client.get_policy(FunctionName=name)
    status, code, text = refused(
        client.add_permission,
        FunctionName=name, StatementId="c", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn=long_arn,
    )  # fmt: skip
    assert (status, code) == (400, "PolicyLengthExceededException")
    assert text.startswith("The final policy size (")
    assert text.endswith(") is bigger than the limit (20480).")
    assert client.get_policy(FunctionName=name)["Policy"] == before["Policy"]
    assert client.get_policy(FunctionName=name)["RevisionId"] == before["RevisionId"]


def test_another_account_is_let_in_by_a_policy(lambda_client, stranger, make_function):
    """Denied, granted, invoking, denied again; what the grant does not name stays closed."""
    name = make_function(SOURCE)
    expected = denied(arn(name), "lambda:InvokeFunction")
    assert refused(stranger.invoke, FunctionName=arn(name)) == expected
    # A stranger is not told what is there.
    assert refused(stranger.invoke, FunctionName=arn("nobody")) == denied(arn("nobody"), "lambda:InvokeFunction")

    allow(lambda_client, name, "them", principal=STRANGER)
    for form in (arn(name), f"{ACCOUNT}:function:{name}", f"{arn(name)}:$LATEST"):
        answer, (version, _) = invoke(stranger, form, {})
        assert (answer["ExecutedVersion"], version) == ("$LATEST", "$LATEST")
    assert refused(stranger.get_function, FunctionName=arn(name)) == denied(arn(name), "lambda:GetFunction")
    assert refused(stranger.delete_function, FunctionName=arn(name)) == denied(arn(name), "lambda:DeleteFunction")
    # Their own functions are theirs: a bare name is never the other account's.
    assert refused(stranger.invoke, FunctionName=name) == (
        *MISSING, f"Function not found: {arn(name, '$LATEST', account=STRANGER)}",
    )  # fmt: skip

    lambda_client.remove_permission(FunctionName=name, StatementId="them")
    assert refused(stranger.invoke, FunctionName=arn(name)) == expected


def test_a_grant_is_for_its_qualifier(lambda_client, stranger, make_function):
    """What an alias's policy allows is allowed by that alias only, and the function's policy opens no version."""
    client, name = lambda_client, make_function(SOURCE, Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.create_alias(FunctionName=name, Name="other", FunctionVersion="1")
    allow(client, name, principal=STRANGER, Qualifier="live")
    assert invoke(stranger, arn(name, "live"), {})[1] == ["1", arn(name, "live")]
    assert invoke(stranger, arn(name), {}, Qualifier="live")[1] == ["1", arn(name, "live")]
    action = "lambda:InvokeFunction"
    for qualifier in ("other", "1", "nobody"):
        assert refused(stranger.invoke, FunctionName=arn(name, qualifier)) == denied(arn(name, qualifier), action)
    assert refused(stranger.invoke, FunctionName=arn(name)) == denied(arn(name), action)
    allow(client, name, principal=STRANGER)
    assert invoke(stranger, arn(name), {})[1][0] == "$LATEST"
    assert refused(stranger.invoke, FunctionName=arn(name, "1")) == denied(arn(name, "1"), action)


def test_a_call_by_another_account_is_the_functions(server, lambda_client, stranger, make_function):
    """What it logs and reserves is its owner's: the caller's account has neither the group nor the function."""
    name = make_function(SOURCE)
    allow(lambda_client, name, principal=STRANGER)
    invoke(stranger, arn(name), {})
    group = f"/aws/lambda/{name}"

    def groups(account):
        logs = server.client("logs", account=account)
        return [found["logGroupName"] for found in logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]]

    wait_for(lambda: groups("test") == [group])
    assert groups(STRANGER) == []
    lambda_client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(stranger.exceptions.TooManyRequestsException):
        invoke(stranger, arn(name), {})


@pytest.mark.parametrize("principal", ["*", f"arn:aws:iam::{STRANGER}:root"])
def test_who_is_meant(lambda_client, stranger, server, make_function, principal):
    """Everybody, or the account by its root; an account that is not named stays outside."""
    name = make_function(SOURCE)
    allow(lambda_client, name, principal=principal)
    assert invoke(stranger, arn(name), {})[1][0] == "$LATEST"
    third = server.client("lambda", account="333333333333")
    if principal == "*":
        assert invoke(third, arn(name), {})[1][0] == "$LATEST"
    else:
        assert refused(third.invoke, FunctionName=arn(name))[:2] == (403, "AccessDeniedException")


def test_grants_that_do_not_apply(lambda_client, stranger, make_function):
    """A service's grant lets no account in, nor does another account's, or one whose condition is not met."""
    client, name = lambda_client, make_function(SOURCE, wait=False)
    allow(client, name, "service")
    allow(client, name, "other", principal="444444444444")
    allow(client, name, "action", "lambda:GetPolicy", STRANGER)
    allow(client, name, "org", principal="*", PrincipalOrgID="o-aabbccddee")
    allow(client, name, "source", principal=STRANGER, SourceArn="arn:aws:s3:::b")
    assert refused(stranger.invoke, FunctionName=arn(name)) == denied(arn(name), "lambda:InvokeFunction")
    assert policy_of(stranger, arn(name)) == policy_of(client, name)


def test_other_operations_by_grant(lambda_client, stranger, make_function):
    """Operations that a policy may grant act in the function's account; those that none can stay closed."""
    client, name = lambda_client, make_function(SOURCE, Publish=True)
    allow(client, name, "all", "lambda:*", STRANGER)
    assert stranger.get_function_configuration(FunctionName=arn(name))["FunctionArn"] == arn(name)
    made = stranger.create_alias(FunctionName=arn(name), Name="theirs", FunctionVersion="1")
    assert made["AliasArn"] == arn(name, "theirs")
    assert stranger.get_alias(FunctionName=arn(name), Name="theirs")["FunctionVersion"] == "1"
    stranger.update_alias(FunctionName=arn(name), Name="theirs", Description="d")
    assert [alias["Description"] for alias in client.list_aliases(FunctionName=name)["Aliases"]] == ["d"]
    stranger.delete_alias(FunctionName=arn(name), Name="theirs")
    stranger.tag_resource(Resource=arn(name), Tags={"by": "them"})
    assert client.list_tags(Resource=arn(name))["Tags"] == {"by": "them"}
    stranger.put_function_concurrency(FunctionName=arn(name), ReservedConcurrentExecutions=1)
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 1
    # Documented: these are not among the actions that a function's policy can grant.
    for call, action, parameters in (
        (stranger.update_function_configuration, "lambda:UpdateFunctionConfiguration", {"Description": "x"}),
        (
            stranger.add_permission,
            "lambda:AddPermission",
            {"StatementId": "x", "Action": "lambda:*", "Principal": "*"},
        ),
    ):
        assert refused(call, FunctionName=arn(name), **parameters) == denied(arn(name), action)


def test_a_region_comes_before_an_account(lambda_client, stranger, make_function):
    """A function of another region is not reachable, whosever it is."""
    name = make_function(SOURCE, wait=False)
    allow(lambda_client, name, principal="*")
    assert refused(stranger.invoke, FunctionName=arn(name, region="eu-west-1")) == (
        *MISSING, f"Functions from 'eu-west-1' are not reachable in this region ('{REGION}')",
    )  # fmt: skip


def document_of(*statements, **members):
    return json.dumps({"Version": "2012-10-17", **members, "Statement": list(statements)})


def statement_of(resource, effect="Allow", **members):
    return {
        "Sid": "s",
        "Effect": effect,
        "Principal": {"AWS": f"arn:aws:iam::{STRANGER}:root"},
        "Action": "lambda:InvokeFunction",
        "Resource": resource,
        **members,
    }


def test_a_document_as_a_whole(lambda_client, stranger, make_function):
    """PutResourcePolicy replaces what AddPermission made, both read the same, and Delete takes all of it."""
    client, name = lambda_client, make_function(SOURCE)
    allow(client, name, "before")
    statement = statement_of(arn(name))
    put = client.put_resource_policy(ResourceArn=arn(name), Policy=document_of(statement))
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert json.loads(put["Policy"])["Statement"] == [statement]
    for answer in (client.get_resource_policy(ResourceArn=arn(name)), client.get_policy(FunctionName=name)):
        assert (answer["Policy"], answer["RevisionId"]) == (put["Policy"], put["RevisionId"])
    assert client.get_function_configuration(FunctionName=name)["RevisionId"] == put["RevisionId"]
    assert invoke(stranger, arn(name), {})[1][0] == "$LATEST"

    added = allow(client, name, "after")
    assert policy_of(client, name)["Statement"] == [statement, added]
    stale = {"ResourceArn": arn(name), "RevisionId": put["RevisionId"]}
    precondition = (412, "PreconditionFailedException")
    assert refused(client.put_resource_policy, Policy=document_of(statement), **stale)[:2] == precondition
    assert refused(client.delete_resource_policy, **stale)[:2] == precondition
    revision = client.get_policy(FunctionName=name)["RevisionId"]
    answer = client.delete_resource_policy(ResourceArn=arn(name), RevisionId=revision)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    for call in (client.get_resource_policy, client.delete_resource_policy):
        assert refused(call, ResourceArn=arn(name)) == NOT_THERE
    assert refused(client.get_policy, FunctionName=name) == NOT_THERE
    assert refused(stranger.invoke, FunctionName=arn(name))[:2] == (403, "AccessDeniedException")


def test_a_deny_wins(lambda_client, stranger, make_function):
    """A document may deny; that outweighs what it allows, and conditions narrow both."""
    client, name = lambda_client, make_function(SOURCE)
    everybody = statement_of(arn(name), Principal="*")
    deny = statement_of(arn(name), "Deny", Sid="d")
    client.put_resource_policy(ResourceArn=arn(name), Policy=document_of(everybody, deny))
    status, code, text = refused(stranger.invoke, FunctionName=arn(name))
    assert (status, code) == (403, "AccessDeniedException")
    assert text == (
        f"User: arn:aws:iam::{STRANGER}:root is not authorized to perform: lambda:InvokeFunction on resource: "
        f"{arn(name)} with an explicit deny in a resource-based policy"
    )
    for account, outcome in ((STRANGER, True), ("444444444444", False)):
        condition = {"StringEquals": {"aws:PrincipalAccount": account}}
        client.put_resource_policy(
            ResourceArn=arn(name), Policy=document_of(statement_of(arn(name), Principal="*", Condition=condition))
        )
        if outcome:
            assert invoke(stranger, arn(name), {})[1][0] == "$LATEST"
        else:
            assert refused(stranger.invoke, FunctionName=arn(name))[:2] == (403, "AccessDeniedException")


@pytest.mark.parametrize(
    "condition, outcome",
    [
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}, "StringLike": {"aws:UserAgent": "*Boto3*"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": "${aws:PrincipalAccount}"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": "${aws:SourceAccount}"}}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
    ],
)
def test_conditions_of_all_kinds(lambda_client, stranger, make_function, condition, outcome):
    """All operators are offered, and variables."""
    name = make_function(SOURCE)
    lambda_client.put_resource_policy(
        ResourceArn=arn(name), Policy=document_of(statement_of(arn(name), Principal="*", Condition=condition))
    )
    if outcome:
        assert invoke(stranger, arn(name), {})[1][0] == "$LATEST"
    else:
        assert refused(stranger.invoke, FunctionName=arn(name))[:2] == (403, "AccessDeniedException")


@pytest.mark.parametrize(
    "policy",
    [
        "no JSON",
        "[]",
        "{}",
        '{"Statement": []}',
        document_of({"Effect": "Allow"}),
        document_of(statement_of("r", Effect="Maybe")),
        document_of(statement_of("r", Principal={"Who": "x"})),
        document_of(statement_of("r", Condition={"NullIfExists": {"aws:SourceIp": "true"}})),
        document_of(statement_of("r"), statement_of("r")),
        document_of(statement_of("r"), Version="2020-01-01"),
        document_of({**statement_of("r"), "NotAction": "lambda:InvokeFunction"}),
        "[" * 10_000,
    ],
)
def test_documents_that_are_none(lambda_client, make_function, policy):
    """What cannot be read is refused: never stored and then ignored."""
    name = make_function(SOURCE, wait=False)
    status, code, text = refused(lambda_client.put_resource_policy, ResourceArn=arn(name), Policy=policy)
    assert (status, code) == INVALID
    assert "malformed" in text
    assert refused(lambda_client.get_policy, FunctionName=name) == NOT_THERE


def test_documents_of_what(lambda_client, stranger, make_function):
    """Versions and aliases have documents too; `$LATEST`, other accounts and runtimes do not."""
    client, name = lambda_client, make_function(SOURCE, Publish=True)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for qualifier in ("1", "live"):
        resource = arn(name, qualifier)
        client.put_resource_policy(ResourceArn=resource, Policy=document_of(statement_of(resource)))
        assert invoke(stranger, resource, {})[1][0] == "1"
    policy = document_of(statement_of(arn(name)))
    assert refused(client.put_resource_policy, ResourceArn=arn(name, "$LATEST"), Policy=policy)[:2] == INVALID
    assert refused(client.put_resource_policy, ResourceArn=arn(name, "nobody"), Policy=policy) == (
        *MISSING, f"Cannot find alias arn: {arn(name, 'nobody')}",
    )  # fmt: skip
    assert refused(client.put_resource_policy, ResourceArn=arn(f"{name}-gone"), Policy=policy) == (
        *MISSING, f"Function not found: {arn(f'{name}-gone')}",
    )  # fmt: skip
    assert refused(stranger.put_resource_policy, ResourceArn=arn(name), Policy=policy)[:2] == (
        403, "AccessDeniedException",
    )  # fmt: skip
    runtime = f"arn:aws:lambda:{REGION}:{ACCOUNT}:runtime/r"
    assert refused(client.get_resource_policy, ResourceArn=runtime)[:2] == INVALID
    put = client.put_resource_policy
    status = (400, "ValidationException")
    assert refused(put, ResourceArn=arn(name), Policy=policy, RevisionId="0" * 36)[:2] == status
