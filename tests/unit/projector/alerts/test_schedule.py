"""Pauses grow, differ and end; a receiver's wish is understood in both of its forms, and nonsense is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from headway_projector.alerts.schedule import LONGEST_ASKED_S, LONGEST_S, pause_s, retry_after_s

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def test_pauses_double_up_to_an_hour_and_half_of_each_is_chance() -> None:
    assert [pause_s(attempts, lambda: 0.0) for attempts in (1, 2, 3, 4)] == [2, 4, 8, 16]
    assert [pause_s(attempts, lambda: 0.5) for attempts in (1, 2, 3, 4)] == [3, 6, 12, 24]
    assert pause_s(1000, lambda: 0.0) == LONGEST_S / 2
    assert len({pause_s(5) for _ in range(100)}) > 50


def test_a_day_has_some_thirty_attempts() -> None:
    passed_s, attempts = 0.0, 0
    while passed_s < 24 * 60 * 60:
        attempts += 1
        passed_s += pause_s(attempts, lambda: 0.5)
    assert 30 <= attempts <= 50


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, 0),
        ("120", 120),
        (" 7 ", 7),
        ("Wed, 25 Nov 2026 12:01:30 GMT", 90),
        ("Wed, 25 Nov 2026 11:00:00 GMT", 0),
        ("Wed, 25 Nov 2026 12:01:30 -0000", 90),
        ("9" * 400, LONGEST_ASKED_S),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_ASKED_S),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("", 0),
        ("²", 0),
        ("Wed, 99 Nov 2026 12:01:30 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, expected: float) -> None:
    assert retry_after_s(header, NOW) == expected
