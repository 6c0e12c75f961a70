"""Events on disk while Kafka is away: in order, bounded, and found again by the next process.

A process writes into a directory of its own, which it holds locked; a directory that nobody holds was left by a
process that is gone, and whoever finds it first sends what is in it. A directory holds numbered segments; a segment
is a sequence of frames, each `length, CRC-32, payload`. A frame that a crash tore ends its segment: what came before
it is whole. A segment is removed when Kafka has everything in it, so that after a crash some events can be sent twice
(they keep their ids, and count once), none not at all.

Not thread-safe: only the sender uses it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import msgspec

from headway.record import Record

logger = logging.getLogger("headway")

SEGMENT_BYTES: Final = 8 * 1024 * 1024  # arbitrary: small enough to free disk soon, large enough to be few files
RECORDS_AT_A_TIME: Final = 250  # encoded: less than a millisecond
FRAME: Final = struct.Struct("<II")  # payload length, CRC-32 of the payload
LOCK_FILE: Final = "lock"
MOST_TRIES: Final = 3  # another process may take a directory for abandoned between its making and its locking

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


class Segment:
    """One file of records that is being sent: removed once all of them have arrived."""

    def __init__(self, path: Path, unfinished: set[Path]) -> None:
        self.records: list[Record] = []
        self._path = path
        self._unfinished = unfinished
        self._arrived = 0

    def load(self) -> int:
        """Read the file; its bytes."""
        data = self._path.read_bytes()
        self.records = list(_frames(data, self._path))
        self._remove_if_done()
        return len(data)

    def arrived(self) -> None:
        """One more of its records is in Kafka."""
        self._arrived += 1
        self._remove_if_done()

    def _remove_if_done(self) -> None:
        if self._arrived == len(self.records):
            self._path.unlink(missing_ok=True)
            self._unfinished.discard(self._path)


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
        self._unfinished: set[Path] = set()  # segments that have records Kafka does not have

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
            self._bytes += sum(segment.stat().st_size for segment in segments)
            self._unfinished.update(segments)
            self._waiting[:0] = segments

    def append(self, records: list[Record]) -> int:
        """Write records after all that is there; the number that did not fit within the bound.

        Raises:
            OSError: the disk refused; nothing of `records` is in the spool.
        """
        frames = bytearray()
        fitted = 0
        for number, record in enumerate(records, 1):
            if number % RECORDS_AT_A_TIME == 0:
                time.sleep(0)  # for the pipeline's threads, which have no other way to the interpreter
            payload = _encoder.encode(record)
            if self._bytes + len(frames) + FRAME.size + len(payload) > self._max_bytes:
                break
            frames += FRAME.pack(len(payload), zlib.crc32(payload)) + payload
            fitted += 1
        if frames:
            self._write(frames)
        return len(records) - fitted

    def read_segment(self) -> Segment | None:
        """The oldest segment not yet read, or None. Its file is removed as its records arrive."""
        if not self._waiting:
            return None
        path = self._waiting.pop(0)
        if self._writing is not None and not self._waiting:
            self._writing.close()  # the segment being written is the one now read: the next append begins another
            self._writing = None
        segment = Segment(path, self._unfinished)
        self._bytes -= segment.load()
        return segment

    def close(self) -> None:
        """Give up the locks; remove the directories that are empty."""
        if self._writing is not None:
            self._writing.close()
            self._writing = None
        for lock in self._locks:
            directory = Path(lock.name).parent
            if not any(directory.glob("*.spool")):
                shutil.rmtree(directory, ignore_errors=True)
            lock.close()
        self._locks.clear()

    def abandon(self) -> None:
        """In a forked child: close the inherited files, so that the locks end with the parent."""
        if self._writing is not None:
            self._writing.close()
        for lock in self._locks:
            lock.close()

    def _write(self, frames: bytearray) -> None:
        if self._writing is None or self._writing.tell() >= SEGMENT_BYTES:
            self._begin_segment()
        assert self._writing is not None
        begin = self._writing.tell()
        try:
            unwritten = memoryview(frames)
            while unwritten:  # a disk that is nearly full takes a part, and refuses the rest at the next try
                unwritten = unwritten[self._writing.write(unwritten) :]
            os.fsync(self._writing.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                self._writing.truncate(begin)
            self._writing.close()  # if the torn frame is still there, nothing must come behind it
            self._writing = None
            raise
        self._bytes += len(frames)

    def _begin_segment(self) -> None:
        if self._own is None:
            self._own = self._make_own()
        path = self._own / f"{self._written:08d}.spool"
        writing = path.open("ab", buffering=0)
        if self._writing is not None:
            self._writing.close()
        self._writing = writing
        self._written += 1
        self._unfinished.add(path)
        self._waiting.append(path)

    def _make_own(self) -> Path:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(MOST_TRIES):
            own = self._root / f"{os.getpid()}-{os.urandom(4).hex()}"
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
        yield _decoder.decode(payload)
        position += FRAME.size + length
    if position < len(data):
        logger.warning(
            "The end of a spool segment was torn by a crash; what was whole is sent",
            extra={"action": "spool_torn", "path": str(path), "bytes_dropped": len(data) - position},
        )
