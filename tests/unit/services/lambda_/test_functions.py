"""What operations on functions store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from unit.services.lambda_.function_bench import ACTIVE, PENDING, SCOPE, Bench, tell

from lambent.domain.caller import Caller, Scope
from lambent.domain.function import State, UpdateStatus
from lambent.domain.principal import root_of
from lambent.domain.quotas import Quotas
from lambent.errors.api.lambda_ import InvalidParameterValueException
from lambent.services.lambda_.configuration import ConfigurationRules
from lambent.services.lambda_.functions import Functions

CALLER = Caller(
    scope=SCOPE, principal=root_of("000000000000"), authenticated_by="none", request_id="id", endpoint="http://x"
)


class Roles:
    """Notes whose roles were looked at."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    async def check(self, scope: Scope, request: Mapping[str, Any]) -> None:
        self.asked.append(request.get("Role"))
        if request.get("Role") == "closed":
            raise InvalidParameterValueException("The role defined for the function cannot be assumed by Lambda.")


def functions_of(bench: Bench, roles: Roles | None = None) -> Functions:
    nothing: Any = None
    rules = ConfigurationRules(Quotas(), nothing, False)
    return Functions(
        bench.store,
        nothing,
        nothing,
        rules,
        bench.activation,
        {},
        nothing,
        roles or Roles(),
        nothing,
        Quotas(),
        bench.clock,
    )


def test_a_role_is_looked_at_before_anything_is_stored(tmp_path: Path) -> None:
    """Of a new function before its package is, and of an update before it changes."""

    async def story(bench: Bench) -> None:
        roles = Roles()
        functions = functions_of(bench, roles)
        await bench.save(ACTIVE)
        new: Any = {"FunctionName": "g", "Role": "closed", "Code": {"ZipFile": b""}}
        with pytest.raises(InvalidParameterValueException, match="cannot be assumed by Lambda"):
            await functions.create(CALLER, new)
        with pytest.raises(InvalidParameterValueException, match="cannot be assumed by Lambda"):
            await functions.update_configuration(CALLER, {"FunctionName": "f", "Role": "closed"})
        assert await bench.version() == ACTIVE
        await functions.update_configuration(CALLER, {"FunctionName": "f", "Role": "open"})
        assert (await bench.version()).configuration.role == "open"
        assert roles.asked == ["closed", "closed", "open"]

    tell(tmp_path, story)


def test_a_function_that_failed_starts_over(tmp_path: Path) -> None:
    """An update makes it Pending again, as a new one is: nothing tells of the old failure, neither then nor later."""
    failed = msgspec.structs.replace(
        PENDING,
        state=State.FAILED,
        state_reason="no runtime",
        state_reason_code="InvalidRuntime",
        last_update_status=UpdateStatus.FAILED,
        last_update_status_reason="no runtime",
        last_update_status_reason_code="InvalidRuntime",
    )

    async def story(bench: Bench) -> None:
        functions = functions_of(bench)
        await bench.save(failed)
        answer = await functions.update_configuration(CALLER, {"FunctionName": "f", "Description": "d"})
        assert (answer["State"], answer["StateReasonCode"]) == ("Pending", "Creating")
        assert not any(member.startswith("LastUpdateStatus") for member in answer)
        settled = await bench.settle()
        assert (settled.state, settled.last_update_status) == (State.ACTIVE, UpdateStatus.SUCCESSFUL)
        assert (settled.last_update_status_reason, settled.last_update_status_reason_code) == (None, None)

    tell(tmp_path, story)
