"""One of three brokers is away: topics that are made meanwhile have three replicas all the same."""

from __future__ import annotations

from pathlib import Path

from headway import EventLogger
from headway_events import TopicNames

from infra.local.kafka import START_TIMEOUT_S, KafkaCluster
from support.topics import Topics

WITHIN_S = 90.0  # a new leader may be needed for both topics, on a machine that has other things to do


def test_a_topic_made_while_a_broker_is_away_has_as_many_replicas_as_ever(
    kafka_cluster: KafkaCluster, names: TopicNames, topics: Topics, batch_id: int, tmp_path: Path
) -> None:
    away = kafka_cluster.brokers[0]
    away.kill()
    try:
        with EventLogger(bootstrap=kafka_cluster.bootstrap, names=names, spool_dir=tmp_path) as event_logger:
            event_logger.file_complete(batch_id, "denoise", "a.wav")
            assert event_logger.flush(WITHIN_S) == 0
        topic = names.of_batch(batch_id)
        (partition,) = topics.admin.list_topics(topic, timeout=10).topics[topic].partitions.values()
        assert len(partition.replicas) == 3
    finally:
        away.start()
        away.wait(START_TIMEOUT_S)
