"""The whole product on this machine: Kafka, PostgreSQL, projector, gateway; up, down and how it stands."""

from __future__ import annotations

import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.local import tools
from infra.local.errors import StackError
from infra.local.kafka import KafkaBroker
from infra.local.postgres import PostgresServer
from infra.local.service import Service
from infra.local.settings import StackSettings

SERVICES = ("kafka", "postgres", "projector", "gateway")  # in the order in which they need one another
HEALTHY_WITHIN_S = 60.0
HEALTH_TIMEOUT_S = 2.0


class LocalStack:
    """The four programs under the settings given."""

    def __init__(self, settings: StackSettings, only: Sequence[str] = SERVICES) -> None:
        """Describe the stack, or of its services those named in `only`.

        Raises:
            StackError: `only` names a service that does not exist.
        """
        if unknown := set(only) - set(SERVICES):
            raise StackError(f"No such service: {', '.join(sorted(unknown))}. There are {', '.join(SERVICES)}.")
        self._settings = settings
        self._only = [name for name in SERVICES if name in only]

    def up(self, say: Callable[[str], None] = print) -> None:
        """Start what does not run, one after the other, and wait until each is healthy.

        Raises:
            StackError: what could not be started, and the remedy. What runs already is left running.
        """
        for name in self._only:
            service = self._service(name)
            running = service.process() is not None
            if name == "kafka":
                tools.kafka_jars(self._settings.jars)
            service.start()
            service.wait(HEALTHY_WITHIN_S)
            say(f"{name}: {'runs already' if running else 'started'}")

    def down(self, say: Callable[[str], None] = print) -> None:
        """Stop what runs, in the opposite order, and wait for its end."""
        for name in reversed(self._only):
            service = self._service(name)
            running = service.process() is not None
            service.stop()
            say(f"{name}: {'stopped' if running else 'did not run'}")

    def clean(self) -> None:
        """Remove the data, the demo's files, the logs, Kafka's jars and what the benchmarks built.

        Whatever else lies in the state directory is not the stack's, and stays.

        Raises:
            StackError: something still runs.
        """
        if running := [name for name, state in self.status().items() if state != "not running"]:
            raise StackError(f"{', '.join(running)} still runs. Run `make down` first.")
        settings = self._settings
        others = [settings.state_dir / name for name in ("demo", "peers")]
        for directory in (settings.kafka_dir, settings.postgres_data, settings.logs, settings.jars, *others):
            shutil.rmtree(directory, ignore_errors=True)

    def status(self) -> dict[str, str]:
        """Of each service: "healthy", "not running", or what is wrong."""
        services = {name: self._service(name) for name in self._only}
        return {
            name: "not running" if service.process() is None else (service.healthy() or "healthy")
            for name, service in services.items()
        }

    def _service(self, name: str) -> Service:
        make = {
            "kafka": self._kafka,
            "postgres": self._postgres,
            "projector": self._projector,
            "gateway": self._gateway,
        }
        return make[name]()

    def _kafka(self) -> Service:
        settings = self._settings
        return KafkaBroker(
            settings.kafka_dir,
            jars=settings.jars,
            port=settings.kafka_port,
            controller_port=settings.kafka_controller_port,
        )

    def _postgres(self) -> Service:
        settings = self._settings
        return PostgresServer(settings.logs, data=settings.postgres_data, port=settings.postgres_port)

    def _projector(self) -> Service:
        settings = self._settings
        return Service(
            name="projector",
            command=lambda: [program("headway-projector"), "run"],
            directory=settings.logs,
            healthy=lambda: answers(f"http://127.0.0.1:{settings.projector_health_port}/healthz"),
            environment=self._environment(),
            ports={"HEADWAY_PROJECTOR_HEALTH_PORT": settings.projector_health_port},
        )

    def _gateway(self) -> Service:
        settings = self._settings
        return Service(
            name="gateway",
            command=lambda: [program("headway-gateway"), "run"],
            directory=settings.logs,
            healthy=lambda: answers(f"{settings.gateway_url}/healthz"),
            environment=self._environment(),
            ports={"HEADWAY_GATEWAY_PORT": settings.gateway_port},
        )

    def _environment(self) -> dict[str, str]:
        settings = self._settings
        return {
            "HEADWAY_KAFKA_BOOTSTRAP": settings.bootstrap,
            "HEADWAY_DATABASE_URL": settings.database_url,
            "HEADWAY_PROJECTOR_HEALTH_PORT": str(settings.projector_health_port),
            "HEADWAY_GATEWAY_HOST": settings.gateway_host,
            "HEADWAY_GATEWAY_PORT": str(settings.gateway_port),
        }


def program(name: str) -> str:
    """The path of a console script that is installed beside this Python.

    Raises:
        StackError: it is not installed.
    """
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise StackError(f"{name} is not installed beside {sys.executable}. Run `make setup`.")
    return str(path)


def answers(url: str) -> str | None:
    """None when the address answers with success, else what it answered."""
    try:
        with urllib.request.urlopen(url, timeout=HEALTH_TIMEOUT_S):  # noqa: S310 - an address of this module
            return None
    except urllib.error.HTTPError as error:
        return f"{error.code}: {error.read(500).decode(errors='replace')}"
    except OSError as error:
        return str(error)
