"""How a logger reaches Kafka and what it may use of the machine: every `HEADWAY_*` setting that it reads."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from headway_events import KafkaSecurity, TopicNames

from headway.errors import InvalidArgument, InvalidSetting

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one EventLogger. Each can be given to it by name, or in the environment."""

    bootstrap: str = "127.0.0.1:9092"
    """HEADWAY_KAFKA_BOOTSTRAP: Kafka brokers to begin with, `host:port` separated by commas."""
    security: KafkaSecurity = KafkaSecurity()
    """HEADWAY_KAFKA_: how connections to Kafka are encrypted and proven; see `headway_events.KafkaSecurity`."""
    names: TopicNames = TopicNames()
    """HEADWAY_TOPIC_PREFIX, HEADWAY_REGISTRY_TOPIC: what this installation calls its topics."""
    replication_factor: int = 0
    """HEADWAY_REPLICATION_FACTOR: of new topics; 0 means three, or the number of brokers if that is less."""
    buffer_bytes: int = 64 * 1024 * 1024
    """HEADWAY_BUFFER_BYTES: memory for events not yet taken by the sender; past it they are lost, and counted."""
    spool_dir: Path = msgspec.field(default_factory=lambda: _state_directory() / "headway" / "spool")
    """HEADWAY_SPOOL_DIR: where events wait while Kafka is away; best a local disk that outlives the worker."""
    spool_bytes: int = 1024 * 1024 * 1024
    """HEADWAY_SPOOL_BYTES: the most that a process may keep there; past it events wait in memory. 0: no spool."""
    close_timeout_s: float = 10.0
    """HEADWAY_CLOSE_TIMEOUT_S: how long the end of the process waits for Kafka before it leaves events to the spool."""
    worker: str = ""
    """HEADWAY_WORKER: this process's name in what it reports; empty: `host:pid`. No two processes may share one."""
    heartbeat_s: float = 5.0
    """HEADWAY_HEARTBEAT_S: an open stage says at least so often that its worker is alive. 0: no heartbeats."""
    heartbeat_changed_s: float = 2.0
    """HEADWAY_HEARTBEAT_CHANGED_S: sooner, but not within so many seconds, where the files in flight have changed."""
    console: bool = True
    """HEADWAY_CONSOLE: a progress bar for each open stage, if stderr is a terminal and `headway[console]` installed."""
    disabled: bool = False
    """HEADWAY_DISABLED: every call returns at once and nothing is sent."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """The settings in the environment (the process's by default).

        Raises:
            InvalidSetting, InvalidSecurity: a value cannot be read; the message names the setting.
        """
        found = os.environ if environment is None else environment
        default = cls()
        names = TopicNames(
            prefix=found.get("HEADWAY_TOPIC_PREFIX") or default.names.prefix,
            registry=found.get("HEADWAY_REGISTRY_TOPIC") or default.names.registry,
        )
        return cls(
            bootstrap=found.get("HEADWAY_KAFKA_BOOTSTRAP") or default.bootstrap,
            security=KafkaSecurity.from_environment(found),
            names=names,
            replication_factor=_whole(found, "HEADWAY_REPLICATION_FACTOR", default.replication_factor),
            buffer_bytes=_whole(found, "HEADWAY_BUFFER_BYTES", default.buffer_bytes),
            spool_dir=Path(found.get("HEADWAY_SPOOL_DIR") or default.spool_dir),
            spool_bytes=_whole(found, "HEADWAY_SPOOL_BYTES", default.spool_bytes),
            close_timeout_s=_seconds(found, "HEADWAY_CLOSE_TIMEOUT_S", default.close_timeout_s),
            worker=found.get("HEADWAY_WORKER") or default.worker,
            heartbeat_s=_seconds(found, "HEADWAY_HEARTBEAT_S", default.heartbeat_s),
            heartbeat_changed_s=_seconds(found, "HEADWAY_HEARTBEAT_CHANGED_S", default.heartbeat_changed_s),
            console=_truth(found, "HEADWAY_CONSOLE", default.console),
            disabled=_truth(found, "HEADWAY_DISABLED", default.disabled),
        )

    @property
    def connection(self) -> dict[str, str]:
        """Kafka's address and what is shown to it, as properties of librdkafka."""
        return self.security.connection(self.bootstrap)

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with others in their place; `spool_dir` may be text.

        Raises:
            InvalidArgument: there is no such setting, or it cannot have this value.
        """
        if unknown := set(changes) - set(self.__struct_fields__):
            raise InvalidArgument(min(unknown), f"no such setting; there are {', '.join(self.__struct_fields__)}")
        return msgspec.structs.replace(
            self, **{name: _like(getattr(self, name), name, value) for name, value in changes.items()}
        )


def _like(default: object, name: str, value: Any) -> object:
    """`value`, if it is of the same kind as the setting's default."""
    if isinstance(default, Path) and isinstance(value, str | os.PathLike):
        return Path(value)
    kind = int | float if isinstance(default, float) else type(default)
    if not isinstance(value, kind) or isinstance(value, bool) is not isinstance(default, bool):
        raise InvalidArgument(name, f"expected a value like {default!r}, got {value!r}")
    if isinstance(value, int | float) and not 0 <= value < float("inf"):
        raise InvalidArgument(name, f"expected a number that is not negative, got {value!r}")
    return value


def _state_directory() -> Path:
    """Where programs keep what should outlive them, by the XDG rules; without a home the directory for scratch."""
    if (configured := Path(os.environ.get("XDG_STATE_HOME", ""))).is_absolute():
        return configured
    try:
        return Path.home() / ".local" / "state"
    except RuntimeError:  # a user without an entry or a home, as in many containers
        return Path(tempfile.gettempdir())


def _whole(found: Mapping[str, str], name: str, default: int) -> int:
    text = found.get(name) or str(default)
    if not text.isdecimal():
        raise InvalidSetting(name, text, "a whole number that is not negative")
    return int(text)


def _seconds(found: Mapping[str, str], name: str, default: float) -> float:
    text = found.get(name) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise InvalidSetting(name, text, "a number of seconds that is not negative")
    return seconds


def _truth(found: Mapping[str, str], name: str, default: bool) -> bool:
    text = (found.get(name) or str(default)).lower()
    if text not in _TRUE | _FALSE:
        raise InvalidSetting(name, text, "1 or 0")
    return text in _TRUE
