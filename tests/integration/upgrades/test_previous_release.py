"""An upgrade while everything runs: the release before this one works on the new schema, beside the new programs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest
from headway_projector.migrate import migrations

from support import previous_release
from support.batches import batch_events
from support.programs import Program, all_have_projected
from support.readers import Reader, as_streamed
from support.tables import Tables
from support.topics import Topics

BATCHES: Final = 40  # so that each of two projectors owns some
FILES: Final = 100
READERS: Final = 20
TWICE: Final = 3  # events of each part
PARTS: Final = 4  # written before the new programs come, while they come, beside both, and after the old ones have gone


@pytest.fixture(scope="session")
def previous(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the previous release is installed."""
    if not previous_release.is_in_history():
        pytest.skip(f"the history of this clone is shallow: it lacks {previous_release.PREVIOUS}")
    return str(previous_release.install(tmp_path_factory.mktemp("previous")))


class Story:
    """Batches that are written in parts, each from beginning to end over all parts, and clients that read them."""

    def __init__(self, topics: Topics, first_batch: int, addresses: list[str]) -> None:
        self.batch_ids = [first_batch + number for number in range(BATCHES)]
        self.addresses = addresses
        self.readers = [Reader(self.batch_ids, random.Random(number)) for number in range(READERS)]
        self.written = 0
        self._topics = topics
        self._events = {batch_id: list(batch_events(batch_id, FILES, failed=7)) for batch_id in self.batch_ids}

    @asynccontextmanager
    async def read(self) -> AsyncIterator[None]:
        """Make the batches, and have clients that come and go read them; at the end wait until these have all."""
        await asyncio.to_thread(self._topics.create_all, self.batch_ids)
        await asyncio.to_thread(self._topics.announce_all, self.batch_ids)
        async with asyncio.TaskGroup() as group:
            for reader in self.readers:
                group.create_task(reader.read(lambda: self.addresses))
            yield

    async def write(self, part: int) -> None:
        """Write one of the parts, with some events twice."""
        for events in self._events.values():
            begin, end = (len(events) * number // PARTS for number in (part, part + 1))
            some = [*events[begin : begin + TWICE], *events[begin:end]]
            await asyncio.to_thread(self._topics.write_events, some)
            self.written += len(some)

    def lacking(self) -> list[str]:
        """Which clients have not received exactly what the topics hold."""
        records = self._topics.read_batches(self.batch_ids)
        wanted = {batch_id: as_streamed(of_batch) for batch_id, of_batch in records.items()}
        return [
            f"reader {number} has {told} of {batch_id}; the topic has {wanted[batch_id]}"
            for number, reader in enumerate(self.readers)
            for batch_id, told in reader.found.items()
            if told != wanted[batch_id]
        ]


async def applied(tables: Tables) -> list[str]:
    """The migrations that the database has had."""
    return [row["name"] for row in await tables.connection.fetch("SELECT name FROM headwayMigration ORDER BY name")]


@pytest.mark.timeout(240)
async def test_the_schema_changes_under_the_previous_release_and_the_new_one_takes_over_without_a_gap(
    previous: str,
    make_projector: Callable[..., Program],
    make_gateway: Callable[..., Program],
    topics: Topics,
    tables: Tables,
    batch_id: int,
) -> None:
    old_projector, old_gateway = make_projector(PYTHONPATH=previous), make_gateway(PYTHONPATH=previous)
    new_projector, new_gateway = make_projector(), make_gateway()
    await asyncio.gather(*(asyncio.to_thread(program.run) for program in (old_projector, old_gateway)))
    story = Story(topics, batch_id, [old_gateway.url])
    async with story.read():
        await story.write(0)
        await all_have_projected([old_projector])
        assert [name for name, _ in migrations()][: len(await applied(tables))] == await applied(tables)
        assert len(await applied(tables)) < len(migrations())

        await asyncio.gather(story.write(1), asyncio.to_thread(new_projector.run), asyncio.to_thread(new_gateway.run))
        assert await applied(tables) == [name for name, _ in migrations()]
        story.addresses = [old_gateway.url, new_gateway.url]
        await asyncio.to_thread(old_projector.stop)
        await asyncio.to_thread(old_projector.run)  # as who goes back would: the schema stays
        await story.write(2)
        await all_have_projected([old_projector, new_projector])
        await tables.wait_for_all(story.batch_ids, story.written)

        await asyncio.gather(*(asyncio.to_thread(program.stop) for program in (old_projector, old_gateway)))
        story.addresses = [new_gateway.url]
        await story.write(3)
    assert await tables.differences(topics, story.batch_ids) == []
    assert story.lacking() == []
    for program in (old_projector, old_gateway, new_projector, new_gateway):
        assert "Traceback" not in program.log_text()
