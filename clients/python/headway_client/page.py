"""A watched batch in words, those of the dashboard's page: what terminals, plain lines and notebooks show. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final

import msgspec
from headway_events import StageState, Status, is_silent

from headway_client import wording
from headway_client.watched import RecentEvent, Standing, Watched
from headway_client.wording import count, joined, number, printable

SHOWN_SILENT: Final = 3  # workers of a stage: the others are counted
_STANDING: Final = {
    Standing.CONNECTING: "Connecting",
    Standing.LIVE: "Live",
    Standing.OFFLINE: "Offline since",
    Standing.FINISHED: "Finished",
    Standing.UNKNOWN: "Waiting for this batch to begin",
    Standing.STOPPED: "Not followed",
    Standing.SEEN: "As of",
}


class Line(msgspec.Struct, frozen=True):
    """One of a card's recent events."""

    time: str
    text: str
    failed: bool


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of a stage's current run."""

    stage: str
    icon: str
    title: str
    run: str
    """ "run 2"; empty for the first."""
    status: Status
    processed: float | None
    """Of the bar, 0 to 1; None where the total is not known."""
    errors: float
    """Of the bar, 0 to 1."""
    percent: str
    files: str
    pace: str
    counts: str
    errors_text: str
    failed: bool
    """Whether there are errors."""
    silent: list[str]
    events: list[Line]
    """Newest first."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of a batch."""

    title: str
    status: Status
    subline: str
    notice: str
    standing: Standing
    connection: str
    """How the watching stands, in words."""
    reason: str
    """Why it is offline."""
    cards: list[Card]


def page_of(watched: Watched, now: datetime, zone: tzinfo | None = None) -> Page:
    """The page at `now`, its times in the machine's zone where none is given."""
    name = None if watched.info is None else watched.info.name
    return Page(
        title=f"{printable(name)} · batch {watched.batch_id}" if name else f"Batch {watched.batch_id}",
        status=watched.status(now),
        subline=_subline(watched),
        notice=_notice(watched),
        standing=watched.standing,
        connection=_connection(watched, zone),
        reason=printable(watched.reason),
        cards=[_card(watched, stage, now, zone) for stage in watched.batch.stages],
    )


def _subline(watched: Watched) -> str:
    stages = [watched.batch.current(stage) for stage in watched.batch.stages]
    if not stages:
        return "" if watched.standing is Standing.UNKNOWN else "No stage has started yet."
    done = sum(stage.ended_at is not None for stage in stages)
    labels = {} if watched.info is None else watched.info.labels
    return joined(
        f"{done} of {number(len(stages), 'stage')} complete",
        number(watched.errors, "error"),
        *(printable(f"{label}: {value}") for label, value in labels.items()),
    )


def _notice(watched: Watched) -> str:
    parts = [printable(watched.notice)]
    if (info := watched.info) is not None:
        parts += [
            f"Not followed any further. {printable(info.problem)}" if info.problem else "",
            "The events of this batch are not kept any more, its counts are." if info.log_dropped_at else "",
            f"{number(info.dead_letters, 'record')} of this batch are not events and were not counted."
            if info.dead_letters
            else "",
        ]
    return " ".join(part for part in parts if part)


def _connection(watched: Watched, zone: tzinfo | None) -> str:
    words = _STANDING[watched.standing]
    since = wording.time_of_day(watched.since, zone)
    if watched.standing is Standing.OFFLINE:
        return f"{words} {since}, trying again"
    return f"{words} {since}" if watched.standing is Standing.SEEN else words


def _card(watched: Watched, name: str, now: datetime, zone: tzinfo | None) -> Card:
    stage = watched.batch.current(name)
    total = "unknown" if stage.total is None else count(stage.total)
    return Card(
        stage=name,
        icon=wording.icon(name),
        title=wording.stage_title(name),
        run=f"run {stage.run}" if stage.run > 1 else "",
        status=watched.status_of(stage, now),
        processed=None if stage.total is None else _share(stage.processed, stage.total),
        errors=_share(stage.errors, stage.total),
        percent=wording.percent_text(stage),
        files=wording.files_text(stage.processed, stage.total),
        pace=wording.pace_text(stage, watched.estimate(name, now)),
        counts=f"Total: {total} | Processed: {count(stage.processed)} | ",
        errors_text=f"Errors: {count(stage.errors)}",
        failed=stage.errors > 0,
        silent=_silent(stage, now, watched.silent_after),
        events=[_line(one, zone) for one in watched.recent.get(name, ())],
    )


def _share(files: int, total: int | None) -> float:
    return min(1.0, files / total) if total else 0.0


def _silent(stage: StageState, now: datetime, silent_after: timedelta) -> list[str]:
    silent = [
        (worker.last_heard_at, name, list(worker.files))
        for name, worker in stage.workers.items()
        if is_silent(worker, now, silent_after) and worker.last_heard_at is not None
    ]
    texts = [_silent_text(name, now - heard_at, files) for heard_at, name, files in sorted(silent)[:SHOWN_SILENT]]
    others = len(silent) - len(texts)
    return [*texts, f"and {count(others)} more"] if others else texts


def _silent_text(name: str, silence: timedelta, files: list[str]) -> str:
    others = f" and {count(len(files) - 1)} more" if len(files) > 1 else ""
    silent_for = wording.duration_text(silence.total_seconds() * 1000)
    return f"⚠️ Worker {printable(name)} not heard for {silent_for}, on {printable(files[0])}{others}"


def _line(recent: RecentEvent, zone: tzinfo | None) -> Line:
    event = recent.event
    failed = event.event_type == "file_error"
    return Line(wording.time_of_day(event.timestamp, zone), wording.event_text(event), failed)
