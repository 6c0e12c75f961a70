"""Every batch is read by exactly one of the projectors that share the registry's partitions."""

from __future__ import annotations

from headway_projector.ownership import owned
from hypothesis import given
from hypothesis import strategies as st

PARTITIONS = 16
batches = st.sets(st.integers(-(2**63), 2**63 - 1), max_size=50)


@given(batches, st.lists(st.integers(0, 3), min_size=PARTITIONS, max_size=PARTITIONS))
def test_projectors_that_share_all_partitions_share_all_batches_without_overlap(
    batch_ids: set[int], projector_of_partition: list[int]
) -> None:
    shares = [
        owned(
            batch_ids,
            assigned=[partition for partition, mine in enumerate(projector_of_partition) if mine == projector],
            partitions=PARTITIONS,
        )
        for projector in range(4)
    ]
    assert set().union(*shares) == batch_ids
    assert sum(map(len, shares)) == len(batch_ids)


@given(batches)
def test_a_projector_without_partitions_reads_nothing(batch_ids: set[int]) -> None:
    assert owned(batch_ids, assigned=[], partitions=PARTITIONS) == set()
