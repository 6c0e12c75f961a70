"""A receiver of alerts: a real HTTP server that answers as a test says; Standard Webhooks' own library verifies."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
from aiohttp import web
from standardwebhooks import Webhook

from infra.local.service import free_port
from support.eventually import eventually

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "generated" / "alerts.schema.json").read_text("utf-8"))
PATH = "/services/T024BE7LD/a-path-that-nobody-may-see"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Received(NamedTuple):
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float  # seconds of the loop's clock

    @property
    def id(self) -> str:
        """What tells duplicates."""
        return self.headers["webhook-id"]

    def json(self) -> Any:
        """What the body says."""
        return json.loads(self.body)


class Receiver:
    """Listens while `serve`d; `answer` may be changed at any time."""

    def __init__(self) -> None:
        """Choose a port and a secret."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{PATH}"
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self.received: list[Received] = []
        self.answer: Answer = ok

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[Receiver]:
        """Listen, until the body ends."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True).start()
            yield self
        finally:
            await runner.cleanup()

    def verified(self) -> list[Any]:
        """What was received, each checked: signed for this receiver, moments ago, and as the JSON Schema says."""
        webhook = Webhook(self.secret)
        found = [webhook.verify(one.body, dict(one.headers)) for one in self.received]
        for message in found:
            jsonschema.validate(message, SCHEMA, format_checker=jsonschema.FormatChecker())
        return found

    def types(self) -> list[tuple[int, str]]:
        """Batch and type of what was received, sorted."""
        return sorted((message["data"]["batchId"], message["type"]) for message in self.verified())

    async def wait_for(self, number: int, within_s: float = 60) -> list[Received]:
        """Wait until so many requests have come."""
        return await eventually(lambda: self.received, lambda found: len(found) >= number, within_s=within_s)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.received.append(Received(request.path, dict(request.headers), body, asyncio.get_running_loop().time()))
        return await self.answer(request)


async def ok(_: web.Request) -> web.Response:
    """As Slack answers."""
    return web.Response(text="ok")


def answering(status: int, text: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    """This answer."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    return answer


async def hanging(_: web.Request) -> web.Response:
    """No answer."""
    await asyncio.Event().wait()
    raise AssertionError("never")


def json_hook(receiver: Receiver, name: str = "json", **keys: object) -> dict[str, object]:
    """A hook of the generic format that signs, for `write_hooks`."""
    return {"name": name, "format": "json", "url": receiver.url, "secret_file": receiver.secret, **keys}


def write_hooks(directory: Path, *hooks: Mapping[str, object], **keys: object) -> dict[str, str]:
    """Write the file of the hooks, and a file for each secret that they hold; the setting that names it."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"dashboard": "http://dash.example", **keys}.items()]
    for hook in hooks:
        lines.append("[[hooks]]")
        for key, value in hook.items():
            shown = value
            if key == "secret_file":
                (directory / f"{hook['name']}.secret").write_text(f"{value}\n")
                shown = f"{hook['name']}.secret"
            lines.append(f"{key} = {_toml(shown)}")
    path = directory / "alerts.toml"
    path.write_text("\n".join(lines))
    return {"HEADWAY_PROJECTOR_ALERTS_FILE": str(path)}


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)
