"""A record that Kafka will not take, or a producer that has failed for good, does not hold up the others."""

from __future__ import annotations

import ctypes
import json
import time
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka import KafkaError
from headway import EventLogger
from headway_events import TopicNames

from support.topics import Topics


@pytest.fixture
def event_logger(kafka: str, names: TopicNames, tmp_path: Path) -> EventLogger:
    return EventLogger(bootstrap=kafka, names=names, spool_dir=tmp_path / "spool")


def _files(topics: Topics, batch_id: int, at_least: int) -> list[str]:
    records = topics.read(topics.names.of_batch(batch_id), at_least=at_least)
    return [json.loads(record.value or b"")["fileName"] for record in records]


@pytest.mark.parametrize("megabytes", [1.5, 3], ids=["the broker refuses it", "the producer refuses it"])
def test_a_record_too_large_is_lost_alone_and_counted(
    event_logger: EventLogger, topics: Topics, batch_id: int, megabytes: float
) -> None:
    incompressible = "".join(map(chr, range(0x4E00, 0x9FA5))) * 50
    event_logger.file_complete(batch_id, "denoise", "before")
    event_logger.file_complete(batch_id, "denoise", "between", incompressible[: int(megabytes * 1e6 / 3)])
    event_logger.file_complete(batch_id, "denoise", "after")
    assert event_logger.flush(30) == 0
    assert _files(topics, batch_id, 2) == ["before", "after"]
    assert event_logger.lost == 1


def test_a_topic_deleted_under_a_running_batch_is_made_again(
    event_logger: EventLogger, topics: Topics, batch_id: int
) -> None:
    event_logger.file_complete(batch_id, "denoise", "before")
    assert event_logger.flush(30) == 0
    topic = topics.names.of_batch(batch_id)
    topics.delete(topic)
    while topics.exists(topic):  # what is written until then goes with it
        time.sleep(0.1)
    time.sleep(1)
    event_logger.file_complete(batch_id, "denoise", "after")
    assert event_logger.flush(60) == 0
    assert _files(topics, batch_id, 1) == ["after"]


def test_a_producer_that_has_failed_for_good_gets_a_successor_and_nothing_is_lost(
    event_logger: EventLogger, topics: Topics, batch_id: int
) -> None:
    names = [str(number) for number in range(5_000)]
    for number, name in enumerate(names):
        event_logger.file_complete(batch_id, "denoise", name)
        if number == 2_500:
            event_logger.flush(5)
            _fail_for_good(event_logger)
    assert event_logger.flush(30) == 0
    assert event_logger.lost == 0
    assert list(dict.fromkeys(_files(topics, batch_id, 5_000))) == names


def _fail_for_good(event_logger: EventLogger) -> None:
    """Put librdkafka's producer into its fatal state, by the function that it has for such tests."""
    (library,) = Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka*.so*")
    sender = event_logger._outbox._sender
    assert sender is not None
    handle = ctypes.c_void_p.from_address(id(sender._producer) + object.__basicsize__)
    fail = ctypes.CDLL(str(library)).rd_kafka_test_fatal_error
    fail.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
    assert fail(handle, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, b"for a test") == 0


def test_a_closed_logger_can_be_used_again(event_logger: EventLogger, topics: Topics, batch_id: int) -> None:
    for name in ("a", "b", "c"):
        event_logger.file_complete(batch_id, "denoise", name)
        assert event_logger.close() == 0
    assert _files(topics, batch_id, 3) == ["a", "b", "c"]


def test_a_logger_closed_while_kafka_was_away_sends_what_it_left_when_it_is_used_again(
    kafka: str, names: TopicNames, topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    with EventLogger(bootstrap="127.0.0.1:1", names=names, spool_dir=tmp_path, close_timeout_s=0.1) as away:
        away.file_complete(batch_id, "denoise", "a")
        assert away.close() > 0
        away.file_complete(batch_id, "denoise", "b")
        assert away.close() > 0
        assert away.lost == 0
    with EventLogger(bootstrap=kafka, names=names, spool_dir=tmp_path) as here:
        here.file_complete(batch_id, "denoise", "c")
        assert here.flush(30) == 0
    assert sorted(_files(topics, batch_id, 3)) == ["a", "b", "c"]
