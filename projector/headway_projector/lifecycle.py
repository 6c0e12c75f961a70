"""What becomes of a batch's topic: read, left alone, deleted, kept. Pure: rows and offsets in, decisions out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

EVERY_S: Final = 60.0  # a topic kept for days may be kept a minute longer
SOONEST_S: Final = 1.0
MOST_TOPICS: Final = 20  # a round: 28,800 a day; to count the log of each is up to 0.3 s for a million files


class KnownTopic(NamedTuple):
    """What the tables say of a batch's topic."""

    batch_id: int
    topic: str
    topic_id: str | None
    next_offset: int
    archived: bool


class FoundTopic(NamedTuple):
    """What Kafka says of it: its id, and the offset after its last record."""

    topic_id: str
    end: int


class Admission(StrEnum):
    """What is done with a topic that is about to be read."""

    READ = "read"
    NOTE = "read, and its id noted"
    LEAVE = "left alone, since it is about to be deleted"
    REFUSE = "left alone, since it is another topic than the one projected"


class Kept(StrEnum):
    """Why the topic of a finished batch is not deleted."""

    LAGGING = "the topic holds more or less than is projected"
    HOLE = "the tables do not hold every offset of the topic; verify and rebuild it"
    OTHER = "the topic is another than the one that was projected"
    REFUSED = "Kafka refuses to delete it"


def admission(known: KnownTopic, topic_id: str) -> Admission:
    """Whether the topic with this id may be read into the tables."""
    if known.archived:
        return Admission.LEAVE if known.topic_id == topic_id else Admission.REFUSE
    if known.topic_id == topic_id:
        return Admission.READ
    # Tables from before topic ids were noted have none; and of a topic of which nothing was projected nothing is mixed.
    return Admission.NOTE if known.topic_id is None or known.next_offset == 0 else Admission.REFUSE


def why_kept(known: KnownTopic, found: FoundTopic | None, known_offsets: int) -> Kept | None:
    """Why the topic of a batch that has ended must not be deleted, or None if it may be, or is gone already.

    Args:
        known: the batch.
        found: its topic; None if it is gone.
        known_offsets: how many offsets the log, the dead letters and the gaps account for.
    """
    if found is not None and found.topic_id != known.topic_id:
        return Kept.OTHER
    if found is not None and found.end != known.next_offset:
        return Kept.LAGGING
    return Kept.HOLE if known_offsets != known.next_offset else None


def turn(batches: Iterable[KnownTopic], looked: Mapping[int, int], most: int = MOST_TOPICS) -> list[KnownTopic]:
    """The batches whose turn it is: those never looked at first, so that what is kept holds up nothing else.

    Args:
        batches: all that are due.
        looked: by batch, the round in which it was looked at last.
        most: how many.
    """
    return sorted(batches, key=lambda batch: looked.get(batch.batch_id, -1))[:most]


def pause_s(topic_kept_s: int) -> float:
    """How long the janitor rests between two rounds: less where topics are not even kept that long."""
    return min(EVERY_S, max(SOONEST_S, float(topic_kept_s))) if topic_kept_s else EVERY_S


def recreated(batch_id: int) -> str:
    """The problem of a batch whose topic is another than the one projected."""
    return (
        "Its topic was deleted and made anew. The tables keep what they have and the new topic is not read: its offsets"
        " mean other events. Delete the new topic to leave it at that; or give up what the tables have and read the new"
        f" topic from its beginning: headway-projector rebuild {batch_id} --from-topic"
    )


def cut_short(batch_id: int, *, next_offset: int, end: int) -> str:
    """The problem of a batch whose topic has lost its end."""
    return (
        f"Its topic ends at offset {end}, but {next_offset} offsets of it are in the tables: Kafka has lost records."
        " The tables keep what they have and the topic is read no further. Delete the topic to leave it at that; or"
        f" give up what the topic has lost and read it again: headway-projector rebuild {batch_id} --from-topic"
    )
