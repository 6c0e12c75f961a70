"""The bar is drawn on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios

import pytest

PIPELINE = """
import sys
from headway import EventLogger
if sys.argv[1:] == ["without"]:
    sys.modules["tqdm"] = None
with EventLogger.stage(1, "denoise", total_files=4, on_error="continue") as stage:
    for path in ("a", "b", "c", "d"):
        with stage.file(path):
            if path == "b":
                raise OSError("no room")
    if sys.argv[1:] == ["gone"]:
        sys.stderr.close()
print("done")
"""


def run(*arguments: str, terminal: bool = True, **settings: str) -> str:
    """The pipeline's output on stderr, which is a terminal or a pipe."""
    reading, writing = pty.openpty() if terminal else os.pipe()
    if terminal:
        termios.tcsetwinsize(writing, (24, 100))
    done = subprocess.run(
        [sys.executable, "-c", PIPELINE, *arguments],
        stdout=subprocess.PIPE,
        stderr=writing,
        check=True,
        timeout=60,
        env={**os.environ, "HEADWAY_DISABLED": "1", **settings},
    )
    assert done.stdout == b"done\n"
    os.close(writing)
    shown = b""
    try:
        while some := os.read(reading, 65536):
            shown += some
    except OSError:  # how Linux says that a terminal has ended
        pass
    os.close(reading)
    return shown.decode()


def test_a_terminal_shows_stage_counts_errors_and_rate() -> None:
    last = re.split(r"[\r\n]+", run().strip())[-1]
    assert last.startswith("denoise: 100%")
    assert re.search(r"4/4 \[.*files/s, errors=1\]", last), last


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(lambda: run(terminal=False), id="a pipe"),
        pytest.param(lambda: run(HEADWAY_CONSOLE="0"), id="switched off"),
        pytest.param(lambda: run("without"), id="without the extra"),
    ],
)
def test_nothing_is_shown_where_it_would_only_be_in_the_way(shown: object) -> None:
    assert callable(shown)
    assert shown() == ""


def test_a_terminal_that_goes_away_harms_nothing() -> None:
    run("gone")
