"""Where the local stack listens and keeps its files: every `HEADWAY_*` setting that it reads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import StackError

EVERY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - recognised, not bound
CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class StackSettings:
    """Settings of `make up`, `make down` and `make demo`."""

    kafka_port: int = 9092
    """HEADWAY_KAFKA_PORT: where Kafka listens for clients, on loopback."""
    kafka_controller_port: int = 9093
    """HEADWAY_KAFKA_CONTROLLER_PORT: where Kafka's KRaft controller listens, on loopback."""
    postgres_port: int = 5433
    """HEADWAY_POSTGRES_PORT: where PostgreSQL listens, on loopback; not 5432, a distribution's own server's port."""
    projector_health_port: int = 8081
    """HEADWAY_PROJECTOR_HEALTH_PORT: where the projector answers `/healthz` and `/metrics`."""
    gateway_host: str = "127.0.0.1"
    """HEADWAY_GATEWAY_HOST: the address that the gateway listens on."""
    gateway_port: int = 8080
    """HEADWAY_GATEWAY_PORT: where the gateway serves the dashboard, the API and the streams."""
    state_dir: Path = CHECKOUT / ".headway"
    """HEADWAY_STATE_DIR: data, logs and pid files of the stack."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StackSettings:
        """The settings in the environment.

        Raises:
            StackError: a setting's value is not a port; the message names it.
        """
        return cls(
            kafka_port=_port(environment, "HEADWAY_KAFKA_PORT", cls.kafka_port),
            kafka_controller_port=_port(environment, "HEADWAY_KAFKA_CONTROLLER_PORT", cls.kafka_controller_port),
            postgres_port=_port(environment, "HEADWAY_POSTGRES_PORT", cls.postgres_port),
            projector_health_port=_port(environment, "HEADWAY_PROJECTOR_HEALTH_PORT", cls.projector_health_port),
            gateway_host=environment.get("HEADWAY_GATEWAY_HOST") or cls.gateway_host,
            gateway_port=_port(environment, "HEADWAY_GATEWAY_PORT", cls.gateway_port),
            state_dir=Path(environment.get("HEADWAY_STATE_DIR") or cls.state_dir).absolute(),
        )

    @property
    def jars(self) -> Path:
        """Where Maven puts Kafka's jars."""
        return self.state_dir / "jars"

    @property
    def kafka_dir(self) -> Path:
        """Kafka's data, configuration, log and pid file."""
        return self.state_dir / "kafka"

    @property
    def logs(self) -> Path:
        """The logs and pid files of the other programs."""
        return self.state_dir / "logs"

    @property
    def bootstrap(self) -> str:
        """Kafka's address for clients."""
        return f"127.0.0.1:{self.kafka_port}"

    @property
    def database_url(self) -> str:
        """The database's address for clients."""
        return f"postgresql://headway@127.0.0.1:{self.postgres_port}/headway"

    @property
    def gateway_url(self) -> str:
        """The dashboard's address, for a browser on this machine."""
        host = "127.0.0.1" if self.gateway_host in EVERY_ADDRESS else self.gateway_host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.gateway_port}"

    @property
    def postgres_data(self) -> Path:
        """PostgreSQL's data directory.

        PostgreSQL refuses to run as root, and another user often cannot reach a checkout below root's home; so root's
        lies in /var/tmp, under a name that belongs to the state directory.
        """
        if os.geteuid() != 0:
            return self.state_dir / "postgres"
        name = hashlib.sha256(str(self.state_dir).encode()).hexdigest()[:12]
        return Path("/var/tmp") / f"headway-postgres-{name}"  # noqa: S108 - see above; created exclusively, mode 0700


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise StackError(f"{name} is {text!r}; expected a port from 1 to 65535.")
    return int(text)
