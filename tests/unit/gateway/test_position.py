"""Where a stream begins: what requests say, and what can be honoured."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from headway_gateway import position
from headway_gateway.errors import InvalidParameter
from headway_gateway.position import After, At, Beginning, Reset, Since, Start


def begin(query: dict[str, str], header: str | None) -> Start:
    """Where a stream of one batch begins."""
    resumed = position.resumed(position.last_event_id(query, header), [7])
    return resumed.get(7) or position.start(query, several=False)


@pytest.mark.parametrize(
    ("query", "header", "expected"),
    [
        ({}, None, Beginning.EARLIEST),
        ({"from": "latest"}, None, Beginning.LATEST),
        ({"from": "snapshot"}, None, Beginning.SNAPSHOT),
        ({"from": "17"}, None, At(17)),
        ({"from": "0"}, "", At(0)),
        ({"lastEventId": "-1"}, None, After(-1)),
        ({"lastEventId": "4"}, "9", After(9)),
        ({"from": "2026-11-24T10:00:00Z"}, None, Since(datetime(2026, 11, 24, 10, tzinfo=UTC))),
        ({"from": "2026-11-24T10:00:00"}, None, Since(datetime(2026, 11, 24, 10, tzinfo=UTC))),
    ],
)
def test_a_request_says_where_it_begins(query: dict[str, str], header: str | None, expected: Start) -> None:
    assert begin(query, header) == expected


@pytest.mark.parametrize(
    ("query", "header", "parameter"),
    [
        ({"from": "-1"}, None, "from"),
        ({"from": "007"}, None, "from"),
        ({"from": "1.5"}, None, "from"),
        ({"from": "٣"}, None, "from"),
        ({"from": str(2**63)}, None, "from"),
        ({"lastEventId": "-2"}, None, "lastEventId"),
        ({"lastEventId": ""}, None, "lastEventId"),
        ({}, "4 ", "Last-Event-ID"),
        ({}, "1,2", "Last-Event-ID"),
    ],
)
def test_a_malformed_position_names_its_parameter(query: dict[str, str], header: str | None, parameter: str) -> None:
    with pytest.raises(InvalidParameter, match=f"^{parameter} is ") as caught:
        begin(query, header)
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("positions", [{1: 0, 2: 17}, {-(2**63): 2**63 - 1, 2**63 - 1: 0}])
def test_a_composite_id_resumes_every_batch_where_it_stood(positions: dict[int, int]) -> None:
    last = position.LastEventId("Last-Event-ID", position.composite(positions).decode())
    for wanted in ([], list(positions), [*positions, 3]):
        found = position.resumed(last, wanted)
        assert {number: after.last_event_id + 1 for number, after in found.items()} == positions


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("4", [1, 2]),
        ("1:4,", [1, 2]),
        ("1:4;2:5", [1, 2]),
        ("1:-2", [1, 2]),
        ("1:٣", [1, 2]),
        (f"1:{2**63}", [1, 2]),
        (f"{2**63}:1", []),
        ("1:4,3:5", [1, 2]),
        (",".join(f"{number}:1" for number in range(501)), []),
    ],
)
def test_a_composite_id_of_other_batches_or_in_another_form_is_refused(text: str, wanted: list[int]) -> None:
    with pytest.raises(InvalidParameter, match=r"^lastEventId is "):
        position.resumed(position.LastEventId("lastEventId", text), wanted)


def test_an_offset_is_no_beginning_for_several_batches() -> None:
    with pytest.raises(InvalidParameter, match=r"^from is "):
        position.start({"from": "5"}, several=True)


@pytest.mark.parametrize("count", [0, 1, 500])
def test_a_request_names_each_batch_once(count: int) -> None:
    named = [str(number) for number in range(count)]
    assert position.batch_ids([*named, *named][:500]) == list(range(count))


def test_more_batches_than_a_stream_may_have_are_refused() -> None:
    with pytest.raises(InvalidParameter, match=r"^batchId is "):
        position.batch_ids([str(number) for number in range(501)])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(After(-1), 0), (After(9), 10), (At(0), 0), (At(10), 10)],
)
def test_a_position_within_the_topic_is_honoured(wanted: After | At, expected: int) -> None:
    assert position.resolve(wanted, first=0, end=10) == expected


@pytest.mark.parametrize("wanted", [After(10), At(11), After(2**63 - 1)])
def test_a_position_from_the_future_resets(wanted: After | At) -> None:
    reset = position.resolve(wanted, first=3, end=10)
    assert isinstance(reset, Reset)
    assert reset.offset == 3


@pytest.mark.parametrize("wanted", [After(-1), After(1), At(2)])
def test_a_position_that_has_expired_resets_to_the_first_that_is_left(wanted: After | At) -> None:
    reset = position.resolve(wanted, first=3, end=10)
    assert isinstance(reset, Reset)
    assert (reset.offset, "expired" in reset.reason) == (3, True)


@pytest.mark.parametrize("text", [None, "", "abc", "1.0", "+5", " 5", "٣", str(2**63), "-0"])
def test_a_malformed_batch_is_refused(text: str | None) -> None:
    with pytest.raises(InvalidParameter, match=r"^batchId is "):
        position.batch_id(text)


@pytest.mark.parametrize("number", [0, -5, 2**63 - 1, -(2**63)])
def test_every_signed_64_bit_integer_is_a_batch(number: int) -> None:
    assert position.batch_id(str(number)) == number
