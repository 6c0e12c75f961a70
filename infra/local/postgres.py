"""A real PostgreSQL on loopback, in a data directory of its own."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg

from infra.local import tools
from infra.local.errors import StackError
from infra.local.service import Service

CONNECT_TIMEOUT_S = 2.0
UNPRIVILEGED = ("postgres", "nobody")  # whom root becomes; PostgreSQL refuses to run as root


class PostgresServer(Service):
    """One server with one role and one database, both named headway, open to this machine's users."""

    def __init__(
        self, directory: Path, *, data: Path, port: int, options: Mapping[str, str] | None = None, tied: bool = False
    ) -> None:
        """Describe the server; `start` makes its data directory the first time.

        Args:
            directory: for its log and pid file.
            data: for the database cluster; must be reachable for an unprivileged user when root starts it.
            port: on loopback.
            options: `postgresql.conf` settings to add or change.
            tied: see Service.
        """
        self._data = data
        self.database_url = f"postgresql://headway@127.0.0.1:{port}/headway"
        settings = {
            "port": str(port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",  # its default directory may not be writable for this user
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",  # a checkpoint every few seconds would be what `make bench` measures
            **(options or {}),
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        super().__init__(
            name="postgres",
            command=lambda: [str(tools.postgres_bin() / "postgres"), "-D", str(data), *flags],
            directory=directory,
            healthy=self._health,
            ports={"HEADWAY_POSTGRES_PORT": port},
            stop_signal=signal.SIGINT,  # "fast": ends sessions instead of waiting for them
            user=_unprivileged_user(),
            tied=tied,
        )

    def start(self) -> None:
        """Make the database cluster if there is none, and start."""
        if not (self._data / "PG_VERSION").exists():
            self._make_cluster()
        super().start()

    def _make_cluster(self) -> None:
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.user is not None:
            shutil.chown(self._data, self.user)
        command = [
            str(tools.postgres_bin() / "initdb"), "--pgdata", str(self._data), "--username=headway", "--auth=trust",
            "--encoding=UTF8", "--locale=C.UTF-8",
        ]  # fmt: skip
        done = subprocess.run([*self._wrapper(), *command], capture_output=True, text=True, check=False, cwd="/")
        if done.returncode != 0:
            raise StackError(f"initdb could not make {self._data}:\n{done.stderr[-2000:]}")

    def _health(self) -> str | None:
        with ThreadPoolExecutor(1) as thread:  # the caller's thread may have a running loop, as tests do
            return thread.submit(asyncio.run, self._answers()).result()

    async def _answers(self) -> str | None:
        """Whether the database answers; makes it the first time."""
        maintenance = self.database_url.rpartition("/")[0] + "/postgres"
        try:
            connection = await asyncpg.connect(maintenance, timeout=CONNECT_TIMEOUT_S)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            return str(error) or type(error).__name__
        try:
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = 'headway'"):
                await connection.execute("CREATE DATABASE headway")
        finally:
            await connection.close()
        return None


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in UNPRIVILEGED:
        if name in known:
            return name
    raise StackError(f"PostgreSQL does not run as root, and there is no user {' or '.join(UNPRIVILEGED)} to become.")
