"""What receivers may do: be away, refuse, hang, redirect, answer at length. Every alert comes through all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest
from aiohttp import web

from support.batches import batch_events
from support.commands import headway_projector
from support.eventually import eventually
from support.programs import Program
from support.receiver import PATH, Received, Receiver, answering, hanging, json_hook, ok, write_hooks
from support.tables import Tables
from support.topics import Topics

LARGE = 200_000_000  # bytes of an answer
STATES = "SELECT array_agg(state) FROM alert"

Make = Callable[..., Program]


async def complete(topics: Topics, batch_id: int) -> None:
    """A small batch, from its announcement to its end."""
    await asyncio.to_thread(topics.create, batch_id)
    await asyncio.to_thread(topics.announce, batch_id)
    await asyncio.to_thread(topics.write_events, batch_events(batch_id, 3))


async def until_states(tables: Tables, *states: str) -> None:
    await eventually(lambda: tables.connection.fetchval(STATES), lambda found: found == list(states), within_s=60)


def same_message(attempts: list[Received]) -> bool:
    """Whether these are attempts at one alert: the same id and body, each signed anew."""
    return len({(one.id, one.body) for one in attempts}) == 1


async def test_a_receiver_that_was_away_gets_every_alert_when_it_is_back(
    make_projector: Make, topics: Topics, tables: Tables, tmp_path: Path, batch_id: int, environment: dict[str, str]
) -> None:
    away = Receiver()
    hooks = write_hooks(tmp_path, json_hook(away))
    projector = make_projector(**hooks)
    projector.run()
    batches = [batch_id, batch_id + 1, batch_id + 2]
    for one in batches:
        await complete(topics, one)
    refused = "SELECT count(*) FROM alert WHERE lastAnswer = 'no connection: Connection refused' AND state = 'pending'"
    await eventually(lambda: tables.connection.fetchval(refused), lambda found: found == 3)
    listed = headway_projector({**environment, **hooks}, "alerts", "list").stdout
    assert f"json: json to 127.0.0.1:{away.port}; 3 outstanding, 0 given up" in listed
    assert listed.count("no connection: Connection refused") == 3
    assert "alerts: 3 outstanding, 0 given up" in headway_projector(environment, "status").stdout
    async with away.serve():
        await until_states(tables, *["delivered"] * 3)
    assert away.types() == [(one, "batch.complete") for one in batches]
    assert PATH not in projector.log_text()


@pytest.mark.parametrize("status", [500, 404, 302])
async def test_an_alert_that_is_refused_is_sent_again_with_the_same_id_and_body(
    make_projector: Make, topics: Topics, tables: Tables, receiver: Receiver, tmp_path: Path, batch_id: int, status: int
) -> None:
    receiver.answer = answering(status, headers={"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"})
    projector = make_projector(**write_hooks(tmp_path, json_hook(receiver)))
    projector.run()
    await complete(topics, batch_id)
    await receiver.wait_for(2)
    receiver.answer = ok
    await until_states(tables, "delivered")
    assert len(receiver.received) >= 3
    assert same_message(receiver.received)
    assert len(receiver.verified()) == len(receiver.received)
    assert {one.path for one in receiver.received} == {PATH}  # no redirect was followed
    attempts = 'headway_projector_alert_attempts_total{hook="json",result="refused"}'
    assert projector.metric(attempts) == len(receiver.received) - 1


@pytest.mark.parametrize("as_date", [False, True])
async def test_a_receiver_that_asks_for_a_pause_is_sent_nothing_meanwhile(
    make_projector: Make, topics: Topics, tables: Tables, receiver: Receiver, tmp_path: Path, batch_id: int,
    as_date: bool,
) -> None:  # fmt: skip
    pause_s = 12  # longer than the first pauses without it, and than the loop of the projector takes

    async def busy(request: web.Request) -> web.StreamResponse:
        until = formatdate(time() + pause_s + 1, usegmt=True) if as_date else str(pause_s)
        return await answering(429, headers={"Retry-After": until})(request)

    receiver.answer = busy
    make_projector(**write_hooks(tmp_path, json_hook(receiver))).run()
    await complete(topics, batch_id)
    (first,) = await receiver.wait_for(1)
    receiver.answer = ok
    await until_states(tables, "delivered")
    assert receiver.received[1].at - first.at >= pause_s
    assert same_message(receiver.received)


async def test_a_receiver_that_is_gone_for_good_is_asked_once_and_people_see_it(
    make_projector: Make, topics: Topics, tables: Tables, receiver: Receiver, tmp_path: Path, batch_id: int,
    environment: dict[str, str],
) -> None:  # fmt: skip
    receiver.answer = answering(410, f"no hook {PATH.replace('/', '+')} here\n{receiver.secret}")
    hooks = write_hooks(tmp_path, json_hook(receiver))
    projector = make_projector(**hooks)
    projector.run()
    await complete(topics, batch_id)
    await until_states(tables, "given_up")
    assert len(receiver.received) == 1
    assert projector.metric('headway_projector_alert_attempts_total{hook="json",result="given_up"}') == 1
    given_up = 'headway_projector_alerts_given_up{hook="json"}'
    await eventually(lambda: projector.metric(given_up), lambda found: found == 1)
    assert "alert_given_up" in projector.log_text()
    listed = headway_projector({**environment, **hooks}, "alerts", "list").stdout
    assert f"json  batch {batch_id}  batch.complete" in listed
    assert "1 attempt, given up: 410 no hook +***+***+*** here whsec_***" in listed
    assert "alerts: 0 outstanding, 1 given up" in headway_projector(environment, "status").stdout
    stored = str(await tables.connection.fetch("SELECT * FROM alert"))
    for secret in (*PATH.split("/")[2:], receiver.secret.removeprefix("whsec_")):
        assert secret not in projector.log_text() + stored + listed


async def test_an_alert_that_nobody_takes_is_given_up_at_its_age(
    make_projector: Make, topics: Topics, tables: Tables, receiver: Receiver, tmp_path: Path, batch_id: int
) -> None:
    receiver.answer = answering(500)
    projector = make_projector(**write_hooks(tmp_path, json_hook(receiver), give_up_after_s=8))
    projector.run()
    await complete(topics, batch_id)
    await until_states(tables, "given_up")
    assert len(receiver.received) >= 2
    assert "alert_given_up" in projector.log_text()


async def test_alerts_of_a_hook_that_is_configured_no_more_are_given_up_at_their_age(
    make_projector: Make, topics: Topics, tables: Tables, receiver: Receiver, tmp_path: Path, batch_id: int
) -> None:
    receiver.answer = answering(500)
    first = make_projector(**write_hooks(tmp_path, json_hook(receiver)))
    first.run()
    await complete(topics, batch_id)
    await receiver.wait_for(1)
    first.stop()
    make_projector(**write_hooks(tmp_path, json_hook(receiver, "other"), give_up_after_s=1)).run()
    await until_states(tables, "given_up")
    assert await tables.connection.fetchval("SELECT lastAnswer FROM alert") == "its hook is configured no more"


async def test_a_receiver_that_hangs_holds_up_neither_the_projection_nor_another_receiver(
    make_projector: Make, topics: Topics, tables: Tables, receiver: Receiver, tmp_path: Path, batch_id: int
) -> None:
    async with Receiver().serve() as slow:
        slow.answer = hanging
        make_projector(**write_hooks(tmp_path, json_hook(slow, "slow"), json_hook(receiver, "quick"))).run()
        batches = [batch_id + number for number in range(12)]
        for one in batches:
            await complete(topics, one)
        await receiver.wait_for(len(batches))
        assert receiver.types() == [(one, "batch.complete") for one in batches]
        attempts = [one.at for one in slow.received]
        # No more than four at once, each for ten seconds but for what a busy machine delays.
        assert all(fifth - first > 5 for first, fifth in zip(attempts, attempts[4:], strict=False))
        for one in batches:
            await tables.wait_for(one, 6)
        slow.answer = ok
        timeouts = "SELECT count(*) FROM alert WHERE hook = 'slow' AND lastAnswer = 'no answer within 10 s'"
        await eventually(lambda: tables.connection.fetchval(timeouts), lambda found: found > 0)
        undelivered = "SELECT count(*) FROM alert WHERE state <> 'delivered'"
        await eventually(lambda: tables.connection.fetchval(undelivered), lambda left: left == 0, within_s=60)
        assert set(slow.types()) == {(one, "batch.complete") for one in batches}


async def test_of_a_large_answer_only_the_beginning_is_read(
    make_projector: Make, topics: Topics, tables: Tables, receiver: Receiver, tmp_path: Path, batch_id: int
) -> None:
    sent = 0

    async def talkative(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        while sent < LARGE:
            await response.write(b"x" * 100_000)
            sent += 100_000
        return response

    receiver.answer = talkative
    make_projector(**write_hooks(tmp_path, json_hook(receiver))).run()
    await complete(topics, batch_id)
    await eventually(lambda: tables.connection.fetchval("SELECT lastAnswer FROM alert"), bool)
    assert await tables.connection.fetchval("SELECT lastAnswer FROM alert") == "500 " + 200 * "x"
    receiver.answer = ok
    await until_states(tables, "delivered")
    assert sent < LARGE / 2  # what the sockets hold


async def test_an_answer_that_never_ends_counts_by_its_status(
    receiver: Receiver, tmp_path: Path, environment: dict[str, str]
) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        return await hanging(request)

    receiver.answer = endless
    settings = {**environment, **write_hooks(tmp_path, json_hook(receiver))}
    tried = await asyncio.to_thread(headway_projector, settings, "alerts", "test", "json")
    assert (tried.returncode, tried.stdout) == (0, f"taken by 127.0.0.1:{receiver.port}: 200\n")


async def test_a_test_message_is_sent_by_hand_and_the_answer_printed(
    receiver: Receiver, tmp_path: Path, environment: dict[str, str]
) -> None:
    settings = {**environment, **write_hooks(tmp_path, json_hook(receiver))}
    tried = await asyncio.to_thread(headway_projector, settings, "alerts", "test", "json")
    assert (tried.returncode, tried.stdout) == (0, f"taken by 127.0.0.1:{receiver.port}: 200 ok\n")
    assert [message["type"] for message in receiver.verified()] == ["test"]
    receiver.answer = answering(400, "invalid_payload")
    tried = await asyncio.to_thread(headway_projector, settings, "alerts", "test", "json")
    assert (tried.returncode, tried.stdout) == (1, f"not taken by 127.0.0.1:{receiver.port}: 400 invalid_payload\n")
    tried = await asyncio.to_thread(headway_projector, settings, "alerts", "test", "jason")
    assert tried.returncode == 1
    assert "There is no hook 'jason'" in tried.stderr
    assert "expected 'json'" in tried.stderr


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("http://no-such-host.invalid", "no such host is known"),
        ("http://127.0.0.1:1", "no connection: Connection refused"),
        ("https://127.0.0.1:{port}", "no secure connection: its certificate, or its TLS, is refused"),
    ],
)
async def test_why_a_receiver_cannot_be_reached_is_said_without_its_address(
    receiver: Receiver, tmp_path: Path, environment: dict[str, str], host: str, said: str
) -> None:
    hook = {"name": "far", "format": "slack", "url": f"{host.format(port=receiver.port)}{PATH}"}
    settings = {**environment, **write_hooks(tmp_path, hook)}
    tried = await asyncio.to_thread(headway_projector, settings, "alerts", "test", "far")
    assert tried.returncode == 1
    assert tried.stdout.endswith(f": {said}\n")
    assert PATH not in tried.stdout + tried.stderr


async def test_a_projector_whose_hooks_are_not_understood_does_not_start(
    receiver: Receiver, tmp_path: Path, environment: dict[str, str]
) -> None:
    settings = {**environment, **write_hooks(tmp_path, json_hook(receiver, events=["batch.done"]))}
    ran = await asyncio.to_thread(headway_projector, settings, "run")
    assert ran.returncode == 1
    assert "hooks[0].events is ['batch.done']; expected some of batch.complete, " in ran.stderr
