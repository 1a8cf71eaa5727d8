"""Users of the account, made with the IAM API, and what their policies let them do with real clients."""

import boto3
import pytest
from botocore.config import Config
from wire.iam import allow, allowing, policy, put_role, refused
from wire.support import ACCOUNT, REGION, FunctionMaker, invoke, zip_of

F = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"


class Account:
    """An account whose policies count: its root's clients, a role for functions, and users."""

    def __init__(self, server, runtime):
        self.server = server
        self.iam, self.lambda_ = server.client("iam"), server.client("lambda")
        self.role, _ = put_role(self.iam, name="runs", Path="/app/")
        self.make = FunctionMaker(self.lambda_, runtime, "f")

    def user(self, name, document=None, **settings):
        """Make a user; return a maker of its clients."""
        self.iam.create_user(UserName=name, **settings)
        if document is not None:
            self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]

        def client(service):
            return boto3.client(
                service,
                region_name=REGION,
                endpoint_url=self.server.endpoint,
                aws_access_key_id=key["AccessKeyId"],
                aws_secret_access_key=key["SecretAccessKey"],
                config=Config(retries={"total_max_attempts": 1}),
            )

        return client


@pytest.fixture
def account(own_server, runtime):
    return Account(own_server(None, "--iam", "enforce").start(), runtime)


def denial(name, action, resource, why="because no identity-based policy allows the {} action"):
    return (
        f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized to perform: {action} on resource: {resource} "
        + (why.format(action))
    )


def test_a_user_may_what_its_policies_say_and_no_more(account):
    """One function, by name; nobody's existence is told; a change counts with the next request."""
    account.make("def handler(event, context): return 1", name="f", Role=account.role)
    client = account.user("caller", allowing("lambda:InvokeFunction", f"{F}f"))("lambda")
    for _ in range(3):
        assert invoke(client, "f", {})[1] == 1
    for other in ("g", "f:live"):
        assert refused(client.invoke, FunctionName=other) == (
            403,
            "AccessDeniedException",
            denial("caller", "lambda:InvokeFunction", F + other),
        )
    assert refused(client.list_functions)[2] == denial("caller", "lambda:ListFunctions", "*")
    account.iam.put_user_policy(
        UserName="caller",
        PolicyName="no",
        PolicyDocument=allowing("lambda:Invoke*", Effect="Deny"),
    )
    assert refused(client.invoke, FunctionName="f")[2] == denial(
        "caller", "lambda:InvokeFunction", f"{F}f", "with an explicit deny in an identity-based policy"
    )
    account.iam.delete_user_policy(UserName="caller", PolicyName="no")
    assert invoke(client, "f", {})[1] == 1
    # A function's own policy lets in whom it names.
    account.iam.delete_user_policy(UserName="caller", PolicyName="p")
    assert refused(client.invoke, FunctionName="f")[0] == 403
    account.lambda_.add_permission(
        FunctionName="f",
        StatementId="caller",
        Action="lambda:InvokeFunction",
        Principal=f"arn:aws:iam::{ACCOUNT}:user/caller",
    )
    assert invoke(client, "f", {})[1] == 1


def test_whoever_makes_functions_hands_over_roles_that_it_may(account):
    """And for Lambda alone; its own boundary narrows everything."""
    boundary = account.iam.create_policy(PolicyName="most", PolicyDocument=policy(allow("lambda:*", "iam:*")))[
        "Policy"
    ]["Arn"]
    client = account.user("maker", policy(allow("lambda:*", "sqs:*")), PermissionsBoundary=boundary)
    wanted = {
        "FunctionName": "f", "Role": account.role, "Runtime": "python3.12", "Handler": "f.f",
        "Code": {"ZipFile": zip_of({"f.py": ""})},
    }  # fmt: skip
    assert refused(client("lambda").create_function, **wanted) == (
        403,
        "AccessDeniedException",
        denial("maker", "iam:PassRole", account.role),
    )
    assert refused(client("sqs").create_queue, QueueName="q")[2] == denial(
        "maker",
        "sqs:createqueue",
        f"arn:aws:sqs:{REGION}:{ACCOUNT}:q",
        "because no permissions boundary allows the {} action",
    )

    def passing(service):
        condition = {"StringEquals": {"iam:PassedToService": service}}
        document = allowing("iam:PassRole", account.role, Condition=condition)
        account.iam.put_user_policy(UserName="maker", PolicyName="passes", PolicyDocument=document)

    passing("scheduler.amazonaws.com")
    assert refused(client("lambda").create_function, **wanted)[0] == 403
    passing("lambda.amazonaws.com")
    assert client("lambda").create_function(**wanted)["Role"] == account.role


