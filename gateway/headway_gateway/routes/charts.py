"""`GET /api/batches/{id}/durations`, `/outcomes` and `/timeline`: a batch of any size in answers of bounded size."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Final

import asyncpg
from aiohttp import web

from headway_gateway import durations as distribution
from headway_gateway import parameters, position, timeline
from headway_gateway.durations import Bin, bars, percentile
from headway_gateway.groups import MOST_SPANS, grouped
from headway_gateway.parameters import RunsQuery, given
from headway_gateway.reading import Reading
from headway_gateway.responses_charts import (
    DurationBar,
    Durations,
    Outcomes,
    RunDurations,
    RunOutcomes,
    RunOverTime,
    Timeline,
    WorkerOverTime,
)
from headway_gateway.routes.answers import answer_of_batch
from headway_gateway.timeline import Buckets, Clock, Knot, Span

MOST_SAMPLED: Final = 5000  # events whose time is looked up
MOST_WORKERS: Final = 64


async def durations(request: web.Request) -> web.Response:
    """How long files took, by run."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    query = parameters.read(request.query, RunsQuery)

    async def make(reading: Reading) -> Durations:
        runs = await reading.chart_runs(batch_id, stage=given(query.stage), run=given(query.run))
        found = [
            (row, await reading.duration_bins(batch_id, row["stage"], row["run"], distribution.BINS_A_DOUBLING))
            for row in runs
        ]
        return Durations(runs=[_durations(row, bins) for row, bins in found])

    return await answer_of_batch(request, batch_id, make, unprojected=Durations(runs=[]))


async def outcomes(request: web.Request) -> web.Response:
    """How every file stands, in groups of about equal size."""
    batch_id = position.batch_id(request.match_info["batch_id"])
    query = parameters.read(request.query, RunsQuery)

    async def make(reading: Reading) -> Outcomes:
        runs = await reading.chart_runs(batch_id, stage=given(query.stage), run=given(query.run))
        offsets = await reading.next_offset(batch_id)
        return Outcomes(runs=[await _outcomes(reading, batch_id, offsets, row) for row in runs])

    return await answer_of_batch(request, batch_id, make, unprojected=Outcomes(runs=[]))


async def over_time(request: web.Request) -> web.Response:
    """When files of each run were done, and by which workers."""
    batch_id = position.batch_id(request.match_info["batch_id"])

    async def make(reading: Reading) -> Timeline:
        return await _timeline(reading, batch_id)

    return await answer_of_batch(request, batch_id, make, unprojected=_empty_timeline())


def _durations(row: asyncpg.Record, bins: list[Bin]) -> RunDurations:
    return RunDurations(
        stage=row["stage"],
        run=row["run"],
        files=sum(one.files for one in bins),
        min_ms=bins[0].shortest if bins else None,
        p50_ms=percentile(bins, 0.5),
        p90_ms=percentile(bins, 0.9),
        p99_ms=percentile(bins, 0.99),
        max_ms=bins[-1].longest if bins else None,
        bars=[DurationBar(from_ms=bar.from_ms, to_ms=bar.to_ms, files=bar.files) for bar in bars(bins)],
    )


async def _outcomes(reading: Reading, batch_id: int, offsets: int, row: asyncpg.Record) -> RunOutcomes:
    spans = await reading.outcome_spans(batch_id, row["stage"], row["run"], max(1, -(-offsets // MOST_SPANS)))
    files = sum(span.files for span in spans)
    groups = list(grouped(spans, files))
    return RunOutcomes(
        stage=row["stage"],
        run=row["run"],
        total=row["total"],
        files=files,
        sizes=[group.files for group in groups],
        failed=[group.failed for group in groups],
        retried=[group.retried for group in groups],
        first_offsets=[group.first_offset for group in groups],
    )


async def _timeline(reading: Reading, batch_id: int) -> Timeline:
    offsets = await reading.next_offset(batch_id)
    span = max(1, -(-offsets // MOST_SAMPLED))
    sampled = await reading.sampled_events(batch_id, next_offset=offsets, span=span)
    if not sampled:
        return _empty_timeline()
    clock = Clock([Knot(row["topicoffset"], row["timestamp"].timestamp() * 1000) for row in sampled])
    buckets = Buckets(clock.begin_ms, clock.end_ms)
    reports = {row["topicoffset"]: row["value"] for row in sampled if row["value"] is not None}
    workers = timeline.workers_over_time(clock, buckets, reports)
    runs: dict[tuple[str, int], list[Span]] = {}
    for row in await reading.spans_of_offsets(batch_id, span):
        runs.setdefault((row["stage"], row["run"]), []).append(Span(row["place"], row["succeeded"], row["failed"]))
    return Timeline(
        begin_at=datetime.fromtimestamp(buckets.begin_ms / 1000, UTC),
        step_ms=buckets.step_ms,
        buckets=buckets.number,
        one_of=span,
        runs=[_run_over_time(clock, buckets, key, spans, span) for key, spans in runs.items()],
        workers=[WorkerOverTime(worker=name, files=files) for name, files in islice(workers.items(), MOST_WORKERS)],
        workers_left_out=max(0, len(workers) - MOST_WORKERS),
    )


def _run_over_time(
    clock: Clock, buckets: Buckets, key: tuple[str, int], spans: list[Span], offsets: int
) -> RunOverTime:
    succeeded, failed = timeline.over_time(clock, buckets, spans, offsets)
    return RunOverTime(stage=key[0], run=key[1], succeeded=succeeded, failed=failed)


def _empty_timeline() -> Timeline:
    return Timeline(begin_at=None, step_ms=1000, buckets=0, one_of=1, runs=[], workers=[], workers_left_out=0)
