"""Who may use a route: tokens of a real issuer, and functions that decide."""

import json
import tempfile
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from wire.http_api_stage import ECHO, Api, arn_of, let_in, upstream
from wire.support import ACCOUNT, REGION, FunctionMaker, Server, newest_python

UNAUTHORIZED = (401, b'{"message":"Unauthorized"}')
FORBIDDEN = (403, b'{"message":"Forbidden"}')
INTERNAL = (500, b'{"message":"Internal Server Error"}')

DECIDES = """
import json, os
def handler(event, context):
    members = ("type", "version", "identitySource", "routeArn", "methodArn", "routeKey")
    with open(os.environ["ASKED"], "a") as file:
        file.write(json.dumps({member: event.get(member) for member in members}) + "\\n")
    asked = event["headers"].get("x-say", "allow")
    if asked == "raise":
        raise RuntimeError("no")
    if asked == "nothing":
        return None
    if event["version"] == "2.0":
        return {"isAuthorized": asked == "allow", "context": {"who": event["identitySource"][0], "list": [1, True]}}
    resource = event["methodArn"] if asked == "allow" else asked
    effect = "Deny" if asked == "deny" else "Allow"
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": "*" if asked == "deny" else resource}
    return {"principalId": "me", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
            "context": {"who": event["authorizationToken"]}}
"""
"""Decides as a request asks it to, and writes down what it was asked before it does."""


@pytest.fixture(scope="module")
def issuer():
    """An issuer of tokens: its server, and its key."""
    with upstream() as made:
        made.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        made.name = f"{made.url}/pool"
        public = {**json.loads(RSAAlgorithm.to_jwk(made.key.public_key())), "kid": "k1", "alg": "RS256"}
        documents = {
            "/pool/.well-known/openid-configuration": {"issuer": made.name, "jwks_uri": f"{made.url}/jwks"},
            "/jwks": {"keys": [public]},
        }
        for path, document in documents.items():
            made.answer(path, 200, [("Content-Type", "application/json")], json.dumps(document).encode())
        yield made


@pytest.fixture(scope="module")
def server_beside(issuer):
    """A server that reaches the issuer, and whose functions see this machine's files."""
    made = Server(None, "--allow-host", str(issuer.port), "--sandbox", "process").start()
    made.account = ACCOUNT
    yield made
    made.discard()


@pytest.fixture(scope="module")
def asked():
    """The file in which the function that decides writes down what it was asked, whichever environment is."""
    with tempfile.TemporaryDirectory() as folder:
        # Functions are another user.
        Path(folder).chmod(0o777)
        yield Path(folder, "asked")


@pytest.fixture(scope="module")
def names(server_beside, asked):
    client = server_beside.client("lambda")
    maker = FunctionMaker(client, newest_python("process"), "auth")
    environment = {"Variables": {"ASKED": str(asked)}}
    made = {
        kind: maker(source, name=f"auth-{kind}", MemorySize=256, Environment=environment)
        for kind, source in (("echo", ECHO), ("decides", DECIDES))
    }
    for name in made.values():
        let_in(client, name)
    return made


@pytest.fixture
def api(server_beside, names):
    made = Api(server_beside.client("apigatewayv2"))
    made.integration = made.function(arn_of(names["echo"]))
    yield made
    made.delete()


def said(reply):
    return reply.status, reply.body


# Tokens --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def by_token(api, issuer):
    """An API with a route that needs a token, and one that needs a scope."""
    authorizer = api.apis.create_authorizer(
        ApiId=api.id,
        Name="tokens",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer.name, "Audience": ["app"]},
    )["AuthorizerId"]
    settings = {"AuthorizationType": "JWT", "AuthorizerId": authorizer}
    api.route("GET /x", api.integration, **settings)
    api.route("GET /scoped", api.integration, AuthorizationScopes=["read", "write"], **settings)
    api.route("GET /open", api.integration)
    return api


def token(issuer, key=None, kid="k1", **changes):
    now = int(time.time())
    claims = {"iss": issuer.name, "aud": "app", "sub": "u1", "exp": now + 300, "iat": now - 1, **changes}
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(given, key or issuer.key, "RS256", headers={"kid": kid})


