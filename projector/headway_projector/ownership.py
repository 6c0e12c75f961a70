"""Which batches a projector reads. Pure: partitions and batches in, batches out.

A batch belongs to a partition of the registry topic, and the partition to the projector to which Faust assigned it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from headway_events import registry_partition


def owned(batch_ids: Iterable[int], *, assigned: Collection[int], partitions: int) -> set[int]:
    """Those of `batch_ids` that belong to the `assigned` ones of the registry's `partitions` partitions."""
    mine = frozenset(assigned)
    return {batch_id for batch_id in batch_ids if registry_partition(batch_id, partitions) in mine}
