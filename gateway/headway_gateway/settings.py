"""The gateway's settings: every `HEADWAY_*` that it reads, from the environment, once."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
from headway_events import KafkaSecurity, TopicNames

from headway_gateway.errors import InvalidSetting

SECRET_BYTES: Final = 32  # at least as long as HS256's hash; source: RFC 7518, section 3.2

Network = IPv4Network | IPv6Network
ProxyHeader = Literal["X-Forwarded-For", "Forwarded"]


class Secret(bytes):
    """Bytes that no log and no traceback shows."""

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one gateway process."""

    bootstrap: str = "127.0.0.1:9092"
    """HEADWAY_KAFKA_BOOTSTRAP: Kafka brokers to begin with, `host:port` separated by commas."""
    security: KafkaSecurity = KafkaSecurity()
    """HEADWAY_KAFKA_: how connections to Kafka are encrypted and proven; see `headway_events.KafkaSecurity`."""
    names: TopicNames = TopicNames()
    """HEADWAY_TOPIC_PREFIX, HEADWAY_REGISTRY_TOPIC: the names of the topics; of the registry it only asks whether it is
    there."""
    database_url: str = "postgresql://headway@127.0.0.1:5433/headway"
    """HEADWAY_DATABASE_URL: PostgreSQL; only views are read."""
    host: str = "127.0.0.1"
    """HEADWAY_GATEWAY_HOST: the address to listen on. Another than loopback needs authentication (a secret or a key
    set), or HEADWAY_GATEWAY_OPEN=1."""
    open: bool = False
    """HEADWAY_GATEWAY_OPEN: 1 serves everyone who can reach the address, without authentication."""
    token_secret: Secret | None = None
    """HEADWAY_GATEWAY_TOKEN_SECRET: the secret of HS256 tokens and of query tokens, the same in all gateways; 32 bytes
    or more."""
    jwks: str | None = None
    """HEADWAY_GATEWAY_JWKS: the public keys of tokens that others sign: a JWK Set's file, or its `https` address."""
    token_issuer: str | None = None
    """HEADWAY_GATEWAY_TOKEN_ISSUER: what a token's `iss` must be; not looked at by default."""
    token_audience: str | None = None
    """HEADWAY_GATEWAY_TOKEN_AUDIENCE: what a token's `aud` must name; by default a token must not have one."""
    cookie_secure: bool = False
    """HEADWAY_GATEWAY_COOKIE_SECURE: 1 makes the cookie of a login one for https alone, as it is anyway when a trusted
    proxy says that the request came by https."""
    origins: frozenset[str] = frozenset()
    """HEADWAY_GATEWAY_ORIGINS: origins, separated by commas, whose pages may read the API (CORS); none by default."""
    trusted_proxies: tuple[Network, ...] = ()
    """HEADWAY_GATEWAY_TRUSTED_PROXIES: networks, separated by commas, of proxies whose word is taken for a client's
    address and scheme; none by default."""
    proxy_header: ProxyHeader = "X-Forwarded-For"
    """HEADWAY_GATEWAY_PROXY_HEADER: where they give the address: `X-Forwarded-For` (with `X-Forwarded-Proto`) or
    `Forwarded`. The other header is not looked at: a proxy passes on what a client writes there."""
    most_streams: int = 10_000
    """HEADWAY_GATEWAY_MOST_STREAMS: streams at a time, in all."""
    most_streams_by_address: int = 2_000
    """HEADWAY_GATEWAY_MOST_STREAMS_BY_ADDRESS: streams at a time from one IPv4 address or one IPv6 /64 network."""
    idle_timeout_s: int = 75
    """HEADWAY_GATEWAY_IDLE_TIMEOUT_S: a connection without a whole request for so long is closed; longer than proxies
    keep theirs (nginx: 60 s)."""
    log_level: str = "INFO"
    """HEADWAY_GATEWAY_LOG_LEVEL: DEBUG, INFO, WARNING or ERROR."""
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
    worker_silent_after_s: int = 20
    """HEADWAY_WORKER_SILENT_AFTER_S: a worker with files in flight that was not heard for so many seconds is silent: it
    may have died with them. Four missed heartbeats; below HEADWAY_STALLED_AFTER_S."""
    compress: bool = False
    """HEADWAY_GATEWAY_COMPRESS: 1 sends streams as gzip to clients that take it, as browsers do. Off by default: each
    client's compression costs the gateway more than all the rest of serving it, and a proxy may do it elsewhere."""
    write_timeout_s: int = 30
    """HEADWAY_GATEWAY_WRITE_TIMEOUT_S: a client that has not taken what was sent for so long is cut off."""
    export_timeout_s: int = 3600
    """HEADWAY_GATEWAY_EXPORT_TIMEOUT_S: an export that takes longer is cut off; until then old weeks of the log wait
    to be dropped."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """The settings in the environment (the process's by default).

        Raises:
            InvalidSetting, InvalidSecurity: a value cannot be read, or would serve strangers without saying so.
        """
        found = os.environ if environment is None else environment
        default = cls()
        settings = cls(
            bootstrap=found.get("HEADWAY_KAFKA_BOOTSTRAP") or default.bootstrap,
            security=KafkaSecurity.from_environment(found),
            names=TopicNames(
                prefix=found.get("HEADWAY_TOPIC_PREFIX") or default.names.prefix,
                registry=found.get("HEADWAY_REGISTRY_TOPIC") or default.names.registry,
            ),
            database_url=found.get("HEADWAY_DATABASE_URL") or default.database_url,
            host=found.get("HEADWAY_GATEWAY_HOST") or default.host,
            open=_flag(found, "HEADWAY_GATEWAY_OPEN"),
            token_secret=_secret(found, "HEADWAY_GATEWAY_TOKEN_SECRET"),
            jwks=_jwks(found, "HEADWAY_GATEWAY_JWKS"),
            token_issuer=found.get("HEADWAY_GATEWAY_TOKEN_ISSUER") or None,
            token_audience=found.get("HEADWAY_GATEWAY_TOKEN_AUDIENCE") or None,
            cookie_secure=_flag(found, "HEADWAY_GATEWAY_COOKIE_SECURE"),
            origins=_origins(found, "HEADWAY_GATEWAY_ORIGINS"),
            trusted_proxies=_networks(found, "HEADWAY_GATEWAY_TRUSTED_PROXIES"),
            proxy_header=_proxy_header(found, "HEADWAY_GATEWAY_PROXY_HEADER", default.proxy_header),
            most_streams=_whole(found, "HEADWAY_GATEWAY_MOST_STREAMS", default.most_streams),
            most_streams_by_address=_whole(
                found, "HEADWAY_GATEWAY_MOST_STREAMS_BY_ADDRESS", default.most_streams_by_address
            ),
            idle_timeout_s=_whole(found, "HEADWAY_GATEWAY_IDLE_TIMEOUT_S", default.idle_timeout_s),
            log_level=_log_level(found, "HEADWAY_GATEWAY_LOG_LEVEL", default.log_level),
            port=_whole(found, "HEADWAY_GATEWAY_PORT", default.port),
            processes=_whole(found, "HEADWAY_GATEWAY_PROCESSES", default.processes),
            reuse_port=found.get("HEADWAY_GATEWAY_REUSE_PORT", "") == "1",
            hosts=default.hosts | {name for name in found.get("HEADWAY_GATEWAY_HOSTS", "").split(",") if name},
            cache_bytes=_whole(found, "HEADWAY_GATEWAY_CACHE_BYTES", default.cache_bytes),
            stalled_after_s=_whole(found, "HEADWAY_STALLED_AFTER_S", default.stalled_after_s),
            worker_silent_after_s=_whole(found, "HEADWAY_WORKER_SILENT_AFTER_S", default.worker_silent_after_s),
            compress=found.get("HEADWAY_GATEWAY_COMPRESS", "") == "1",
            write_timeout_s=_whole(found, "HEADWAY_GATEWAY_WRITE_TIMEOUT_S", default.write_timeout_s),
            export_timeout_s=_whole(found, "HEADWAY_GATEWAY_EXPORT_TIMEOUT_S", default.export_timeout_s),
        )
        settings._check_who_is_served()
        return settings

    @property
    def connection(self) -> dict[str, str]:
        """Kafka's address and what is shown to it, as properties of librdkafka."""
        return self.security.connection(self.bootstrap)

    @property
    def authenticated(self) -> bool:
        """Whether those who ask must show a token."""
        return self.token_secret is not None or self.jwks is not None

    def _check_who_is_served(self) -> None:
        if self.open and self.authenticated:
            raise InvalidSetting(
                "HEADWAY_GATEWAY_OPEN", "1", "not to be set beside a secret or a key set: they ask for authentication"
            )
        if not self.open and not self.authenticated and not _is_loopback(self.host):
            raise InvalidSetting(
                "HEADWAY_GATEWAY_HOST",
                self.host,
                "a loopback address as long as there is no authentication: set HEADWAY_GATEWAY_TOKEN_SECRET or "
                "HEADWAY_GATEWAY_JWKS. HEADWAY_GATEWAY_OPEN=1 serves everyone who can reach the address",
            )


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


def _flag(found: Mapping[str, str], name: str) -> bool:
    text = found.get(name) or "0"
    if text not in {"0", "1"}:
        raise InvalidSetting(name, text, "0 or 1")
    return text == "1"


def _listed(found: Mapping[str, str], name: str) -> list[str]:
    return [text.strip() for text in found.get(name, "").split(",") if text.strip()]


def _secret(found: Mapping[str, str], name: str) -> Secret | None:
    text = found.get(name)
    if not text:
        return None
    secret = Secret(text.encode())
    if len(secret) < SECRET_BYTES:
        raise InvalidSetting(
            name, f"({len(secret)} bytes)", f"{SECRET_BYTES} bytes or more, such as `openssl rand -hex 32`"
        )
    return secret


def _jwks(found: Mapping[str, str], name: str) -> str | None:
    source = found.get(name)
    if not source:
        return None
    address = urlsplit(source)
    if address.scheme == "http" and not _is_loopback(address.hostname or ""):
        raise InvalidSetting(
            name, source, "an https address: whoever can change the keys on their way can read everything"
        )
    return source


def _origins(found: Mapping[str, str], name: str) -> frozenset[str]:
    origins = _listed(found, name)
    for origin in origins:
        address = urlsplit(origin.lower())
        if address.scheme not in {"http", "https"} or f"{address.scheme}://{address.netloc}" != origin.lower():
            raise InvalidSetting(name, origin, "origins as a browser sends them, such as https://app.example.com")
    return frozenset(origin.lower() for origin in origins)


def _networks(found: Mapping[str, str], name: str) -> tuple[Network, ...]:
    networks = []
    for text in _listed(found, name):
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise InvalidSetting(name, text, f"addresses or networks, such as 10.0.0.0/8 ({error})") from None
    return tuple(networks)


def _proxy_header(found: Mapping[str, str], name: str, default: ProxyHeader) -> ProxyHeader:
    text = found.get(name) or default
    try:
        header: ProxyHeader = msgspec.convert(text, ProxyHeader)
    except msgspec.ValidationError:
        raise InvalidSetting(name, text, "X-Forwarded-For or Forwarded") from None
    return header


def _log_level(found: Mapping[str, str], name: str, default: str) -> str:
    text = found.get(name) or default
    if text not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise InvalidSetting(name, text, "DEBUG, INFO, WARNING or ERROR")
    return text
