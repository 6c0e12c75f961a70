"""For the tests of pipelines: an EventLogger that keeps what it is told, without Kafka, threads or a disk."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from headway_events import BatchState, Event, decode, decode_announcement, fold_batch

from headway.event_logger import EventLogger
from headway.outbox import Outbox
from headway.record import Record
from headway.settings import Settings


class RecordingLogger(EventLogger):
    """Takes every call that EventLogger takes, refuses the same arguments, and keeps the events in order.

    In its `with` block it stands in for the process's own logger, so that a pipeline that calls `EventLogger` on the
    class needs no change to be tested.

    Example:
        >>> with RecordingLogger() as recorded:
        ...     EventLogger.stage_start(123, "denoise", total_files=1)
        ...     EventLogger.file_complete(123, "denoise", "audio001.wav")
        >>> [event.event_type for event in recorded.events]
        ['stage_start', 'file_complete']
        >>> recorded.batch(123).stages["denoise"][-1].processed
        1
    """

    def __init__(self, **settings: Any) -> None:
        """Make one; without heartbeats, which come when they come, unless `heartbeat_s` asks for them.

        Args:
            **settings: as for EventLogger.
        """
        super().__init__(**{"disabled": False, "heartbeat_s": 0.0, **settings})

    @property
    def events(self) -> list[Event]:
        """All events so far, as the readers of their topics would get them."""
        return [
            decode(record.value, batch_id=record.batch_id) for record in self._recorder.records if record.event_type
        ]

    @property
    def names(self) -> dict[int, str | None]:
        """The batches announced so far, and the name that each was last given."""
        announced = [decode_announcement(record.value) for record in self._recorder.records if not record.event_type]
        return {one.batch_id: one.name for one in announced}

    def batch(self, batch_id: int) -> BatchState:
        """The counts of a batch, as the dashboard would show them."""
        state = BatchState()
        for event in self.events:
            if event.batch_id == batch_id:
                state = fold_batch(state, event)
        return state

    def __enter__(self) -> Self:
        self._replaced = EventLogger._default
        EventLogger._default = self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        EventLogger._default = self._replaced

    def begin_anew(self) -> None:
        """Forget everything."""
        super().begin_anew()
        self._outbox = self._recorder = _Recorder(self._settings)


class _Recorder(Outbox):
    """An outbox that is never emptied: nothing is on its way, since nothing leaves."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.records: list[Record] = []

    def put(self, record: Record) -> None:
        """Keep a record."""
        self.records.append(record)
