"""What the gateway counts, for `/metrics`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import prometheus_client
from aiohttp.abc import AbstractStreamWriter
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

MODES: Final = ("events", "progress")


class Traffic(Collector):
    """The streams that there are, and the bytes that streams have sent, counted where they are sent."""

    def __init__(self) -> None:
        self._modes: dict[AbstractStreamWriter, str] = {}
        self._sent_by_ended = 0

    def begin(self, writer: AbstractStreamWriter, mode: str | None) -> None:
        """A stream begins."""
        self._modes[writer] = mode if mode in MODES else MODES[0]

    def end(self, writer: AbstractStreamWriter) -> None:
        """A stream has ended."""
        del self._modes[writer]
        self._sent_by_ended += writer.output_size

    def collect(self) -> Iterator[Metric]:
        """For Prometheus."""
        streams = GaugeMetricFamily("headway_gateway_streams", "Streams open now.", labels=["mode"])
        by_mode = Counter(self._modes.values())
        for mode in MODES:
            streams.add_metric([mode], by_mode[mode])
        yield streams
        sent = self._sent_by_ended + sum(writer.output_size for writer in self._modes)
        yield CounterMetricFamily("headway_gateway_sent_bytes", "Bytes sent by streams.", value=sent)


class Metrics:
    """The counts of one process."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.traffic = Traffic()
        registry.register(self.traffic)
        self.connections = Gauge("headway_gateway_connections", "Connections open now.", registry=registry)
        self.cached_bytes = Gauge("headway_gateway_cached_bytes", "Memory of encoded events.", registry=registry)
        self.cut_off = prometheus_client.Counter(
            "headway_gateway_cut_off", "Clients cut off because they did not take what was sent.", registry=registry
        )
        self.problems = prometheus_client.Counter(
            "headway_gateway_problems", "Requests answered with a problem.", ["problem"], registry=registry
        )

    def text(self) -> bytes:
        """All of it as Prometheus reads it."""
        return prometheus_client.generate_latest(self._registry)
