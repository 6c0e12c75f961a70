"""What a projector does when it starts and what it needs is not there."""

from __future__ import annotations

from collections.abc import Callable

from infra.local.kafka import KafkaBroker
from infra.local.postgres import PostgresServer
from support.eventually import eventually
from support.programs import Program
from support.tables import Tables


async def test_servers_that_are_away_at_the_start_are_waited_for_and_named(
    own_kafka: KafkaBroker, own_postgres: PostgresServer, program: Callable[..., Program], names: object, batch_id: int
) -> None:
    own_kafka.stop()
    own_postgres.stop()
    projector = program("headway-projector", "run", port_setting="HEADWAY_PROJECTOR_HEALTH_PORT")
    projector.start()
    await eventually(projector.healthy, lambda wrong: "PostgreSQL" in (wrong or ""))
    own_postgres.start()
    await eventually(projector.healthy, lambda wrong: "Kafka" in (wrong or ""))
    own_kafka.start()
    await eventually(projector.healthy, lambda wrong: wrong is None, within_s=60)
    assert "does not answer yet; trying again" in projector.log_text()


async def test_a_kafka_that_goes_away_in_the_middle_of_the_start_is_waited_for(
    own_kafka: KafkaBroker, own_postgres: PostgresServer, make_projector: Callable[..., Program], tables: Tables
) -> None:
    await tables.connection.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 1")
    await tables.connection.execute("GRANT CREATE ON SCHEMA public TO few")
    projector = make_projector(HEADWAY_DATABASE_URL=own_postgres.database_url.replace("headway@", "few@"))
    projector.start()
    await eventually(projector.healthy, lambda wrong: "too many connections" in (wrong or ""))  # after Kafka was there
    own_kafka.kill()
    await tables.connection.execute("ALTER ROLE few CONNECTION LIMIT -1")
    await eventually(projector.healthy, lambda wrong: "Faust could not start" in (wrong or ""))
    own_kafka.start()
    await eventually(projector.healthy, lambda wrong: wrong is None, within_s=60)


async def test_a_taken_health_port_ends_the_start_with_its_name(
    make_projector: Callable[..., Program], projector: Program
) -> None:
    second = make_projector()
    second.environment = {**second.environment, "HEADWAY_PROJECTOR_HEALTH_PORT": str(projector.port)}
    second.start()
    await eventually(second.log_text, lambda text: "HEADWAY_PROJECTOR_HEALTH_PORT" in text)
    await eventually(second.process, lambda process: process is None)
