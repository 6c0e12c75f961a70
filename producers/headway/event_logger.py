"""EventLogger: what a pipeline calls. Checks, stamps and encodes an event, and hands it to the outbox.

Every call can be made on the class, which then uses one logger for the process, configured by the environment, or on
an instance with settings of its own. No call waits for Kafka or a disk, and none raises for what they do; a wrong
argument raises InvalidArgument, a ValueError that names it.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar

from headway_events import (
    EVENT_TYPES,
    Announcement,
    BadEvent,
    BatchComplete,
    Event,
    FileComplete,
    FileError,
    FileEvent,
    StageComplete,
    StageProgress,
    StageStart,
    WorkerHeartbeat,
    encode,
    encode_announcement,
    key,
    registry_key,
)
from msgspec import UNSET, Raw

from headway import process_end
from headway.arguments import check_batch, check_labels, check_text, encode_as_meant, encode_checked, file_name_text
from headway.encoding import encode_file
from headway.outbox import Outbox
from headway.record import ANNOUNCEMENT, Record
from headway.response import describe_error, encode_response
from headway.settings import Settings
from headway.track import Path, Stage, track

FLUSH_TIMEOUT_S: Final = 30.0
MOST_STAGES: Final = 10_000  # remembered; a pipeline has a few
_TYPE_OF: Final = {kind: name for name, kind in EVENT_TYPES.items()}

P = ParamSpec("P")
R = TypeVar("R")


class _on_class_or_instance(Generic[P, R]):  # noqa: N801 - used as a decorator
    """A method that works on the class too, where it is called on the process's own logger."""

    def __init__(self, method: Callable[Concatenate[EventLogger, P], R]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: EventLogger | None, owner: type[EventLogger]) -> Callable[P, R]:
        return self._method.__get__(owner.default() if instance is None else instance)  # type: ignore[no-any-return]


