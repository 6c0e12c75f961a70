"""What the demo processes and under which batch: every `HEADWAY_DEMO_*` setting. Where the stack is, `infra` knows."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from examples.denoise.errors import DemoError

DEFAULT_SIZE = 500  # files; under a minute of work for two cores


@dataclass(frozen=True)
class DemoSettings:
    """Settings of `make demo`."""

    batch_id: int
    """HEADWAY_DEMO_BATCH (`make demo BATCH=`): the batch; by default a new one, named by the time in seconds."""
    size: int = DEFAULT_SIZE
    """HEADWAY_DEMO_SIZE (`make demo SIZE=`): how many files to make, unless a folder is given."""
    files: Path | None = None
    """HEADWAY_DEMO_FILES (`make demo FILES=`): a folder of WAV files to process instead; nothing is written there."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> DemoSettings:
        """The settings in the environment; one that is empty counts as not given.

        Raises:
            DemoError: a value cannot be used; the message names the setting.
        """
        batch_id = _whole(environment, "BATCH", int(time.time()), least=-(2**63), most=2**63 - 1)
        size = _whole(environment, "SIZE", DEFAULT_SIZE, least=1, most=1_000_000)
        files = environment.get("HEADWAY_DEMO_FILES")
        return cls(batch_id, size, _folder(files) if files else None)


def _whole(environment: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    text = environment.get(f"HEADWAY_DEMO_{name}") or str(default)
    try:
        number = int(text)
    except ValueError:
        number = most + 1
    if not least <= number <= most:
        raise DemoError(f"{name} is {text!r}; expected a whole number from {least} to {most}.")
    return number


def _folder(text: str) -> Path:
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise DemoError(f"FILES is {text!r}; expected a folder that exists.")
    return folder
