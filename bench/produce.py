"""What does one `file_complete` cost the pipeline? Beside it: a bare confluent-kafka `produce` of the same bytes."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from confluent_kafka import Producer
from headway import EventLogger
from headway_events import FileComplete, encode, headers

from bench.figures import Figure
from bench.stack import BenchStack

ROUNDS = 5
BURSTS = 200
CALLS = 50  # in a burst; a GPU worker finishes files in small groups, and sleeps (computes) in between
PAUSE_S = 0.005
RESPONSE = {"status": "success", "snrBefore": 4.81, "snrAfter": 17.32, "seconds": 2.5}


class Record(NamedTuple):
    """What the logger would write, made beforehand."""

    value: bytes
    key: bytes
    headers: dict[str, str | bytes | None]


def measure(stack: BenchStack) -> list[Figure]:
    """Microseconds a call, at p50 and p99, ours and the limit's rounds in turn."""
    batch_id = random.getrandbits(62)
    ours: list[list[float]] = []
    bare: list[list[float]] = []
    with EventLogger(bootstrap=stack.bootstrap) as logger:
        logger.stage_start(batch_id, "denoise", total_files=ROUNDS * BURSTS * CALLS)
        logger.flush(30)
        producer = Producer(
            {"bootstrap.servers": stack.bootstrap, "enable.idempotence": True, "compression.type": "lz4"}
        )
        topic = stack.names.of_batch(batch_id)
        record = _record(batch_id)
        for number in range(ROUNDS):
            ours.append(_microseconds(lambda n: _ours(logger, batch_id, n), first=number * BURSTS * CALLS))
            bare.append(_microseconds(lambda _: _bare(producer, topic, record), first=0))
            producer.flush(30)
    return [_figure(quantile, ours, bare) for quantile in (50, 99)]


def _ours(logger: EventLogger, batch_id: int, number: int) -> None:
    logger.file_complete(batch_id, "denoise", f"audio{number:07d}.wav", "10.0.0.7", RESPONSE, duration_ms=41.25)


def _bare(producer: Producer, topic: str, record: Record) -> None:
    producer.produce(topic, value=record.value, key=record.key, headers=record.headers)
    producer.poll(0)


def _record(batch_id: int) -> Record:
    event = FileComplete(
        batch_id=batch_id, timestamp=datetime.now(UTC), stage="denoise", file_name="audio0000000.wav",
        gpu_ip="10.0.0.7", duration_ms=41.25, response=msgspec.Raw(msgspec.json.encode(RESPONSE)),
    )  # fmt: skip
    return Record(encode(event), b"denoise", dict(headers(event, source="/bench")))


def _microseconds(call: Callable[[int], None], first: int) -> list[float]:
    """The duration of each call, in bursts with pauses so that the sender's work falls where it would."""
    spent = []
    for burst in range(BURSTS):
        for number in range(first + burst * CALLS, first + (burst + 1) * CALLS):
            begin = time.perf_counter_ns()
            call(number)
            spent.append((time.perf_counter_ns() - begin) / 1000)
        time.sleep(PAUSE_S)
    return spent


def _figure(quantile: int, ours: list[list[float]], bare: list[list[float]]) -> Figure:
    def at(rounds: list[list[float]]) -> list[float]:
        return [statistics.quantiles(spent, n=100)[quantile - 1] for spent in rounds]

    limit_is = "bare confluent-kafka produce of the same bytes"
    return Figure.of_rounds(f"one file_complete, p{quantile}", "µs", at(ours), at(bare), limit_is)
