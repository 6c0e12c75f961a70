"""The JSON API says what the tables say, page by page, and answers what it cannot with a problem."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from headway import EventLogger
from headway_events import TopicNames

from infra.local.kafka import START_TIMEOUT_S, KafkaBroker
from support.batches import batch_events
from support.eventually import eventually
from support.programs import Program
from support.projected import projected
from support.tables import Tables
from support.topics import Topics


async def get(client: aiohttp.ClientSession, path: str, status: int = 200) -> dict[str, Any]:
    async with client.get(path) as response:
        text = await response.text()
        assert response.status == status, text
        document: dict[str, Any] = json.loads(text)
        return document


async def test_a_batch_shows_its_stages_as_the_tables_have_them(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    await projected(topics, tables, batch_id, batch_events(batch_id, 500, failed=5), name="Nightly")
    found = await get(client, f"/api/batches/{batch_id}")
    assert (found["batchId"], found["self"], found["name"]) == (batch_id, f"/api/batches/{batch_id}", "Nightly")
    assert (found["status"], found["closed"], found["nextOffset"]) == ("complete_with_errors", True, 503)
    (stage,) = found["stages"]
    del stage["startedAt"], stage["updatedAt"], stage["endedAt"]
    assert stage == {
        "stage": "denoise", "run": 1, "status": "complete_with_errors", "total": 500, "processed": 495, "errors": 5,
        "attempts": 500, "late": 0, "percent": 99, "workers": [], "filesLeftOut": 0,
    }  # fmt: skip


async def test_batches_are_listed_newest_first_and_page_by_page(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    batches = [batch_id + number for number in range(5)]
    for one in batches:
        topics.create(one)
        topics.announce(one, name=f"night 100% {one - batch_id}")
        topics.write_events(batch_events(one, 1))
        await tables.wait_for(one, 4)
    seen: list[int] = []
    path: str | None = "/api/batches?limit=2"
    while path is not None:
        page = await get(client, path)
        seen += [batch["batchId"] for batch in page["batches"]]
        path = page["next"]
    assert seen == batches[::-1]
    found = await get(client, "/api/batches?q=100%25+3")
    assert [batch["batchId"] for batch in found["batches"]] == [batch_id + 3]


async def test_the_event_log_pages_in_both_directions_with_the_streams_data(
    client: aiohttp.ClientSession, projector: Program, topics: Topics, tables: Tables, batch_id: int
) -> None:
    await projected(topics, tables, batch_id, batch_events(batch_id, 20, failed=3))
    for order, expected in (("asc", list(range(23))), ("desc", list(range(22, -1, -1)))):
        seen: list[int] = []
        path: str | None = f"/api/batches/{batch_id}/events?limit=7&order={order}"
        while path is not None:
            page = await get(client, path)
            seen += [event["offset"] for event in page["events"]]
            path = page["next"]
        assert seen == expected
    failed = await get(client, f"/api/batches/{batch_id}/events?eventType=file_error&stage=denoise")
    assert [event["data"]["status"] for event in failed["events"]] == ["error"] * 3


PROBLEMS = [
    ("/api/batches/5", 404, "There is no batch 5"),
    ("/api/batches/5/events", 404, "There is no batch 5"),
    ("/api/stream?batchId=5", 404, "There is no batch 5"),
    ("/api/batches/x", 400, "batchId is 'x'"),
    ("/api/batches?limit=0", 400, "limit is '0'"),
    ("/api/batches?after=zzz", 400, "after is 'zzz'"),
    ("/api/batches/5/events?after=x", 400, "after is 'x'"),
    ("/api/batches/5/events?order=up", 400, "order is 'up'"),
    ("/api/batches/5/events?stage=%00", 400, "stage is"),
    ("/api/nothing", 404, "Not Found"),
]


async def test_what_cannot_be_answered_is_a_problem_that_says_why(
    client: aiohttp.ClientSession, projector: Program
) -> None:
    for path, status, detail in PROBLEMS:
        document = await get(client, path, status)
        assert document["status"] == status, path
        assert str(document["detail"]).startswith(detail), path


async def test_a_page_of_another_host_is_refused(client: aiohttp.ClientSession) -> None:
    async with client.get("/api/batches", headers={"Host": "evil.example"}) as response:
        assert response.status == 403


async def test_the_page_is_served_under_a_strict_policy_and_no_path_leads_out_of_its_folder(
    client: aiohttp.ClientSession, gateway: Program
) -> None:
    async with client.get("/") as response:
        assert response.status == 200
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
        assert "unsafe-inline" not in response.headers["Content-Security-Policy"]
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"):
        async with client.get(f"{gateway.url}{path}", allow_redirects=False) as response:
            assert response.status in {400, 403, 404}, path


async def test_without_servers_the_gateway_starts_says_so_and_serves_as_they_come(
    own_kafka: KafkaBroker, make_gateway: Callable[..., Program], names: TopicNames, batch_id: int, tmp_path: Path
) -> None:
    own_kafka.stop()
    gateway = make_gateway(HEADWAY_DATABASE_URL="postgresql://headway@127.0.0.1:1/headway")
    gateway.start()
    wrong = await eventually(gateway.healthy, lambda wrong: "503" in (wrong or ""), within_s=20)
    assert "kafka" in str(wrong)
    assert "postgresql" in str(wrong)
    async with aiohttp.ClientSession(gateway.url) as client:
        problem = await get(client, f"/api/stream?batchId={batch_id}", 503)
        assert "Kafka" in str(problem["detail"])
        own_kafka.start()
        own_kafka.wait(START_TIMEOUT_S)
        with EventLogger(bootstrap=own_kafka.bootstrap, names=names, spool_dir=tmp_path) as event_logger:
            event_logger.stage_start(batch_id, "denoise", total_files=1)
            event_logger.batch_complete(batch_id)

        async def streamed() -> str:
            async with client.get(f"/api/stream?batchId={batch_id}") as response:
                return await response.text()

        await eventually(streamed, lambda text: "event: batch_complete" in text)


async def test_a_taken_port_ends_the_start_with_the_settings_name(
    gateway: Program, make_gateway: Callable[..., Program]
) -> None:
    second = make_gateway()
    second.environment = {**second.environment, "HEADWAY_GATEWAY_PORT": str(gateway.port)}
    second.start()
    await eventually(second.log_text, lambda text: "HEADWAY_GATEWAY_PORT" in text)
    await eventually(second.process, lambda process: process is None)


async def test_an_address_that_strangers_reach_is_refused_unless_it_is_opened(
    make_gateway: Callable[..., Program],
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_HOST="0.0.0.0")
    gateway.start()
    await eventually(gateway.log_text, lambda text: "HEADWAY_GATEWAY_OPEN=1" in text)
    await eventually(gateway.process, lambda process: process is None)
