"""Files of a run in groups of about equal size, few enough for a screen. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

MOST_GROUPS: Final = 5000  # of one run: as many cells as a large screen has room for
MOST_SPANS: Final = 20_000  # of offsets, from which groups are put together


class Group(NamedTuple):
    """Files that were decided one after another."""

    files: int
    failed: int
    retried: int
    first_offset: int


def grouped(spans: Iterable[Group], files: int) -> Iterator[Group]:
    """Neighbours put together until at most MOST_GROUPS are left; each file by itself where that is few enough.

    Args:
        spans: in order.
        files: how many there are in all of them.
    """
    wanted = -(-files // MOST_GROUPS)
    current: Group | None = None
    for span in spans:
        current = span if current is None else _together(current, span)
        if current.files >= wanted:
            yield current
            current = None
    if current is not None:
        yield current


def _together(one: Group, other: Group) -> Group:
    return Group(one.files + other.files, one.failed + other.failed, one.retried + other.retried, one.first_offset)
