"""What a benchmark says: one figure beside its limit, both measured in the same run, their ratio, and what is asked."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Self

import msgspec


class Bound(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a figure is asked to keep: all that are given."""

    ratio_at_least: float | None = None
    ratio_below: float | None = None
    at_least: float | None = None  # in the figure's unit
    below: float | None = None  # in the figure's unit


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One result.

    `ratio` is ours against the limit, so that above 1 is better than the limit for a rate (`/s`) and worse for a
    duration or a size. Every value is the median of its rounds; `spread` has the least and the most of ours.
    """

    question: str
    unit: str
    ours: float
    limit: float
    limit_is: str
    spread: tuple[float, float]
    rounds: int
    bound: Bound | None = None

    @classmethod
    def of_rounds(
        cls, question: str, unit: str, ours: Sequence[float], limit: Sequence[float], limit_is: str,
        bound: Bound | None = None,
    ) -> Self:  # fmt: skip
        """The figure of what several rounds measured."""
        return cls(
            question=question,
            unit=unit,
            ours=statistics.median(ours),
            limit=statistics.median(limit),
            limit_is=limit_is,
            spread=(min(ours), max(ours)),
            rounds=len(ours),
            bound=bound,
        )

    @property
    def ratio(self) -> float:
        """Ours divided by the limit."""
        return self.ours / self.limit

    @property
    def met(self) -> bool | None:
        """Whether the figure keeps its bound; None where it has none."""
        if self.bound is None:
            return None
        ratio, least, below = self.bound.ratio_at_least, self.bound.at_least, self.bound.below
        return (
            (ratio is None or self.ratio >= ratio)
            and (self.bound.ratio_below is None or self.ratio < self.bound.ratio_below)
            and (least is None or self.ours >= least)
            and (below is None or self.ours < below)
        )


def report(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| question | ours | limit in the same run | ratio | asked | rounds (least to most) |",
        "|---|---:|---:|---:|---|---|",
    ]
    lines += [
        f"| {figure.question} | {_number(figure.ours)} {figure.unit} "
        f"| {_number(figure.limit)} {figure.unit}, {figure.limit_is} | {figure.ratio:.2f} | {_asked(figure)} "
        f"| {figure.rounds} ({_number(figure.spread[0])} to {_number(figure.spread[1])}) |"
        for figure in figures
    ]
    return "\n".join(lines)


def _asked(figure: Figure) -> str:
    if figure.bound is None:
        return ""
    parts = []
    if figure.bound.ratio_at_least is not None:
        parts.append(f"ratio at least {figure.bound.ratio_at_least:g}")
    if figure.bound.ratio_below is not None:
        parts.append(f"ratio below {figure.bound.ratio_below:g}")
    if figure.bound.at_least is not None:
        parts.append(f"at least {_number(figure.bound.at_least)} {figure.unit}")
    if figure.bound.below is not None:
        parts.append(f"below {figure.bound.below:g} {figure.unit}")
    return f"{' and '.join(parts)}: {'met' if figure.met else 'not met'}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
