"""Pipelines over 500 files of which 495 succeed, on libraries that retry and lose workers; run as programs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from headway_events import BatchState, Event, FileError, StageState, decode, fold_batch
from headway_events.events import FileEvent

from support.topics import Topics

DOCS: Final = Path(__file__).parents[2] / "docs"
TIMEOUT_S: Final = 60.0

WORK: Final = '''
"""Denoises a file: some fail for good, one at its first attempt; one kills its process once, one always."""
import os, signal, time
from pathlib import Path

BROKEN = {"011.wav", "012.wav", "013.wav", "014.wav"}

def denoise_file(path):
    attempted = Path(__file__).with_name(f"{path}.attempted")
    first = not attempted.exists()
    attempted.touch()
    if path == "deadly.wav" or (path == "unlucky.wav" and first):
        time.sleep(0.1)  # what the process has reported before is sent meanwhile
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "shaky.wav" and first:
        raise OSError("only at first")
    if path in BROKEN:
        raise ValueError(f"{path} is broken")
    return {"status": "success", "denoised": path}
'''
"""`work.py`, which the pipelines in the documentation import."""

FILES: Final = ["deadly.wav", "unlucky.wav", "shaky.wav", *(f"{number:03}.wav" for number in range(497))]
FAILED: Final = {"deadly.wav", "011.wav", "012.wav", "013.wav", "014.wav"}


class Reported(NamedTuple):
    """What a batch's topic says of its one stage."""

    run: StageState
    events: list[Event]
    errors: dict[str, Any]
    """The response to each file that has failed."""


def reported(topics: Topics, batch_id: int) -> Reported:
    """All that a batch's topic holds, and its fold."""
    records = topics.read(topics.names.of_batch(batch_id))
    events = [decode(record.value, batch_id=batch_id) for record in records]
    (run,) = fold(events).stages["denoise"]
    errors = {event.file_name: response(event) for event in events if isinstance(event, FileError)}
    return Reported(run, events, errors)


def response(event: FileEvent) -> Any:
    """What an event says of its file."""
    assert isinstance(event.response, msgspec.Raw)
    return msgspec.json.decode(event.response)


def fold(events: Iterable[Event]) -> BatchState:
    """The counts after these events."""
    batch = BatchState()
    for event in events:
        batch = fold_batch(batch, event)
    return batch


def code_blocks(document: str, language: str) -> list[str]:
    """The code blocks of a language in a document below `docs`, by place."""
    text = (DOCS / document).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run_program(script: Path, *arguments: str, environment: Mapping[str, str]) -> str:
    """What a Python program prints, run in its own folder; fails, with all that it said, if the program does."""
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=script.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
