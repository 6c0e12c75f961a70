"""Batches for tests, as pipelines report them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from headway_events import BatchComplete, Event, FileComplete, FileError, StageComplete, StageStart


def batch_events(batch_id: int, files: int, *, failed: int = 0, stage: str = "denoise") -> Iterator[Event]:
    """A whole batch of one stage: `files` files, of which the last `failed` fail."""
    now = datetime.now(UTC)
    yield StageStart(batch_id=batch_id, timestamp=now, stage=stage, total_files=files)
    for number in range(files):
        name = f"audio{number:05d}.wav"
        if number < files - failed:
            yield FileComplete(batch_id=batch_id, timestamp=now, stage=stage, file_name=name, response=SUCCESS)
        else:
            yield FileError(batch_id=batch_id, timestamp=now, stage=stage, file_name=name, response=ERROR)
    yield StageComplete(
        batch_id=batch_id, timestamp=now, stage=stage, processed_files=files - failed, failed_files=failed
    )
    yield BatchComplete(batch_id=batch_id, timestamp=now)


SUCCESS = msgspec.Raw(b'{"status":"success","snr":17.5}')
ERROR = msgspec.Raw(b'{"status":"error","type":"OSError","message":"no such file"}')
