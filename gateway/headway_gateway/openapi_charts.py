"""What the addresses of the charts are for: a part of `openapi_operations`. Pure."""

from __future__ import annotations

from typing import Final

from headway_gateway import responses_charts as responses
from headway_gateway.openapi_operations import of_batch
from headway_gateway.parameters import RunsQuery

CHARTS: Final = [
    of_batch(
        "/durations", "showDurations", "How long files took: percentiles and a histogram of each stage's current run.",
        description="From counts in bins of 2.2 %, as sorting a million durations takes twice as long.",
        query=RunsQuery, answer=responses.Durations,
    ),
    of_batch(
        "/outcomes", "showOutcomes", "How every file of each stage's current run stands, in at most 5,000 groups.",
        query=RunsQuery, answer=responses.Outcomes,
    ),
    of_batch(
        "/timeline", "showTimeline", "When the files of every run were decided, and when workers reported.",
        description="Exact for batches of up to 5,000 events; of larger ones, `oneOf` says how coarse the times are.",
        answer=responses.Timeline,
    ),
    of_batch(
        "/history", "showHistory", "How every run stood at each of some hundred moments: what a replay shows.",
        description="A frame for each 600th of the offsets and around each start, checkpoint and end. Exact at each.",
        answer=responses.History,
    ),
]  # fmt: skip
