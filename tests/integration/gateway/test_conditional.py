"""Entity tags: a client that has an answer is told so, and never about one that has changed."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
from headway_events import FileComplete, StageStart

from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.projected import projected
from support.tables import Tables
from support.topics import Topics

TAGGED = [
    "", "/stages", "/files", "/files/audio00000.wav", "/errors", "/events", "/dead-letters", "/export", "/durations",
    "/outcomes", "/timeline",
]  # fmt: skip


async def ask(client: aiohttp.ClientSession, path: str, tag: str | None = None) -> tuple[int, str, bytes]:
    headers = {} if tag is None else {"If-None-Match": tag}
    async with client.get(path, headers=headers) as response:
        assert response.headers["Cache-Control"] == "private, no-cache"
        return response.status, response.headers["ETag"], await response.read()


async def test_what_has_not_changed_is_not_sent_again_and_what_has_is(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    await projected(topics, tables, batch_id, batch_events(batch_id, 20, failed=3))
    tags = {}
    for part in TAGGED:
        path = f"/api/batches/{batch_id}{part}"
        status, tags[part], body = await ask(client, path)
        assert (status, bool(body)) == (200, True)
        for known in (tags[part], f'"other", W/{tags[part]}', "*"):
            assert await ask(client, path, known) == (304, tags[part], b""), part
        assert await ask(client, path, '"other"') == (200, tags[part], body)
    topics.write_events([FileComplete(batch_id=batch_id, stage="denoise", file_name="late.wav")])
    await tables.wait_for(batch_id, 24)
    for part in TAGGED:
        status, tag, _ = await ask(client, f"/api/batches/{batch_id}{part}", tags[part])
        assert (status, tag == tags[part]) == (200, False), part


async def test_a_stage_that_stalls_changes_the_tag_though_no_event_has_come(
    projector: Program, make_gateway: Callable[..., Program], topics: Topics, tables: Tables, batch_id: int
) -> None:
    gateway = make_gateway(HEADWAY_STALLED_AFTER_S="3600")
    impatient = make_gateway(HEADWAY_STALLED_AFTER_S="5")
    gateway.run()
    impatient.run()
    topics.create(batch_id)
    topics.announce(batch_id)
    (start, *_) = batch_events(batch_id, 1)
    assert isinstance(start, StageStart)
    topics.write_events([start])
    await tables.wait_for(batch_id, 1)
    path = f"/api/batches/{batch_id}/stages"
    async with aiohttp.ClientSession(impatient.url) as client:
        _, before, _ = await ask(client, path)
        stalled = await eventually(lambda: ask(client, path, before), lambda found: found[0] == 200)
        assert b'"stalled"' in stalled[2]
        assert (await ask(client, path, stalled[1]))[0] == 304
    async with aiohttp.ClientSession(gateway.url) as client:
        assert b'"processing"' in (await ask(client, path))[2]


async def test_what_is_not_in_the_tables_yet_is_not_kept(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    for path in (f"/api/batches/{batch_id}", f"/api/batches/{batch_id}/files"):
        async with client.get(path, headers={"If-None-Match": "*"}) as response:
            assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
            assert "ETag" not in response.headers
