"""The soak's faults come from its seed alone, and none outlives the run."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.schedule import LANES, PAUSE_S, SHORTEST_RUN_S, TARGETS, in_order, schedule

seeds = st.integers(0, 2**63)
lengths = st.floats(SHORTEST_RUN_S, 3600)


@given(seeds, lengths)
def test_the_same_seed_makes_the_same_faults(seed: int, run_s: float) -> None:
    assert schedule(seed, run_s) == schedule(seed, run_s)


def test_another_seed_makes_other_faults() -> None:
    assert len({str(schedule(seed, 600)) for seed in range(20)}) == 20


@given(seeds, lengths)
def test_every_kind_of_fault_occurs_at_a_target_that_there_is(seed: int, run_s: float) -> None:
    faults = in_order(schedule(seed, run_s))
    assert {(fault.part, fault.action) for fault in faults} == {
        (kind.part, kind.action) for kinds in LANES for kind in kinds
    }
    assert all(0 <= fault.target < TARGETS[fault.part] for fault in faults)


@given(seeds, lengths)
def test_all_recover_before_the_end_and_before_their_lanes_next_fault(seed: int, run_s: float) -> None:
    for lane in schedule(seed, run_s):
        assert all(fault.at_s > 0 and fault.at_s + fault.lasts_s <= run_s for fault in lane)
        assert all(one.at_s + one.lasts_s + PAUSE_S[0] <= other.at_s for one, other in pairwise(lane))


@given(seeds)
def test_a_longer_run_begins_as_a_shorter_one_does(seed: int) -> None:
    for shorter, longer in zip(schedule(seed, 90), schedule(seed, 600), strict=True):
        assert longer[: len(shorter)] == shorter


def test_a_fault_says_in_words_what_befalls_whom() -> None:
    broker = next(fault for fault in in_order(schedule(1, 60)) if fault.part == "broker")
    assert str(broker) == f"broker {broker.target + 1} is {broker.action} for {broker.lasts_s:.1f} s"


@pytest.mark.parametrize("part", TARGETS)
def test_each_target_has_its_turn_in_a_long_run(part: str) -> None:
    found = {fault.target for fault in in_order(schedule(7, 1200)) if fault.part == part}
    assert len(found) == TARGETS[part]  # type: ignore[index]
