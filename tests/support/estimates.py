"""What the page and the Python client say of the rate and the time left of runs, in one form, to be compared."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
from headway_client.estimate import StageHistory
from headway_client.wording import pace_text
from headway_events import StageState, Status

from support.counts import JSON, NODE

PROCESS: Final = Path(__file__).parent / "estimate_process.mjs"
BEGAN: Final = datetime(2026, 11, 25, 10, tzinfo=UTC)


def said_in_javascript(runs: Sequence[JSON]) -> list[JSON]:
    """The page's answers, with the numbers as an English reader sees them."""
    done = subprocess.run(
        [NODE, PROCESS],
        input=json.dumps(runs),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "en_US.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    answers: list[JSON] = json.loads(done.stdout)
    return answers


def said_in_python(runs: Sequence[JSON]) -> list[JSON]:
    """The client's answers."""
    return [_answer(run) for run in runs]


def _answer(run: JSON) -> JSON:
    history = StageHistory()
    for second, number, processed, errors in run["seen"]:
        stage = _stage(run["stage"], second, run=number, processed=processed, errors=errors)
        history.observe(stage, _ms(second))
    estimate = history.estimate(stage, run["stalled"], _ms(run["askedAt"]))
    built: JSON = msgspec.to_builtins(estimate)
    if estimate.between_ms is not None:
        built["betweenMs"] = ["Infinity" if math.isinf(one) else one for one in estimate.between_ms]
    return {"estimate": built, "says": pace_text(stage, estimate)}


def _stage(fields: JSON, second: float, **counts: int) -> StageState:
    run: dict[str, Any] = {"status": Status.PROCESSING, "startedAt": BEGAN, "updatedAt": _at(second), **counts}
    return msgspec.convert({**run, **fields}, StageState)


def _at(second: float) -> datetime:
    return BEGAN + timedelta(seconds=second)


def _ms(second: float) -> float:
    return BEGAN.timestamp() * 1000 + second * 1000
