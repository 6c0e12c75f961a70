"""The counts of a stage, and whether those of several sources agree. Pure; `compare` reads the sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields


@dataclass(frozen=True)
class Counts:
    """How the files of one stage stand."""

    total: int | None
    processed: int = 0
    errors: int = 0


StageCounts = Mapping[str, Counts]  # by stage, in the order in which they ran
NUMBERS = tuple(field.name for field in fields(Counts))
UNKNOWN = "-"


def disagreements(sources: Mapping[str, StageCounts]) -> list[str]:
    """One line for each number of which the sources do not all say the same; no line means that all agree."""
    return [
        f"{stage} {number}: " + ", ".join(f"{source} says {cell}" for source, cell in zip(sources, cells, strict=True))
        for stage, number, cells in _rows(sources)
        if len(set(cells)) > 1
    ]


def table(sources: Mapping[str, StageCounts]) -> str:
    """The counts side by side: a row for each number of each stage, a column for each source."""
    rows = [("stage", "", *sources), *((stage, number, *cells) for stage, number, cells in _rows(sources))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _rows(sources: Mapping[str, StageCounts]) -> list[tuple[str, str, list[str]]]:
    stages = dict.fromkeys(stage for counts in sources.values() for stage in counts)
    by_source = [{stage: astuple(counts) for stage, counts in each.items()} for each in sources.values()]
    return [
        (stage, number, [_cell(each.get(stage), place) for each in by_source])
        for stage in stages
        for place, number in enumerate(NUMBERS)
    ]


def _cell(counts: tuple[int | None, ...] | None, place: int) -> str:
    return UNKNOWN if counts is None or counts[place] is None else str(counts[place])


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    words, numbers = row[:2], row[2:]
    left = [word.ljust(width) for word, width in zip(words, widths[:2], strict=True)]
    right = [number.rjust(width) for number, width in zip(numbers, widths[2:], strict=True)]
    return "  ".join(left + right)
