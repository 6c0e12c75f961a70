"""Writes the raw log of finished batches to a Parquet archive: each offset once, whatever is killed or runs beside it.

    DIRECTORY/date=2026-11-25/batch=123/part-000000000000.parquet

The date is that on which the batch was announced, in UTC. A part is named by its first offset, and its footer says
where it ends: the next one begins there, if the batch was opened again. Batch by batch:

    1. look      has it ended, is it projected up to its topic's end, is no offset of it missing; where do its parts end
    2. write     the log from there on, to a file beside the archive, which is then read again and compared
    3. publish   give the file its name, which only one can have; then note it in the tables

Whoever is killed before the last step has changed nothing, and after it has only not noted what the next run finds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa

from headway_projector import lifecycle, parquet
from headway_projector.errors import ArchiveFailed
from headway_projector.lifecycle import Kept, KnownTopic
from headway_projector.parquet import Part, PartWriter
from headway_projector.settings import Settings
from headway_projector.statements import load, rows
from headway_projector.store import HeldBatch, Store
from headway_projector.topics import Topics

UNPUBLISHED: Final = ".writing"  # readers of such folders pass over names that begin with a dot
ABANDONED_S: Final = 60 * 60.0  # without a write: whoever writes does so every second

_queries: Final = load("archive.sql")


class LeftOut(StrEnum):
    """Why a batch that has ended is not archived, beside what `Kept` says."""

    OPENED = "it has been opened again"
    OTHER_ARCHIVED = "the archive holds another topic's events under its number; move its folder away"
    AHEAD = "the archive holds more than the tables, which are being projected again"
    ANOTHER = "another archiver has just written it"


PASSING: Final = frozenset({Kept.LAGGING, LeftOut.OPENED, LeftOut.AHEAD, LeftOut.ANOTHER})  # a later run finds it well


class Archived(NamedTuple):
    """What has become of a batch."""

    batch_id: int
    part: Part | None = None  # that was written; None where the archive had it all, or it was left out
    left_out: Kept | LeftOut | None = None

    @property
    def needs_people(self) -> bool:
        """Whether it is left out until somebody does something about it."""
        return self.left_out is not None and self.left_out not in PASSING

    def __str__(self) -> str:
        """In words."""
        if self.left_out is not None:
            return f"batch {self.batch_id}: left out: {self.left_out}"
        if self.part is None:
            return f"batch {self.batch_id}: was there"
        part = self.part
        return f"batch {self.batch_id}: {part.events} events, offsets {part.first_offset} to {part.next_offset - 1}"


async def archive(store: Store, settings: Settings, directory: Path) -> AsyncIterator[Archived]:
    """Archive every batch that has ended, one after the other.

    Raises:
        ArchiveFailed: the directory cannot be written or read.
    """
    topics = Topics(settings.connection, settings.names)
    with _failing(directory):
        _clear(directory / UNPUBLISHED)
    async with store.connection() as connection:
        batches = await rows(_queries.batches_to_archive(connection))
    for row in batches:
        known = KnownTopic(row["batchid"], row["topic"], row["topicid"], row["nextoffset"], archived=False)
        folder = directory / f"date={row['createdat'].astimezone(UTC):%Y-%m-%d}" / f"batch={known.batch_id}"
        path = directory / UNPUBLISHED / f"{known.batch_id}-{uuid.uuid4().hex}"
        try:
            async with store.hold(known.batch_id, lock=False) as held:
                known = known._replace(next_offset=held.next_offset)
                done = await _write_next(held, known, topics, folder, path)
            if done.part is not None:
                done = await _publish_checked(path, done.part, folder)
        finally:
            path.unlink(missing_ok=True)
        if done.left_out is None:
            with _failing(folder):
                for changed in (folder, *folder.parents[:2]):  # the batch's, the date's, the archive's
                    _sync(changed)
            async with store.connection() as connection:
                await _queries.note_in_archive(
                    connection, batch_id=known.batch_id, topic_id=known.topic_id, next_offset=known.next_offset
                )
        yield done


async def _write_next(held: HeldBatch, known: KnownTopic, topics: Topics, folder: Path, path: Path) -> Archived:
    """Write to a file what the archive does not have of a batch, which is held as of one moment."""
    # Kafka is asked after that moment: a topic that is another by then is found to be.
    found = await asyncio.to_thread(topics.look, known.topic)
    left_out = lifecycle.why_kept(known, found, await held.known_offsets()) if held.closed else LeftOut.OPENED
    if left_out is not None:
        return Archived(known.batch_id, left_out=left_out)
    topic_id = known.topic_id or ""
    with _failing(folder):
        last = _last(folder)
    if last is not None and last.topic_id != topic_id:
        return Archived(known.batch_id, left_out=LeftOut.OTHER_ARCHIVED)
    begin = 0 if last is None else last.next_offset
    if begin > known.next_offset:
        return Archived(known.batch_id, left_out=LeftOut.AHEAD)
    if begin == known.next_offset:
        return Archived(known.batch_id)
    with _failing(path):
        writer = PartWriter(path, known.batch_id)
    async for records in held.log_rows(begin):
        with _failing(path):
            await asyncio.to_thread(writer.add, records)
    with _failing(path):
        part = writer.close(topic_id=topic_id, first_offset=begin, next_offset=known.next_offset)
    return Archived(known.batch_id, part)


async def _publish_checked(path: Path, part: Part, folder: Path) -> Archived:
    """Publish a file that holds what was written to it."""
    with _failing(path):
        if await asyncio.to_thread(parquet.held, path) != part:
            raise ArchiveFailed(path, "it does not hold what was written to it")
        published = _publish(path, folder / f"part-{part.first_offset:012}.parquet")
    return Archived(part.batch_id, part) if published else Archived(part.batch_id, left_out=LeftOut.ANOTHER)


def _last(folder: Path) -> Part | None:
    """The last part of a batch that is archived; None if there is none."""
    names = sorted(folder.glob("part-*.parquet"))
    return parquet.stated(names[-1]) if names else None


def _publish(path: Path, name: Path) -> bool:
    """Give a whole file its name, for good; False if there is one of that name."""
    name.parent.mkdir(parents=True, exist_ok=True)
    _sync(path)
    try:
        os.link(path, name)  # not a renaming, which would replace the other
    except FileExistsError:
        return False
    return True


def _sync(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _clear(unpublished: Path) -> None:
    """Make the folder of unpublished files, and remove what killed archivers have left in it."""
    unpublished.mkdir(parents=True, exist_ok=True)
    for path in unpublished.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another has removed it
            if path.stat().st_mtime < time.time() - ABANDONED_S:
                path.unlink()


@contextlib.contextmanager
def _failing(path: Path) -> Iterator[None]:
    """What the file system refuses is the archive's failure, not PostgreSQL's."""
    try:
        yield
    except (OSError, ValueError, pa.ArrowException, msgspec.MsgspecError) as error:
        raise ArchiveFailed(path, error) from error
