"""Every fold gives the counts that the vectors state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.counts import JSON, JavaScriptFold, counts, decoded, fold_in_python

FOLDER = Path(__file__).parents[3] / "schemas" / "vectors"
VECTORS = {
    f"{path.stem}: {vector['name']}": vector
    for path in sorted(FOLDER.glob("*.json"))
    for vector in json.loads(path.read_text(encoding="utf-8"))
}
COUNTED = {"run", "total", "processed", "errors", "attempts", "late", "status", "percent"}
ALSO_STATED = {"started", "startedAt", "updatedAt", "endedAt", "workers", "filesLeftOut"}

vectors = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS.keys())


@vectors
def test_python_gives_the_counts_of_the_vector(vector: JSON) -> None:
    result = counts(fold_in_python(decoded(vector["events"])))

    assert as_stated(result, vector["expected"]) == vector["expected"]


@vectors
def test_javascript_gives_the_counts_of_the_vector(vector: JSON, javascript_fold: JavaScriptFold) -> None:
    result = javascript_fold(vector["events"])

    assert as_stated(result, vector["expected"]) == vector["expected"]


@vectors
def test_the_vector_states_all_counts_of_every_run(vector: JSON) -> None:
    for runs in vector["expected"]["stages"].values():
        for run in runs:
            assert run.keys() >= COUNTED
            assert run.keys() <= COUNTED | ALSO_STATED


def test_no_two_vectors_have_the_same_name_or_history() -> None:
    histories = [json.dumps(vector["events"]) for vector in VECTORS.values()]

    assert len({vector["name"] for vector in VECTORS.values()}) == len(histories) == len(set(histories))
    assert len(histories) >= 40


def as_stated(result: JSON, expected: JSON) -> JSON:
    """The result with no more of each run than the vector states; where they differ in shape it stays whole."""

    def cut(stage: str, index: int, run: dict[str, Any]) -> dict[str, Any]:
        stated = expected["stages"].get(stage, [])
        return {key: value for key, value in run.items() if index >= len(stated) or key in stated[index]}

    return result | {
        "stages": {
            stage: [cut(stage, index, run) for index, run in enumerate(runs)] for stage, runs in result["stages"]
        }
    }
