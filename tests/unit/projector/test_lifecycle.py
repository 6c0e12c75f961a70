"""A topic is read only into the tables it belongs to, and deleted only when they hold all of it."""

from __future__ import annotations

import pytest
from headway_projector.lifecycle import Admission, FoundTopic, Kept, KnownTopic, admission, pause_s, turn, why_kept


def known(batch_id: int = 1, *, topic_id: str | None = "A", next_offset: int = 5, archived: bool = False) -> KnownTopic:
    return KnownTopic(batch_id, f"headway-batch-{batch_id}", topic_id, next_offset, archived)


@pytest.mark.parametrize(
    ("batch", "found", "expected"),
    [
        (known(), "A", Admission.READ),
        (known(), "B", Admission.REFUSE),
        (known(next_offset=0), "B", Admission.NOTE),  # nothing of A was projected
        (known(topic_id=None), "A", Admission.NOTE),  # projected before ids were noted
        (known(archived=True), "A", Admission.LEAVE),
        (known(archived=True), "B", Admission.REFUSE),
        (
            known(archived=True, topic_id=None),
            "A",
            Admission.REFUSE,
        ),  # archived when its topic was gone: this is another
        (known(archived=True, next_offset=0), "B", Admission.REFUSE),
    ],
)
def test_a_topic_is_read_only_where_it_was_read_before(batch: KnownTopic, found: str, expected: Admission) -> None:
    assert admission(batch, found) is expected


@pytest.mark.parametrize(
    ("found", "offsets", "expected"),
    [
        (FoundTopic("A", 5), 5, None),
        (None, 5, None),
        (FoundTopic("A", 6), 5, Kept.LAGGING),
        (FoundTopic("A", 4), 5, Kept.LAGGING),
        (FoundTopic("B", 5), 5, Kept.OTHER),
        (FoundTopic("A", 5), 4, Kept.HOLE),
        (FoundTopic("A", 5), 6, Kept.HOLE),
        (None, 4, Kept.HOLE),
    ],
)
def test_a_topic_is_deleted_only_when_every_offset_of_it_is_accounted_for(
    found: FoundTopic | None, offsets: int, expected: Kept | None
) -> None:
    assert why_kept(known(), found, offsets) is expected


def test_those_that_are_kept_do_not_take_the_turn_of_others() -> None:
    batches = [known(number) for number in range(5)]
    looked: dict[int, int] = {}
    seen = []
    for round_number in range(4):
        for batch in turn(batches, looked, most=2):
            looked[batch.batch_id] = round_number
            seen.append(batch.batch_id)
    assert seen == [0, 1, 2, 3, 4, 0, 1, 2]


@pytest.mark.parametrize(("kept_s", "expected"), [(0, 60), (14 * 86400, 60), (60, 60), (7, 7), (1, 1)])
def test_rounds_are_a_minute_apart_or_less_where_topics_are_kept_for_less(kept_s: int, expected: float) -> None:
    assert pause_s(kept_s) == expected