class EventLogger:
    """Reports what happens to the files of a batch.

    Example:
        >>> from headway import EventLogger
        >>> EventLogger.stage_start(123, "denoise", total_files=500)
        >>> EventLogger.file_complete(123, "denoise", "audio001.wav", "10.0.0.7", {"status": "success"})
        >>> EventLogger.stage_complete(123, "denoise", processed_files=495, failed_files=5)
        >>> EventLogger.batch_complete(123)

    Thread-safe. After a fork the child has a logger of its own. Events that are still on their way are sent when the
    process ends, on SIGTERM too; what Kafka does not take by then waits in the spool for the next process.
    """

    _default: EventLogger | None = None
    _default_lock = threading.Lock()

    def __init__(self, **settings: Any) -> None:
        """Make a logger with settings of its own; nothing is connected before the first event.

        Args:
            **settings: fields of `headway.settings.Settings`; the others come from the environment.

        Raises:
            InvalidSetting: a setting in the environment cannot be read.
            InvalidArgument: there is no such setting, or it cannot have this value.
        """
        self._settings = Settings.from_environment().changed(settings)
        self.begin_anew()
        process_end.renew_after_fork(self)

    def begin_anew(self) -> None:
        """Begin without anything on its way: at first, and in a forked child, whose parent sends what is its own."""
        self._outbox = Outbox(self._settings)
        self._id_prefix = f"{os.urandom(8).hex()}-"
        self._numbers = itertools.count(1)
        self._topics: dict[int, str] = {}  # of the batches announced
        self._keys: dict[str, bytes] = {}  # the record keys of stages whose events have been accepted

    @classmethod
    def default(cls) -> EventLogger:
        """The process's own logger, configured by the environment; made at the first use."""
        if EventLogger._default is None:
            with EventLogger._default_lock:
                if EventLogger._default is None:
                    EventLogger._default = EventLogger()
        return EventLogger._default

    @_on_class_or_instance
    def announce(self, batch_id: int, *, name: str | None = None, labels: Mapping[str, str] | None = None) -> None:
        """Give a batch a name and labels for people. Optional: the first event of a batch announces it without."""
        if self._settings.disabled:
            return
        announcement = Announcement(
            batch_id=check_batch(batch_id),
            topic=self._settings.names.of_batch(batch_id),
            created_at=datetime.now(UTC),
            name=check_text("name", name),
            labels=check_labels(labels or {}),
        )
        self._announce(announcement, encode_checked(announcement))

    @_on_class_or_instance
    def stage_start(self, batch_id: int, stage: str, total_files: int | None = None) -> None:
        """A run of a stage begins, over so many files (None: not known). A second call begins a second run."""
        if not self._settings.disabled:
            now = datetime.now(UTC)
            self._log(StageStart(batch_id=batch_id, timestamp=now, stage=stage, total_files=total_files))

    @_on_class_or_instance
    def file_complete(
        self,
        batch_id: int,
        stage: str,
        file_name: str | os.PathLike[str],
        gpu_ip: str | None = None,
        response: Any = None,
        *,
        duration_ms: float | None = None,
    ) -> None:
        """A file went through a stage.

        Args:
            batch_id: the batch.
            stage: the stage.
            file_name: unique in the stage; a file reported again counts once.
            gpu_ip: where it was processed.
            response: what there is to say of it, as JSON; what JSON has no form for is turned into text. With
                `"status": "error"` the file is reported as failed, as by `file_error`.
            duration_ms: how long it took, in milliseconds.
        """
        if self._settings.disabled:
            return
        failed = isinstance(response, dict) and response.get("status") == "error"
        self._log_file(FileError if failed else FileComplete, batch_id, stage, file_name, response, gpu_ip, duration_ms)

    @_on_class_or_instance
    def file_error(
        self,
        batch_id: int,
        stage: str,
        file_name: str | os.PathLike[str],
        error: BaseException | str,
        gpu_ip: str | None = None,
        *,
        duration_ms: float | None = None,
    ) -> None:
        """A file failed in a stage. Of an exception, its type, message and traceback (its last part) are reported."""
        if not self._settings.disabled:
            self._log_file(FileError, batch_id, stage, file_name, describe_error(error), gpu_ip, duration_ms)

    @_on_class_or_instance
    def stage_progress(
        self,
        batch_id: int,
        stage: str,
        processed_files: int,
        total_files: int | None = None,
        failed_files: int | None = None,
    ) -> None:
        """A checkpoint: so many files of the stage have succeeded so far (and so many failed)."""
        if not self._settings.disabled:
            self._log(
                StageProgress(
                    batch_id=batch_id,
                    timestamp=datetime.now(UTC),
                    stage=stage,
                    processed_files=processed_files,
                    total_files=total_files,
                    failed_files=failed_files,
                )
            )

    @_on_class_or_instance
    def stage_complete(
        self,
        batch_id: int,
        stage: str,
        processed_files: int,
        failed_files: int = 0,
        total_files: int | None = None,
    ) -> None:
        """The stage's run is over; these counts are final."""
        if not self._settings.disabled:
            self._log(
                StageComplete(
                    batch_id=batch_id,
                    timestamp=datetime.now(UTC),
                    stage=stage,
                    processed_files=processed_files,
                    failed_files=failed_files,
                    total_files=total_files,
                )
            )

    @_on_class_or_instance
    def worker_heartbeat(self, batch_id: int, stage: str, worker: str, files_in_flight: list[str]) -> None:
        """A worker is alive and busy with these files. Counts nothing; its absence makes a stage stalled."""
        if not self._settings.disabled:
            self._log(
                WorkerHeartbeat(
                    batch_id=batch_id,
                    timestamp=datetime.now(UTC),
                    stage=stage,
                    worker=worker,
                    files_in_flight=[file_name_text(name) for name in files_in_flight],
                )
            )

    @_on_class_or_instance
    def batch_complete(self, batch_id: int) -> None:
        """Nothing more is expected of the batch; its streams end."""
        if not self._settings.disabled:
            self._log(BatchComplete(batch_id=batch_id, timestamp=datetime.now(UTC)))

    @_on_class_or_instance
    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> int:
        """Wait until Kafka has every event, at most so long; 0 if it has.

        Otherwise how many it does not have, those that wait on disk counted as one.
        """
        return self._outbox.flush(timeout_s)

    @_on_class_or_instance
    def close(self, timeout_s: float | None = None) -> int:
        """Flush, and leave to the spool what Kafka does not have after `timeout_s`; how many events as in `flush`.

        The logger can be used again: the next event begins anew, with what was left.
        """
        return self._outbox.close(timeout_s)

    @_on_class_or_instance
    def stage(self, /, batch_id: int, stage: str, total_files: int | None = None, **options: Any) -> Stage:
        """A `with` block for one run of a stage: start, checkpoints and final counts are reported by themselves."""
        return Stage(self, batch_id, stage, total_files=total_files, **options)

    @_on_class_or_instance
    def track(self, /, paths: Iterable[Path], *, batch_id: int, stage: str, **options: Any) -> Iterator[Path]:
        """Each of `paths` in turn, as one run of a stage: a path is done when the next is asked for."""
        return track(self, batch_id, stage, paths, **options)

    @property
    def lost(self) -> int:
        """Events that could not be kept anywhere: the buffer or the spool was full, or the disk refused."""
        return self._outbox.lost

    def __enter__(self) -> EventLogger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _log_file(
        self,
        kind: type[FileEvent],
        batch_id: int,
        stage: str,
        file_name: str | os.PathLike[str],
        response: Any,
        gpu_ip: str | None,
        duration_ms: float | None,
    ) -> None:
        now = datetime.now(UTC)
        if type(batch_id) is int and type(stage) is str and stage in self._keys and batch_id in self._topics:
            value = encode_file(kind, batch_id, now, stage, file_name, response, gpu_ip, duration_ms)
            if value is not None:
                self._put(batch_id, self._topics[batch_id], self._keys[stage], value, now, _TYPE_OF[kind])
                return
        self._log(
            kind(
                batch_id=batch_id,
                timestamp=now,
                stage=stage,
                file_name=file_name_text(file_name),
                response=UNSET if response is None else Raw(encode_response(response)),
                gpu_ip=gpu_ip,
                duration_ms=duration_ms,
            )
        )

    def _log(self, event: Event) -> None:
        try:
            value = encode(event)
        except (BadEvent, OverflowError) as error:
            event, value = encode_as_meant(event, error)
        batch_id, now, stage_key = event.batch_id, event.timestamp, key(event)
        assert now is not None
        topic = self._topics.get(batch_id)
        if topic is None:
            topic = self._settings.names.of_batch(batch_id)
            announcement = Announcement(batch_id=batch_id, topic=topic, created_at=now)
            self._announce(announcement, encode_announcement(announcement))
        if stage_key is not None and len(self._keys) < MOST_STAGES:
            self._keys[stage_key.decode()] = stage_key
        self._put(batch_id, topic, stage_key, value, now, event.event_type)

    def _announce(self, announcement: Announcement, value: bytes) -> None:
        assert announcement.created_at is not None
        batch_id = announcement.batch_id
        self._topics[batch_id] = announcement.topic
        self._put(
            batch_id,
            self._settings.names.registry,
            registry_key(batch_id),
            value,
            announcement.created_at,
            ANNOUNCEMENT,
        )

    def _put(
        self, batch_id: int, topic: str, record_key: bytes | None, value: bytes, happened: datetime, event_type: str
    ) -> None:
        event_id = f"{self._id_prefix}{next(self._numbers)}"
        timestamp_ms = int(happened.timestamp() * 1000)
        self._outbox.put(Record(batch_id, topic, record_key, value, timestamp_ms, event_type, event_id))
