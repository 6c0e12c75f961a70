"""What a benchmark says: one figure beside its limit, both measured in the same run, and their ratio."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One result.

    `ratio` is ours against the limit, so that above 1 is better than the limit for a rate (`/s`) and worse for a
    duration. Every value is the median of its rounds; `spread` has the least and the most of ours.
    """

    question: str
    unit: str
    ours: float
    limit: float
    limit_is: str
    spread: tuple[float, float]
    rounds: int

    @property
    def ratio(self) -> float:
        """Ours divided by the limit."""
        return self.ours / self.limit


def report(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| question | ours | limit in the same run | ratio | rounds (least to most) |",
        "|---|---:|---:|---:|---|",
    ]
    lines += [
        f"| {figure.question} | {_number(figure.ours)} {figure.unit} "
        f"| {_number(figure.limit)} {figure.unit}, {figure.limit_is} | {figure.ratio:.2f} "
        f"| {figure.rounds} ({_number(figure.spread[0])} to {_number(figure.spread[1])}) |"
        for figure in figures
    ]
    return "\n".join(lines)


def save(figures: list[Figure], path: Path) -> None:
    """Write the figures, and what they were measured on, as JSON."""
    document = {
        "measuredAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "figures": [{**msgspec.to_builtins(figure), "ratio": round(figure.ratio, 3)} for figure in figures],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
