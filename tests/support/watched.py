"""A watched batch in the middle of its work, at a moment that stays the same: what renderings are compared with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from headway_client.api import BatchInfo
from headway_client.messages import EventMessage, Snapshot
from headway_client.watched import Standing, Watched
from headway_events import (
    BatchState,
    Event,
    FileComplete,
    FileError,
    StageComplete,
    StageStart,
    Status,
    WorkerHeartbeat,
)

BEGAN: Final = datetime(2026, 11, 25, 10, tzinfo=UTC)
NOW: Final = BEGAN + timedelta(seconds=101)
SECONDS: Final = 100
BATCH_ID: Final = 123


def at(second: float) -> datetime:
    """A moment of the batch."""
    return BEGAN + timedelta(seconds=second)


def story() -> Iterator[tuple[int, Event]]:
    """A file a second, every tenth of which fails; an upload that is over; a worker that was last heard long ago."""
    yield 0, StageStart(batch_id=BATCH_ID, timestamp=at(0), stage="upload")
    yield 0, FileComplete(batch_id=BATCH_ID, timestamp=at(0), stage="upload", file_name="list.csv")
    yield 0, StageComplete(batch_id=BATCH_ID, timestamp=at(40), stage="upload", processed_files=1, failed_files=0)
    yield 0, StageStart(batch_id=BATCH_ID, timestamp=at(0), stage="denoise", total_files=500)
    yield (
        0,
        WorkerHeartbeat(
            batch_id=BATCH_ID,
            timestamp=at(0),
            stage="denoise",
            worker="gpu-3:47",
            files_in_flight=["long.wav", "b.wav"],
        ),
    )
    for second in range(1, SECONDS + 1):
        name = f"audio{second:03}.wav"
        if second % 10 == 6:
            response = msgspec.Raw(b'{"type": "OSError", "message": "no such file\\nat all"}')
            yield (
                second,
                FileError(batch_id=BATCH_ID, timestamp=at(second), stage="denoise", file_name=name, response=response),
            )
        else:
            yield second, FileComplete(batch_id=BATCH_ID, timestamp=at(second), stage="denoise", file_name=name)


def watched_batch(info: BatchInfo | None = None) -> Watched:
    """The batch as one knows it who has watched it from its beginning to NOW."""
    watched = Watched(BATCH_ID)
    watched.stand(Standing.LIVE, BEGAN)
    watched.info = info or batch_info()
    watched.take(Snapshot("", BatchState(), 0))
    for offset, (second, event) in enumerate(story()):
        watched.take(EventMessage(str(offset), event, b""))
        watched.observe(at(second))
    return watched


def batch_info(**fields: object) -> BatchInfo:
    """What the API adds."""
    known = {
        "batch_id": BATCH_ID, "name": "night shift", "labels": {"team": "speech"}, "status": Status.PROCESSING,
        "closed": False, "stages": [],
    }  # fmt: skip
    return BatchInfo(**{**known, **fields})  # type: ignore[arg-type]
