"""EventLogger: what a pipeline calls. Checks, stamps and encodes an event, and hands it to the outbox.

Every call can be made on the class, which then uses one logger for the process, configured by the environment, or on
an instance with settings of its own. No call waits for Kafka or a disk, and none raises for what they do; a wrong
argument raises InvalidArgument, a ValueError that names it.
"""

from __future__ import annotations

import os
import re
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar

import msgspec
from headway_events import (
    Announcement,
    BadEvent,
    BatchComplete,
    Event,
    FileComplete,
    FileError,
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
from headway.errors import InvalidArgument
from headway.outbox import Outbox
from headway.record import Record
from headway.response import encode_response
from headway.settings import Settings
from headway.track import Path, Stage, track

MOST_TRACEBACK_CHARACTERS: Final = 8_000
FLUSH_TIMEOUT_S: Final = 30.0

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
            InvalidArgument: there is no such setting.
        """
        if unknown := set(settings) - set(Settings.__struct_fields__):
            raise InvalidArgument(min(unknown), f"no such setting; there are {', '.join(Settings.__struct_fields__)}")
        self._settings = msgspec.structs.replace(Settings.from_environment(), **settings)
        self._begin()
        process_end.register(self)

    def _begin(self) -> None:
        self._outbox = Outbox(self._settings)
        self._id_prefix = f"{os.urandom(8).hex()}-"
        self._sent = 0
        self._announced: set[int] = set()

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
            batch_id=_batch(batch_id),
            topic=self._settings.names.of_batch(batch_id),
            created_at=datetime.now(UTC),
            name=_text("name", name),
            labels=_labels(labels or {}),
        )
        self._announced.add(batch_id)
        self._put_announcement(announcement)

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
        self._log(
            (FileError if failed else FileComplete)(
                batch_id=batch_id,
                timestamp=datetime.now(UTC),
                stage=stage,
                file_name=_file_name(file_name),
                response=UNSET if response is None else Raw(encode_response(response)),
                gpu_ip=gpu_ip,
                duration_ms=duration_ms,
            )
        )

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
        if self._settings.disabled:
            return
        self._log(
            FileError(
                batch_id=batch_id,
                timestamp=datetime.now(UTC),
                stage=stage,
                file_name=_file_name(file_name),
                response=Raw(encode_response(_describe(error))),
                gpu_ip=gpu_ip,
                duration_ms=duration_ms,
            )
        )

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
                    files_in_flight=[_file_name(name) for name in files_in_flight],
                )
            )

    @_on_class_or_instance
    def batch_complete(self, batch_id: int) -> None:
        """Nothing more is expected of the batch; its streams end."""
        if not self._settings.disabled:
            self._log(BatchComplete(batch_id=batch_id, timestamp=datetime.now(UTC)))

    @_on_class_or_instance
    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> int:
        """Wait until Kafka has every event, at most so long; how many it does not have (0: all arrived)."""
        return self._outbox.flush(timeout_s)

    @_on_class_or_instance
    def close(self, timeout_s: float | None = None) -> int:
        """Flush, and leave to the spool what Kafka does not have after `timeout_s`; how many events those are."""
        return self._outbox.close(self._settings.close_timeout_s if timeout_s is None else timeout_s)

    @_on_class_or_instance
    def stage(self, /, batch_id: int, stage: str, total_files: int | None = None, **options: Any) -> Stage:
        """A `with` block for one run of a stage: start, checkpoints and final counts are reported by themselves."""
        return Stage(self, batch_id, stage, total_files=total_files, **options)

    @_on_class_or_instance
    def track(self, /, paths: Iterable[Path], *, batch_id: int, stage: str, **options: Any) -> Iterator[Path]:
        """Each of `paths` in turn, as one run of a stage: a path is done when the next is asked for."""
        return track(self, batch_id, stage, paths, **options)

    @property
    def close_timeout_s(self) -> float:
        """How long the end of the process waits for Kafka."""
        return self._settings.close_timeout_s

    @property
    def lost(self) -> int:
        """Events that could not be kept anywhere: the buffer or the spool was full, or the disk refused."""
        return self._outbox.lost

    def __enter__(self) -> EventLogger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _after_fork_in_child(self) -> None:
        """The parent's events are the parent's to send: begin anew."""
        self._outbox.abandon()
        _PARENTS.append(self._outbox)
        self._begin()

    def _log(self, event: Event) -> None:
        try:
            value = encode(event)
        except (BadEvent, TypeError, OverflowError, UnicodeEncodeError) as error:
            raise _named(event, error) from error
        batch_id = event.batch_id
        if batch_id not in self._announced:
            self._announced.add(batch_id)
            topic = self._settings.names.of_batch(batch_id)
            self._put_announcement(Announcement(batch_id=batch_id, topic=topic, created_at=event.timestamp))
        assert event.timestamp is not None
        self._outbox.put(
            Record(
                batch_id,
                self._settings.names.of_batch(batch_id),
                key(event),
                value,
                int(event.timestamp.timestamp() * 1000),
                event.event_type,
                self._next_id(),
                event.timestamp.isoformat(),
            )
        )

    def _put_announcement(self, announcement: Announcement) -> None:
        assert announcement.created_at is not None
        self._outbox.put(
            Record(
                announcement.batch_id,
                self._settings.names.registry,
                registry_key(announcement.batch_id),
                encode_announcement(announcement),
                int(announcement.created_at.timestamp() * 1000),
                "",
                self._next_id(),
                "",
            )
        )

    def _next_id(self) -> str:
        self._sent += 1
        return f"{self._id_prefix}{self._sent}-{threading.get_ident():x}"


_PARENTS: Final[list[Outbox]] = []  # kept in a forked child: destroying a producer without its threads would hang


def _batch(batch_id: object) -> int:
    if not isinstance(batch_id, int) or isinstance(batch_id, bool) or not -(2**63) <= batch_id < 2**63:
        raise InvalidArgument("batch_id", f"expected a signed 64-bit integer, got {batch_id!r}")
    return batch_id


def _text(argument: str, value: str | None) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidArgument(argument, f"expected text, got {value!r}")
    return value


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    for name, value in labels.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidArgument("labels", f"expected text for text, got {name!r}: {value!r}")
    return dict(labels)


def _file_name(name: str | os.PathLike[str]) -> str:
    """The name as text; bytes that are no UTF-8 (surrogates, as `os.fsdecode` leaves them) become readable escapes."""
    text = name if isinstance(name, str) else os.fspath(name) if isinstance(name, os.PathLike) else name
    if not isinstance(text, str):
        raise InvalidArgument("file_name", f"expected text or a path, got {name!r}")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _describe(error: BaseException | str) -> dict[str, str]:
    if isinstance(error, str):
        return {"status": "error", "message": error}
    if not isinstance(error, BaseException):
        raise InvalidArgument("error", f"expected an exception or text, got {error!r}")
    lines = "".join(traceback.format_exception(error))
    return {
        "status": "error",
        "type": type(error).__name__,
        "message": str(error),
        "traceback": lines[-MOST_TRACEBACK_CHARACTERS:],
    }


def _named(event: Event, error: Exception) -> InvalidArgument:
    """The refusal of an event, in the words of the call that made it: `fileName` on the wire is `file_name` here."""
    problem, _, path = str(error).partition(" - at `$.")
    field = re.sub(r"(?<!^)(?=[A-Z])", "_", path.rstrip("`").partition("[")[0]).lower()
    if field in type(event).__struct_fields__:
        return InvalidArgument(field, f"{problem[0].lower()}{problem[1:]}, got {getattr(event, field)!r}")
    return InvalidArgument(event.event_type, str(error))
