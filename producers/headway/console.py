"""A bar on the terminal for each open stage, drawn by tqdm where `headway[console]` is installed."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import Any

DRAW_EVERY_S = 0.2


class Bar:
    """The bar of one stage. Draws nothing where stderr is no terminal or tqdm is missing, and never raises."""

    def __init__(self, stage: str, total_files: int | None) -> None:
        """Draw the empty bar."""
        self._bar: Any = None
        with contextlib.suppress(Exception):
            if sys.stderr.isatty():
                self._bar = _tqdm()(
                    total=total_files, desc=stage, unit=" files", mininterval=DRAW_EVERY_S, dynamic_ncols=True
                )

    def show(self, files: int, failed: int) -> None:
        """So many files have been through the stage, and so many of them failed. Draws a few times a second at most."""
        if self._bar is None:
            return
        try:
            if failed:
                self._bar.set_postfix(errors=failed, refresh=False)
            self._bar.update(files - self._bar.n)
        except Exception:  # noqa: BLE001 - the terminal may be gone, which is no reason to fail the pipeline
            self._bar = None

    def close(self) -> None:
        """Draw what it stands at for good, and leave the line."""
        bar, self._bar = self._bar, None
        if bar is not None:
            with contextlib.suppress(Exception):
                bar.close()


def _tqdm() -> Any:
    """tqdm without its thread, and with a lock of its own: its usual one is a semaphore between processes."""
    import tqdm  # type: ignore[import-untyped]  # noqa: PLC0415 - an optional dependency

    kind: Any = type("HeadwayBar", (tqdm.tqdm,), {"monitor_interval": 0})
    kind.set_lock(threading.RLock())
    return kind
