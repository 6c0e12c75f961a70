"""What a stage and an event are called for people: the dashboard's words (`format.js`, `estimate-text.js`). Pure."""

from __future__ import annotations

import math
from datetime import datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import msgspec
from headway_events import (
    BatchComplete,
    Event,
    FileComplete,
    FileError,
    StageComplete,
    StageProgress,
    StageStart,
    StageState,
    Status,
    WorkerHeartbeat,
    percent,
)

from headway_client.estimate import Estimate, files_left, lasted_ms

STATUS: Final = {
    Status.PENDING: "Pending",
    Status.PROCESSING: "Processing ⏳",
    Status.COMPLETE: "Complete ✅",
    Status.COMPLETE_WITH_ERRORS: "Complete with errors ⚠️",
    Status.STALLED: "Stalled ⏸️",
}
ICONS: Final = {
    "denoise": "🔇", "normalise": "🎚️", "normalize": "🎚️", "encode": "📦", "transcribe": "📝",
    "diarize": "👥", "upload": "☁️", "download": "⬇️",
}  # fmt: skip
_UNITS: Final = (("s", 1000, 90), ("min", 60_000, 90), ("h", 3_600_000, 48), ("days", 86_400_000, math.inf))
"""A unit of time, its milliseconds, and below how many of it it is used."""


def printable(text: str) -> str:
    """A name or message as one line that commands no terminal: control characters are written as escapes."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def count(files: int) -> str:
    """A number, its thousands apart."""
    return f"{files:,}"


def number(one: int, noun: str) -> str:
    """So many of something: "1 error", "2,345 errors"."""
    return f"1 {noun}" if one == 1 else f"{count(one)} {noun}s"


def stage_title(stage: str) -> str:
    """A stage's name with its first letter large."""
    return printable(stage[:1].upper() + stage[1:])


def icon(stage: str) -> str:
    """What stands before a stage's name."""
    return ICONS.get(stage.lower(), "⚙️")


def files_text(processed: int, total: int | None) -> str:
    """How many files: "100/500 files", or "1,234 files" when the total is unknown."""
    return f"{count(processed)} files" if total is None else f"{count(processed)}/{count(total)} files"


def percent_text(stage: StageState) -> str:
    """How far: "20%", or nothing when the total is unknown."""
    value = percent(stage)
    return "" if value is None else f"{value}%"


def duration_text(ms: float) -> str:
    """One unit, rounded down: "25 s", "3 min", "2 h"."""
    seconds = math.floor(ms / 1000)
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{count(seconds // 3600)} h"


def elapsed_text(ms: float) -> str:
    """Two units, rounded down: "1 h 4 min", "3 min 20 s", "12 s"."""
    seconds = math.floor(ms / 1000)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def rate_text(per_second: float) -> str:
    """A rate in a unit in which it is at least one: "12.4 files/s", "3.1 files/min"."""
    unit, rate = ("s", per_second)
    if per_second < 1:
        unit, rate = ("min", per_second * 60) if per_second * 60 >= 1 else ("h", per_second * 3600)
    return f"{count(_rounded(rate)) if rate >= 100 else _tenths(rate)} files/{unit}"


def left_text(estimate: Estimate) -> str:
    """How long it will take: "about 3 min left (2 to 5)"; nothing when it is not known."""
    left_ms = estimate.left_ms
    if left_ms is None:
        return ""
    if left_ms == 0:
        return "finishing"
    unit, unit_ms, _ = next(one for one in _UNITS if left_ms / one[1] < one[2])
    about = max(1, _rounded(left_ms / unit_ms))
    if estimate.between_ms is None:
        return f"about {about} {unit} left"
    soonest = max(1, _rounded(estimate.between_ms[0] / unit_ms))
    if math.isinf(estimate.between_ms[1]):
        return f"about {about} {unit} left (at least {soonest})"
    latest = max(about, _rounded(estimate.between_ms[1] / unit_ms))
    return f"about {about} {unit} left" + ("" if soonest == latest else f" ({soonest} to {latest})")


def pace_text(stage: StageState, estimate: Estimate) -> str:
    """The line of a stage's card: "12.4 files/s · about 3 min left (2 to 5)"."""
    if stage.ended_at is not None:
        took = lasted_ms(stage)
        average = "" if estimate.rate is None else f"{rate_text(estimate.rate)} on average"
        return joined("" if took is None else f"took {elapsed_text(took)}", average)
    if estimate.rate is None:
        return "finishing" if files_left(stage) == 0 else "time left not known"
    guess = " on average" if estimate.basis == "average" else ""
    return joined(f"{rate_text(estimate.rate)}{guess}", left_text(estimate))


def joined(*parts: str) -> str:
    """What there is of these, in one line."""
    return " · ".join(part for part in parts if part)


def time_of_day(moment: datetime | None, zone: tzinfo | None = None) -> str:
    """The time of day, "10:01:40"; in the machine's own zone where none is given."""
    return "--:--:--" if moment is None else moment.astimezone(zone).strftime("%H:%M:%S")


def moment_text(moment: datetime | None, zone: tzinfo | None = None) -> str:
    """A moment with its day, "2026-11-25 10:01"."""
    return "" if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def event_text(event: Event) -> str:
    """An event in one line; of an error, what was said with it."""
    if isinstance(event, FileComplete):
        return f"📄 {printable(event.file_name)}: ✅ Complete"
    if isinstance(event, FileError):
        return joined(f"❌ {printable(event.file_name)}: Error", error_text(event))
    if isinstance(event, WorkerHeartbeat):
        return f"💓 {printable(event.worker)} on {number(len(event.files_in_flight), 'file')}"
    return "🏁 Batch complete" if isinstance(event, BatchComplete) else _counts_text(event)


def _counts_text(event: StageStart | StageProgress | StageComplete) -> str:
    if isinstance(event, StageStart):
        return "▶️ Started" if event.total_files is None else f"▶️ Started: {count(event.total_files)} files"
    if isinstance(event, StageProgress):
        return f"📊 {files_text(event.processed_files, event.total_files)}"
    if event.processed_files is None:
        return "🏁 Finished"
    return f"🏁 Finished: {count(event.processed_files)} processed, {count(event.failed_files or 0)} failed"


def error_text(event: FileError) -> str:
    """The first line of the message in a failed file's response, else its type; nothing where it has neither."""
    try:
        response: Any = msgspec.json.decode(event.response) if isinstance(event.response, msgspec.Raw) else None
    except msgspec.DecodeError:  # JSON, but with numbers that Python does not hold
        return ""
    if isinstance(response, str):
        return _first_line(response)
    if not isinstance(response, dict):
        return ""
    return _first_line(str(response.get("message") or response.get("type") or ""))


def _first_line(text: str) -> str:
    return printable(text.strip().partition("\n")[0].rstrip())


def _rounded(value: float) -> int:
    """Halves up, as JavaScript does; Python rounds them to even."""
    return math.floor(value + 0.5)


def _tenths(value: float) -> str:
    return str(Decimal(repr(value)).quantize(Decimal("0.1"), ROUND_HALF_UP))