def bearer(text):
    return [("Authorization", f"Bearer {text}")]


def test_a_token_that_counts(by_token, issuer):
    """With and without the word before it; the function gets its claims, as texts."""
    text = token(issuer, groups=["a", "b"], n=5)
    for headers in (bearer(text), [("authorization", text)], [("Authorization", f"bearer {text}")]):
        said_of = by_token.event("/x", headers=headers)["requestContext"]["authorizer"]
        claims = said_of["jwt"]["claims"]
        assert (said_of["jwt"]["scopes"], claims["sub"], claims["groups"], claims["n"]) == (None, "u1", "[a b]", "5")
    assert "authorizer" not in by_token.event("/open")["requestContext"]


def test_tokens_that_do_not_count(by_token, issuer):
    """401, and the header says what is wrong; the function does not run."""
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    for text, why in (
        (token(issuer, key=other), "the token's signature is invalid"),
        (token(issuer, aud="x"), "the token does not have a valid audience"),
        (token(issuer, iss="https://x"), "the token does not have a valid issuer"),
        (token(issuer, exp=now - 1), "the token has expired"),
        (token(issuer, nbf=now + 300), "the token is not valid yet"),
        (token(issuer, kid="k2"), "the token's key is not one of the issuer's"),
        ("nonsense", "the token is malformed"),
        (
            jwt.encode({"iss": issuer.name, "aud": "app", "exp": now + 9}, None, "none"),
            "signing method none is invalid",
        ),
    ):
        reply = by_token.ask("/x", headers=bearer(text))
        assert said(reply) == UNAUTHORIZED
        assert reply.one("www-authenticate") == (f'Bearer scope="" error="invalid_token" error_description="{why}"')
    reply = by_token.ask("/x")
    assert (said(reply), reply.one("www-authenticate")) == (UNAUTHORIZED, "Bearer")
    assert by_token.ask("/x", headers=[("Authorization", "")]).status == 401


def test_scopes(by_token, issuer):
    """One of the route's is enough; the function is told which."""
    assert said(by_token.ask("/scoped", headers=bearer(token(issuer, scope="other")))) == FORBIDDEN
    assert said(by_token.ask("/scoped", headers=bearer(token(issuer)))) == FORBIDDEN
    for scopes in ({"scope": "read other"}, {"scp": ["read", "x"]}):
        event = by_token.event("/scoped", headers=bearer(token(issuer, **scopes)))
        assert event["requestContext"]["authorizer"]["jwt"]["scopes"] == ["read"]


def test_an_issuer_that_is_not_there(api, issuer):
    """Nobody passes."""
    authorizer = api.apis.create_authorizer(
        ApiId=api.id,
        Name="gone",
        AuthorizerType="JWT",
        IdentitySource=["$request.querystring.token"],
        JwtConfiguration={"Issuer": f"{issuer.url}/nobody", "Audience": ["app"]},
    )["AuthorizerId"]
    api.route("GET /x", api.integration, AuthorizationType="JWT", AuthorizerId=authorizer)
    reply = api.ask(f"/x?token={token(issuer, iss=f'{issuer.url}/nobody')}")
    assert said(reply) == UNAUTHORIZED
    assert "communication error" in reply.one("www-authenticate")


# Functions -----------------------------------------------------------------------------------------------------------


def decided_by(api, names, version, sources=("$request.header.x-token",), **settings):
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn_of(names['decides'])}/invocations"
    return api.apis.create_authorizer(
        ApiId=api.id,
        Name=f"decides{version}{len(sources)}{len(settings)}",
        AuthorizerType="REQUEST",
        IdentitySource=list(sources),
        AuthorizerUri=uri,
        AuthorizerPayloadFormatVersion=version,
        **settings,
    )["AuthorizerId"]


@pytest.fixture
def calls(asked):
    """Return what the function was asked since the last time this was called."""

    def new():
        lines = asked.read_text().splitlines() if asked.exists() else []
        asked.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    new()
    return new


