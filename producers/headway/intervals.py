"""When a `stage_progress` or a heartbeat is due. Pure: files and seconds in, yes or no out."""

from __future__ import annotations

from typing import Final

FLOOR_S: Final = 0.1  # fast files: at most ten checkpoints a second
CEILING_S: Final = 5.0  # slow files: a checkpoint at least this often, if there is anything to say


def default_interval(total_files: int | None) -> int:
    """Files between two checkpoints: 5 below 100 files, 10 up to 1,000, 50 above and when the total is unknown."""
    if total_files is None or total_files > 1000:
        return 50
    return 5 if total_files < 100 else 10


def is_due(files: int, seconds: float, *, every: int) -> bool:
    """Whether a checkpoint is due, `files` and `seconds` after the last one."""
    if files <= 0:
        return False
    return seconds >= CEILING_S or (files >= every and seconds >= FLOOR_S)


def is_heartbeat_due(seconds: float, *, changed: bool, every_s: float, changed_s: float) -> bool:
    """Whether a heartbeat is due, `seconds` after the last one; sooner if the files in flight have `changed` since."""
    return seconds >= (min(changed_s, every_s) if changed else every_s)
