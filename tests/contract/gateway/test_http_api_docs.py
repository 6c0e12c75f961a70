"""The commands of docs/reference/http-api.md work as they stand there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from headway_events import Announcement, encode_announcement, registry_key

from support.batches import batch_events
from support.programs import Program
from support.tables import Tables
from support.topics import Topics

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "http-api.md"
COMMANDS = re.findall(r"^    (curl .*)$", DOCUMENT.read_text(), re.MULTILINE)
BATCH = 123


async def test_every_command_of_the_document_is_answered(
    gateway: Program, projector: Program, topics: Topics, tables: Tables, tmp_path: Path
) -> None:
    topics.create(BATCH)
    announcement = Announcement(batch_id=BATCH, topic=topics.names.of_batch(BATCH), labels={"team": "speech"})
    topics.write(topics.names.registry, [encode_announcement(announcement)], record_key=registry_key(BATCH))
    topics.write_events(batch_events(BATCH, 500, failed=5))
    await tables.wait_for(BATCH, 503)
    assert len(COMMANDS) == 10
    outputs = [await run(command.replace("http://127.0.0.1:8080", gateway.url), tmp_path) for command in COMMANDS]
    assert '"processed":495' in outputs[0]
    assert '"message":"no such file"' in outputs[2]
    assert "event: batch_complete" in outputs[-2]
    assert '{"files":[' in outputs[-1]
    assert (tmp_path / "batch-123-events.csv").read_bytes().count(b"\r\n") == 504
    assert (tmp_path / "batch-123-files.parquet").read_bytes().endswith(b"PAR1")


async def run(command: str, directory: Path) -> str:
    """What a command of a shell says; fails when it does."""
    process = await asyncio.create_subprocess_shell(
        command, cwd=directory, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, complaint = await process.communicate()
    assert process.returncode == 0, f"{command}\n{complaint.decode()}"
    return output.decode()
