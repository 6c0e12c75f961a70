"""A terminal and a page say the same of the rate and the time left: what the vectors state, and of any other run."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from support.counts import JSON
from support.estimates import said_in_javascript, said_in_python

FOLDER = Path(__file__).parents[3] / "schemas" / "vectors" / "estimates"
VECTORS: dict[str, JSON] = {
    vector["name"]: vector
    for path in sorted(FOLDER.glob("*.json"))
    for vector in json.loads(path.read_text(encoding="utf-8"))
}
RUNS = 300


@pytest.fixture(scope="module")
def javascript() -> dict[str, JSON]:
    """The page's answers to all vectors."""
    return dict(zip(VECTORS, said_in_javascript(list(VECTORS.values())), strict=True))


@pytest.mark.parametrize("name", VECTORS)
def test_python_says_what_the_vector_states(name: str) -> None:
    (said,) = said_in_python([VECTORS[name]])
    assert_same(said, VECTORS[name])


@pytest.mark.parametrize("name", VECTORS)
def test_javascript_says_what_the_vector_states(name: str, javascript: dict[str, JSON]) -> None:
    assert_same(javascript[name], VECTORS[name])


def test_both_say_the_same_of_runs_that_halt_hurry_fail_and_begin_again() -> None:
    chance = random.Random(20261125)
    runs = [any_run(chance) for _ in range(RUNS)]
    in_javascript, in_python = said_in_javascript(runs), said_in_python(runs)
    for said, expected in zip(in_python, in_javascript, strict=True):
        assert_same(said, {"expected": expected["estimate"], "says": expected["says"]})
    kinds = {(said["estimate"]["basis"], said["estimate"]["betweenMs"] is None) for said in in_python}
    assert kinds == {("recent", False), ("recent", True), ("average", True), (None, True)}


def assert_same(said: JSON, stated: JSON) -> None:
    """The numbers but for what the last bits of a float are, the words exactly."""
    found, expected = said["estimate"], stated["expected"]
    assert found.keys() == expected.keys()
    assert (found["basis"], said["says"]) == (expected["basis"], stated["says"])
    for name in ("rate", "leftMs"):
        assert found[name] == near(expected[name])
    assert (found["betweenMs"] is None) == (expected["betweenMs"] is None)
    for one, other in zip(found["betweenMs"] or (), expected["betweenMs"] or (), strict=True):
        assert one == near(other)


def near(number: Any) -> Any:
    """A number up to the rounding of floats; anything else as it is."""
    return pytest.approx(number, rel=1e-12) if isinstance(number, int | float) else number


def any_run(chance: random.Random) -> JSON:
    """A run with pauses, bursts, errors, hidden tabs and second runs, asked about at any time."""
    second, run, files, errors = 0.0, 1, 0, 0
    pace = 40 * chance.random() ** 3
    seen: list[list[float]] = []
    for _ in range(chance.randrange(1, 150)):
        second = round(second + (200 * chance.random() if chance.random() < 0.03 else 3 * chance.random()), 3)
        if chance.random() < 0.01:
            run, files, errors = run + 1, 0, 0
        files += 0 if chance.random() < 0.2 else int(2 * pace * chance.random())
        errors = min(files, errors + (chance.random() < 0.2))
        seen.append([second, run, files - errors, errors])
    total = chance.choice([None, files, files + 7, files * 3, 5000, 3_000_000])
    asked_at = round(second + chance.choice([0, 0.4, 7, 100]), 3)
    return {"stage": {"total": total}, "seen": seen, "askedAt": asked_at, "stalled": chance.random() < 0.05}
