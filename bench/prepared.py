"""The limit of what streams can do: aiohttp, in a process of its own, serving bytes that are ready."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import uvloop
from aiohttp import web


@contextmanager
def prepared_response(body: bytes) -> Iterator[int]:
    """A server whose every answer is this body; its port."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_run, args=(theirs, body), daemon=True)
    server.start()
    try:
        yield ours.recv()
    finally:
        server.terminate()
        server.join()


def _run(port_to: Connection, body: bytes) -> None:
    uvloop.run(_serve(port_to, body))


async def _serve(port_to: Connection, body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    port_to.send(runner.addresses[0][1])
    await asyncio.Event().wait()
