"""The errors of the projector.

HeadwayError
└── ProjectorError
    ├── InvalidSetting        a HEADWAY_* setting cannot be read
    ├── TokenRefused          the token endpoint gives no token for Kafka
    ├── InvalidAlerts         the file of the hooks cannot be read, or says something that is not understood
    ├── NoSuchHook            a hook is not in that file
    ├── Fenced                another projector has moved these batches on
    ├── NoSuchBatch           a batch is not in the tables
    ├── LogDropped            a batch's raw log is not kept any more
    ├── TopicIncomplete       a topic does not hold its batch from the beginning
    ├── ParquetMissing        pyarrow is not installed
    ├── ArchiveFailed         the Parquet archive cannot be written or read
    └── MigrationFailed       a migration could not be applied
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from headway_events import HeadwayError


class ProjectorError(HeadwayError):
    """The projector failed."""


class InvalidSetting(ProjectorError, ValueError):
    """A setting cannot be read."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name} is {value!r}; expected {expected}")
        self.name = name
        self.value = value


class TokenRefused(ProjectorError):
    """The token endpoint gives no token for Kafka."""

    def __init__(self, url: str, reason: Exception) -> None:
        super().__init__(
            f"{url} gives no token: {type(reason).__name__}: {reason}. See HEADWAY_KAFKA_OAUTH_TOKEN_URL,"
            " HEADWAY_KAFKA_OAUTH_CLIENT_ID and HEADWAY_KAFKA_OAUTH_CLIENT_SECRET"
        )
        self.url = url


class InvalidAlerts(ProjectorError, ValueError):
    """The file of the hooks cannot be read, or says something that is not understood."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} (HEADWAY_PROJECTOR_ALERTS_FILE): {what}")
        self.path = path


class NoSuchHook(ProjectorError):
    """A hook is not in the file."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        expected = f"expected {' or '.join(map(repr, known))}" if known else "it has none, or is not named"
        super().__init__(f"There is no hook {name!r} in the file that HEADWAY_PROJECTOR_ALERTS_FILE names; {expected}")
        self.name = name


class Fenced(ProjectorError):
    """Another projector has moved these batches on; nothing was written for them."""

    def __init__(self, batch_ids: Collection[int]) -> None:
        super().__init__(f"Another projector has moved on batches {sorted(batch_ids)}")
        self.batch_ids = frozenset(batch_ids)


class NoSuchBatch(ProjectorError):
    """A batch is not in the tables."""

    def __init__(self, batch_id: int) -> None:
        super().__init__(f"Batch {batch_id} is not in the tables")
        self.batch_id = batch_id


class LogDropped(ProjectorError):
    """A batch's raw log and file outcomes are not kept any more; its counts are."""

    def __init__(self, batch_id: int, dropped_at: datetime) -> None:
        super().__init__(
            f"The raw log of batch {batch_id} was dropped at {dropped_at:%Y-%m-%d %H:%M} UTC, as"
            " HEADWAY_PROJECTOR_LOG_KEPT_WEEKS says; its counts stay as they are and cannot be made or checked again"
        )
        self.batch_id = batch_id
        self.dropped_at = dropped_at


class TopicIncomplete(ProjectorError):
    """A topic does not hold its batch from the beginning; rebuild the batch from the raw log instead."""

    def __init__(self, topic: str, reason: str) -> None:
        super().__init__(f"{topic} does not hold its batch from the beginning ({reason}); rebuild without --from-topic")
        self.topic = topic


class ParquetMissing(ProjectorError):
    """The archive needs pyarrow: pip install 'headway-projector[parquet]'."""


class ArchiveFailed(ProjectorError):
    """The Parquet archive cannot be written or read."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(f"{path}: {reason}. What the archive had it has still; run the command again")
        self.path = path


class MigrationFailed(ProjectorError):
    """A migration could not be applied."""
