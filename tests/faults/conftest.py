"""What the tests that kill, freeze and cut off have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them to be run with little else: a process that waits for the processor looks like one that was frozen."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.quiet)
