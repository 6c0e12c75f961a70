"""The gateway's settings: every `HEADWAY_*` that it reads, from the environment, once."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping

import msgspec
from headway_events import TopicNames

from headway_gateway.errors import InvalidSetting


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one gateway process."""

    bootstrap: str = "127.0.0.1:9092"
    """HEADWAY_KAFKA_BOOTSTRAP: Kafka brokers to begin with, `host:port` separated by commas."""
    names: TopicNames = TopicNames()
    """HEADWAY_TOPIC_PREFIX: what this installation calls its batch topics."""
    database_url: str = "postgresql://headway@127.0.0.1:5433/headway"
    """HEADWAY_DATABASE_URL: PostgreSQL; only views are read."""
    host: str = "127.0.0.1"
    """HEADWAY_GATEWAY_HOST: the address to listen on. Another than loopback needs HEADWAY_GATEWAY_OPEN=1."""
    open: bool = False
    """HEADWAY_GATEWAY_OPEN: 1 serves everyone who can reach the address; there is no authentication."""
    port: int = 8080
    """HEADWAY_GATEWAY_PORT: the port to listen on."""
    processes: int = 1
    """HEADWAY_GATEWAY_PROCESSES: how many processes serve the port, each with a cache of its own; one serves as fast as
    one core is."""
    reuse_port: bool = False
    """HEADWAY_GATEWAY_REUSE_PORT: 1 lets several gateways on one machine listen on the same port (SO_REUSEPORT); the
    system spreads new connections over them, and one can replace another without a moment in which none listens."""
    hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "[::1]"})
    """HEADWAY_GATEWAY_HOSTS: names, separated by commas, by which clients may address a gateway on loopback: pages of
    other names that resolve to loopback must not read it (DNS rebinding)."""
    cache_bytes: int = 256 * 1024 * 1024
    """HEADWAY_GATEWAY_CACHE_BYTES: memory for encoded events, shared by all streams."""
    stalled_after_s: int = 30
    """HEADWAY_STALLED_AFTER_S: a stage under way of which nothing was heard for so many seconds is stalled."""
    write_timeout_s: int = 30
    """HEADWAY_GATEWAY_WRITE_TIMEOUT_S: a client that has not taken what was sent for so long is cut off."""
    export_timeout_s: int = 3600
    """HEADWAY_GATEWAY_EXPORT_TIMEOUT_S: an export that takes longer is cut off; until then old weeks of the log wait
    to be dropped."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """The settings in the environment (the process's by default).

        Raises:
            InvalidSetting: a value cannot be read, or would serve strangers without saying so.
        """
        found = os.environ if environment is None else environment
        default = cls()
        settings = cls(
            bootstrap=found.get("HEADWAY_KAFKA_BOOTSTRAP") or default.bootstrap,
            names=TopicNames(prefix=found.get("HEADWAY_TOPIC_PREFIX") or default.names.prefix),
            database_url=found.get("HEADWAY_DATABASE_URL") or default.database_url,
            host=found.get("HEADWAY_GATEWAY_HOST") or default.host,
            open=found.get("HEADWAY_GATEWAY_OPEN", "") == "1",
            port=_whole(found, "HEADWAY_GATEWAY_PORT", default.port),
            processes=_whole(found, "HEADWAY_GATEWAY_PROCESSES", default.processes),
            reuse_port=found.get("HEADWAY_GATEWAY_REUSE_PORT", "") == "1",
            hosts=default.hosts | {name for name in found.get("HEADWAY_GATEWAY_HOSTS", "").split(",") if name},
            cache_bytes=_whole(found, "HEADWAY_GATEWAY_CACHE_BYTES", default.cache_bytes),
            stalled_after_s=_whole(found, "HEADWAY_STALLED_AFTER_S", default.stalled_after_s),
            write_timeout_s=_whole(found, "HEADWAY_GATEWAY_WRITE_TIMEOUT_S", default.write_timeout_s),
            export_timeout_s=_whole(found, "HEADWAY_GATEWAY_EXPORT_TIMEOUT_S", default.export_timeout_s),
        )
        if not settings.open and not _is_loopback(settings.host):
            raise InvalidSetting(
                "HEADWAY_GATEWAY_HOST",
                settings.host,
                "a loopback address: the gateway has no authentication. HEADWAY_GATEWAY_OPEN=1 serves everyone who "
                "can reach the address",
            )
        return settings


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _whole(found: Mapping[str, str], name: str, default: int) -> int:
    text = found.get(name) or str(default)
    if not text.isdecimal():
        raise InvalidSetting(name, text, "a whole number that is not negative")
    return int(text)
