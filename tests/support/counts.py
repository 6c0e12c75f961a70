"""What the two folds say about a history, in one form: plain JSON, so that they can be compared."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import playwright
from headway_events import (
    BatchState,
    Event,
    StageState,
    batch_status,
    decode,
    fold_batch,
    is_silent,
    percent,
    status_at,
)

JSON = dict[str, Any]

NODE = Path(playwright.__file__).parent / "driver" / "node"  # ships with Playwright: no Node.js to install
FOLD_PROCESS = Path(__file__).parent / "fold_process.mjs"


def counts(batch: BatchState, *, now: datetime | None = None, limit: timedelta | None = None) -> JSON:
    """A batch as `fold_process.mjs` writes it: stages in order, all runs of each, outcomes in order of first report.

    With `now`, also what depends on it, stages being stalled and workers silent after `limit`.
    """

    def of_run(state: StageState) -> JSON:
        run: JSON = msgspec.to_builtins(state)
        run |= {"percent": percent(state), "outcomes": [list(item) for item in run["outcomes"].items()]}
        run["workers"] = [
            {"worker": name, "lastHeardAt": worker["lastHeardAt"], "filesInFlight": list(worker["files"])}
            for name, worker in run["workers"].items()
        ]
        run["inFlight"] = sorted(map(list, run["inFlight"].items()))
        if now is not None and limit is not None:
            silent = [name for name, worker in state.workers.items() if is_silent(worker, now, limit)]
            run |= {"statusAt": str(status_at(state, now, limit)), "silentWorkers": sorted(silent)}
        return run

    return {
        "stages": [[stage, [of_run(run) for run in runs]] for stage, runs in batch.stages.items()],
        "closed": batch.closed,
        "batchStatus": str(batch_status(batch)),
    }


def fold_in_python(events: Iterable[Event], batch: BatchState | None = None) -> BatchState:
    """The batch after all these events."""
    batch = batch or BatchState()
    for event in events:
        batch = fold_batch(batch, event)
    return batch


def decoded(events: Iterable[Mapping[str, Any]]) -> list[Event]:
    """Events in JSON as the readers of a topic get them."""
    return [decode(msgspec.json.encode(event), batch_id=event["batchId"]) for event in events]


class JavaScriptFold:
    """The dashboard's fold in one Node.js process, which answers as long as it is entered."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [NODE, FOLD_PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate()

    def __call__(self, events: Sequence[Mapping[str, Any]], **request: Any) -> JSON:
        """What `counts` gives, by the other fold; `request` may hold `snapshot`, `now` and `limitMs`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"events": events, **request}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "fold.js failed; its message is in the captured output"
        result: JSON = json.loads(answer)
        return result
