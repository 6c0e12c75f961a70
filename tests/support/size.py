"""How long the faults last that tests cause: as long as is claimed by `make test FAULTS=full`, else a part of it."""

from __future__ import annotations

import os

IS_FULL = os.environ.get("HEADWAY_TEST_FAULTS") == "full"


def full_or(full: int, part: int) -> int:
    """How many of something: all that is claimed, or what shows the same sooner."""
    return full if IS_FULL else part
