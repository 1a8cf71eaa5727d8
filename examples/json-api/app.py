"""A JSON API behind a function URL: routes, a body, a cookie, and errors that a client understands."""

import base64
import json


def handler(event, context):
    method, path = event["requestContext"]["http"]["method"], event["rawPath"]
    try:
        if (method, path) == ("GET", "/"):
            return index(event)
        if method == "GET" and path.startswith("/greetings/"):
            return greet(path.removeprefix("/greetings/"), event.get("queryStringParameters", {}))
        if (method, path) == ("POST", "/sums"):
            return add(body_of(event))
    except ValueError as error:
        return answer(400, {"error": str(error)})
    return answer(404, {"error": f"no {method} {path} here"})


def index(event):
    """Count a client's visits in a cookie: environments come and go, and share nothing."""
    cookies = dict(cookie.partition("=")[::2] for cookie in event.get("cookies", []))
    visits = int(cookies.get("visits", "0")) + 1
    return answer(200, {"visits": visits}, cookies=[f"visits={visits}; Path=/; HttpOnly; SameSite=Lax"])


def greet(name, parameters):
    greetings = {"en": "Hello", "de": "Hallo", "fr": "Bonjour"}
    language = parameters.get("language", "en")
    if language not in greetings:
        raise ValueError(f"language is one of {', '.join(greetings)}")
    return answer(200, {"greeting": f"{greetings[language]}, {name}!"})


def add(numbers):
    if not isinstance(numbers, list) or not all(isinstance(number, int | float) for number in numbers):
        raise ValueError("send a JSON list of numbers")
    return answer(201, {"sum": sum(numbers)})


def body_of(event):
    """Return the body as JSON: text, or base64 where the client named no type that is text."""
    body = event.get("body", "")
    return json.loads(base64.b64decode(body) if event["isBase64Encoded"] else body)


def answer(status, value, cookies=()):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "cache-control": "no-store"},
        "cookies": list(cookies),
        "body": json.dumps(value),
    }
