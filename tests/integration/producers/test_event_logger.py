"""What a pipeline logs is what is in Kafka: every event, once, in order, in the form that the contract says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import time
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from confluent_kafka.admin import ConfigResource, ResourceType
from headway import EventLogger
from headway_events import TopicNames, decode, decode_announcement, registry_key, registry_partition
from headway_events.topics import BATCH_TOPIC_CONFIG, REGISTRY_PARTITIONS

from infra.local.kafka import START_TIMEOUT_S, KafkaBroker
from support.topics import Topics


@pytest.fixture
def event_logger(kafka: str, names: TopicNames, tmp_path: Path) -> EventLogger:
    return EventLogger(bootstrap=kafka, names=names, spool_dir=tmp_path / "spool")


def _names(topics: Topics, batch_id: int, count: int) -> list[str]:
    records = topics.read(topics.names.of_batch(batch_id), at_least=count)
    return [json.loads(record.value or b"")["fileName"] for record in records]


def test_the_guides_calls_write_the_guides_events(event_logger: EventLogger, topics: Topics, batch_id: int) -> None:
    event_logger.stage_start(batch_id, "denoise", total_files=500)
    event_logger.file_complete(batch_id, "denoise", "audio001.wav", "10.0.0.7", {"status": "success"})
    event_logger.stage_progress(batch_id, "denoise", processed_files=100, total_files=500)
    event_logger.stage_complete(batch_id, "denoise", processed_files=495, failed_files=5)
    event_logger.batch_complete(batch_id)
    assert event_logger.flush(30) == 0
    records = topics.read(topics.names.of_batch(batch_id), at_least=5)
    values = [json.loads(record.value or b"") for record in records]
    for value in values:
        del value["timestamp"]
    assert values == [
        {"eventType": "stage_start", "batchId": batch_id, "stage": "denoise", "totalFiles": 500},
        {
            "eventType": "file_complete",
            "batchId": batch_id,
            "stage": "denoise",
            "fileName": "audio001.wav",
            "response": {"status": "success"},
            "gpuIp": "10.0.0.7",
        },
        {
            "eventType": "stage_progress",
            "batchId": batch_id,
            "stage": "denoise",
            "processedFiles": 100,
            "totalFiles": 500,
        },
        {
            "eventType": "stage_complete",
            "batchId": batch_id,
            "stage": "denoise",
            "processedFiles": 495,
            "failedFiles": 5,
        },
        {"eventType": "batch_complete", "batchId": batch_id},
    ]
    assert [record.key for record in records] == [b"denoise"] * 4 + [None]


def test_a_record_carries_cloudevents_headers_and_the_time_it_happened(
    event_logger: EventLogger, topics: Topics, batch_id: int
) -> None:
    before = int(time.time() * 1000)
    event_logger.stage_start(batch_id, "denoise")
    event_logger.stage_start(batch_id, "encode")
    after = int(time.time() * 1000)
    assert event_logger.flush(30) == 0
    first, second = topics.read(topics.names.of_batch(batch_id), at_least=2)
    event = decode(first.value, batch_id=batch_id)
    assert event.timestamp is not None
    assert before <= first.timestamp_ms <= after
    assert int(event.timestamp.timestamp() * 1000) == first.timestamp_ms
    assert first.headers["ce_specversion"] == b"1.0"
    assert first.headers["ce_type"] == b"headway.stage_start"
    assert datetime.fromisoformat(first.headers["ce_time"].decode()) == event.timestamp
    assert first.headers["content-type"] == b"application/json"
    assert first.headers["ce_source"].startswith(b"/")
    assert first.headers["ce_id"] != second.headers["ce_id"]


def test_the_topic_has_one_partition_and_the_configuration_of_the_contract(
    event_logger: EventLogger, topics: Topics, batch_id: int
) -> None:
    event_logger.stage_start(batch_id, "denoise")
    assert event_logger.flush(30) == 0
    topic = topics.names.of_batch(batch_id)
    assert len(topics.admin.list_topics(topic, timeout=10).topics[topic].partitions) == 1
    resource = ConfigResource(ResourceType.TOPIC, topic)
    found = topics.admin.describe_configs([resource])[resource].result(timeout=10)
    assert {name: found[name].value for name in BATCH_TOPIC_CONFIG} == BATCH_TOPIC_CONFIG


def test_a_batch_is_announced_once_by_its_first_event_under_the_key_that_compaction_needs(
    event_logger: EventLogger, topics: Topics, batch_id: int
) -> None:
    event_logger.stage_start(batch_id, "denoise")
    event_logger.stage_complete(batch_id, "denoise", processed_files=0)
    assert event_logger.flush(30) == 0
    partition = registry_partition(batch_id, REGISTRY_PARTITIONS)
    (record,) = topics.read_partition(topics.names.registry, partition)
    announcement = decode_announcement(record.value or b"")
    assert record.key == registry_key(batch_id)
    assert (announcement.batch_id, announcement.topic) == (batch_id, topics.names.of_batch(batch_id))


def test_a_named_batch_is_announced_with_its_labels(event_logger: EventLogger, topics: Topics, batch_id: int) -> None:
    event_logger.announce(batch_id, name="Nightly", labels={"team": "speech"})
    event_logger.stage_start(batch_id, "denoise")
    assert event_logger.flush(30) == 0
    (record,) = topics.read_partition(topics.names.registry, registry_partition(batch_id, REGISTRY_PARTITIONS))
    announcement = decode_announcement(record.value or b"")
    assert (announcement.name, announcement.labels) == ("Nightly", {"team": "speech"})


def test_thousands_of_events_arrive_once_and_in_order(event_logger: EventLogger, topics: Topics, batch_id: int) -> None:
    expected = [f"{number}.wav" for number in range(30_000)]
    for name in expected:
        event_logger.file_complete(batch_id, "denoise", name)
    assert event_logger.flush(60) == 0
    assert _names(topics, batch_id, len(expected)) == expected
    assert event_logger.lost == 0


def test_a_failure_carries_type_message_and_traceback(event_logger: EventLogger, topics: Topics, batch_id: int) -> None:
    try:
        raise OSError("no such WAV")
    except OSError as error:
        event_logger.file_error(batch_id, "denoise", Path("in/audio002.wav"), error, "10.0.0.7", duration_ms=2.5)
    event_logger.file_complete(batch_id, "denoise", "audio003.wav", "10.0.0.7", {"status": "error", "message": "x"})
    assert event_logger.flush(30) == 0
    first, second = [json.loads(r.value or b"") for r in topics.read(topics.names.of_batch(batch_id), at_least=2)]
    assert (first["eventType"], first["fileName"], first["durationMs"]) == ("file_error", "in/audio002.wav", 2.5)
    assert first["response"]["status"] == "error"
    assert first["response"]["type"] == "OSError"
    assert first["response"]["message"] == "no such WAV"
    assert "test_event_logger.py" in first["response"]["traceback"]
    assert second["eventType"] == "file_error"


def test_a_stage_block_reports_start_checkpoints_and_final_counts(
    event_logger: EventLogger, topics: Topics, batch_id: int
) -> None:
    with event_logger.stage(batch_id, "denoise", total_files=3, progress_interval=1) as stage:
        stage.done("a")
        time.sleep(0.15)
        stage.failed("b", "too short")
        stage.done("c")
    assert event_logger.flush(30) == 0
    values = [json.loads(r.value or b"") for r in topics.read(topics.names.of_batch(batch_id), at_least=6)]
    kinds = [value["eventType"] for value in values]
    assert kinds == ["stage_start", "file_complete", "file_error", "stage_progress", "file_complete", "stage_complete"]
    assert (values[-1]["processedFiles"], values[-1]["failedFiles"], values[-1]["totalFiles"]) == (2, 1, 3)


def test_a_stage_block_counts_a_file_once_and_a_retry_that_succeeds_as_a_success(
    event_logger: EventLogger, topics: Topics, batch_id: int
) -> None:
    with event_logger.stage(batch_id, "denoise", total_files=4) as stage:
        stage.failed("a", "out of memory")
        stage.done("a")
        stage.done("b")
        stage.done("b")
        stage.failed("b", "reported late by another worker")
        stage.done("c", {"status": "error", "message": "too short"})
        stage.failed("d", "no such file")
    assert event_logger.flush(30) == 0
    last = json.loads(topics.read(topics.names.of_batch(batch_id), at_least=9)[-1].value or b"")
    assert (last["eventType"], last["processedFiles"], last["failedFiles"]) == ("stage_complete", 2, 2)


def test_track_reports_each_path_when_the_next_is_asked_for(
    event_logger: EventLogger, topics: Topics, batch_id: int
) -> None:
    seen = list(event_logger.track(["a", "b"], batch_id=batch_id, stage="denoise"))
    assert seen == ["a", "b"]
    assert event_logger.flush(30) == 0
    values = [json.loads(r.value or b"") for r in topics.read(topics.names.of_batch(batch_id), at_least=4)]
    assert [value["eventType"] for value in values] == [
        "stage_start",
        "file_complete",
        "file_complete",
        "stage_complete",
    ]


PIPELINE = """
    import os, signal, sys, time
    from headway import EventLogger
    batch_id = int(sys.argv[1])
    for number in range(1000):
        EventLogger.file_complete(batch_id, "denoise", f"{number}")
    END
