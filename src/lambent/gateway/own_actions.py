"""
Actions over HTTP: `/_lambent/<area>/<action>`, for what no API of AWS has words.

Each is a POST with a JSON object, signed for the service `lambent`, and an action that policies name. In: what does an
action. Out: who may ask for it, its answer or what was wrong in one shape, a line in the log and one in the trail.
"""

import logging
from collections.abc import Awaitable, Callable, Container, Mapping
from typing import Any, TypeVar

import msgspec

from lambent.domain.caller import Caller
from lambent.errors.families import ApiError
from lambent.gateway.own_access import SERVICE, OwnAccess, is_function
from lambent.gateway.own_answers import answered, problem
from lambent.protocol.wire import WireRequest, WireResponse, media_type
from lambent.telemetry.trail import Call, Trail

_log = logging.getLogger("lambent.gateway")

_S = TypeVar("_S", bound=msgspec.Struct)

Action = Callable[[Caller, bytes], Awaitable[tuple[Any, Any]]]
"""
Does one action for a caller, given the body: checks leave for it, too. Returns the answer, and what was asked for as a
struct. Raises ApiError: then nothing has changed.
"""


class Denied(ApiError):
    """Whoever asks may not, whatever policies say."""

    code = "AccessDenied"
    status = 403


class InvalidBody(ApiError):
    """What was sent is not what an action takes; the text names the member."""

    code = "ValidationError"
    status = 400


class OwnActions:
    """
    Answers those of one area.

    Args:
        area: what the log calls them by.
        actions: by name.
        functions: what is said to a function that asks.
        of_functions: actions that functions may ask for all the same.
        veil: returns of what was asked for or answered with what functions, and readers of the trail, may see.
        trail: None: nothing is recorded.
    """

    def __init__(
        self,
        area: str,
        actions: Mapping[str, Action],
        access: OwnAccess,
        trail: Trail | None,
        *,
        functions: str,
        of_functions: Container[str] = (),
        veil: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self._area = area
        self._actions = actions
        self._access = access
        self._trail = trail
        self._functions = functions
        self._of_functions = of_functions
        self._veil = veil

    async def answer(self, request: WireRequest, action: str, request_id: str, endpoint: str = "") -> WireResponse:
        """Answer a request of one action. Raises ClientGone, DependencyError, and what is a defect."""
        if action not in self._actions:
            await request.discard()
            return problem(404, "there is no such action", "NoSuchAction")
        call = Call(request, request_id, endpoint)
        call.service, call.operation = SERVICE, action
        try:
            response = await self._answer(request, action, call)
        except ApiError as error:
            call.error = error
            response = problem(error.status, error.message, error.code)
        await request.discard()
        if self._trail is not None:
            self._trail.note(call)
        return response

    async def _answer(self, request: WireRequest, action: str, call: Call) -> WireResponse:
        if request.method != "POST" or media_type(request) != "application/json" or "origin" in request.headers:
            # No page of the web can have a browser send this on its own: it would ask for leave first, and get none.
            raise Denied("only POST with Content-Type: application/json, and of no web page, is answered here")
        caller = call.caller = await self._access.identify(request, call.request_id)
        if is_function(caller) and action not in self._of_functions:
            # Whatever its role may: its code is not the operator.
            raise Denied(self._functions)
        answer, asked = await self._actions[action](caller, request.body)
        call.parameters, call.output = self._veil(msgspec.to_builtins(asked)), self._veil(answer)
        _log.info("%s.%s request_id=%s by=%s", self._area, action, caller.request_id, caller.principal.arn)
        return answered(call.output if is_function(caller) else answer)


def parsed(body: bytes, kind: type[_S]) -> _S:
    """
    Return what a body says; an empty one is an empty object.

    Raises:
        InvalidBody: it is something else.
    """
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        said, _, path = str(error)[:300].partition(" - at `$")
        member = path.strip("`.") or "the body"
        raise InvalidBody(f"{member}: this is not what is asked for: {said}") from None
