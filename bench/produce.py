"""What does tracking cost a pipeline? Beside it: bare confluent-kafka with the same bytes, and no tracking at all."""

from __future__ import annotations

import functools
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
from confluent_kafka import Producer
from headway import EventLogger
from headway_events import FileComplete, encode, headers
from numpy.typing import NDArray

from bench.figures import Bound, Figure
from bench.stack import BenchStack

ROUNDS = 5
BURSTS = 200
CALLS = 50  # in a burst; a GPU worker finishes files in small groups, and sleeps (computes) in between
PAUSE_S = 0.005
AT_ONCE = 200_000  # calls without a pause
STRETCH = 50  # files of the pipeline between two changes from tracked to untracked
STRETCHES = 60
FILE_S = 0.001  # of work for a file
FRAME = 512  # samples
RESPONSE = {"status": "success", "snrBefore": 4.81, "snrAfter": 17.32, "seconds": 2.5}


Call: TypeAlias = Callable[[int], object]  # given a number of its own


class Record(NamedTuple):
    """What the logger would write, made beforehand."""

    value: bytes
    key: bytes
    headers: dict[str, str | bytes | None]


def measure(stack: BenchStack) -> list[Figure]:
    """Of ours and the limit in turn: microseconds a call, events a second, milliseconds of a file."""
    batch_id = random.getrandbits(62)
    with EventLogger(bootstrap=stack.bootstrap) as logger:
        logger.stage_start(batch_id, "denoise")
        logger.flush(30)
        producer = Producer(
            {
                "bootstrap.servers": stack.bootstrap, "enable.idempotence": True, "compression.type": "lz4",
                "queue.buffering.max.messages": 2 * AT_ONCE,
            }
        )  # fmt: skip
        bare = functools.partial(_bare, producer, stack.names.of_batch(batch_id), _record(batch_id))
        ours = functools.partial(_ours, logger, batch_id)
        return [*_calls(ours, bare, producer), _throughput(logger, ours, bare, producer), *_pipeline(ours, bare)]


def _calls(ours: Call, bare: Call, producer: Producer) -> list[Figure]:
    spent: list[list[float]] = []
    spent_bare: list[list[float]] = []
    for _ in range(ROUNDS):
        spent.append(_microseconds(ours))
        spent_bare.append(_microseconds(bare))
        producer.flush(30)
    return [
        _figure(50, spent, spent_bare, Bound(below=10, ratio_below=2)),
        _figure(99, spent, spent_bare, Bound(below=50)),
    ]


def _throughput(logger: EventLogger, ours: Call, bare: Call, producer: Producer) -> Figure:
    """Of one thread that does nothing else, until Kafka has everything."""

    def rate(call: Call, flush: Callable[[float], int]) -> float:
        begin = time.perf_counter()
        for number in range(AT_ONCE):
            call(number)
        if flush(60):
            raise RuntimeError("Kafka did not take everything within a minute")
        return AT_ONCE / (time.perf_counter() - begin)

    rates = [(rate(ours, logger.flush), rate(bare, producer.flush)) for _ in range(ROUNDS)]
    question = "file_complete as often as one process can, until Kafka has all"
    limit_is = "bare produce of the same bytes"
    return Figure.of_rounds(
        question, "events/s", [one for one, _ in rates], [other for _, other in rates], limit_is,
        Bound(ratio_at_least=0.7),
    )  # fmt: skip


def _pipeline(ours: Call, bare: Call) -> list[Figure]:
    """Stretches of the same work, tracked, produced barely and untracked in turn, as the machine's speed drifts."""
    frames = np.random.default_rng(1).standard_normal((_frames_of(FILE_S), FRAME))

    def milliseconds(call: Call | None) -> float:
        begin = time.perf_counter()
        for number in range(STRETCH):
            _denoise(frames)
            if call is not None:
                call(number)
        return (time.perf_counter() - begin) / STRETCH * 1000

    tracked, produced, untracked = zip(
        *((milliseconds(ours), milliseconds(bare), milliseconds(None)) for _ in range(STRETCHES)), strict=True
    )
    question = "a file of a pipeline that denoises one in a millisecond"
    return [
        Figure.of_rounds(question, "ms", tracked, untracked, "the same without tracking", Bound(ratio_below=1.01)),
        Figure.of_rounds(question, "ms", tracked, produced, "the same with a bare produce of the same bytes"),
    ]


def _denoise(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """A spectral gate: what is weaker than the median of its frequency goes."""
    spectrum = np.fft.rfft(frames, axis=1)
    power = np.abs(spectrum)
    return np.fft.irfft(np.where(power < np.median(power, axis=0), 0, spectrum), axis=1)


def _frames_of(seconds: float) -> int:
    """How many frames take so long."""
    some = np.random.default_rng(1).standard_normal((64, FRAME))
    spent = []
    for _ in range(50):
        begin = time.perf_counter()
        _denoise(some)
        spent.append(time.perf_counter() - begin)
    return max(2, round(64 * seconds / statistics.median(spent)))


def _ours(logger: EventLogger, batch_id: int, number: int) -> None:
    logger.file_complete(batch_id, "denoise", f"audio{number:07d}.wav", "10.0.0.7", RESPONSE, duration_ms=41.25)


def _bare(producer: Producer, topic: str, record: Record, _number: int) -> None:
    producer.produce(topic, value=record.value, key=record.key, headers=record.headers)
    producer.poll(0)


def _record(batch_id: int) -> Record:
    event = FileComplete(
        batch_id=batch_id, timestamp=datetime.now(UTC), stage="denoise", file_name="audio0000000.wav",
        gpu_ip="10.0.0.7", duration_ms=41.25, response=msgspec.Raw(msgspec.json.encode(RESPONSE)),
    )  # fmt: skip
    return Record(encode(event), b"denoise", dict(headers(event, source="/bench")))


def _microseconds(call: Call) -> list[float]:
    """The duration of each call, in bursts with pauses so that the sender's work falls where it would."""
    spent = []
    for burst in range(BURSTS):
        for number in range(burst * CALLS, (burst + 1) * CALLS):
            begin = time.perf_counter_ns()
            call(number)
            spent.append((time.perf_counter_ns() - begin) / 1000)
        time.sleep(PAUSE_S)
    return spent


def _figure(quantile: int, ours: list[list[float]], bare: list[list[float]], bound: Bound) -> Figure:
    def at(rounds: list[list[float]]) -> list[float]:
        return [statistics.quantiles(spent, n=100)[quantile - 1] for spent in rounds]

    limit_is = "bare confluent-kafka produce of the same bytes"
    return Figure.of_rounds(f"one file_complete, p{quantile}", "µs", at(ours), at(bare), limit_is, bound)