def test_each_service_names_what_it_denies_in_its_own_way(account):
    client = account.user("nobody")
    assert refused(client("iam").get_role, RoleName="runs") == (
        403,
        "AccessDenied",
        denial("nobody", "iam:GetRole", "role runs"),
    )
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/f:log-stream:"
    assert refused(client("logs").filter_log_events, logGroupName="/aws/lambda/f") == (
        400,
        "AccessDeniedException",
        denial("nobody", "logs:FilterLogEvents", group),
    )
    assert refused(client("apigatewayv2").get_apis)[2] == denial(
        "nobody", "apigateway:GET", f"arn:aws:apigateway:{REGION}::/apis"
    )
    assert refused(client("s3").list_buckets)[:2] == (403, "AccessDenied")
    assert refused(client("dynamodb").get_item, TableName="t", Key={"k": {"S": "x"}})[2].endswith(
        "because no identity-based policy allows the dynamodb:GetItem action"
    )
    assert client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/nobody"


def test_paths_and_tags_of_what_there_is_are_what_policies_ask_for(account):
    """Although a request says neither."""
    account.iam.tag_role(RoleName="runs", Tags=[{"Key": "team", "Value": "red"}])
    by_path = account.user("path", allowing("iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/app/*"))("iam")
    assert by_path.get_role(RoleName="runs")["Role"]["Arn"] == account.role
    assert refused(by_path.get_role, RoleName="other")[0] == 403
    condition = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    by_tag = account.user("tag", allowing("iam:GetRole", Condition=condition))("iam")
    assert by_tag.get_role(RoleName="runs")["Role"]["RoleName"] == "runs"
    account.iam.untag_role(RoleName="runs", TagKeys=["team"])
    assert refused(by_tag.get_role, RoleName="runs")[0] == 403


def test_a_user_reaches_objects_and_tables_that_its_policies_name(account):
    """Each key of a request that deletes many, and the source of a copy."""
    s3, dynamodb = account.server.client("s3"), account.server.client("dynamodb")
    s3.create_bucket(Bucket="media")
    for key in ("mine/a", "mine/b", "theirs/a"):
        s3.put_object(Bucket="media", Key=key, Body=b"x")
    dynamodb.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    document = policy(
        allow("s3:GetObject", "s3:PutObject", "s3:DeleteObject", resource="arn:aws:s3:::media/mine/*"),
        allow("dynamodb:PutItem", resource=f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/t"),
    )
    client = account.user("owner", document)
    own_s3, own_dynamodb = client("s3"), client("dynamodb")
    assert own_s3.get_object(Bucket="media", Key="mine/a")["Body"].read() == b"x"
    assert refused(own_s3.get_object, Bucket="media", Key="theirs/a")[:2] == (403, "AccessDenied")
    copy = {"Bucket": "media", "Key": "mine/c", "CopySource": {"Bucket": "media", "Key": "theirs/a"}}
    assert refused(own_s3.copy_object, **copy)[:2] == (403, "AccessDenied")
    both = {"Objects": [{"Key": "mine/a"}, {"Key": "theirs/a"}]}
    assert refused(own_s3.delete_objects, Bucket="media", Delete=both)[:2] == (403, "AccessDenied")
    own_s3.delete_objects(Bucket="media", Delete={"Objects": [{"Key": "mine/a"}, {"Key": "mine/b"}]})
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="media")["Contents"]] == ["theirs/a"]
    own_dynamodb.put_item(TableName="t", Item={"k": {"S": "x"}})
    assert refused(own_dynamodb.get_item, TableName="t", Key={"k": {"S": "x"}})[1] == "AccessDeniedException"
