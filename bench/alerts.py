"""What do alerts cost the projection, when their receivers take nothing?

The projection of a backlog as in `projection.py`, of one batch and of many, with two hooks for every kind of alert,
whose receivers take connections and never answer; beside it the same without hooks. Every batch has files that fail, so
that each of the many raises four alerts, which are tried again and again meanwhile. Rounds go in turn.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

from bench.backlog import projected_backlog, rate
from bench.figures import Bound, Figure
from bench.stack import BenchStack
from infra.local.service import Service

ROUNDS = 5
FILES = 294_115  # 300,000 events
BATCHES = 500
FILES_OF_MANY = 978  # 1,000 events in each
WAITING = 4096  # connections that the receiver's kernel takes though nobody accepts them


def measure(stack: BenchStack) -> list[Figure]:
    """Events a second with hooks, beside the same without: one batch, and many at once."""
    figures = []
    for batches, files in ((1, FILES), (BATCHES, FILES_OF_MANY)):
        ours, without = [], []
        for _ in range(ROUNDS):
            with stack.apart() as own:
                without.append(rate(projected_backlog(own, batches, files)))
            with stack.apart() as own:
                ours.append(rate(projected_backlog(own, batches, files, by=_with_hooks)))
        what = f"a batch of {files:,} files" if batches == 1 else f"{batches} batches at once of {files:,} files each"
        figures.append(
            Figure.of_rounds(
                f"projection of {what}, with two hooks that hang", "events/s", ours, without,
                "the same without hooks", Bound(ratio_at_least=0.95),
            )
        )  # fmt: skip
    return figures


@contextmanager
def _with_hooks(stack: BenchStack, _: Sequence[int]) -> Iterator[Service]:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=WAITING)) as receiver:
        url = f"http://127.0.0.1:{receiver.getsockname()[1]}/"
        hooks = "".join(f'[[hooks]]\nname = "{name}"\nformat = "slack"\nurl = "{url}"\n' for name in ("one", "two"))
        path = stack.directory / "alerts.toml"
        path.write_text(f'dashboard = "http://127.0.0.1"\n{hooks}')
        with stack.projector(HEADWAY_PROJECTOR_ALERTS_FILE=str(path)) as projector:
            yield projector
