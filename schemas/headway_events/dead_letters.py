"""The headers of a record in the dead-letter topic: where a refused record was, and why it was refused.

Its key and value are those of the refused record, byte for byte.
"""

from __future__ import annotations


def dead_letter_headers(*, topic: str, offset: int, error: str, message: str) -> list[tuple[str, bytes]]:
    """The headers for the record that was refused at `offset` of `topic`.

    Args:
        topic: the batch's topic.
        offset: the record's offset there.
        error: the class name of the BadEvent, a stable code.
        message: what the BadEvent says.
    """
    return [
        ("topic", topic.encode()),
        ("offset", str(offset).encode()),
        ("error", error.encode()),
        ("message", message.encode(errors="backslashreplace")),
    ]
