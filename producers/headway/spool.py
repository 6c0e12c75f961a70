"""Events on disk while Kafka is away: in order, bounded, and found again by the next process.

A process writes into a directory of its own, which it holds locked; a directory that nobody holds was left by a
process that is gone, and whoever finds it first sends what is in it; directories are named by the time at which they
were begun, and the oldest comes first. A directory holds numbered segments; a segment is a sequence of frames, each
`length, CRC-32, payload`. A frame that a crash tore ends its segment: what came before it is whole. A segment is
removed when Kafka has everything in it, so that after a crash some events can be sent twice (they keep their ids, and
count once), none not at all. Only a `stage_start` that comes twice would count, as a second run: that one has arrived
is noted beside its segment.

Not thread-safe: only the sender uses it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import msgspec
from headway_events import StageStart

from headway.record import Record

logger = logging.getLogger("headway")

SEGMENT_BYTES: Final = 8 * 1024 * 1024  # arbitrary: small enough to free disk soon, large enough to be few files
RECORDS_AT_A_TIME: Final = 250  # encoded: less than a millisecond
FRAME: Final = struct.Struct("<II")  # payload length, CRC-32 of the payload
LOCK_FILE: Final = "lock"
START: Final = StageStart.__struct_config__.tag
MOST_TRIES: Final = 3  # another process may take a directory for abandoned between its making and its locking

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


class Segment:
    """One file of records that is being sent: removed once all of them have arrived."""

    def __init__(self, path: Path, unfinished: dict[Path, int]) -> None:
        """Read the file.

        Args:
            path: the file.
            unfinished: how many records at least were written to each file that Kafka does not have whole.
        """
        self.missing = 0
        """Records that were written and cannot be read: the file has gone, or is damaged. Of others' files, a guess."""
        self.records: list[Record] = []
        self._path = path
        self._unfinished = unfinished
        self._arrived = 0
        self._notes = path.with_suffix(".arrived")
        try:
            self.records = list(_frames(path.read_bytes(), path))
            arrived = self._notes.read_text().split() if self._notes.exists() else []
        except OSError as error:
            logger.error("A spool segment cannot be read: %s", error, extra={"action": "spool_gone", "path": str(path)})
            self.missing = max(1, self._unfinished.pop(path))  # and leave the file, if there is one, to people
        else:
            self.missing = max(0, self._unfinished[path] - len(self.records))
            self.records = [record for record in self.records if record.event_id not in arrived]
            self._remove_if_done()

    def arrived(self, record: Record) -> None:
        """One of its records is in Kafka."""
        self._arrived += 1
        if record.event_type == START:
            with contextlib.suppress(OSError), self._notes.open("a") as notes:
                notes.write(f"{record.event_id}\n")
        self._remove_if_done()

    def _remove_if_done(self) -> None:
        if self._arrived == len(self.records):
            self._unfinished.pop(self._path)
            self._path.unlink(missing_ok=True)
            self._notes.unlink(missing_ok=True)


