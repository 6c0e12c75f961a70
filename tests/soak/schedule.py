"""The faults of a run: what befalls whom, when and for how long. Pure: the seed and the length say all of it.

Each lane is a series of faults that do not overlap: of Kafka's brokers one is away at a time, or all. Faults of
different lanes meet as they like.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain
from typing import Final, NamedTuple


class Part(StrEnum):
    """What there is several of, but for PostgreSQL."""

    BROKER = "broker"
    KAFKA = "Kafka"  # all brokers
    POSTGRESQL = "PostgreSQL"
    PROJECTOR = "projector"
    GATEWAY = "gateway"
    WORKER = "worker"
    CLIENT = "client"


class Action(StrEnum):
    """What befalls it; in the end it is started again, or wakes up."""

    KILL = "killed"
    STOP = "stopped"
    FREEZE = "frozen"


class Kind(NamedTuple):
    """A kind of fault, and how long one lasts."""

    part: Part
    action: Action
    shortest_s: float
    longest_s: float


class Fault(NamedTuple):
    """One fault; `target` counts from 0 among the like."""

    at_s: float
    part: Part
    target: int
    action: Action
    lasts_s: float

    def __str__(self) -> str:
        whom = self.part if TARGETS[self.part] == 1 else f"{self.part} {self.target + 1}"
        return f"{whom} is {self.action} for {self.lasts_s:.1f} s"


LANES: Final[Sequence[Sequence[Kind]]] = (
    (
        Kind(Part.BROKER, Action.KILL, 2, 8),
        Kind(Part.BROKER, Action.FREEZE, 2, 10),  # its session with the controller is 3 s
        Kind(Part.KAFKA, Action.KILL, 1, 6),
    ),
    (
        Kind(Part.POSTGRESQL, Action.KILL, 1, 8),
        Kind(Part.POSTGRESQL, Action.STOP, 1, 4),
        Kind(Part.POSTGRESQL, Action.FREEZE, 2, 12),  # its clients give it 10 s
    ),
    (
        Kind(Part.PROJECTOR, Action.KILL, 0, 3),
        Kind(Part.PROJECTOR, Action.STOP, 0, 2),
        Kind(Part.PROJECTOR, Action.FREEZE, 9, 12),  # its session with the group is 8 s: it wakes up as a zombie
    ),
    (
        Kind(Part.GATEWAY, Action.KILL, 0, 3),
        Kind(Part.GATEWAY, Action.STOP, 0, 2),
        Kind(Part.GATEWAY, Action.FREEZE, 2, 10),
    ),
    (
        Kind(Part.WORKER, Action.KILL, 0, 3),
        Kind(Part.WORKER, Action.FREEZE, 1, 10),
    ),
    (
        Kind(Part.CLIENT, Action.KILL, 0, 3),
        Kind(Part.CLIENT, Action.FREEZE, 1, 10),
    ),
)
TARGETS: Final[Mapping[Part, int]] = {
    Part.BROKER: 3,
    Part.KAFKA: 1,
    Part.POSTGRESQL: 1,
    Part.PROJECTOR: 2,  # one more is spared, and so is a gateway: what leaks with each fault adds up in them
    Part.GATEWAY: 1,
    Part.WORKER: 3,
    Part.CLIENT: 3,
}
PAUSE_S: Final = (3.0, 8.0)  # from the end of a fault to the lane's next one: a broker takes some 4 s to start
SHORTEST_RUN_S: Final = 60.0  # in which every kind has its turn, however long each takes


def schedule(seed: int, run_s: float) -> list[list[Fault]]:
    """Each lane's faults in order, all of which are over by the end of the run."""
    return [list(_lane(kinds, random.Random(f"{seed} {number}"), run_s)) for number, kinds in enumerate(LANES)]


def in_order(lanes: Sequence[Sequence[Fault]]) -> list[Fault]:
    """All faults by the time at which they begin."""
    return sorted(chain.from_iterable(lanes))


def _lane(kinds: Sequence[Kind], chance: random.Random, run_s: float) -> Iterator[Fault]:
    at_s = 0.0
    while True:
        for kind in chance.sample(kinds, len(kinds)):  # in turns, so that a short run has them all
            at_s += chance.uniform(*PAUSE_S)
            lasts_s = chance.uniform(kind.shortest_s, kind.longest_s)
            if at_s + lasts_s > run_s:
                return
            yield Fault(at_s, kind.part, chance.randrange(TARGETS[kind.part]), kind.action, lasts_s)
            at_s += lasts_s
