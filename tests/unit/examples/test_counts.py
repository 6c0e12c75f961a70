"""Counts of several sources agree only if every number of every stage does."""

from __future__ import annotations

import pytest

from examples.denoise.counts import Counts, disagreements, table

DENOISE = Counts(500, 495, 5)


def test_equal_counts_agree() -> None:
    assert disagreements({"terminal": {"denoise": DENOISE}, "Postgres": {"denoise": Counts(500, 495, 5)}}) == []


@pytest.mark.parametrize(
    ("other", "line"),
    [
        (Counts(499, 495, 5), "denoise total: terminal says 500, Postgres says 499"),
        (Counts(None, 495, 5), "denoise total: terminal says 500, Postgres says -"),
        (Counts(500, 494, 5), "denoise processed: terminal says 495, Postgres says 494"),
        (Counts(500, 495, 6), "denoise errors: terminal says 5, Postgres says 6"),
    ],
)
def test_a_number_that_differs_is_named_with_what_each_source_says(other: Counts, line: str) -> None:
    assert disagreements({"terminal": {"denoise": DENOISE}, "Postgres": {"denoise": other}}) == [line]


def test_a_stage_that_one_source_does_not_know_is_a_disagreement() -> None:
    assert len(disagreements({"terminal": {}, "Postgres": {"denoise": DENOISE}})) == 3
    assert len(disagreements({"terminal": {"denoise": DENOISE}, "Postgres": {}})) == 3


def test_the_table_shows_every_number_under_its_source() -> None:
    shown = table({"terminal": {"denoise": DENOISE}, "SSE fold": {"denoise": Counts(None, 12, 0)}})
    assert [line.split() for line in shown.splitlines()] == [
        ["stage", "terminal", "SSE", "fold"],
        ["denoise", "total", "500", "-"],
        ["denoise", "processed", "495", "12"],
        ["denoise", "errors", "5", "0"],
    ]
    assert len({len(line) for line in shown.splitlines()}) == 1
