"""`results.json` keeps what was not measured again, and says of each figure when and on what it was measured."""

from __future__ import annotations

import json
from pathlib import Path

from bench.__main__ import BENCHMARKS
from bench.figures import Bound, Figure
from bench.results import RESULTS, entries, save

FIGURE = Figure.of_rounds("how fast?", "µs", [3.0], [2.0], "a limit", Bound(below=2))


def _saved(path: Path) -> list[tuple[str, float]]:
    return [(entry["benchmark"], entry["ours"]) for entry in json.loads(path.read_text())["figures"]]


def _figure(ours: float) -> Figure:
    return Figure.of_rounds("how fast?", "ms", [ours], [1.0], "a limit")


def test_a_benchmark_that_was_not_asked_for_keeps_its_figures(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    save(entries("one", [_figure(1.0)]), ["one", "two"], path)
    save(entries("two", [_figure(2.0), _figure(3.0)]), ["one", "two"], path)
    assert _saved(path) == [("one", 1.0), ("two", 2.0), ("two", 3.0)]


def test_new_figures_take_the_place_of_all_that_the_benchmark_had(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    save([*entries("one", [_figure(1.0), _figure(2.0)]), *entries("two", [_figure(3.0)])], ["one", "two"], path)
    save(entries("one", [_figure(4.0)]), ["one", "two"], path)
    assert _saved(path) == [("one", 4.0), ("two", 3.0)]


def test_figures_of_a_benchmark_that_is_no_more_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    save(entries("old", [_figure(1.0)]), ["old"], path)
    save(entries("new", [_figure(2.0)]), ["new"], path)
    assert _saved(path) == [("new", 2.0)]


def test_an_entry_says_when_and_on_what_it_was_measured_and_whether_it_keeps_its_bound() -> None:
    (entry,) = entries("one", [FIGURE])
    assert {"measuredAt", "machine", "question", "ours", "limit", "limit_is", "spread", "rounds"} <= entry.keys()
    assert (entry["benchmark"], entry["ratio"], entry["bound"], entry["met"]) == ("one", 1.5, {"below": 2.0}, False)


def test_the_committed_results_are_of_benchmarks_that_there_are() -> None:
    kept = json.loads(RESULTS.read_text())["figures"]
    assert {entry["benchmark"] for entry in kept} <= set(BENCHMARKS)
    assert all(entry.keys() == entries("one", [FIGURE])[0].keys() for entry in kept)
