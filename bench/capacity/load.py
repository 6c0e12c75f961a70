"""What an installation is asked to carry."""

from __future__ import annotations

from typing import Final

import msgspec
from headway.settings import Settings as PipelineSettings
from headway_projector.settings import Settings as ProjectorSettings

DAY_S: Final = 24 * 60 * 60
HEARTBEAT_S: Final = PipelineSettings().heartbeat_s
CHECKPOINT_EVERY: Final = 50  # files between two stage_progress, as the guide has it for large batches


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Pipelines, people and how long things are kept. The means are over a day; the busiest hour has more."""

    workers: int = 1_000
    """GPU workers that report."""
    batches_a_day: float = 100_000
    """New batches a day."""
    files_a_batch: float = 1_000
    """Files of a batch."""
    stages: float = 3
    """Stages that each file goes through."""
    batch_s: float = 600
    """Seconds from a batch's first event to its last."""
    peak: float = 3
    """How many times the day's mean the busiest hour has."""
    viewers: float = 100_000
    """Dashboards and other streams that are open at the peak, each of one batch that is under way."""
    messages_a_second: float = 0
    """Of each viewer, with `mode=progress`; 0: every event of the batch."""
    topic_kept_s: float = ProjectorSettings().topic_kept_s
    """HEADWAY_PROJECTOR_TOPIC_KEPT_S."""
    log_days: float = 365
    """For how long PostgreSQL keeps the log and the outcomes: 7 times HEADWAY_PROJECTOR_LOG_KEPT_WEEKS."""
    replicas: int = 3
    """Copies that Kafka keeps."""

    @property
    def events_a_batch(self) -> float:
        """Without heartbeats."""
        return self.stages * (self.files_a_batch * (1 + 1 / CHECKPOINT_EVERY) + 2) + 1

    @property
    def events_a_day(self) -> float:
        """With heartbeats of workers that never rest."""
        return self.batches_a_day * self.events_a_batch + self.workers * DAY_S / HEARTBEAT_S

    @property
    def peak_events_a_second(self) -> float:
        """In the busiest hour."""
        return self.peak_batches_a_second * self.events_a_batch + self.workers / HEARTBEAT_S

    @property
    def peak_batches_a_second(self) -> float:
        """New ones, in the busiest hour."""
        return self.peak * self.batches_a_day / DAY_S

    @property
    def live_batches(self) -> float:
        """Under way at a time in the busiest hour."""
        return max(1.0, self.peak_batches_a_second * self.batch_s)

    @property
    def topics(self) -> float:
        """Of batches that are under way, and of those that ended and are kept."""
        return self.live_batches + self.batches_a_day * self.topic_kept_s / DAY_S

    @property
    def messages_to_viewer(self) -> float:
        """A second, to each."""
        events = self.peak_events_a_second / self.live_batches
        return min(events, self.messages_a_second) if self.messages_a_second else events
