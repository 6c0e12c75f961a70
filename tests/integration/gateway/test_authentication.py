"""Who shows no valid token is refused everywhere, and who shows one reads the batches that it names, until it ends."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from headway_gateway import gate
from headway_gateway.app import make_app
from headway_gateway.settings import Settings

from infra.local.service import free_port
from support.batches import batch_events
from support.commands import headway_gateway
from support.programs import Program
from support.projected import projected
from support.sockets import connected
from support.stream import ids, read
from support.tables import Tables
from support.tokens import SECRET, bearer, token
from support.topics import Topics


@pytest.fixture
def guarded(make_gateway: Callable[..., Program]) -> Program:
    """A running gateway that asks for tokens."""
    running = make_gateway(HEADWAY_GATEWAY_TOKEN_SECRET=SECRET)
    running.run()
    return running


@pytest.fixture
async def client(guarded: Program) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)  # "unsafe": cookies of an IP address
    async with aiohttp.ClientSession(guarded.url, cookie_jar=jar) as session:
        yield session


async def refusal(response: aiohttp.ClientResponse, status: int, kind: str) -> dict[str, Any]:
    document: dict[str, Any] = await response.json(content_type="application/problem+json")
    assert (response.status, document["type"]) == (status, f"/problems/{kind}"), document
    return document


ADDRESSES = sorted(
    {
        (route.method, route.resource.canonical.format(batch_id=1, file_name="a.wav"))
        for route in make_app(Settings()).router.routes()
        if route.resource is not None and route.resource.canonical not in gate.PUBLIC
    }
)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic dTpw"}, {"Authorization": "Bearer x.y.z"}])
async def test_every_address_that_is_not_public_is_refused_without_a_valid_token(
    client: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    assert ("GET", "/api/stream") in ADDRESSES
    for method, path in [*ADDRESSES, ("GET", "/no/such/page"), ("PUT", "/api/batches")]:
        async with client.request(method, path, headers=headers) as response:
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="headway"', (method, path)
            if method != "HEAD":
                await refusal(response, 401, "NotAuthenticated")


async def test_health_is_open_and_the_page_is_the_one_that_asks_for_a_token(client: aiohttp.ClientSession) -> None:
    for path in ("/healthz", "/readyz", "/static/style.css"):
        async with client.get(path, headers={"Authorization": "Bearer wrong"}) as response:
            assert response.status == 200, path
    async with client.get("/?batchId=1") as response:
        assert (response.status, response.headers["Cache-Control"]) == (401, "no-store")
        assert "Log in" in await response.text()


async def test_a_token_for_one_batch_reads_it_and_no_other_whether_or_not_there_is_one(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    mine, other, unknown = batch_id, batch_id + 1, batch_id + 2
    for one in (mine, other):
        topics.create(one)
        topics.announce(one)
        topics.write_events(batch_events(one, 3))
        await tables.wait_for(one, 6)
    headers = bearer(mine)
    assert ids(await read(client, mine, headers=headers)) == list(range(6))
    async with client.get(f"/api/batches/{mine}/events", headers=headers) as response:
        assert len((await response.json())["events"]) == 6
    details = []
    for one in (other, unknown):
        for path in (f"/api/batches/{one}", f"/api/batches/{one}/events", f"/api/stream?batchId={mine}&batchId={one}"):
            async with client.get(path, headers=headers) as response:
                details.append((await refusal(response, 403, "OutOfScope"))["detail"].replace(str(one), "N"))
    assert set(details) == {"The token is not for batch N"}
    listed = {}
    for name, shown in {"mine": headers, "none": bearer(), "all": bearer(everything=True)}.items():
        async with client.get("/api/batches", headers=shown) as response:
            listed[name] = {batch["batchId"] for batch in (await response.json())["batches"]}
    assert listed == {"mine": {mine}, "none": set(), "all": {mine, other}}


async def test_an_address_that_names_no_batch_is_for_tokens_for_all(client: aiohttp.ClientSession) -> None:
    for path in ("/metrics", "/metrics?batchId=1", "/api/stream"):
        async with client.get(path, headers=bearer(1)) as response:
            await refusal(response, 403, "OutOfScope")
    async with client.get("/metrics", headers=bearer(everything=True)) as response:
        assert response.status == 200


async def test_a_stream_ends_with_its_token_and_its_client_is_refused_when_it_comes_again(
    client: aiohttp.ClientSession, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(list(batch_events(batch_id, 3))[:3])
    headers = bearer(batch_id, lasts_s=4)
    found = await read(client, batch_id, headers=headers)  # ends by itself
    assert ids(found) == [0, 1, 2]
    async with client.get(f"/api/stream?batchId={batch_id}", headers=headers) as response:
        assert (await refusal(response, 401, "NotAuthenticated"))["detail"] == "The token has expired"


async def test_a_login_is_a_cookie_that_only_the_gateway_can_read_until_the_logout(
    client: aiohttp.ClientSession, batch_id: int
) -> None:
    shown = token(batch_id)
    async with client.post("/api/session", json={"token": f" {shown}\n"}) as response:
        assert response.status == 204
        cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(f"headway={shown};")
    assert {"HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    async with client.get("/api/session") as response:
        session = await response.json()
        assert (session["batches"], session["loggedIn"]) == ([str(batch_id)], True)
    async with client.get("/") as response:
        assert response.status == 200
    async with client.get("/api/batches", headers={"Authorization": "Bearer wrong"}) as response:
        await refusal(response, 401, "NotAuthenticated")  # the cookie does not make up for it
    async with client.delete("/api/session") as response:
        assert response.status == 204
    async with client.get("/api/session") as response:
        await refusal(response, 401, "NotAuthenticated")


async def test_a_login_with_a_bad_token_sets_nothing(client: aiohttp.ClientSession) -> None:
    for bad in (token(1, lasts_s=-5), "", "x"):
        async with client.post("/api/session", json={"token": bad}) as response:
            await refusal(response, 401, "NotAuthenticated")
            assert "Set-Cookie" not in response.headers
    too_many = token(*range(10**18, 10**18 + 300))
    async with client.post("/api/session", json={"token": too_many}) as response:
        assert too_many[:20] not in str(await refusal(response, 400, "InvalidParameter"))


async def test_behind_https_the_cookie_is_for_https_and_for_this_host_alone(
    make_gateway: Callable[..., Program],
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_TOKEN_SECRET=SECRET, HEADWAY_GATEWAY_TRUSTED_PROXIES="127.0.0.1")
    gateway.run()
    https = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    async with aiohttp.ClientSession(gateway.url, cookie_jar=aiohttp.DummyCookieJar()) as client:
        async with client.post("/api/session", json={"token": token(1)}, headers=https) as response:
            cookie = response.headers["Set-Cookie"]
        assert cookie.startswith("__Host-headway=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        by_other_name = {**https, "Cookie": f"headway={token(1)}"}
        async with client.get("/api/session", headers=by_other_name) as response:
            await refusal(response, 401, "NotAuthenticated")
        async with client.get("/api/session", headers={**https, "Cookie": cookie.partition(";")[0]}) as response:
            assert response.status == 200


async def mint(client: aiohttp.ClientSession, batch_id: object, headers: dict[str, str]) -> str:
    async with client.post("/api/access-tokens", json={"batchId": batch_id}, headers=headers) as response:
        assert response.status == 201, await response.text()
        return str((await response.json())["accessToken"])


async def test_a_query_token_reads_its_batch_without_a_header_and_changes_nothing(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    await projected(topics, tables, batch_id, batch_events(batch_id, 3))
    minted = await mint(client, str(batch_id), bearer(everything=True))
    assert ids(await read(client, batch_id, {"access_token": minted})) == list(range(6))
    async with client.get(f"/api/batches/{batch_id}/events?access_token={minted}&limit=2") as response:
        following = (await response.json())["next"]
        assert following == f"/api/batches/{batch_id}/events?limit=2&after=1"
    async with client.get(f"/api/stream?batchId={batch_id + 1}&access_token={minted}") as response:
        await refusal(response, 403, "OutOfScope")
    body = {"batchId": batch_id}
    async with client.post(f"/api/access-tokens?access_token={minted}", json=body) as response:
        await refusal(response, 403, "OutOfScope")


async def test_a_query_token_is_made_for_batches_that_may_be_read_alone(client: aiohttp.ClientSession) -> None:
    async with client.post("/api/access-tokens", json={"batchId": 2}, headers=bearer(1)) as response:
        await refusal(response, 403, "OutOfScope")
    bodies: list[object] = [{}, {"batchId": None}, {"batchId": "x"}, [], {"batchId": 1.5}]
    for body in bodies:
        async with client.post("/api/access-tokens", json=body, headers=bearer(1)) as response:
            await refusal(response, 400, "InvalidParameter")


async def test_a_whole_token_is_no_query_token_and_two_at_once_are_none(client: aiohttp.ClientSession) -> None:
    shown = token(everything=True)
    minted = await mint(client, 1, bearer(1))
    for query, headers in (
        (f"access_token={shown}", {}),
        ("access_token=", {}),
        (f"access_token={minted}&access_token={minted}", {}),
        (f"access_token={minted}", bearer(1)),
    ):
        async with client.get(f"/api/stream?batchId=1&{query}", headers=headers) as response:
            document = await refusal(response, 401, "NotAuthenticated")
            assert shown not in str(document)
            assert minted not in str(document)


async def test_what_changes_something_is_not_taken_from_pages_of_other_sites(client: aiohttp.ClientSession) -> None:
    body = {"token": token(1)}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    ):
        async with client.post("/api/session", json=body, headers=headers) as response:
            await refusal(response, 403, "CrossSite")
        async with client.delete("/api/session", headers=headers) as response:
            await refusal(response, 403, "CrossSite")
    for form in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        async with client.post("/api/session", data=b"{}", headers={"Content-Type": form}) as response:
            await refusal(response, 415, "NotJson")
    own = {"Origin": str(client._base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    async with client.post("/api/session", json=body, headers=own) as response:
        assert response.status == 204


async def test_no_log_repeats_a_token(make_gateway: Callable[..., Program], topics: Topics, batch_id: int) -> None:
    gateway = make_gateway(
        HEADWAY_GATEWAY_TOKEN_SECRET=SECRET, HEADWAY_GATEWAY_LOG_LEVEL="DEBUG", PYTHONASYNCIODEBUG="1"
    )
    gateway.run()
    topics.create(batch_id)
    topics.write_events(list(batch_events(batch_id, 3))[:3])
    shown, expired = token(batch_id, lasts_s=60), token(batch_id, lasts_s=-60)
    async with aiohttp.ClientSession(gateway.url) as client:
        minted = await mint(client, batch_id, {"Authorization": f"Bearer {shown}"})
        secrets = [shown, expired, minted]
        await read(client, batch_id, {"access_token": minted}, most=2)  # and the client goes away
        for one in secrets:
            await client.post("/api/session", json={"token": one})
            for path in (
                f"/api/stream?batchId={batch_id}&from=x",
                "/api/batches?limit=x",
                "/nowhere",
                "/api/batches?q=%00",
            ):
                await client.get(f"{path}{'&' if '?' in path else '?'}access_token={one}")
                await client.get(path, headers={"Authorization": f"Bearer {one}"})
                await client.get(path, headers={"Cookie": f"headway={one}"})
            for line in (
                f"GET /api/stream?access_token={one} HTTP/9.9\r\n\r\n",
                f"GET /?access_token={one}\r\n\r\n",
                f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer {one}\r\n\r\n",
                f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {one}\0\r\n\r\n",
                f"Bearer {one}\r\n\r\n",
            ):
                answer = await raw(gateway.port, line.encode())
                assert one.encode() not in answer
    gateway.stop()
    log = gateway.log_text()
    assert "no_http" in log
    for one in secrets:
        assert one not in log
        assert one.rpartition(".")[2] not in log  # nor its signature alone
    assert SECRET not in log


async def raw(port: int, sent: bytes) -> bytes:
    async with connected(port) as (reader, writer), asyncio.timeout(20):
        writer.write(sent)
        return await reader.read()


async def test_tokens_of_an_identity_provider_are_checked_with_its_published_keys(
    make_gateway: Callable[..., Program], identity_provider: IdentityProvider
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_JWKS=identity_provider.url, HEADWAY_GATEWAY_TOKEN_AUDIENCE="headway")
    gateway.run()
    shown = {"Authorization": f"Bearer {identity_provider.token(aud='headway')}"}
    elsewhere = {"Authorization": f"Bearer {identity_provider.token(aud='another service')}"}
    async with aiohttp.ClientSession(gateway.url) as client:
        async with client.get("/metrics", headers=shown) as response:
            assert response.status == 200
        for refused in (elsewhere, bearer(everything=True), {}):
            async with client.get("/metrics", headers=refused) as response:
                await refusal(response, 401, "NotAuthenticated")
        identity_provider.away = True
        async with client.get("/metrics", headers=shown) as response:
            assert response.status == 200  # known keys go on working
        async with client.post("/api/access-tokens", json={"batchId": 1}, headers=shown) as response:
            await refusal(response, 501, "NoQueryTokens")


async def test_while_an_identity_provider_is_away_those_whose_key_is_not_known_are_asked_to_come_again(
    make_gateway: Callable[..., Program], identity_provider: IdentityProvider
) -> None:
    identity_provider.away = True
    gateway = make_gateway(HEADWAY_GATEWAY_JWKS=identity_provider.url)
    gateway.run()
    async with aiohttp.ClientSession(gateway.url) as client:
        for _ in range(5):
            shown = {"Authorization": f"Bearer {identity_provider.token()}"}
            async with client.get("/metrics", headers=shown) as response:
                await refusal(response, 503, "KeysAway")
                assert response.headers["Retry-After"] == "10"
    assert identity_provider.asked == 1
    assert gateway.log_text().count("keys_away") == 1


class IdentityProvider:
    """Signs tokens, and publishes its key at an address as long as it is not away."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.away = False
        self.asked = 0
        self._private = ec.generate_private_key(ec.SECP256R1())

    def token(self, **claims: str) -> str:
        content = {"exp": time.time() + 60, "headway": {"batches": "*"}, **claims}
        return jwt.encode(content, self._private, algorithm="ES256", headers={"kid": "one"})

    async def answer(self, _: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.away:
            return web.Response(status=502)
        published = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(self._private.public_key()))
        return web.json_response({"keys": [{**published, "kid": "one"}]})


