"""Pages of other sites read nothing unless their origin is configured, and every answer says what a browser may do."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
import pytest

from support.batches import batch_events
from support.programs import Program
from support.tokens import SECRET, bearer
from support.topics import Topics

FRIEND, STRANGER = "https://app.example", "https://evil.example"
PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


def cors(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.startswith("Access-Control-")}


@pytest.fixture
def friendly(make_gateway: Callable[..., Program]) -> Program:
    """A running gateway that asks for tokens, and that pages of one other origin may read."""
    running = make_gateway(HEADWAY_GATEWAY_TOKEN_SECRET=SECRET, HEADWAY_GATEWAY_ORIGINS=FRIEND)
    running.run()
    return running


async def test_without_configuration_no_other_origin_reads_anything(client: aiohttp.ClientSession) -> None:
    for path in ("/api/batches", "/api/stream?batchId=x", "/healthz", "/", "/static/main.js"):
        async with client.get(path, headers={"Origin": FRIEND}) as response:
            assert cors(response) == {}
        async with client.options(path, headers={"Origin": FRIEND, **PREFLIGHT}) as response:
            assert (response.status, cors(response)) == (403, {})


async def test_a_configured_origin_reads_answers_streams_and_problems_without_cookies(
    friendly: Program, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(batch_events(batch_id, 1))
    headers = {"Origin": FRIEND, **bearer(batch_id)}
    async with aiohttp.ClientSession(friendly.url) as client:
        statuses = []
        for path in (f"/api/stream?batchId={batch_id}", "/api/batches?limit=x", "/api/stream?batchId=5", "/nowhere"):
            async with client.get(path, headers=headers) as response:
                statuses.append(response.status)
                assert response.headers["Access-Control-Allow-Origin"] == FRIEND, path
                assert "Access-Control-Allow-Credentials" not in response.headers
                assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]
                assert response.headers["Vary"] == "Origin"
        assert statuses == [200, 400, 403, 404]
        async with client.get("/api/batches", headers={"Origin": FRIEND}) as response:
            assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (401, FRIEND)


async def test_a_preflight_is_answered_without_a_token_to_the_configured_origin_alone(friendly: Program) -> None:
    async with aiohttp.ClientSession(friendly.url) as client:
        async with client.options("/api/batches", headers={"Origin": FRIEND, **PREFLIGHT}) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == FRIEND
            assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
            assert "POST" in response.headers["Access-Control-Allow-Methods"]
            assert response.headers["Vary"] == "Origin"
        for origin in (STRANGER, "null", f"{FRIEND}.evil.example", FRIEND.replace("https", "http")):
            async with client.options("/api/batches", headers={"Origin": origin, **PREFLIGHT}) as response:
                assert (response.status, cors(response)) == (403, {}), origin
                assert response.headers["Vary"] == "Origin"  # or a cache would give this answer to the other


async def test_a_page_of_a_configured_origin_gets_query_tokens_with_its_own_token(friendly: Program) -> None:
    headers = {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site", **bearer(1)}
    async with aiohttp.ClientSession(friendly.url) as client:
        async with client.post("/api/access-tokens", json={"batchId": 1}, headers=headers) as response:
            assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (201, FRIEND)
        strange = {**headers, "Origin": STRANGER}
        async with client.post("/api/access-tokens", json={"batchId": 1}, headers=strange) as response:
            assert (response.status, cors(response)) == (403, {})


@pytest.mark.parametrize(
    "path", ["/", "/static/main.js", "/static/none.js", "/api/batches?limit=x", "/healthz", "/nowhere"]
)
async def test_every_answer_says_what_a_browser_may_do_with_it(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert response.headers["Server"] == "headway"
