"""What one batch, one event and one stream cost, read off what `make bench` measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from bench.results import Entry


class NotMeasured(LookupError):
    """A figure of the model has not been measured."""

    def __init__(self, benchmark: str, question: str) -> None:
        super().__init__(f"No figure {question!r}: run make bench QUESTIONS={benchmark}")


class Work(NamedTuple):
    """Processor time of one server, in seconds."""

    batch_s: float  # that is new
    event_s: float
    part_s: float  # that is, what one poll has of one batch

    def cores(self, batches: float, events: float, parts: float) -> float:
        """How many cores so many of each a second keep busy."""
        return self.batch_s * batches + self.event_s * events + self.part_s * parts


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Of one of each, on the machine that was measured."""

    projector: Work
    postgres: Work
    kafka: Work
    poll_s: float  # from an event to its row, where there is little to do: that far apart are polls
    kept_bytes: float  # of an event, by PostgreSQL
    wal_bytes: float
    kafka_bytes: float  # of an event, by one broker
    encode_s: float  # of an event, once in each of the gateway's processes that has a viewer of its batch
    send_s: float  # of an event that comes alone, to one viewer
    stream_bytes: float  # of memory
    message_bytes: float  # of an event on its way to a viewer, not compressed


def fitted(entries: Sequence[Entry]) -> Costs:
    """The costs that these figures say.

    Raises:
        NotMeasured: one is missing.
    """

    def figure(benchmark: str, beginning: str) -> Entry:
        for entry in entries:
            if entry["benchmark"] == benchmark and entry["question"].startswith(beginning):
                return entry
        raise NotMeasured(benchmark, beginning)

    def work(server: str) -> Work:
        new, event, part = (
            figure("scale", f"processor time of {server} for {of}")["ours"]
            for of in ("a new batch", "an event", "a part of a poll")
        )
        return Work(batch_s=new / 1e3, event_s=event / 1e6, part_s=part / 1e6)

    kept = figure("scale", "bytes that PostgreSQL keeps of an event")
    zipped = figure("compression", "an event of a replay as gzip")
    return Costs(
        projector=work("projector"),
        postgres=work("PostgreSQL"),
        kafka=work("Kafka"),
        poll_s=figure("latency", "event to committed row at 1,000 files/s, p50")["ours"] / 1e3,
        kept_bytes=kept["ours"],
        wal_bytes=figure("scale", "bytes of WAL")["ours"],
        kafka_bytes=kept["limit"],
        encode_s=1 / figure("replay", "replay to the first late joiner")["ours"],
        send_s=figure("single_messages", "processor time of the gateway for a message")["ours"] / 1e6,
        stream_bytes=figure("idle_connections", "memory of an idle stream")["ours"],
        message_bytes=zipped["limit"],
    )