def test_simple_answers(api, names, calls):
    """Payload 2.0: yes or no; what the function says of the caller reaches the integration."""
    authorizer = decided_by(api, names, "2.0", EnableSimpleResponses=True)
    api.route("GET /items/{id}", api.integration, AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    event = api.event("/items/7", headers=[("X-Token", "t")])
    assert event["requestContext"]["authorizer"] == {"lambda": {"who": "t", "list": [1, True]}}
    assert said(api.ask("/items/7", headers=[("x-token", "t"), ("x-say", "no")])) == FORBIDDEN
    assert said(api.ask("/items/7")) == UNAUTHORIZED
    for answer in ("raise", "nothing"):
        assert said(api.ask("/items/7", headers=[("x-token", "t"), ("x-say", answer)])) == INTERNAL
    every = calls()
    # Not where the identity was missing.
    assert len(every) == 4
    assert every[0] == {
        "type": "REQUEST",
        "version": "2.0",
        "identitySource": ["t"],
        "routeArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api.id}/$default/GET/items/7",
        "methodArn": None,
        "routeKey": "GET /items/{id}",
    }


def test_policies(api, names, calls):
    """Payload 1.0: a policy, which is put to what is asked for."""
    authorizer = decided_by(api, names, "1.0")
    api.route("ANY /{p+}", api.integration, AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    event = api.event("/a/b", headers=[("x-token", "t")])
    assert event["requestContext"]["authorizer"] == {"lambda": {"who": "t"}}
    base = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api.id}/$default"
    for resource, status in (
        (f"{base}/GET/a/*", 200),
        (f"{base}/POST/a/*", 403),
        (f"{base}/GET/b", 403),
        ("deny", 403),
    ):
        assert api.ask("/a/b", headers=[("x-token", "t"), ("x-say", resource)]).status == status, resource
    assert calls()[0]["methodArn"] == f"{base}/GET/a/b"


def test_what_was_decided_is_kept(api, names, calls):
    """For each identity, for as long as the authorizer says; a policy is put to each request anew."""
    authorizer = decided_by(api, names, "1.0", AuthorizerResultTtlInSeconds=3600)
    api.route("ANY /{p+}", api.integration, AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    for target, status in (("/a", 200), ("/a", 200), ("/b", 403)):
        assert api.ask(target, headers=[("x-token", "one")]).status == status
    assert len(calls()) == 1
    assert api.ask("/b", headers=[("x-token", "two")]).status == 200
    assert len(calls()) == 1
    api.apis.reset_authorizers_cache(ApiId=api.id, StageName="$default")
    assert api.ask("/b", headers=[("x-token", "one")]).status == 200
    assert len(calls()) == 1


def test_an_authorizers_function_decides_who_may_ask_it(api, names, server_beside):
    """Without a statement for the authorizer's ARN nobody passes."""
    client = server_beside.client("lambda")
    client.remove_permission(FunctionName=names["decides"], StatementId="api")
    authorizer = decided_by(api, names, "2.0", EnableSimpleResponses=True)
    api.route("GET /x", api.integration, AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    try:
        assert said(api.ask("/x", headers=[("x-token", "t")])) == INTERNAL
    finally:
        let_in(client, names["decides"])
    assert api.ask("/x", headers=[("x-token", "t")]).status == 200


def test_preflights_where_a_route_needs_a_token(api, names):
    """Documented: a route that takes OPTIONS with an authorizer asks it; another OPTIONS route without one helps."""
    cors = {"AllowOrigins": ["*"], "AllowMethods": ["*"]}
    api.apis.update_api(ApiId=api.id, CorsConfiguration=cors)
    authorizer = decided_by(api, names, "2.0", EnableSimpleResponses=True)
    api.route("$default", api.integration, AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    preflight = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")]
    reply = api.ask("/x", "OPTIONS", headers=preflight)
    assert said(reply) == UNAUTHORIZED
    assert reply.one("access-control-allow-origin") == "*"
    api.route("OPTIONS /{proxy+}", api.integration)
    assert api.ask("/x", "OPTIONS", headers=preflight).status == 204
