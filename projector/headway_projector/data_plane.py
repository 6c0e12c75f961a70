"""The loop that moves records from topics to tables: poll, look up, fold, commit.

While one poll's transaction runs, the next poll is fetched, decoded and folded. Each batch is written only from the
offset at which the tables have it (`Fenced` otherwise), so that whatever is killed, whenever, every event counts once.
Nothing is given up while PostgreSQL or Kafka is away: the same poll is tried until it succeeds.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeAlias, TypeVar

import asyncpg
import msgspec
from confluent_kafka import KafkaException
from headway_events.events import FILE_EVENTS
from msgspec import Raw

from headway_projector.alerts.rules import Rules
from headway_projector.copy import storable
from headway_projector.dead_letters import DeadLetters
from headway_projector.errors import Fenced
from headway_projector.health import Health
from headway_projector.identity import TopicIdentity
from headway_projector.lag import Standing
from headway_projector.poll import (
    BatchMemory,
    BatchProjection,
    Decoded,
    RawRecord,
    decode_records,
    is_worth_loading,
    project,
    remember_outcomes,
    unknown_files,
)
from headway_projector.reader import Polled, Reader
from headway_projector.settings import Settings
from headway_projector.store import Store

logger = logging.getLogger(__name__)

FIRST_RETRY_S: Final = 0.1
LONGEST_RETRY_S: Final = 5.0

EXPIRED: Final = "expired in the topic before it was projected"

AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,  # the connection has gone under the client's feet
    asyncpg.InternalClientError,  # likewise, in the middle of a COPY; the pool puts another one in its place
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up
    asyncpg.InsufficientResourcesError,  # disk full, too many connections
    asyncpg.TransactionRollbackError,  # deadlock, serialization: the next try can succeed
    asyncpg.ReadOnlySQLTransactionError,  # a replica that is about to be promoted
    KafkaException,
)
REFUSALS: Final = (
    asyncpg.DataError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.UniqueViolationError,  # of a file outcome that the memory did not know: read anew
)

Result = TypeVar("Result")
Records: TypeAlias = list[tuple[BatchMemory, list[RawRecord]]]
Parts: TypeAlias = list[tuple[BatchMemory, BatchProjection]]


class DataPlane:
    """The batches that this process reads, and the loop that projects them."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        reader: Reader,
        letters: DeadLetters,
        health: Health,
        identity: TopicIdentity,
        rules: Rules | None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._reader = reader
        self._letters = letters
        self._health = health
        self._identity = identity
        self._rules = rules  # None: nobody wants to be told anything
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="poll")
        self._memories: dict[str, BatchMemory] = {}  # by topic; what is here is being read
        self._careful: dict[int, int] = {}  # by batch, the offset up to which each response is looked at
        self._committing: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def batch_ids(self) -> set[int]:
        """The batches being read."""
        return {memory.batch_id for memory in self._memories.values()}

    def committed(self) -> dict[int, int]:
        """Of each batch being read, an offset that the tables had reached."""
        return {memory.batch_id: memory.committed for memory in self._memories.values()}

    def standings(self) -> dict[int, Standing]:
        """Where each batch being read stands; its topic's end as of the last fetch."""
        return {
            memory.batch_id: Standing(memory.committed, max(memory.position, self._reader.end_of(memory)))
            for memory in self._memories.values()
        }

    async def begin(self, batch_ids: Collection[int]) -> None:
        """Read these batches, from where the tables have them, unless their topics are others than those projected."""
        new = set(batch_ids) - self.batch_ids
        if new:
            new = await self._identity.admitted(new)
        if not new:
            return
        for memory in await self._until_done("PostgreSQL", lambda: self._store.load(new)):
            if memory.topic in self._memories:
                continue  # begun by another call meanwhile
            memory.active_at = time.monotonic()
            self._memories[memory.topic] = memory
            self._reader.begin(memory)
            logger.info("Reading a batch", extra={"action": "batch_begun", **_where(memory)})
        self._health.batches.set(len(self._memories))

    def end(self, batch_ids: Collection[int]) -> None:
        """Read these batches no more. What of them is in flight still counts, or is fenced."""
        for memory in list(self._memories.values()):
            if memory.batch_id in batch_ids:
                self._forget(memory)

    def rest(self, quiet_s: float) -> None:
        """Read those batches no more that have had no record for so long, and are in the tables as far as they go."""
        latest = time.monotonic() - quiet_s
        self.end(
            {
                memory.batch_id
                for memory in self._memories.values()
                if memory.active_at < latest and memory.committed == memory.position
            }
        )

    async def run(self) -> None:
        """Project until `stop`."""
        while not self._stopping:
            polled = await self._in_thread(self._reader.poll, self._settings.poll_records)
            parts = await self._still_the_same(await self._prepare(polled.records))
            await self._finish_commit()
            self._health.turned()
            current = [(memory, part) for memory, part in parts if self._is_read(memory)]
            if current:
                self._committing = asyncio.create_task(self._commit(current))
            await self._handle_trouble(polled)
        await self._finish_commit()

    def stop(self) -> None:
        """End the loop after its round."""
        self._stopping = True

    async def close(self) -> None:
        """Leave Kafka, once the loop has ended."""
        await self._in_thread(self._reader.close)
        self._thread.shutdown(wait=False)

    async def _prepare(self, records: Records) -> Parts:
        """Decode, look up and fold what was polled."""
        decoded = await self._in_thread(self._decode, records)
        instead: dict[int, dict[int, str]] = {}
        for memory, some in decoded:
            wanted = unknown_files(memory, some)
            if wanted:
                await self._finish_commit()  # the tables must have all that is folded before they are asked
            for stage, names in wanted.items():
                await self._look_up(memory, stage, names)
            if some.first_offset < self._careful.get(memory.batch_id, 0):
                instead[memory.batch_id] = await self._look_closer(some)
        return await self._in_thread(self._project, decoded, instead)

    async def _look_up(self, memory: BatchMemory, stage: str, names: Collection[str]) -> None:
        """Step 2: remember how these files of a stage stand, or all files of its run."""
        whole = is_worth_loading(memory.stages[stage], len(names), self._settings.remembered_files // 2)
        look_up = functools.partial(self._store.outcomes, memory, stage, None if whole else names)
        remember_outcomes(memory, stage, await self._until_done("PostgreSQL", look_up))
        memory.stages[stage].complete = whole

    def _decode(self, records: Records) -> list[tuple[BatchMemory, Decoded]]:
        now = time.monotonic()
        for memory, _ in records:
            memory.active_at = now
        return [(memory, decode_records(memory.batch_id, some)) for memory, some in records if self._is_read(memory)]

    def _project(self, decoded: list[tuple[BatchMemory, Decoded]], instead: dict[int, dict[int, str]]) -> Parts:
        parts = [(memory, project(memory, some, storable=instead.get(memory.batch_id, {}))) for memory, some in decoded]
        if self._rules is not None:
            for memory, part in parts:
                part.alerts = self._rules.raised(memory, part)
        self._free_memory()
        return parts

    def _free_memory(self) -> None:
        """Keep the outcomes within their bound: those of the batches that were begun first go first."""
        remembered = [(memory, memory.remembered_files()) for memory in list(self._memories.values())]
        excess = sum(files for _, files in remembered) - self._settings.remembered_files
        for memory, files in remembered:
            if excess <= 0:
                return
            if files:
                memory.forget_files()
                excess -= files

    def _is_read(self, memory: BatchMemory) -> bool:
        return self._memories.get(memory.topic) is memory

    async def _finish_commit(self) -> None:
        """Wait for the transaction under way."""
        if self._committing is not None:
            committing, self._committing = self._committing, None
            await committing

    async def _commit(self, parts: Parts) -> None:
        """Dead letters first: the tables then say of none what is not in its topic."""
        letters = [letter for _, part in parts for letter in part.dead_letters]
        if letters:
            await self._until_done("Kafka", lambda: asyncio.to_thread(self._letters.write, letters))
        await self._write(parts)

    async def _still_the_same(self, parts: Parts) -> Parts:
        """The parts whose records came from the topics that were admitted. The others' batches begin again."""
        if not parts:
            return parts
        topics = [memory.topic for memory, _ in parts]
        changed = await self._until_done("Kafka", lambda: self._identity.changed(topics))
        self._forget_all([memory for memory, _ in parts if memory.topic in changed])
        return [(memory, part) for memory, part in parts if memory.topic not in changed]

    async def _write(self, parts: Parts) -> None:
        """One transaction, without the batches that turn out to be fenced."""
        while parts:
            projections = [part for _, part in parts]
            try:
                with self._health.commits.time():
                    await self._until_done("PostgreSQL", functools.partial(self._store.commit, projections))
            except Fenced as fenced:
                self._health.fenced.inc(len(fenced.batch_ids))
                logger.warning(
                    "Another projector has moved batches on; reading them anew",
                    extra={"action": "fenced", "batch_ids": sorted(fenced.batch_ids)},
                )
                self._forget_all([memory for memory, _ in parts if memory.batch_id in fenced.batch_ids])
                parts = [(memory, part) for memory, part in parts if memory.batch_id not in fenced.batch_ids]
            except REFUSALS as error:
                await self._refused(parts, error)
                return
            else:
                for memory, part in parts:
                    memory.committed = part.batch.next_offset
                self._health.events.inc(sum(part.events for part in projections))
                self._health.refused.inc(sum(len(part.dead_letters) for part in projections))
                return

    async def _refused(self, parts: Parts, error: Exception) -> None:
        """PostgreSQL cannot hold something: write each batch by itself, so that one holds up no other.

        The one that is refused then is read anew, with a closer look at each response this far.
        """
        if len(parts) > 1:
            for part in parts:
                await self._write([part])
            return
        ((memory, projection),) = parts
        logger.warning(
            "PostgreSQL refused a batch's records; projecting them again with a closer look at each response",
            extra={"action": "poll_refused", **_where(memory), "reason": str(error)},
        )
        self._careful[memory.batch_id] = projection.batch.next_offset
        self._forget(memory)

    async def _look_closer(self, decoded: Decoded) -> dict[int, str]:
        """What to store in place of each response that jsonb cannot hold, by offset."""
        responses = {
            offset: storable(bytes(event.response).decode())
            for offset, event, _ in decoded.events
            if isinstance(event, FILE_EVENTS) and isinstance(event.response, Raw)
        }
        reasons = await self._until_done("PostgreSQL", lambda: self._store.unstorable(responses))
        return {
            offset: msgspec.json.encode({"headway": f"not storable as jsonb: {reason}"}).decode()
            for offset, reason in reasons.items()
        }

    async def _handle_trouble(self, polled: Polled) -> None:
        for memory in filter(self._is_read, polled.gone):
            logger.warning(
                "A batch's topic is gone; its tables stay as they are", extra={"action": "topic_gone", **_where(memory)}
            )
            self._forget(memory)
        for memory in filter(self._is_read, polled.out_of_range):
            await self._skip_gap(memory)

    async def _skip_gap(self, memory: BatchMemory) -> None:
        """The topic does not have the offset at which the tables stand: note what is missing and go on after it.

        A topic that ends before that offset is another topic of the same name, or has lost its end: nothing of it can
        be told from what was projected, so it is left alone until somebody decides.
        """
        await self._finish_commit()
        self._forget(memory)
        try:
            low, high = await self._in_thread(self._reader.watermarks, memory.topic)
        except KafkaException as error:
            logger.warning(
                "Kafka does not tell a topic's offsets; trying again",
                extra={"action": "watermarks_failed", **_where(memory), "reason": str(error)},
            )
            return
        logger.error(
            "Offsets are missing from a topic",
            extra={"action": "offset_gap", **_where(memory), "first_offset": low, "next_offset": high},
        )
        if memory.position < low:
            skip = functools.partial(self._store.skip, memory.batch_id, memory.position, low, EXPIRED)
            await self._until_done("PostgreSQL", skip)
        elif memory.position > high:
            ends_early = functools.partial(self._identity.ends_early, memory.batch_id, high)
            await self._until_done("PostgreSQL", ends_early)

    def _forget(self, memory: BatchMemory) -> None:
        if self._is_read(memory):
            del self._memories[memory.topic]
            self._reader.end(memory)
            self._health.batches.set(len(self._memories))

    def _forget_all(self, memories: list[BatchMemory]) -> None:
        for memory in memories:
            self._forget(memory)

    async def _until_done(self, server: str, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """The result of an attempt, made again and again while its server is away."""
        pause_s = FIRST_RETRY_S
        while True:
            try:
                result = await attempt()
            except AWAY as error:
                self._health.waits_for(server, f"{type(error).__name__}: {error}")
                self._health.turned()
                logger.warning(
                    "A server is away; trying again",
                    extra={"action": "retry", "server": server, "reason": str(error), "after_s": pause_s},
                )
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_RETRY_S)
            except (Fenced, *REFUSALS):  # an answer too
                self._health.has(server)
                raise
            else:
                self._health.has(server)
                return result

    async def _in_thread(self, function: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


def _where(memory: BatchMemory) -> dict[str, object]:
    return {"batch_id": memory.batch_id, "topic": memory.topic, "offset": memory.position}
