"""Which events of a chunk a client gets, and in which form. Pure: chunks in, bytes out."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass

from headway_gateway import sse
from headway_gateway.sse import Chunk, Frame


@dataclass(frozen=True)
class Selection:
    """What of each chunk a client wants."""

    stages: frozenset[str] = frozenset()  # empty: all
    event_types: frozenset[str] = frozenset()  # empty: all
    enveloped: bool = False

    @property
    def leaves_out(self) -> bool:
        """Whether there are events that the client does not want."""
        return bool(self.stages or self.event_types)

    def of(self, chunk: Chunk, position: int, event_id: Callable[[int], bytes] | None = None) -> bytes | memoryview:
        """The client's part of a chunk, from an offset on.

        Args:
            chunk: the chunk.
            position: the offset.
            event_id: the id of the event at an offset; None where that is the offset itself, as in the chunk.
        """
        frames = chunk.frames
        begin = 0
        if position > chunk.first_offset:
            begin = bisect.bisect_left(frames, position, key=lambda frame: frame.offset)
        if not (self.leaves_out or self.enveloped or event_id):
            if not begin:
                return chunk.encoded
            return memoryview(chunk.encoded)[frames[begin].begin :] if begin < len(frames) else b""
        wanted = (frame for frame in frames[begin:] if self._wants(frame))
        form = sse.envelope if self.enveloped else sse.plain
        return b"".join([form(chunk, frame, event_id(frame.offset) if event_id else None) for frame in wanted])

    def wants_stage(self, stage: str | None) -> bool:
        """Whether the client wants what is of this stage, or of the whole batch (None)."""
        return not self.stages or stage is None or stage in self.stages

    def _wants(self, frame: Frame) -> bool:
        return self.wants_stage(frame.stage) and (not self.event_types or frame.event_type in self.event_types)
