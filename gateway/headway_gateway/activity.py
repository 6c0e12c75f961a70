"""What the latest events of a batch say of its workers: what each has done, where, and on which GPUs. Pure.

Counts are of those events alone. Which files are in flight is not told here: the fold knows it, of the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from headway_events.events import FILE_EVENTS, Event, FileComplete, FileEvent, Gpu, WorkerHeartbeat
from msgspec import Struct, field


class HeardGpu(Struct):
    """A GPU as a worker last described it."""

    gpu: Gpu
    heard_at: datetime | None


class Activity(Struct):
    """What the events say of one worker."""

    host: str | None = None
    stages: set[str] = field(default_factory=set)
    done: int = 0
    failed: int = 0
    last_heard_at: datetime | None = None
    gpus: dict[str, HeardGpu] = field(default_factory=dict)
    named_since: dict[tuple[str, str], datetime | None] = field(default_factory=dict)  # by stage and file in flight


def of_events(events: Iterable[Event]) -> dict[str, Activity]:
    """Each worker's activity, by name, from events in the order of the topic.

    A file that is reported without its worker counts for the place where it was processed, `gpuIp`.
    """
    found: dict[str, Activity] = {}
    for event in events:
        if isinstance(event, FILE_EVENTS):
            name = event.worker or event.gpu_ip
            if name:
                _report(found.setdefault(name, Activity()), event)
        elif isinstance(event, WorkerHeartbeat):
            _heartbeat(found.setdefault(event.worker, Activity()), event)
    return found


def _report(worker: Activity, event: FileEvent) -> None:
    _heard(worker, event.stage, event.timestamp, [] if event.gpu is None else [event.gpu])
    worker.host = worker.host or event.gpu_ip
    worker.named_since.pop((event.stage, event.file_name), None)
    if isinstance(event, FileComplete):
        worker.done += 1
    else:
        worker.failed += 1


def _heartbeat(worker: Activity, event: WorkerHeartbeat) -> None:
    _heard(worker, event.stage, event.timestamp, event.gpus)
    worker.host = event.host or worker.host
    others = {place: since for place, since in worker.named_since.items() if place[0] != event.stage}
    named = [(event.stage, name) for name in event.files_in_flight]
    worker.named_since = others | {place: worker.named_since.get(place, event.timestamp) for place in named}


def _heard(worker: Activity, stage: str, at: datetime | None, gpus: Iterable[Gpu]) -> None:
    worker.stages.add(stage)
    if at is not None and (worker.last_heard_at is None or at > worker.last_heard_at):
        worker.last_heard_at = at
    for gpu in gpus:
        worker.gpus[gpu.uuid or f"{gpu.index} {gpu.name}"] = HeardGpu(gpu, at)
