"""The model foretells what its costs say, finds them in the figures again, and says what is filled first."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from bench import scale
from bench.capacity.__main__ import BEGIN, END, FLEET, TEAM, table, with_tables
from bench.capacity.costs import Costs, NotMeasured, Work, fitted
from bench.capacity.load import DAY_S, Load
from bench.capacity.needs import first, needs
from bench.results import RESULTS, entries

WORK = {
    "projector": Work(batch_s=2e-3, event_s=8e-6, part_s=60e-6),
    "PostgreSQL": Work(batch_s=1e-3, event_s=9e-6, part_s=50e-6),
    "Kafka": Work(batch_s=15e-3, event_s=5e-6, part_s=0.0),
}


def run(batches: int, events: int, parts: int) -> scale.Run:
    """A run in which every server took exactly what its work costs."""
    return scale.Run(
        batches=batches, events=events, parts=parts, seconds=events * 20e-6,
        cpu_s={server: work.cores(batches, events, parts) for server, work in WORK.items()},
        stored={"PostgreSQL": 800 * events, "WAL": 900 * events, "Kafka": 70 * events},
    )  # fmt: skip


SMALL = [run(1, 510_000, 60), run(500, 510_000, 1_100), run(200, 41_000, 30_000)]


@pytest.fixture(scope="module")
def kept() -> list[dict[str, Any]]:
    """The figures of the last `make bench`."""
    found: list[dict[str, Any]] = json.loads(RESULTS.read_text())["figures"]
    return found


@pytest.fixture(scope="module")
def costs(kept: list[dict[str, Any]]) -> Costs:
    return fitted(kept)


def test_a_run_that_costs_what_the_small_ones_did_is_foretold_exactly() -> None:
    figures = scale.foretold(SMALL, run(2_000, 10_000_000, 130_000))
    processor = [figure.ratio for figure in figures if figure.unit == "s"]
    assert processor == pytest.approx([1.0, 1.0, 1.0])
    assert all(figure.met for figure in figures if figure.unit == "s")


def test_a_run_that_costs_half_as_much_again_is_told_apart() -> None:
    large = run(2_000, 10_000_000, 130_000)
    dearer = large._replace(cpu_s={server: 1.5 * seconds for server, seconds in large.cpu_s.items()})
    assert [figure.met for figure in scale.foretold(SMALL, dearer) if figure.unit == "s"] == [False] * 3


def test_the_costs_are_found_again_in_the_figures(kept: list[dict[str, Any]]) -> None:
    others = [entry for entry in kept if entry["benchmark"] != "scale"]
    found = fitted([*others, *entries("scale", scale.costs(SMALL))])
    for server, work in (("projector", found.projector), ("PostgreSQL", found.postgres), ("Kafka", found.kafka)):
        assert work == pytest.approx(WORK[server], abs=1e-9)
    assert (found.kept_bytes, found.wal_bytes, found.kafka_bytes) == (800, 900, 70)


def test_a_figure_that_is_missing_is_named_with_what_measures_it(kept: list[dict[str, Any]]) -> None:
    with pytest.raises(NotMeasured, match=r"for a message.*make bench QUESTIONS=single_messages"):
        fitted([entry for entry in kept if entry["benchmark"] != "single_messages"])


def needed(load: Load, costs: Costs) -> dict[str, float]:
    return {need.what: need.needed for need in needs(load, costs)}


def test_what_grows_with_the_batches_doubles_with_them(costs: Costs) -> None:
    one = Load(workers=0)
    two = msgspec.structs.replace(one, batches_a_day=2 * one.batches_a_day)
    before, after = needed(one, costs), needed(two, costs)
    for what in ("Kafka: partitions", "Kafka: disk", "PostgreSQL: disk", "projector: topics to delete"):
        assert after[what] == pytest.approx(2 * before[what])
    assert after["gateway: streams"] == before["gateway: streams"]


def test_a_batch_that_reports_fast_shares_its_polls_parts(costs: Costs) -> None:
    slow = Load(workers=0, batches_a_day=86_400, peak=1, batch_s=86_400, stages=1, files_a_batch=1_000)
    fast = msgspec.structs.replace(slow, batches_a_day=1, files_a_batch=86_400_000)
    assert slow.peak_events_a_second == pytest.approx(fast.peak_events_a_second, rel=0.01)
    assert needed(fast, costs)["projector: processor"] < needed(slow, costs)["projector: processor"]


def test_topics_that_are_kept_shorter_leave_what_else_is_needed(costs: Costs) -> None:
    shorter = msgspec.structs.replace(FLEET, topic_kept_s=3600)
    assert shorter.topics == pytest.approx(FLEET.live_batches + FLEET.batches_a_day / 24)
    assert needed(shorter, costs)["Kafka: processor"] == needed(FLEET, costs)["Kafka: processor"]


def test_as_installed_a_fleet_fills_kafka_with_topics_first_and_a_team_nothing(costs: Costs) -> None:
    filled = first(needs(FLEET, costs))
    assert (filled.what, filled.units > 100) == ("Kafka: partitions", True)
    assert all(need.units == 1 for need in needs(TEAM, costs))


def test_workers_that_only_beat_need_no_more_than_their_heartbeats() -> None:
    assert Load(workers=1_000, batches_a_day=0).events_a_day == pytest.approx(1_000 * DAY_S / 5)


def test_the_page_gets_its_tables_between_the_marks_and_keeps_the_rest(costs: Costs) -> None:
    page = f"# Before\n\n{BEGIN}stale\n{END}\nAfter\n"
    written = with_tables(page, table({"a team": TEAM}, costs))
    assert (written.startswith("# Before\n"), written.endswith(f"{END}\nAfter\n")) == (True, True)
    assert "stale" not in written
    assert with_tables(written, table({"a team": TEAM}, costs)) == written
