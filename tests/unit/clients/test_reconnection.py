"""A client waits as long as it was asked to, longer after each failure, up to a bound, out of step with others."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from headway_client.reconnection import JITTER, LEAST_S, MOST_S, Reconnection, retry_after_s

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def delays(reconnection: Reconnection, count: int) -> list[float]:
    return [reconnection.next_delay_s() for _ in range(count)]


def test_the_delay_doubles_with_each_failure_up_to_the_bound() -> None:
    reconnection = Reconnection(chance=lambda: 0.0)
    reconnection.asked_s = 3.0
    assert delays(reconnection, 7) == [3, 6, 12, 24, 48, MOST_S, MOST_S]


def test_the_bound_is_lower_where_somebody_looks_on() -> None:
    reconnection = Reconnection(chance=lambda: 0.0)
    reconnection.most_s = 5.0
    assert delays(reconnection, 4) == [2, 4, 5, 5]


def test_a_success_begins_anew() -> None:
    reconnection = Reconnection(chance=lambda: 0.0)
    before = delays(reconnection, 4)
    reconnection.succeeded()
    assert delays(reconnection, 4) == before


def test_no_two_clients_wait_equally_long_and_none_less_than_asked() -> None:
    found = [Reconnection().next_delay_s() for _ in range(100)]
    assert len(set(found)) > 90
    assert min(found) >= 2.0
    assert max(found) <= 2.0 * (1 + JITTER)


def test_a_stream_that_asks_for_no_delay_is_not_asked_in_a_busy_loop() -> None:
    reconnection = Reconnection(chance=lambda: 0.0)
    reconnection.asked_s = 0.0
    assert delays(reconnection, 3) == [LEAST_S, 2 * LEAST_S, 4 * LEAST_S]


def test_ten_thousand_failures_do_not_overflow() -> None:
    assert delays(Reconnection(chance=lambda: 0.0), 10_000)[-1] == MOST_S


def test_retry_after_is_waited_for_even_where_it_is_longer_than_the_bound() -> None:
    reconnection = Reconnection(chance=lambda: 0.0)
    assert reconnection.next_delay_s(retry_after_s=300.0) == 300
    assert reconnection.next_delay_s(retry_after_s=0.0) == 4


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        ("Tue, 24 Nov 2026 10:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, expected: float | None) -> None:
    assert retry_after_s(value, NOW) == expected
