"""The headers of a record in the dead-letter topic: where a refused record was, and why it was refused.

Its key and value are those of the refused record, byte for byte.
"""

from __future__ import annotations

from headway_events.errors import BadEvent


def dead_letter_headers(*, topic: str, offset: int, error: BadEvent) -> list[tuple[str, bytes]]:
    """The headers for the record that was refused at `offset` of `topic` with `error`."""
    return [
        ("topic", topic.encode()),
        ("offset", str(offset).encode()),
        ("error", type(error).__name__.encode()),
        ("message", str(error).encode(errors="backslashreplace")),
    ]
