"""What the pipelines of all libraries share."""

from __future__ import annotations

from pathlib import Path

import pytest
from headway_events import TopicNames

from support.pipelines import WORK


@pytest.fixture
def settings(kafka: str, names: TopicNames, tmp_path: Path) -> dict[str, str]:
    """The environment of a pipeline: this test's topics, and a home of its own for what libraries write there."""
    return {
        "HEADWAY_KAFKA_BOOTSTRAP": kafka,
        "HEADWAY_TOPIC_PREFIX": names.prefix,
        "HEADWAY_REGISTRY_TOPIC": names.registry,
        "HEADWAY_SPOOL_DIR": str(tmp_path / "spool"),
        "HOME": str(tmp_path),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a pipeline is written, beside the work that it does."""
    (tmp_path / "work.py").write_text(WORK)
    return tmp_path
