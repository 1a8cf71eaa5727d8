"""What SEARCH finds, by the examples of the user guide."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.domain.caller import Scope
from lambent.domain.metric import Metric
from lambent.domain.metric_expression import InvalidExpression
from lambent.domain.metric_search import differing_labels, parse_search, terms_in, tokens

SCOPE = Scope("111122223333", "eu-west-1")


def metric(name: str, namespace: str = "AWS/Lambda", **dimensions: str) -> Metric:
    return Metric(SCOPE, namespace, name, tuple(sorted(dimensions.items())))


ERRORS = metric("Errors", FunctionName="orders-prod")


def test_texts_are_split_into_tokens() -> None:
    """Documented: at camel case, digits and punctuation."""
    assert tokens("CustomCount1") == ["Custom", "Count", "1"]
    assert tokens("Project2-trial333") == ["Project", "2", "trial", "333"]
    assert tokens("HTTPServer_x") == ["HTTP", "Server", "x"]
    assert tokens("couNT") == ["cou", "NT"]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        # Documented: one token compares without case, several with it.
        ("COUNT", "CustomCount1", True),
        ("couNT", "CustomCount1", False),
        ("CustomCount", "CustomCount1", True),
        ("customcount", "CustomCount1", False),
        ("customcount1", "CustomCount1", True),
        ("1", "CustomCount1", True),
        ("Custom", "CustomCount1", True),
        ("Cust", "CustomCount1", False),
        ('"CustomCount1"', "CustomCount1", True),
        ('"customcount1"', "CustomCount1", False),
        ('"CustomCount"', "CustomCount1", False),
        ("MetricName=CustomCount", "CustomCount1", True),
        ('MetricName="CustomCount"', "CustomCount1", False),
    ],
)
def test_names_are_found_by_tokens_or_whole(text: str, name: str, expected: bool) -> None:
    assert parse_search(text)(metric(name)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{AWS/Lambda,FunctionName} MetricName="Errors"', True),
        ('{AWS/Lambda,"FunctionName"}', True),
        ("{AWS/Lambda}", False),
        ("{AWS/Lambda,FunctionName,Resource}", False),
        ("{AWS/SQS,FunctionName}", False),
        ("Errors", True),
        ("Errors orders", True),
        ("Errors AND prod", True),
        ("Errors invoices", False),
        ("Errors invoices OR prod", True),
        ("Errors NOT invoices", True),
        ("Errors NOT orders", False),
        ("Errors (invoices OR orders)", True),
        ('FunctionName=("orders-prod" OR "x")', True),
        ('FunctionName="orders"', False),
        ("FunctionName=orders", True),
        ("Resource=orders", False),
        ('Namespace="AWS/Lambda"', True),
        (':aws.AccountId="111122223333"', True),
        (':aws.AccountId="000000000000"', False),
        ("lambda", True),
        ("FunctionName", True),
    ],
)
def test_terms(text: str, expected: bool) -> None:
    """Braces name the exact dimensions; terms look at all parts of a metric, or at one."""
    assert parse_search(text)(ERRORS) is expected


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", "{AWS/Lambda", "(", "(a", "a)", "OR", "a OR", "NOT", "=a", "a=", "x" * 1_025, "(" * 500, '"a'],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidExpression):
        parse_search(text)


def test_labels_are_what_differs() -> None:
    """The name alone where nothing does."""
    two = [metric("Errors", FunctionName="a"), metric("Errors", FunctionName="b")]
    assert differing_labels(two) == ["a", "b"]
    assert differing_labels(two[:1]) == ["Errors"]
    assert differing_labels([metric("Errors", FunctionName="a"), metric("Duration")]) == ["Errors a", "Duration"]
    assert differing_labels([]) == []


@given(
    st.lists(
        st.sampled_from([*'{}()=,"', "AND", "OR", "NOT", "Errors", "AWS/Lambda", "FunctionName", " "]), max_size=12
    )
)
def test_no_text_is_our_fault(pieces: list[str]) -> None:
    try:
        assert parse_search(" ".join(pieces))(ERRORS) in (True, False)
    except InvalidExpression as refused:
        assert str(refused)


def test_many_metrics_of_many_dimensions_are_told_apart_in_time() -> None:
    """As many as a search finds, each with dimensions of its own."""
    metrics = [metric("m", **{f"d{number}x{one}": f"v{one}" for one in range(10)}) for number in range(500)]
    start = time.process_time()
    labels = differing_labels(metrics)
    assert time.process_time() - start < 5
    assert labels[0] == " ".join(f"v{one}" for one in range(10))


def test_terms_are_counted() -> None:
    """By which the work of a search is bounded."""
    assert terms_in("a b OR c") >= 4
    assert terms_in('{N,d} a="b c"') < 12
