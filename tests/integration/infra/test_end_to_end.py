"""A batch goes all the way on the programs of this machine, as it does on containers where there are any."""

from __future__ import annotations

from support.end_to_end import a_batch_goes_all_the_way
from support.programs import Program


async def test_a_batch_goes_all_the_way_on_this_machine(
    environment: dict[str, str], projector: Program, gateway: Program, batch_id: int
) -> None:
    await a_batch_goes_all_the_way(environment, gateway.url, batch_id)
