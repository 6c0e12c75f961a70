"""Report the progress of a file-processing pipeline to Kafka, without ever harming the pipeline."""

from __future__ import annotations

from headway.errors import InvalidArgument, InvalidSetting
from headway.event_logger import EventLogger
from headway.settings import Settings
from headway.stage import Stage
from headway.track import Track
from headway.tracked_file import TrackedFile

__all__ = ["EventLogger", "InvalidArgument", "InvalidSetting", "Settings", "Stage", "Track", "TrackedFile"]
