"""The hooks: whom to tell what. Values alone; `hooks_file` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec
from headway_events.alerts import AlertType

DAY_S: Final = 24 * 60 * 60


class Format(StrEnum):
    """What a receiver takes."""

    SLACK = "slack"
    JSON = "json"


class ErrorRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When too many files of a stage have failed."""

    share: float = 0.05  # of the files that have an outcome; more than this
    min_files: int = 100  # with an outcome; below that a share says little


@dataclass(frozen=True, kw_only=True)
class Hook:
    """Whom to tell what. Its address is a secret too: Slack's is all that one needs to write to the channel."""

    name: str
    url: str = field(repr=False)
    host: str  # that part of the address that may be shown
    format: Format
    secrets: tuple[bytes, ...] = field(repr=False)  # each signs; several while one replaces another
    events: frozenset[AlertType]
    labels: Mapping[str, str]
    error_rate: ErrorRate

    @property
    def labels_json(self) -> str:
        """The labels as PostgreSQL takes them for jsonb."""
        return msgspec.json.encode(self.labels).decode()


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """The whole file; without one there are no hooks."""

    dashboard: str = ""
    give_up_after_s: int = DAY_S
    hooks: tuple[Hook, ...] = ()

    def named(self, name: str) -> Hook | None:
        """The hook of this name."""
        return next((hook for hook in self.hooks if hook.name == name), None)