@pytest.fixture
async def identity_provider() -> AsyncIterator[IdentityProvider]:
    port = free_port()
    provider = IdentityProvider(f"http://127.0.0.1:{port}/keys")
    app = web.Application()
    app.router.add_get("/keys", provider.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield provider
    await runner.cleanup()


async def test_the_command_signs_tokens_that_the_gateway_takes(
    guarded: Program, client: aiohttp.ClientSession, environment: dict[str, str]
) -> None:
    settings = {**environment, "HEADWAY_GATEWAY_TOKEN_SECRET": SECRET}
    for scope, batches in ((["--all"], "*"), (["--batch", "7", "--batch", "-8"], ["-8", "7"])):
        made = headway_gateway(settings, "token", *scope, "--hours", "0.5")
        assert made.returncode == 0, made.stderr
        async with client.get("/api/session", headers={"Authorization": f"Bearer {made.stdout.strip()}"}) as response:
            session = await response.json()
        assert session["batches"] == batches
        lasts_s = datetime.fromisoformat(session["expiresAt"]).timestamp() - time.time()
        assert 1700 < lasts_s <= 1800
    for hours in ("0", "-1", "nan", "1e9", "x"):
        assert headway_gateway(settings, "token", "--all", "--hours", hours).returncode == 2
    assert headway_gateway(settings, "token", "--batch", str(2**63), "--hours", "1").returncode == 2
    assert headway_gateway(settings, "token", "--hours", "1").returncode == 2  # for nothing in particular
    without = headway_gateway(environment, "token", "--all", "--hours", "1")
    assert without.returncode == 1
    assert "HEADWAY_GATEWAY_TOKEN_SECRET" in without.stderr
