"""The errors that `headway` raises: only for what the programmer got wrong, never for what Kafka or a disk did.

HeadwayError
├── InvalidArgument     an argument of a call is of the wrong type or out of range
├── InvalidSetting      a HEADWAY_* setting cannot be read
└── MissingExtra        an integration's library is not installed
"""

from __future__ import annotations

from headway_events import HeadwayError


class InvalidArgument(HeadwayError, ValueError):
    """An argument is of the wrong type or out of range."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument}: {problem}")
        self.argument = argument


class InvalidSetting(HeadwayError, ValueError):
    """A setting cannot be read."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name} is {value!r}; expected {expected}")
        self.name = name
        self.value = value


class MissingExtra(HeadwayError, ImportError):
    """An integration needs a library that is not installed."""

    def __init__(self, extra: str) -> None:
        super().__init__(f"headway.integrations.{extra} needs a library: pip install 'headway[{extra}]'")
        self.extra = extra
