"""Groups of files are few, about equal, and hold every file once in order."""

from __future__ import annotations

from headway_gateway.groups import MOST_GROUPS, Group, grouped
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.lists(st.integers(1, 60), max_size=12_000)


def spans(sizes: list[int]) -> list[Group]:
    return [Group(size, size % 3, size % 2, place * 10) for place, size in enumerate(sizes)]


@given(SIZES)
def test_no_file_is_lost_and_groups_are_few_enough(sizes: list[int]) -> None:
    groups = list(grouped(spans(sizes), sum(sizes)))
    for column in range(3):
        assert sum(group[column] for group in groups) == sum(span[column] for span in spans(sizes))
    assert len(groups) <= MOST_GROUPS
    assert [group.first_offset for group in groups] == sorted({group.first_offset for group in groups})
    assert all(group.files >= sum(sizes) / MOST_GROUPS for group in groups[:-1])


def test_as_long_as_there_is_room_each_file_is_by_itself() -> None:
    alone = [Group(1, 0, 0, offset) for offset in range(MOST_GROUPS)]
    assert list(grouped(alone, len(alone))) == alone
    assert [group.files for group in grouped([*alone, Group(1, 1, 0, MOST_GROUPS)], MOST_GROUPS + 1)][:2] == [2, 2]
