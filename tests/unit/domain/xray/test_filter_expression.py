"""Filter expressions: what each term asks for, how they join, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.domain.xray.segments import nested, segment, trace

from lambent.domain.xray.filter_expression import EXPRESSION_MAX, compile_expression
from lambent.domain.xray.filter_terms import InvalidExpression

SHOP = trace(
    segment(
        1,
        name="shop",
        start_time=100.0,
        end_time=102.0,
        user="ann",
        http={
            "request": {
                "url": "http://shop/buy?x=1", "method": "POST", "user_agent": "curl/8", "client_ip": "192.0.2.1"
            },
            "response": {"status": 200},
        },
        annotations={"tier": "gold", "items": 3, "new": True, "old": False, "aws:api_id": "a1"},
        aws={"ec2": {"availability_zone": "eu-west-1a", "instance_id": "i-1"}},
        subsegments=[
            nested(2, name="Lambda", namespace="aws", end_time=102.0),
            nested(3, name="DynamoDB", namespace="aws", fault=True, end_time=103.0),
        ],
    ),
    segment(
        4,
        name="pay",
        parent_id=f"{2:016x}",
        start_time=100.5,
        end_time=105.0,
        origin="AWS::Lambda",
        resource_arn="arn:aws:lambda:eu-west-1:111122223333:function:pay",
        fault=True,
        http={"response": {"status": 502}},
        cause={"exceptions": [{"message": "no money"}]},
    ),
)  # fmt: skip
FAILED = trace(segment(1, name="shop", fault=True, http={"response": {"status": 500}}))
ONGOING = trace(segment(1, name="shop", end_time=None, in_progress=True, annotations={"tier": "iron"}))


@pytest.mark.parametrize(
    ("expression", "shop", "failed", "ongoing"),
    [
        ("", True, True, True),
        ("   ", True, True, True),
        # The root's own, but for partial and throttle.
        ("ok", True, False, False),
        ("fault", False, True, False),
        ("!fault", True, False, True),
        ("fault = true", False, True, False),
        ("fault != true", True, False, True),
        ("fault = false", True, False, True),
        ("fault != false", False, True, False),
        ("error OR fault", False, True, False),
        ("partial", False, False, True),
        ("!partial", True, True, False),
        ("throttle", False, False, False),
        ("inferred", True, False, False),
        ("root", True, True, True),
        # Numbers.
        ("responsetime > 1.9", True, True, False),
        ("responsetime = 2", True, False, False),
        ("duration > 4", True, True, False),
        ("duration >= 5.0 AND duration<=5", True, False, False),
        ("http.status = 200", True, False, False),
        ("http.status != 200", False, True, False),
        ("http.status>=500", False, True, False),
        ("responsetime > -1e0", True, True, True),
        # Texts: of the root where they are of HTTP, of any segment otherwise.
        ('http.url CONTAINS "/buy"', True, False, False),
        ('http.url BEGINSWITH "http://shop"', True, False, False),
        ('http.url ENDSWITH "x=1"', True, False, False),
        ('http.method = "POST"', True, False, False),
        ('http.method != "POST"', False, False, False),
        ('http.useragent beginswith "curl"', True, False, False),
        ('http.clientip = "192.0.2.1"', True, False, False),
        ('user = "ann"', True, False, False),
        ('user CONTAINS ""', True, False, False),
        ('name = "pay"', True, False, False),
        ('type = "AWS::Lambda"', True, False, False),
        ('message CONTAINS "money"', True, False, False),
        ('availabilityzone = "eu-west-1a"', True, False, False),
        ('instance.id = "i-1"', True, False, False),
        ('resource.arn ENDSWITH ":function:pay"', True, False, False),
        # Annotations go by the type of their value.
        ('annotation.tier = "gold"', True, False, False),
        ('annotation[tier] = "gold"', True, False, False),
        ('annotation["tier"] = "gold"', True, False, False),
        ('annotation.tier != "gold"', False, False, True),
        ("annotation.tier", True, False, True),
        ("!annotation.tier", False, True, False),
        ("annotation.items > 2 annotation.items < 4", True, False, False),
        ("annotation.items = 3", True, False, False),
        ("annotation.items != 3", False, False, False),
        ('annotation.items = "3"', False, False, False),
        ("annotation.new", True, False, False),
        ("annotation.new = true", True, False, False),
        ("annotation.new != true", False, False, False),
        ("annotation.old", False, False, False),
        ("annotation.old = false", True, False, False),
        ('annotation.aws:api_id = "a1"', True, False, False),
        # Services, and what they did.
        ('service("pay")', True, False, False),
        ('!service("pay")', False, True, True),
        ('service("pay") { fault }', True, False, False),
        ('service("shop") { fault }', False, True, False),
        ("service() { fault }", True, True, False),
        ("service() {}", True, True, True),
        ('service("DynamoDB") { fault AND inferred }', True, False, False),
        ('service("pay") { fault AND http.status = 200 }', False, False, False),
        ('service("pay") { duration > 4 }', True, False, False),
        ('service("pay") { root }', False, False, False),
        ('service(id(name: "pay", type: "AWS::Lambda"))', True, False, False),
        ('service(id(name: "pay", type: "AWS::Lambda::Function"))', False, False, False),
        ('service(id(type: "AWS::DynamoDB::Table"))', True, False, False),
        ('service(id(account.id: "111122223333"))', True, True, True),
        # Edges.
        ('edge("shop", "pay")', True, False, False),
        ('edge("pay", "shop")', False, False, False),
        ('edge("shop", "pay") { fault }', True, False, False),
        ('edge("shop", "pay") { ok }', False, False, False),
        ('edge(id(name: "shop"), "DynamoDB")', True, False, False),
        ("edge()", True, False, False),
        ('edge("", "pay")', True, False, False),
        # How terms join: what follows without a word is AND, which goes before OR.
        ("ok !partial duration <6", True, False, False),
        ('fault OR ok AND service("pay")', True, True, False),
        ('(fault OR ok) AND service("pay")', True, False, False),
        ("ok and (fault or !partial)", True, False, False),
        ("!(ok OR fault)", False, False, True),
        ("!!ok", True, False, False),
        ("OK", True, False, False),
    ],
)  # fmt: skip
def test_terms(expression: str, shop: bool, failed: bool, ongoing: bool) -> None:
    """Of three traces, which are meant."""
    compiled = compile_expression(expression)
    assert [compiled.matches(one) for one in (SHOP, FAILED, ONGOING)] == [shop, failed, ongoing]


@pytest.mark.parametrize(
    "expression",
    [
        "nonsense",
        "ok AND",
        "AND ok",
        "ok OR OR fault",
        "(ok",
        "ok)",
        "!",
        "ok = 5",
        'fault = "true"',
        "responsetime",
        "responsetime = true",
        'responsetime > "5"',
        "responsetime CONTAINS 5",
        "http.url",
        "http.url = x",
        'http.url > "x"',
        "http.url = 'x'",
        'http.url = "x',
        "annotation",
        "annotation[",
        "annotation[]",
        "annotation.x >",
        'annotation.x > "a"',
        "annotation.x CONTAINS 5",
        "annotation.x < true",
        "annotation.x = y",
        "service",
        "service(",
        "service(shop)",
        'service("a" "b")',
        'service(id(name: 5))',
        'service(id(size: "x"))',
        'service(id(name "x"))',
        'service("a") { ',
        'service("a") { annotation.x = 1 }',
        'service("a") { service("b") }',
        'service("a") { group.name = "g" }',
        'edge("a")',
        'edge("a",)',
        'group.name CONTAINS "x"',
        "5",
        "duration > 5x",
        "duration > 1.2.3",
        '"x"',
        "ok # fault",
        "ok; fault",
        "(" * 60 + "ok" + ")" * 60,
        "ok " * (EXPRESSION_MAX // 3 + 1),
    ],
)  # fmt: skip
def test_what_is_none(expression: str) -> None:
    """Is refused when it is compiled, not when it first meets a trace."""
    with pytest.raises(InvalidExpression):
        compile_expression(expression)


@pytest.mark.parametrize("expression", ['rootcause.fault.service { name = "x" }', "first", "coverage > 5"])
def test_root_causes_are_refused_by_name(expression: str) -> None:
    with pytest.raises(InvalidExpression, match="root causes are not offered"):
        compile_expression(expression)


def test_quotes_and_backslashes() -> None:
    """In a text both can be written; a backslash elsewhere is one."""
    found = trace(segment(1, user='a"b\\c\\d'))
    assert compile_expression(r'user = "a\"b\\c\d"').matches(found)


def test_groups() -> None:
    """By name or ARN; one that is not there holds nothing."""
    groups = {"slow": compile_expression("duration > 4"), "arn:g": compile_expression("fault")}
    for expression, expected in (
        ('group.name = "slow"', True),
        ('group.name != "slow"', False),
        ('group.arn = "arn:g"', False),
        ('group.name = "gone"', False),
        ('group.name = "slow" AND ok', True),
    ):
        compiled = compile_expression(expression)
        assert compiled.has_groups
        assert compiled.matches(SHOP, groups) is expected
    assert not compile_expression("ok").has_groups


_WORDS = st.sampled_from(
    ["ok", "AND", "or", "!", "(", ")", "{", "}", "service", '"x"', "5", "-1.", "=", "!=", "<", "CONTAINS", "id",
     "name:", "annotation.x", "annotation", "[", "]", ",", "edge", "http.url", "duration", "group.name", "true", "\\",
     "\u00e9"]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=20).map(" ".join) | st.text(max_size=60))
def test_whatever_is_written_is_an_expression_or_refused(text: str) -> None:
    """Nothing else is raised, and what was compiled can be asked."""
    try:
        compiled = compile_expression(text)
    except InvalidExpression:
        return
    assert compiled.matches(SHOP) in (True, False)
