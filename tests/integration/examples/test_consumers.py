"""The example consumers note every file of every batch once: of batches that begin later, and after a kill -9."""

from __future__ import annotations

import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import NewTopic
from headway_events import Event
from headway_events.events import FILE_EVENTS

from infra.local.service import Service
from infra.local.settings import CHECKOUT
from support.batches import batch_events
from support.eventually import eventually
from support.topics import Topics

COMMANDS = {
    "plain": ("python", "-m", "examples.consumers.plain", "ledger.db"),
    "faust": ("faust", "--datadir=faust", "-A", "examples.consumers.faust_agent", "worker", "--without-web"),
}
WITHIN_S = 60


@pytest.fixture(params=COMMANDS)
def consumer(request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path) -> Iterator[Service]:
    """A consumer, to be started, whose ledger is `ledger.db`."""
    program, *arguments = COMMANDS[request.param]
    service = Service(
        name=request.param,
        command=lambda: [
            "env", f"--chdir={tmp_path}", str(Path(sys.executable).with_name(program)), *arguments,
        ],
        directory=tmp_path,
        healthy=lambda: None,
        environment={
            **environment, "PYTHONPATH": str(CHECKOUT), "LEDGER": "ledger.db",
            "CONSUMER_GROUP": environment["HEADWAY_PROJECTOR_APP_ID"],
        },
        tied=True,
    )  # fmt: skip
    yield service
    service.kill()
    print(service.log.read_text()[-8000:])


async def test_each_file_of_batches_that_begin_later_is_noted_once_whatever_is_killed(
    consumer: Service, topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    first, later = (list(batch_events(one, 300, failed=10)) for one in (batch_id, batch_id + 1))

    def noted() -> Counter[tuple[int, str, str]]:
        try:
            with sqlite3.connect(f"file:{tmp_path}/ledger.db?mode=ro", uri=True) as database:
                return Counter(database.execute("SELECT batchId, fileName, outcome FROM attempt"))
        except sqlite3.OperationalError:  # there is no ledger yet
            return Counter()

    registry = topics.names.registry
    topics.admin.create_topics([NewTopic(registry, 1)])[registry].result(timeout=WITHIN_S)
    topics.create(batch_id)
    topics.write_events(first[:200])
    consumer.start()
    await eventually(noted, lambda found: len(found) == 199, within_s=WITHIN_S)
    topics.create(batch_id + 1)
    topics.write_events(later[:200])
    await eventually(noted, lambda found: len(found) > 199, within_s=WITHIN_S)
    consumer.kill()
    topics.write_events([*first[200:], *later[200:]])
    consumer.start()
    await eventually(noted, lambda found: found == reported(first + later), within_s=WITHIN_S)

    topics.delete(topics.names.of_batch(batch_id))  # as the janitor does in the end
    last = list(batch_events(batch_id + 2, 20))
    topics.create(batch_id + 2)
    topics.write_events(last)
    await eventually(noted, lambda found: len(found) == 620, within_s=WITHIN_S)
    assert noted() == reported(first + later + last)


def reported(events: list[Event]) -> Counter[tuple[int, str, str]]:
    """The files that these events report."""
    files = [event for event in events if isinstance(event, FILE_EVENTS)]
    return Counter((event.batch_id, event.file_name, event.event_type) for event in files)
