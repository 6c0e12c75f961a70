"""How does the projector compare with what people would use instead?

- A plain Faust agent (`plain_faust_app.py`) that does the same job into equal tables, one event and one transaction at
  a time; with a smaller batch, so that it ends.
- Kafka Connect with Debezium's JDBC sink (`debezium.py`), which only appends rows: as it comes, and tuned.

All read the same kind of batch, written before they start, on the same servers, and are measured by PostgreSQL's times
of commit as ours is (`backlog.py`), the rounds in turn.
"""

from __future__ import annotations

from bench.backlog import projected_backlog, rate
from bench.figures import Bound, Figure
from bench.peers import debezium, plain_faust
from bench.stack import BenchStack

ROUNDS = 3
FILES = 294_115  # 300,000 events
FILES_FOR_FAUST = 4_900  # 5,001 events: some ten seconds


def measure(stack: BenchStack) -> list[Figure]:
    """Events a second of one batch: ours, and each peer's."""
    ours, faust, as_it_comes, tuned = [], [], [], []
    for _ in range(ROUNDS):
        with stack.apart() as own:
            ours.append(rate(projected_backlog(own, 1, FILES)))
        with stack.apart() as own:
            faust.append(rate(plain_faust.projected(own, FILES_FOR_FAUST)))
        with stack.apart() as own:
            as_it_comes.append(rate(debezium.appended(own, FILES, tuned=False)))
        with stack.apart() as own:
            tuned.append(rate(debezium.appended(own, FILES, tuned=True)))
    question = f"projection of a batch of {FILES:,} files, beside"
    sink = "its JDBC sink by Debezium, which only appends rows,"
    return [
        Figure.of_rounds(
            f"{question} a plain Faust agent", "events/s", ours, faust,
            "a Faust agent that does the same one event at a time", Bound(ratio_at_least=10),
        ),
        Figure.of_rounds(
            f"{question} Kafka Connect", "events/s", ours, as_it_comes,
            f"{sink} as it comes", Bound(ratio_at_least=3),
        ),
        Figure.of_rounds(
            f"{question} Kafka Connect, tuned", "events/s", ours, tuned,
            f"{sink} in batches of 5,000 sent as one statement", Bound(ratio_at_least=3),
        ),
    ]  # fmt: skip
