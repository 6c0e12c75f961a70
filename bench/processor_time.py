"""The processor time that a program has taken, read from the system."""

from __future__ import annotations

from contextlib import suppress

import psutil


def spent_s(process: psutil.Process) -> float:
    """Seconds until now, with those of its children, also of those that have ended."""
    own = process.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile, as some of PostgreSQL's do
            times = child.cpu_times()
            total += times.user + times.system
    return total
