"""How much of everything a load needs, how many units that makes, and what is filled first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from headway_gateway.settings import Settings as GatewaySettings
from headway_gateway.store import CONNECTIONS as GATEWAYS_CONNECTIONS
from headway_projector.lifecycle import MOST_TOPICS
from headway_projector.store import CONNECTIONS as PROJECTORS_CONNECTIONS

from bench.capacity.costs import Costs
from bench.capacity.load import DAY_S, Load

BUSY: Final = 0.7  # of a core: above that, what waits for it waits long; arbitrary
ENCODING: Final = BUSY / 2  # of that, by a process of the gateway: more of them do not help, fewer batches each do
CORES: Final = 16.0  # of a server of Kafka or PostgreSQL; arbitrary
DISK_TB: Final = 4.0  # of such a server; arbitrary
NETWORK_GBIT: Final = 10.0  # of a gateway's machine; arbitrary
MEMORY_GB: Final = 16.0  # of such a machine, for its streams; arbitrary
WAL_MB: Final = 200.0  # a second that one primary writes and its replicas read; arbitrary
# A topic's partition has two memory maps as long as it is of one segment, and Linux gives a process 65,530 of them
# unless vm.max_map_count says otherwise: https://kafka.apache.org/documentation/#os
PARTITIONS: Final = 30_000.0
STREAMS: Final = GatewaySettings().most_streams  # of one process
CONNECTIONS: Final = 97  # PostgreSQL's max_connections as installed, less three for its superuser
SPARE: Final = 2  # of what takes over from one another


class Need(NamedTuple):
    """Of one thing."""

    what: str
    needed: float
    one: float  # what one unit gives
    unit: str  # of both
    of: str  # the unit, such as "broker"

    @property
    def units(self) -> int:
        """How many are needed."""
        return max(1, math.ceil(self.needed / self.one))


def needs(load: Load, costs: Costs) -> list[Need]:
    """Everything that the load needs, in the order of an event's way."""
    batches, events = load.peak_batches_a_second, load.peak_events_a_second
    parts = min(events, load.live_batches / costs.poll_s)  # a poll has at most one of each batch under way
    kafka = load.replicas * costs.kafka.cores(batches, events, parts)
    projecting = costs.projector.cores(batches, events, parts)
    deletions = load.batches_a_day / DAY_S * 60
    projectors = max(SPARE, math.ceil(projecting / BUSY), math.ceil(deletions / MOST_TOPICS))
    encoding = events * costs.encode_s  # each process encodes for itself what its viewers see
    messages = load.viewers * load.messages_to_viewer
    sending = messages * costs.send_s
    processes = max(SPARE, math.ceil(load.viewers / STREAMS), math.ceil(sending / (BUSY - ENCODING)))
    terabytes = load.events_a_day / 1e12
    return [
        Need("Kafka: partitions", load.topics * load.replicas, PARTITIONS, "", "broker"),
        Need(
            "Kafka: disk", terabytes * costs.kafka_bytes * load.replicas * max(1, load.topic_kept_s / DAY_S), DISK_TB,
            "TB", "broker",
        ),
        Need("Kafka: processor", kafka, CORES * BUSY, "cores", "broker"),
        Need("projector: processor", projecting, BUSY, "cores", "projector"),
        Need("projector: topics to delete", deletions, MOST_TOPICS, "a minute", "projector"),
        Need("PostgreSQL: processor", costs.postgres.cores(batches, events, parts), CORES * BUSY, "cores", "primary"),
        Need("PostgreSQL: WAL", events * costs.wal_bytes / 1e6, WAL_MB, "MB/s", "primary"),
        Need("PostgreSQL: disk", terabytes * costs.kept_bytes * load.log_days, DISK_TB, "TB", "primary"),
        Need(
            "PostgreSQL: connections", projectors * (PROJECTORS_CONNECTIONS + 1) + processes * GATEWAYS_CONNECTIONS,
            CONNECTIONS, "", "primary",
        ),
        Need("gateway: streams", load.viewers, STREAMS, "", "process"),
        Need("gateway: encoding, in each process", encoding, ENCODING, "cores", "group of batches"),
        Need("gateway: sending, in all processes", sending, BUSY - ENCODING, "cores", "process"),
        Need("gateway: memory of streams", load.viewers * costs.stream_bytes / 1e9, MEMORY_GB, "GB", "machine"),
        Need("gateway: network", messages * costs.message_bytes * 8 / 1e9, NETWORK_GBIT * BUSY, "Gbit/s", "machine"),
    ]  # fmt: skip


def first(found: Sequence[Need]) -> Need:
    """What is filled most, were there one of each."""
    return max(found, key=lambda need: need.needed / need.one)
