"""After an outage of PostgreSQL, does the projector catch up at full speed?

A projector runs and knows the batch; PostgreSQL stops; the batch is written; PostgreSQL starts again. The rate is that
from the first commit after the outage to the last, and the same counted from the moment at which PostgreSQL answers,
which adds the wait until the projector tries again. Beside both: the same backlog without an outage (`backlog.py`), the
rounds in turn.
"""

from __future__ import annotations

import asyncio
import time

from bench.backlog import Commit, commits, make_known, new_batches, projected_backlog, rate, until_projected
from bench.events import write
from bench.figures import Bound, Figure
from bench.stack import BenchStack
from infra.local.kafka import START_TIMEOUT_S

ROUNDS = 3
FILES = 294_115  # 300,000 events


def measure(stack: BenchStack) -> list[Figure]:
    """Events a second after an outage, and without one."""
    caught_up, from_answer, undisturbed = [], [], []
    for _ in range(ROUNDS):
        with stack.apart() as own:
            undisturbed.append(rate(projected_backlog(own, 1, FILES)))
        with stack.apart() as own:
            answered, found = _outage(own)
            caught_up.append(rate(found))
            from_answer.append(rate(found, since=answered))
    question = f"catch-up with {FILES:,} files after an outage of PostgreSQL"
    limit_is = "the same without an outage"
    return [
        Figure.of_rounds(question, "events/s", caught_up, undisturbed, limit_is, Bound(ratio_at_least=0.8)),
        Figure.of_rounds(
            f"{question}, counted from its first answer", "events/s", from_answer, undisturbed, limit_is
        ),
    ]  # fmt: skip


def _outage(stack: BenchStack) -> tuple[float, list[Commit]]:
    """When PostgreSQL answered again, in seconds since 1970, and the commits from then on."""
    batch_ids = new_batches(1)
    with stack.projector() as projector:
        make_known(stack, projector, batch_ids)
        stack.postgres.stop()
        events = write(stack, batch_ids, FILES)
        stack.postgres.start()
        stack.postgres.wait(START_TIMEOUT_S)
        answered = time.time()
        until_projected(stack, projector, events)
    return answered, asyncio.run(commits(stack.database_url))
