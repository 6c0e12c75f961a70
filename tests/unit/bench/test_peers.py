"""What the benchmark of streams takes for a peer's bytes, and where a client goes on whose stream has ended."""

from __future__ import annotations

import pytest

from bench.events import batch_events
from bench.peers import kafka_sse_server, mercure_hub, streaming
from bench.peers.resuming_clients import last_id


@pytest.mark.parametrize(
    ("tail", "found"),
    [
        (b"\nid: 7\nevent: file_complete\ndata: {}\n\n", b"7"),
        (b"\ndata: {}\n\nevent: x\nid: 8\ndata: {}\n\nid: 9\ndata: {", b"8"),
        (b"\nid: 8\ndata: {}\n\nid: 9\ndata: {}\n", b"8"),
        (b'cut":1}\n\nid: 9\ndata: {"id: 3":1}\n\n', b"9"),
        (b'\nevent: message\nid: [{"topic":"t","partition":0,"offset":5}]\ndata: {}\n\n',
         b'[{"topic":"t","partition":0,"offset":5}]'),
        (b"\n", None),
        (b"\nid: 9\ndata: {", None),
        (b"\n:\n\n", None),
    ],
)  # fmt: skip
def test_a_client_goes_on_after_the_last_event_that_came_whole(tail: bytes, found: bytes | None) -> None:
    assert last_id(tail) == found


def test_the_hubs_events_have_type_id_and_the_published_bytes() -> None:
    assert mercure_hub.frame(12, "file_error", b'{"a":1}') == b'event: file_error\nid: 12\ndata: {"a":1}\n\n'


def test_kafka_sses_events_have_the_offset_to_go_on_from() -> None:
    assert kafka_sse_server.frame("t", 12, b"{}") == (
        b'event: message\nid: [{"topic":"t","partition":0,"offset":13}]\ndata: {}\n\n'
    )


def test_each_event_is_a_line_of_three_parts_for_the_hub() -> None:
    messages = streaming.messages_of(2**61, 60)
    lines = b"".join(mercure_hub.update(number, message) for number, message in enumerate(messages, 7)).splitlines()
    assert [line.split(b"\t")[:2] for line in lines] == [
        [b"%d" % number, event.event_type.encode()] for number, event in enumerate(batch_events(2**61, 60), 7)
    ]
    assert [line.split(b"\t", 2)[2] for line in lines] == [message.value for message in messages]
    assert all(line.count(b"\t") == 2 for line in lines)


def test_messages_are_those_of_their_batch() -> None:
    assert all(b'"batchId":2305843009213693952,' in message.value for message in streaming.messages_of(2**61, 60))
