"""The gateway behind a real nginx, configured as docs/operate/reverse-proxies.md says."""

from __future__ import annotations

import asyncio
import re
import subprocess
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from infra.local import tools
from infra.local.service import Service, free_port
from support.batches import batch_events
from support.programs import Program
from support.topics import Topics

PAGE = Path(__file__).parents[3] / "docs" / "operate" / "reverse-proxies.md"
HTTP2_DIRECTIVE = (1, 25, 1)  # nginx's first version with `http2 on`
ANSWERS_WITHIN_S = 10


@pytest.fixture
def proxied(make_gateway: Callable[..., Program], tmp_path: Path) -> Iterator[str]:
    """The address of an nginx before a gateway that trusts it."""
    gateway = make_gateway(HEADWAY_GATEWAY_TRUSTED_PROXIES="127.0.0.1", HEADWAY_GATEWAY_MOST_STREAMS_BY_ADDRESS="1")
    gateway.run()
    port = free_port()
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(_configuration(gateway.port, port, tmp_path))
    nginx = Service(
        name="nginx",
        command=lambda: [str(tools.nginx()), "-c", str(configuration), "-e", "stderr"],
        directory=tmp_path,
        healthy=lambda: None if _curl("-o", "/dev/null", f"https://127.0.0.1:{port}/healthz").returncode == 0 else "no",
        tied=True,
    )
    nginx.start()
    try:
        nginx.wait(ANSWERS_WITHIN_S)
        yield f"https://127.0.0.1:{port}"
    finally:
        nginx.stop()


def _configuration(gateway_port: int, port: int, directory: Path) -> str:
    """The page's nginx block with this test's ports and a certificate of its own."""
    block = re.search(r"## nginx\n\n((?:    .*\n|\n)+)", PAGE.read_text())
    assert block is not None
    servers = textwrap.dedent(block[1]).replace("127.0.0.1:8080", f"127.0.0.1:{gateway_port}")
    printed = subprocess.run([str(tools.nginx()), "-v"], capture_output=True, text=True, check=True).stderr
    version = tuple(int(part) for part in re.findall(r"nginx/(\d+)\.(\d+)\.(\d+)", printed)[0])
    if version < HTTP2_DIRECTIVE:
        servers = servers.replace("http2 on;", "").replace("listen 443 ssl;", "listen 443 ssl http2;")
    certificate = directory / "proxy.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=headway.example.com", "-days", "1",
         "-keyout", certificate, "-out", directory / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    servers = servers.replace("listen 443", f"listen 127.0.0.1:{port}").replace(
        "# ssl_certificate, ssl_certificate_key",
        f"ssl_certificate {directory}/certificate.pem; ssl_certificate_key {certificate};",
    )
    places = "".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"daemon off; pid {directory}/master.pid; events {{}} http {{ access_log off; {places} {servers} }}"


def _curl(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["curl", "-s", "-k", "-m", str(ANSWERS_WITHIN_S), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@asynccontextmanager
async def _lines(url: str, *options: str) -> AsyncIterator[Callable[[str], asyncio.Future[None]]]:
    """A stream as curl reads it; what it gives waits for a line."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-s", "-k", "-N", "--http2", *options, url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    output = process.stdout

    async def until(line: str) -> None:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            while (await output.readline()).decode().strip() != line:
                assert not output.at_eof()

    try:
        yield lambda line: asyncio.ensure_future(until(line))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_live_events_come_through_nginx_one_by_one_over_http2(
    proxied: str, topics: Topics, batch_id: int
) -> None:
    events = list(batch_events(batch_id, 3))
    topics.create(batch_id)
    topics.write_events(events[:1])
    async with _lines(f"{proxied}/api/stream?batchId={batch_id}") as until:
        await until("id: 0")
        for number, event in enumerate(events[1:], start=1):
            topics.write_events([event])
            await until(f"id: {number}")


async def test_behind_nginx_each_client_has_streams_of_its_own_whatever_it_claims(
    proxied: str, topics: Topics, batch_id: int
) -> None:
    topics.create(batch_id)
    topics.write_events(list(batch_events(batch_id, 3))[:1])
    url = f"{proxied}/api/stream?batchId={batch_id}"
    async with _lines(url, "--interface", "127.0.0.2") as until:
        await until("id: 0")
        pretending = ["--interface", "127.0.0.2", "-H", "X-Forwarded-For: 10.1.2.3"]
        refused = await asyncio.to_thread(_curl, *pretending, "-o", "/dev/null", "-w", "%{http_code}", url)
        assert refused.stdout == "503"
        async with _lines(url, "--interface", "127.0.0.3") as of_another:
            await of_another("id: 0")