"""


def _pipeline(end: str, batch_id: int, environment: dict[str, str], spool: Path) -> subprocess.CompletedProcess[str]:
    code = textwrap.dedent(PIPELINE).replace("END", end)
    return subprocess.run(
        [sys.executable, "-c", code, str(batch_id)],
        env={**environment, "HEADWAY_SPOOL_DIR": str(spool), "HEADWAY_CLOSE_TIMEOUT_S": "5"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("end", "returncode"),
    [
        pytest.param("", 0, id="falls off the end"),
        pytest.param("raise SystemExit(3)", 3, id="exits"),
        pytest.param("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -signal.SIGTERM, id="SIGTERM"),
    ],
)
def test_the_end_of_the_process_flushes(
    end: str, returncode: int, environment: dict[str, str], topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    done = _pipeline(end, batch_id, environment, tmp_path / "spool")
    assert done.returncode == returncode, done.stderr
    assert _names(topics, batch_id, 1000) == [str(number) for number in range(1000)]
    assert not list(tmp_path.glob("spool/*/*.spool"))


def test_a_programs_own_sigterm_handler_still_runs(
    environment: dict[str, str], topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    end = "os.kill(os.getpid(), signal.SIGTERM); print('never')"
    code = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n" + textwrap.dedent(PIPELINE)
    done = subprocess.run(
        [sys.executable, "-c", code.replace("END", end), str(batch_id)],
        env={**environment, "HEADWAY_SPOOL_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 7, done.stderr
    assert len(_names(topics, batch_id, 1000)) == 1000


def test_a_forked_child_sends_its_own_events_and_the_parent_sends_its_own(
    environment: dict[str, str], topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    end = textwrap.dedent("""
    if os.fork() == 0:
        EventLogger.file_complete(batch_id, "denoise", "child")
        sys.exit(0)
    os.wait()
    EventLogger.file_complete(batch_id, "denoise", "parent")
    """)
    code = textwrap.dedent(PIPELINE).replace("END", end)
    done = subprocess.run(
        [sys.executable, "-c", code, str(batch_id)],
        env={**environment, "HEADWAY_SPOOL_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = _names(topics, batch_id, 1002)
    assert sorted(found) == sorted([*map(str, range(1000)), "child", "parent"])


def test_without_kafka_the_pipeline_ends_in_time_and_the_next_process_sends_its_events(
    own_kafka: KafkaBroker, names: TopicNames, environment: dict[str, str], batch_id: int, tmp_path: Path
) -> None:
    own_kafka.stop()
    spool = tmp_path / "spool"
    begin = time.monotonic()
    done = _pipeline("", batch_id, environment, spool)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begin < 30
    assert list(spool.glob("*/*.spool"))
    own_kafka.start()
    own_kafka.wait(START_TIMEOUT_S)
    with EventLogger(bootstrap=own_kafka.bootstrap, names=names, spool_dir=spool) as event_logger:
        event_logger.file_complete(batch_id, "denoise", "next")
        assert event_logger.flush(30) == 0
    topics = Topics(own_kafka.bootstrap, names)
    found = _names(topics, batch_id, 1001)
    assert sorted(found) == sorted([*map(str, range(1000)), "next"])
    assert [name for name in found if name != "next"] == [str(number) for number in range(1000)]
    assert not list(spool.glob("*/*.spool"))


def test_an_outage_in_the_middle_loses_nothing_and_keeps_the_order(
    own_kafka: KafkaBroker, names: TopicNames, batch_id: int, tmp_path: Path
) -> None:
    with EventLogger(bootstrap=own_kafka.bootstrap, names=names, spool_dir=tmp_path) as event_logger:
        count = 0
        for stopped in (False, True, False):
            if stopped:
                own_kafka.kill()
            elif count:
                own_kafka.start()
            for _ in range(40_000):
                event_logger.file_complete(batch_id, "denoise", str(count))
                count += 1
            time.sleep(0.5)
        own_kafka.wait(START_TIMEOUT_S)
        assert event_logger.flush(60) == 0
        assert event_logger.lost == 0
    assert _names(Topics(own_kafka.bootstrap, names), batch_id, count) == [str(number) for number in range(count)]


def test_a_full_spool_loses_what_does_not_fit_and_counts_it(batch_id: int, tmp_path: Path) -> None:
    event_logger = EventLogger(bootstrap="127.0.0.1:1", spool_dir=tmp_path, spool_bytes=100_000, close_timeout_s=0.5)
    for number in range(2_000):
        event_logger.file_complete(batch_id, "denoise", f"{number}.wav")
    event_logger.close()
    kept = sum(path.stat().st_size for path in tmp_path.glob("*/*.spool"))
    assert 0 < kept <= 100_000
    assert 0 < event_logger.lost < 2_000


def test_a_read_only_spool_loses_events_without_harm_and_counts_them(batch_id: int, tmp_path: Path) -> None:
    not_a_directory = tmp_path / "file"
    not_a_directory.write_text("")
    event_logger = EventLogger(bootstrap="127.0.0.1:1", spool_dir=not_a_directory, close_timeout_s=0.5)
    event_logger.file_complete(batch_id, "denoise", "a.wav")
    event_logger.close()
    assert event_logger.lost == 2  # the event and the batch's announcement


def test_a_disabled_logger_sends_nothing(kafka: str, topics: Topics, names: TopicNames, batch_id: int) -> None:
    event_logger = EventLogger(bootstrap=kafka, names=names, disabled=True)
    event_logger.stage_start(batch_id, "denoise", total_files=1)
    event_logger.file_complete(batch_id, "denoise", "a", object(), object())  # type: ignore[arg-type]
    assert event_logger.flush(5) == 0
    assert names.of_batch(batch_id) not in topics.admin.list_topics(timeout=10).topics


def test_a_response_too_large_for_a_record_still_counts_its_file(
    event_logger: EventLogger, topics: Topics, batch_id: int
) -> None:
    event_logger.file_complete(batch_id, "denoise", "large", None, {"status": "success", "text": "x" * 2_000_000})
    event_logger.file_complete(batch_id, "denoise", "just fits", None, {"text": "x" * 890_000})
    assert event_logger.flush(30) == 0
    large, fits = topics.read(topics.names.of_batch(batch_id), at_least=2)
    response = msgspec.json.decode(large.value or b"")["response"]
    assert response["status"] == "success"
    assert response["bytes"] > 2_000_000
    assert len(fits.value or b"") > 890_000
