"""Many clients of many streams, as a bad day makes them: late, slow, cut off, sent from one gateway to another."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Final

import aiohttp

from support.sse import Message, messages
from support.topics import Record

LATEST_START_S: Final = 10.0
PAUSE_S: Final = (0.05, 0.4)  # before a client comes again
CUT_AFTER: Final = (1, 1500)  # messages of one connection
MOST_BATCHES: Final = 4
SLOW_SHARE: Final = 0.2  # of the clients: they rest again and again
REST_S: Final = 0.02
REST_EVERY: Final = 50  # messages


class Told:
    """What was told of one batch, in little: how many messages, and a digest of their data in order."""

    def __init__(self) -> None:
        self.count = 0
        self._digest = hashlib.blake2b()

    def add(self, data: bytes) -> None:
        self.count += 1
        self._digest.update(b"%d:%b\n" % (len(data), data))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Told) and self.summary == other.summary

    __hash__ = None  # type: ignore[assignment]

    @property
    def summary(self) -> tuple[int, str]:
        return self.count, self._digest.hexdigest()

    def __repr__(self) -> str:
        return f"{self.count} messages, {self.summary[1][:8]}"


def streamed(record: Record) -> bytes:
    """What a stream must give of a record that is an event: a file's outcome is added."""
    value = record.value or b""
    if value.startswith(b'{"eventType":"file_complete"'):
        return value[:-1] + b',"status":"success"}'
    if value.startswith(b'{"eventType":"file_error"'):
        return value[:-1] + b',"status":"error"}'
    return value


def as_streamed(records: Sequence[Record]) -> Told:
    """What a stream must give of a topic in which every record is an event."""
    whole = Told()
    for record in records:
        whole.add(streamed(record))
    return whole


class Reader:
    """One client: reads some batches to their end, whatever happens to its connections."""

    def __init__(self, batch_ids: Sequence[int], chance: random.Random) -> None:
        self.batch_ids = chance.sample(batch_ids, chance.choice([1, 1, 1, chance.randint(2, MOST_BATCHES)]))
        self.found = {batch_id: Told() for batch_id in self.batch_ids}
        self.connections = 0
        self._chance = chance
        self._is_slow = chance.random() < SLOW_SHARE
        self._last_id = ""

    async def read(self, addresses: Callable[[], list[str]]) -> None:
        """Read on, from any of the gateways that there are, until told that nothing follows."""
        await asyncio.sleep(self._chance.uniform(0, LATEST_START_S))
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
        while True:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                try:
                    if await self._connect(session, self._chance.choice(addresses())):
                        return
                except (aiohttp.ClientError, ConnectionError, TimeoutError):
                    pass  # cut off, or the gateway is not there
            await asyncio.sleep(self._chance.uniform(*PAUSE_S))

    async def _connect(self, session: aiohttp.ClientSession, address: str) -> bool:
        """Read one connection to its end, or cut it. Whether nothing follows."""
        query = [("batchId", str(batch_id)) for batch_id in self.batch_ids]
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        cut_after = self._chance.randint(*CUT_AFTER)
        async with session.get(f"{address}/api/stream", params=query, headers=headers) as response:
            if response.status == 204:
                return True
            if response.status == 503:
                return False
            assert response.status == 200, await response.text()
            self.connections += 1
            read = 0
            async for message in messages(response):
                self._take(message)
                read += 1
                if read == cut_after:
                    return False
                if self._is_slow and read % REST_EVERY == 0:
                    await asyncio.sleep(REST_S)
        return False

    def _take(self, message: Message) -> None:
        assert message.event not in {"reset", "snapshot"}, message
        sequence = self.found[message.json()["batchId"] if len(self.batch_ids) > 1 else self.batch_ids[0]]
        sequence.add(message.data.encode())
        self._last_id = message.id
