"""What the tests of the dashboard share."""

from __future__ import annotations

from pathlib import Path

import pytest
from headway import EventLogger
from headway_events import TopicNames


@pytest.fixture
def event_logger(kafka: str, names: TopicNames, tmp_path: Path) -> EventLogger:
    """A pipeline's logger."""
    return EventLogger(bootstrap=kafka, names=names, spool_dir=tmp_path / "spool")