class Spool:
    """This process's directory, and those that it has taken over."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        """Nothing is made on disk until the first `append`."""
        self._root = root
        self._max_bytes = max_bytes
        self._bytes = 0
        self._own: Path | None = None
        self._locks: list[IO[bytes]] = []
        self._writing: IO[bytes] | None = None
        self._written = 0  # segments begun in the own directory
        self._waiting: list[Path] = []  # segments to be read, oldest first; the last may be the one being written
        self._unfinished: dict[Path, int] = {}  # segments with records Kafka does not have: how many were written
        self._sizes: dict[Path, int] = {}  # bytes of the segments to be read

    @property
    def is_read(self) -> bool:
        """Whether there is nothing more to be read."""
        return not self._waiting

    @property
    def is_empty(self) -> bool:
        """Whether Kafka has everything that was ever in it. Any thread may ask."""
        return not self._unfinished

    def adopt(self) -> None:
        """Take over the directories of processes that are gone, for sending before anything of our own.

        Raises:
            OSError: the spool cannot be looked at.
        """
        if not self._root.is_dir():
            return
        for directory in sorted(self._root.iterdir()):
            lock = _try_lock(directory) if directory.is_dir() else None
            if lock is None:
                continue
            segments = sorted(directory.glob("*.spool"))
            if not segments:
                shutil.rmtree(directory, ignore_errors=True)
                lock.close()
                continue
            logger.warning(
                "Found events that an earlier process could not send; sending them now",
                extra={"action": "spool_adopted", "directory": str(directory), "segments": len(segments)},
            )
            self._locks.append(lock)
            for segment in segments:
                self._unfinished[segment] = 0  # the process that knew is gone
                self._add_bytes(segment, segment.stat().st_size)
            self._waiting += segments

    def append(self, records: list[Record]) -> int:
        """Write records after all that is there; the number that did not fit within the bound.

        Raises:
            OSError: the disk refused; nothing of `records` is in the spool.
        """
        return self._append(records, self._max_bytes - self._bytes)

    def prepend(self, records: list[Record]) -> int:
        """Write records before all that is still to be read, whatever the bound: the oldest must not be what is lost.

        Returns:
            The number that did not fit, as of `append`: none if there is anything to be read.

        Raises:
            OSError: the disk refused; nothing of `records` is in the spool.
        """
        if not self._waiting:
            return self.append(records)
        first = self._waiting[0]
        self._begin_segment(first.with_name(f"{first.stem}-before{first.suffix}"), 0)
        try:
            return self._append(records, sys.maxsize)
        finally:
            self._end_segment()

    def _append(self, records: list[Record], room: int) -> int:
        frames = bytearray()
        fitted = 0
        for number, record in enumerate(records, 1):
            if number % RECORDS_AT_A_TIME == 0:
                time.sleep(0)  # for the pipeline's threads, which have no other way to the interpreter
            payload = _encoder.encode(record)
            if len(frames) + FRAME.size + len(payload) > room:
                break
            frames += FRAME.pack(len(payload), zlib.crc32(payload)) + payload
            fitted += 1
        if frames:
            self._unfinished[self._write(frames)] += fitted
        return len(records) - fitted

    def read_segment(self) -> Segment | None:
        """The oldest segment not yet read, or None. Its file is removed as its records arrive."""
        if not self._waiting:
            return None
        path = self._waiting.pop(0)
        if not self._waiting:
            self._end_segment()  # the segment being written is the one now read: the next append begins another
        self._bytes -= self._sizes.pop(path)
        return Segment(path, self._unfinished)

    def close(self) -> None:
        """Give up the locks; remove the directories that are empty."""
        self._end_segment()
        for lock in self._locks:
            directory = Path(lock.name).parent
            if not any(directory.glob("*.spool")):
                shutil.rmtree(directory, ignore_errors=True)
            lock.close()
        self._locks.clear()

    def abandon(self) -> None:
        """In a forked child: close the inherited files, so that the locks end with the parent."""
        self._end_segment()
        for lock in self._locks:
            lock.close()

    def _write(self, frames: bytearray) -> Path:
        """Write at the end of the current segment; its path."""
        writing = self._writing
        if writing is None or writing.tell() >= SEGMENT_BYTES or not os.fstat(writing.fileno()).st_nlink:
            writing = self._begin_next_segment()
        begin = writing.tell()
        try:
            unwritten = memoryview(frames)
            while unwritten:  # a disk that is nearly full takes a part, and refuses the rest at the next try
                unwritten = unwritten[writing.write(unwritten) :]
            os.fsync(writing.fileno())
        except OSError:
            try:
                writing.truncate(begin)
                writing.seek(begin)
            except OSError:
                self._end_segment()  # the torn frame is still there: nothing must come behind it
            raise
        path = Path(writing.name)
        self._add_bytes(path, len(frames))
        return path

    def _add_bytes(self, segment: Path, count: int) -> None:
        self._sizes[segment] = self._sizes.get(segment, 0) + count
        self._bytes += count

    def _begin_next_segment(self) -> IO[bytes]:
        if self._own is None or not self._own.is_dir():  # at first, or somebody has removed it
            self._own = self._make_own()
        writing = self._begin_segment(self._own / f"{self._written:08d}.spool", len(self._waiting))
        self._written += 1
        return writing

    def _begin_segment(self, path: Path, place: int) -> IO[bytes]:
        writing = path.open("ab", buffering=0)
        self._end_segment()
        self._writing = writing
        self._unfinished[path] = 0
        self._sizes[path] = 0
        self._waiting.insert(place, path)
        return writing

    def _end_segment(self) -> None:
        if self._writing is not None:
            self._writing.close()
            self._writing = None

    def _make_own(self) -> Path:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(MOST_TRIES):
            own = self._root / f"{time.time_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}"
            own.mkdir(mode=0o700)
            if (lock := _try_lock(own)) is not None:
                self._locks.append(lock)
                return own
        raise OSError(f"No directory in {self._root} can be locked")


def _try_lock(directory: Path) -> IO[bytes] | None:
    """The directory's lock, held until closed, or None if another process holds it or it has just gone."""
    try:
        lock = (directory / LOCK_FILE).open("wb")
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def _frames(data: bytes, path: Path) -> Iterator[Record]:
    position = 0
    while position + FRAME.size <= len(data):
        length, checksum = FRAME.unpack_from(data, position)
        payload = data[position + FRAME.size : position + FRAME.size + length]
        if not length or len(payload) < length or zlib.crc32(payload) != checksum:  # zeros, after a power cut, match
            break
        try:
            yield _decoder.decode(payload)
        except msgspec.DecodeError:  # whole, but written by a version that has nothing in common with this one
            break
        position += FRAME.size + length
    if position < len(data):
        logger.warning(
            "The end of a spool segment was torn by a crash; what was whole is sent",
            extra={"action": "spool_torn", "path": str(path), "bytes_dropped": len(data) - position},
        )
