"""One batch on its whole way, from a pipeline to the API and the stream, wherever the programs run."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from support.api import get
from support.eventually import eventually
from support.stream import ids, read

TIMEOUT_S: Final = 60.0
FILES: Final = 20
FAILED: Final = 3
PIPELINE: Final = """
from headway import EventLogger
with EventLogger.stage({batch_id}, "denoise", total_files={files}, on_error="continue") as stage:
    for number in range({files}):
        with stage.file(f"{{number}}.wav") as file:
            if number < {failed}:
                raise OSError("broken")
            file.response = {{"status": "success"}}
EventLogger.batch_complete({batch_id})
assert EventLogger.flush({timeout_s}) == 0
"""


async def a_batch_goes_all_the_way(settings: Mapping[str, str], gateway_url: str, batch_id: int) -> None:
    """Report a batch with these settings of a pipeline; fails unless the gateway shows all of it, and just that."""
    program = PIPELINE.format(batch_id=batch_id, files=FILES, failed=FAILED, timeout_s=TIMEOUT_S)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env={**os.environ, **settings}, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(2 * TIMEOUT_S):
        _, said = await process.communicate()
    assert process.returncode == 0, said.decode()

    async with aiohttp.ClientSession(gateway_url) as client:

        async def closed() -> list[dict[str, Any]]:
            return [batch for batch in (await get(client, "/api/batches"))["batches"] if batch["closed"]]

        listed = await eventually(closed, lambda batches: batch_id in [batch["batchId"] for batch in batches])
        (batch,) = [batch for batch in listed if batch["batchId"] == batch_id]
        (stage,) = batch["stages"]
        assert (stage["processed"], stage["errors"], stage["total"]) == (FILES - FAILED, FAILED, FILES)
        messages = await read(client, batch_id, {"from": "earliest"})
    assert ids(messages) == list(range(FILES + 3))  # its start, its end, and the batch's
    assert [message.event for message in messages].count("file_error") == FAILED
    assert messages[-1].event == "batch_complete"
