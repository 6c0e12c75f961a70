"""Streams are limited by address and in all; their places are free again when they end; what is counted is shown."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
import pytest

from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.stream import read
from support.topics import Topics


@pytest.fixture
def batch(topics: Topics, batch_id: int) -> int:
    """A batch that has begun and does not end."""
    topics.create(batch_id)
    topics.write_events(list(batch_events(batch_id, 3))[:3])
    return batch_id


async def test_one_stream_too_many_is_refused_with_a_time_to_come_again_and_let_in_when_another_ends(
    make_gateway: Callable[..., Program], batch: int
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_MOST_STREAMS_BY_ADDRESS="2")
    gateway.run()
    path = f"/api/stream?batchId={batch}"
    async with aiohttp.ClientSession(gateway.url) as client, client.get(path) as first, client.get(path) as second:
        assert (first.status, second.status) == (200, 200)
        async with client.get(path) as third:
            document = await third.json(content_type="application/problem+json")
            assert (third.status, third.headers["Retry-After"]) == (503, "10")
            assert document["type"] == "/problems/TooManyStreams"
            assert "HEADWAY_GATEWAY_TRUSTED_PROXIES" in document["detail"]
        async with client.get("/healthz") as response:
            assert response.status == 200  # the limit is for streams
        second.close()
        await eventually(lambda: gateway.metric('headway_gateway_streams{mode="events"}'), lambda streams: streams == 1)
        async with client.get(path) as third:
            assert third.status == 200
    await eventually(lambda: gateway.metric('headway_gateway_streams{mode="events"}'), lambda streams: streams == 0)


async def test_refused_and_failed_streams_keep_no_place(make_gateway: Callable[..., Program], batch: int) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_MOST_STREAMS_BY_ADDRESS="1")
    gateway.run()
    async with aiohttp.ClientSession(gateway.url) as client:
        for query in ("batchId=x", "batchId=1", f"batchId={batch}&from=x"):
            async with client.get(f"/api/stream?{query}") as response:
                document = await response.json(content_type="application/problem+json")
                assert document["type"] in {"/problems/InvalidParameter", "/problems/DatabaseAway"}
        assert len(await read(client, batch, most=3)) == 3


async def test_all_addresses_together_have_a_limit_too(make_gateway: Callable[..., Program], batch: int) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_MOST_STREAMS="1")
    gateway.run()
    path = f"/api/stream?batchId={batch}"
    other = aiohttp.TCPConnector(local_addr=("127.0.0.9", 0))
    async with (
        aiohttp.ClientSession(gateway.url) as here,
        aiohttp.ClientSession(gateway.url, connector=other) as elsewhere,
        here.get(path) as first,
        elsewhere.get(path) as second,
    ):
        assert (first.status, second.status) == (200, 503)


async def test_clients_of_a_trusted_proxy_are_told_apart_and_others_cannot_pretend(
    make_gateway: Callable[..., Program], batch: int
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_MOST_STREAMS_BY_ADDRESS="1", HEADWAY_GATEWAY_TRUSTED_PROXIES="127.0.0.2")
    gateway.run()
    path = f"/api/stream?batchId={batch}"
    proxy = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with (
        aiohttp.ClientSession(gateway.url, connector=proxy) as by_proxy,
        by_proxy.get(path, headers={"X-Forwarded-For": "192.0.2.1"}) as first,
        by_proxy.get(path, headers={"X-Forwarded-For": "192.0.2.2"}) as second,
        by_proxy.get(path, headers={"X-Forwarded-For": "192.0.2.9, 192.0.2.1"}) as again,
    ):
        assert [response.status for response in (first, second, again)] == [200, 200, 503]
    async with (
        aiohttp.ClientSession(gateway.url) as client,
        client.get(path, headers={"X-Forwarded-For": "192.0.2.3"}) as first,
        client.get(path, headers={"X-Forwarded-For": "192.0.2.4"}) as second,
    ):
        assert [response.status for response in (first, second)] == [200, 503]


async def test_metrics_tell_connections_streams_bytes_and_problems(gateway: Program, batch: int) -> None:
    async with aiohttp.ClientSession(gateway.url) as client:
        async with client.get(f"/api/stream?batchId={batch}") as response:
            await response.content.readuntil(b"id: 2\n")
            sent = gateway.metric("headway_gateway_sent_bytes_total")
            assert sent > 300
            assert gateway.metric("headway_gateway_connections") == 2  # the stream's, and that of who asks
            assert gateway.metric("headway_gateway_cached_bytes") > 300
        async with client.get("/api/stream?batchId=x") as response:
            assert response.status == 400
    assert gateway.metric('headway_gateway_problems_total{problem="InvalidParameter"}') == 1
    await eventually(lambda: gateway.metric('headway_gateway_streams{mode="events"}'), lambda streams: streams == 0)
    assert gateway.metric("headway_gateway_sent_bytes_total") >= sent
