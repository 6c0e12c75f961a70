"""A client of streams: batch after batch, each to its end, and on from the last id that it has on disk after a kill.

    python -m soak.client DIRECTORY FIRST_BATCH BATCHES GATEWAY...

Each batch has a file, with a line for each message: its id, its event and a digest of its data.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import sys
from itertools import cycle
from pathlib import Path
from typing import Final

import aiohttp

from support.sse import Message, messages

PAUSE_S: Final = 0.2
TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=30)  # heartbeats come every 15 s
CUT_OFF: Final = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)
NOTHING_FOLLOWS: Final = 204
LAST_EVENT: Final = "batch_complete"
NOT_YET: Final = {404, 503}  # no such batch so far; the gateway is starting, or ending


def digest(data: bytes) -> str:
    """What is kept of a message's data."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


class Received:
    """The messages of one batch, on disk; a line that a kill has cut off was not received."""

    def __init__(self, directory: Path, batch_id: int) -> None:
        self._file = (directory / str(batch_id)).open("ab+", buffering=0)
        self._file.seek(0)
        whole = self._file.read().rpartition(b"\n")[0]
        self._file.truncate(len(whole) + 1 if whole else 0)
        last = whole.rpartition(b"\n")[2].decode().split()
        self.last_id, self.last_event = (last[0], last[1]) if last else ("", "")

    def add(self, message: Message) -> None:
        """Note a message."""
        self._file.write(f"{message.id} {message.event} {digest(message.data.encode())}\n".encode())
        self.last_id, self.last_event = message.id, message.event

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


async def follow(session: aiohttp.ClientSession, address: str, batch_id: int, received: Received) -> bool:
    """One connection. Whether nothing follows what it has received."""
    headers = {"Last-Event-ID": received.last_id} if received.last_id else {}
    async with session.get(f"{address}/api/stream?batchId={batch_id}", headers=headers) as response:
        if response.status == NOTHING_FOLLOWS:
            assert received.last_event == LAST_EVENT, f"nothing follows {received.last_id}, {received.last_event}?"
            return True
        if response.status in NOT_YET:
            return False
        response.raise_for_status()
        async for message in messages(response):
            assert message.event not in {"reset", "snapshot"}, message
            received.add(message)
    return False


async def main(directory: Path, first_batch: int, batches: int, gateways: list[str]) -> None:
    """Follow so many batches, or for ever."""
    addresses = cycle(random.sample(gateways, len(gateways)))
    batch_id = first_batch
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        while batch_id != first_batch + batches:
            received, ended = Received(directory, batch_id), False
            while not ended:
                with contextlib.suppress(*CUT_OFF):
                    ended = await follow(session, next(addresses), batch_id, received)
                if not ended:
                    await asyncio.sleep(PAUSE_S)
            received.close()
            batch_id += 1


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
