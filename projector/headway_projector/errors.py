"""The errors of the projector.

HeadwayError
└── ProjectorError
    ├── InvalidSetting        a HEADWAY_* setting cannot be read
    ├── Fenced                another projector has moved these batches on
    ├── MigrationFailed       a migration could not be applied
    └── NoProgress            the projector is stuck and must be started anew
"""

from __future__ import annotations

from collections.abc import Collection

from headway_events import HeadwayError


class ProjectorError(HeadwayError):
    """The projector failed."""


class InvalidSetting(ProjectorError, ValueError):
    """A setting cannot be read."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name} is {value!r}; expected {expected}")
        self.name = name
        self.value = value


class Fenced(ProjectorError):
    """Another projector has moved these batches on; nothing was written for them."""

    def __init__(self, batch_ids: Collection[int]) -> None:
        super().__init__(f"Another projector has moved on batches {sorted(batch_ids)}")
        self.batch_ids = frozenset(batch_ids)


class MigrationFailed(ProjectorError):
    """A migration could not be applied."""


class NoProgress(ProjectorError):
    """The projector is stuck: no round of its loop has ended for too long."""
