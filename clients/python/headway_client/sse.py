"""Server-Sent Events from bytes, in chunks of any size. Pure.

Only CR, LF and CRLF end a line: U+2028, U+0085, VT and FF are part of the text, which is why `str.splitlines` and the
line iterators of HTTP clients will not do. Lines are split as bytes, so that a character cut in two by a chunk is whole
again before it is decoded.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html, sections 9.2.5 and 9.2.6
"""

from __future__ import annotations

from typing import Final, NamedTuple

_BOM: Final = b"\xef\xbb\xbf"
_RETRY_DIGITS: Final = 15  # thirty thousand years; Python refuses to read numbers of thousands of digits


class Frame(NamedTuple):
    """One dispatched event of the stream."""

    id: str
    """The last id that the stream has given, of this event or of one before it."""
    name: str
    data: bytes


class EventStreamParser:
    """The state of one connection."""

    def __init__(self, last_event_id: str = "") -> None:
        """Continue after `last_event_id`, which frames have until the stream gives another."""
        self.last_event_id = last_event_id
        """Where to resume: the id as of the last blank line, so that a frame that was cut comes again."""
        self.retry_ms: int | None = None
        """The reconnection time that the stream has asked for."""
        self._id = last_event_id
        self._name = ""
        self._data: list[bytes] = []
        self._unended: list[bytes] = []  # parts of a line whose end has not come
        self._after_cr = False
        self._begun = False

    def feed(self, chunk: bytes) -> list[Frame]:
        """The events that are complete with this chunk."""
        if b"\r" in chunk or self._after_cr:
            chunk = self._with_line_feeds(chunk)
        if b"\n" not in chunk:
            if chunk:
                self._unended.append(chunk)
            return []
        lines = b"".join((*self._unended, chunk)).split(b"\n")
        rest = lines.pop()
        self._unended = [rest] if rest else []
        if not self._begun:
            self._begun = True
            lines[0] = lines[0].removeprefix(_BOM)
        frames: list[Frame] = []
        for line in lines:
            if line:
                self._take(line)
            else:
                self._dispatch(frames)
        return frames

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        if self._after_cr:
            if not chunk:
                return chunk
            chunk = chunk.removeprefix(b"\n")  # the second half of a CRLF, whose first half has ended the line
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"id":
            if b"\0" not in value:
                self._id = value.decode(errors="replace")
        elif field == b"event":
            self._name = value.decode(errors="replace")
        elif field == b"retry" and value.isdigit() and len(value) <= _RETRY_DIGITS:
            self.retry_ms = int(value)

    def _dispatch(self, frames: list[Frame]) -> None:
        self.last_event_id = self._id
        if self._data:
            frames.append(Frame(self._id, self._name or "message", b"\n".join(self._data)))
            self._data = []
        self._name = ""
