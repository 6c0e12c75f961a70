"""Names of topics, and where a batch is in the registry."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner
from headway_events import TopicNames, registry_key, registry_partition
from headway_events.topics import REGISTRY_PARTITIONS, murmur2
from hypothesis import given
from hypothesis import strategies as st

batch_ids = st.integers(-(2**63), 2**63 - 1)


@given(batch_id=batch_ids)
def test_a_batch_is_found_again_by_its_topic(batch_id: int) -> None:
    assert TopicNames().batch_of(TopicNames().of_batch(batch_id)) == batch_id


@pytest.mark.parametrize(
    "topic",
    [
        "headway-batches",
        "headway-batch-",
        "headway-batch-12a",
        "headway-batch-012",
        "headway-batch-+12",
        "headway-batch-1_2",
        "headway-batch--0",
        "headway-batch-9223372036854775808",
        "other-headway-batch-12",
        "12",
    ],
)
def test_a_topic_that_is_no_batch_s_has_no_batch(topic: str) -> None:
    assert TopicNames().batch_of(topic) is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_gives_the_values_of_kafka_s_own_test(data: bytes, expected: int) -> None:
    assert murmur2(data) == expected % 2**32


@given(batch_id=batch_ids, partitions=st.integers(1, 200))
def test_a_batch_is_in_the_partition_that_other_clients_choose(batch_id: int, partitions: int) -> None:
    every = list(range(partitions))

    assert registry_partition(batch_id, partitions) == DefaultPartitioner()(registry_key(batch_id), every, every)


def test_batches_spread_over_the_registry() -> None:
    used = {registry_partition(batch_id, REGISTRY_PARTITIONS) for batch_id in range(1000)}

    assert used == set(range(REGISTRY_PARTITIONS))
