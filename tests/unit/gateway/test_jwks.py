"""Keys are read when they are needed, seldom, and go on working while their source is away."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from headway_gateway.errors import KeysAway, NotAuthenticated
from headway_gateway.jwks import KeySet

from support.eventually import eventually

KEY = ec.generate_private_key(ec.SECP256R1()).public_key()


class Source:
    """Where keys come from; counts how often it is asked."""

    def __init__(self, *kids: str | None) -> None:
        self.kids = kids
        self.asked = 0
        self.away = False
        self.answering = asyncio.Event()
        self.answering.set()

    async def read(self) -> bytes:
        self.asked += 1
        await self.answering.wait()
        if self.away:
            raise OSError("away")
        made: dict[str, Any] = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(KEY))
        named = [made if kid is None else {**made, "kid": kid} for kid in self.kids]
        return json.dumps({"keys": named}).encode()


async def test_a_source_is_asked_once_by_all_who_come_at_the_same_time() -> None:
    source = Source("a", "b")
    keys = KeySet(source.read)
    await asyncio.gather(*(keys.find(kid) for kid in "abababab"))
    assert source.asked == 1


async def test_a_key_that_is_not_known_has_the_source_asked_and_not_again_for_a_while() -> None:
    source = Source("a")
    keys = KeySet(source.read, ask_every_s=3600)
    for kid in ("x", "y", "z"):
        with pytest.raises(NotAuthenticated):
            await keys.find(kid)
    await keys.find("a")
    assert source.asked == 1


async def test_a_new_key_is_found_when_its_first_token_comes() -> None:
    source = Source("old")
    keys = KeySet(source.read, ask_every_s=0)
    await keys.find("old")
    source.kids = ("new",)
    await keys.find("new")
    with pytest.raises(NotAuthenticated):
        await keys.find("old")


async def test_a_token_that_names_no_key_is_checked_with_the_only_one() -> None:
    assert (await KeySet(Source("a").read).find(None)).algorithms == ("ES256",)
    assert (await KeySet(Source(None).read).find(None)).algorithms == ("ES256",)
    with pytest.raises(NotAuthenticated):
        await KeySet(Source("a", "b").read).find(None)


async def test_known_keys_go_on_working_while_their_source_is_away() -> None:
    source = Source("a")
    keys = KeySet(source.read, ask_every_s=0, old_after_s=0)
    await keys.find("a")
    source.away = True
    for _ in range(3):
        await keys.find("a")
    await eventually(lambda: source.asked, lambda asked: asked > 1)
    await keys.find("a")
    with pytest.raises(KeysAway):
        await keys.find("b")


async def test_known_keys_do_not_wait_for_a_source_that_hangs() -> None:
    source = Source("a")
    keys = KeySet(source.read, ask_every_s=0, old_after_s=0)
    await keys.find("a")
    source.answering.clear()
    async with asyncio.timeout(5):
        for _ in range(10):
            await keys.find("a")
            await asyncio.sleep(0)
    assert source.asked == 2
    source.answering.set()


async def test_without_any_key_everybody_is_asked_to_come_again() -> None:
    source = Source("a")
    source.away = True
    keys = KeySet(source.read, ask_every_s=3600)
    for _ in range(3):
        with pytest.raises(KeysAway):
            await keys.find("a")
    assert source.asked == 1


async def test_old_keys_are_read_again_and_those_taken_back_are_believed_no_longer() -> None:
    source = Source("a", "b")
    keys = KeySet(source.read, ask_every_s=0, old_after_s=0)
    await keys.find("a")
    source.kids = ("b",)
    await keys.find("b")
    await eventually(lambda: source.asked, lambda asked: asked == 2)
    with pytest.raises(NotAuthenticated):
        await keys.find("a")


async def test_a_source_that_cannot_be_reached_or_read_is_away() -> None:
    with pytest.raises(KeysAway):
        await KeySet.of("http://127.0.0.1:1/keys").find("a")
    with pytest.raises(KeysAway):
        await KeySet.of("/no/such/file").find("a")
