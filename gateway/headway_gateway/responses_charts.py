"""What the routes of the charts answer: see `responses`. Pure."""

from __future__ import annotations

from typing import Annotated

from headway_events import Status
from headway_events.events import StageName
from msgspec import Meta, Struct

from headway_gateway.responses import Moment, Offset, RunNumber

Percentile = Annotated[
    float | None, Meta(description="Milliseconds; at most 2.2 % above the true one, never below it.")
]


class _Document(Struct, rename="camel", kw_only=True):
    """What all documents have in common: camelCase names, as in the events."""


class DurationBar(_Document):
    """Files whose duration is from `fromMs` to below `toMs`."""

    from_ms: float
    to_ms: float
    files: int


class RunDurations(_Document):
    """How long the files of a run took, as the events say that decided how they stand."""

    stage: StageName
    run: RunNumber
    files: Annotated[int, Meta(description="Files whose duration is known; the others are left out.")]
    min_ms: float | None
    p50_ms: Percentile
    p90_ms: Percentile
    p99_ms: Percentile
    max_ms: float | None
    bars: Annotated[
        list[DurationBar], Meta(description="The histogram, four bars for each doubling; those without files left out.")
    ]


class Durations(_Document):
    """How long files took, by run."""

    runs: list[RunDurations]


class RunOutcomes(_Document):
    """How the files of a run stand, in the order in which that was decided, in groups of about equal size."""

    stage: StageName
    run: RunNumber
    total: Annotated[int | None, Meta(description="Files in all, as the pipeline stated; null when unknown.")]
    files: Annotated[int, Meta(description="Files of which it is known how they stand.")]
    sizes: Annotated[list[int], Meta(description="Of each group, its files; 1 for up to 5,000 files.")]
    failed: Annotated[list[int], Meta(description="Of each group, the files that stand as failed.")]
    retried: Annotated[list[int], Meta(description="Of each group, the files that failed and then succeeded.")]
    first_offsets: Annotated[
        list[Offset],
        Meta(description="Of each group, where its first file was decided: `/events` from there names its files."),
    ]


class Outcomes(_Document):
    """How every file stands, by run."""

    runs: list[RunOutcomes]


class RunOverTime(_Document):
    """When the files of a run were decided."""

    stage: StageName
    run: RunNumber
    succeeded: Annotated[list[float], Meta(description="Files in each bucket that stand as succeeded.")]
    failed: Annotated[list[float], Meta(description="Files in each bucket that stand as failed.")]


class WorkerOverTime(_Document):
    """When a worker reported files."""

    worker: Annotated[str, Meta(description="Its name; of one that gives none, the address of its GPU.")]
    files: Annotated[list[int], Meta(description="Reports in each bucket, one of `oneOf` counted.")]


class Timeline(_Document):
    """When files were decided and workers reported, in equal buckets of time."""

    begin_at: Annotated[Moment | None, Meta(description="Where the first bucket begins; null before any event.")]
    step_ms: Annotated[int, Meta(ge=1000, description="The length of a bucket.")]
    buckets: Annotated[int, Meta(ge=0, le=400)]
    one_of: Annotated[
        int,
        Meta(
            ge=1,
            description="1: exact. Else the time of one event of so many was looked up; between them files are spread.",
        ),
    ]
    runs: list[RunOverTime]
    workers: Annotated[list[WorkerOverTime], Meta(description="At most 64, the busiest first.")]
    workers_left_out: Annotated[int, Meta(ge=0)]


class RunHistory(_Document):
    """How a run stood, from each frame at which that changed until the next."""

    stage: StageName
    run: RunNumber
    frames: Annotated[list[int], Meta(description="Places in the batch's `offsets`, rising.")]
    processed: list[int]
    errors: list[int]
    totals: list[int | None]
    statuses: list[Status]


class History(_Document):
    """The counts of every run over time, as a replay shows them: exact at each frame."""

    offsets: Annotated[
        list[Offset], Meta(description="A frame is the state before this offset; the last one is the state as it is.")
    ]
    times: Annotated[
        list[int | None],
        Meta(description="When the last event before it happened, in milliseconds since 1970; never falling."),
    ]
    runs: list[RunHistory]
    closed: Annotated[
        list[int], Meta(description="Frames at which the batch was closed (the first, the third, …) or open again.")
    ]
