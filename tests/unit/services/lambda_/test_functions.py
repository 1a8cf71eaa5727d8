"""What operations on functions store."""

from pathlib import Path
from typing import Any

import msgspec
from unit.services.lambda_.function_bench import PENDING, SCOPE, Bench, tell

from lambent.domain.caller import Caller
from lambent.domain.function import State, UpdateStatus
from lambent.domain.principal import root_of
from lambent.domain.quotas import Quotas
from lambent.services.lambda_.configuration import ConfigurationRules
from lambent.services.lambda_.functions import Functions

CALLER = Caller(
    scope=SCOPE, principal=root_of("000000000000"), authenticated_by="none", request_id="id", endpoint="http://x"
)


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
        nothing: Any = None
        rules = ConfigurationRules(Quotas(), nothing, False)
        functions = Functions(
            bench.store, nothing, nothing, rules, bench.activation, {}, nothing, nothing, Quotas(), bench.clock
        )
        await bench.save(failed)
        answer = await functions.update_configuration(CALLER, {"FunctionName": "f", "Description": "d"})
        assert (answer["State"], answer["StateReasonCode"]) == ("Pending", "Creating")
        assert not any(member.startswith("LastUpdateStatus") for member in answer)
        settled = await bench.settle()
        assert (settled.state, settled.last_update_status) == (State.ACTIVE, UpdateStatus.SUCCESSFUL)
        assert (settled.last_update_status_reason, settled.last_update_status_reason_code) == (None, None)

    tell(tmp_path, story)
