"""Alerts: what a webhook is told of a batch. The body of the generic format; Slack's is made of the same.

The frame (`type`, `timestamp`, `data`) is that of the Standard Webhooks specification.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from headway_events.events import BatchId


class AlertType(StrEnum):
    """What happened. TEST is sent by hand alone."""

    COMPLETE = "batch.complete"
    COMPLETE_WITH_ERRORS = "batch.complete_with_errors"
    FIRST_ERROR = "batch.first_error"
    ERROR_RATE = "batch.error_rate"
    STALLED = "batch.stalled"
    TEST = "test"


class AlertStage(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """The last run of a stage, as it stood when the alert was raised."""

    stage: str
    run: int
    status: Annotated[str, msgspec.Meta(description="processing, complete or complete_with_errors.")]
    total: Annotated[int | None, msgspec.Meta(description="Files in all; null when unknown.")]
    processed: Annotated[int, msgspec.Meta(description="Distinct files that succeeded.")]
    errors: Annotated[int, msgspec.Meta(description="Distinct files whose last outcome is an error.")]


class AlertData(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """The batch, as it stood when the alert was raised: every attempt to deliver it says the same."""

    batch_id: BatchId
    run: Annotated[
        int,
        msgspec.Meta(
            description="1; a stage_start that opens a closed batch again begins the next. Each type comes once a run."
        ),
    ]
    name: str | None
    labels: dict[str, str]
    url: Annotated[str, msgspec.Meta(description="The batch on the dashboard.")]
    stage: Annotated[str | None, msgspec.Meta(description="The stage that failed files; null where it is the batch.")]
    stages: Annotated[
        list[AlertStage],
        msgspec.Meta(description="In the order in which their last runs began; the first 100."),
    ]


class Alert(msgspec.Struct, kw_only=True, frozen=True):
    """What is sent to a hook of the format `json`."""

    type: AlertType
    timestamp: Annotated[datetime, msgspec.Meta(tz=True, description="When it happened.")]
    data: AlertData
