"""The projector's settings: every `HEADWAY_*` that it reads, from the environment, once."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec
from headway_events import KafkaSecurity, TopicNames

from headway_projector.errors import InvalidSetting


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one projector process."""

    bootstrap: str = "127.0.0.1:9092"
    """HEADWAY_KAFKA_BOOTSTRAP: Kafka brokers to begin with, `host:port` separated by commas."""
    security: KafkaSecurity = KafkaSecurity()
    """HEADWAY_KAFKA_: how connections to Kafka are encrypted and proven; see `headway_events.KafkaSecurity`."""
    names: TopicNames = TopicNames()
    """HEADWAY_TOPIC_PREFIX, HEADWAY_REGISTRY_TOPIC, HEADWAY_DEAD_LETTER_TOPIC: the names of the topics."""
    replication_factor: int = 0
    """HEADWAY_REPLICATION_FACTOR: of new topics; 0 means three, or the number of brokers if that is less."""
    database_url: str = "postgresql://headway@127.0.0.1:5433/headway"
    """HEADWAY_DATABASE_URL: PostgreSQL, with the right to make tables in its default schema."""
    app_id: str = "headway-projector"
    """HEADWAY_PROJECTOR_APP_ID: the Faust app; projectors that share batches share this name."""
    health_host: str = "127.0.0.1"
    """HEADWAY_PROJECTOR_HEALTH_HOST: the address on which `/healthz` and `/metrics` are answered."""
    health_port: int = 8081
    """HEADWAY_PROJECTOR_HEALTH_PORT: the port of `/healthz` and `/metrics`."""
    poll_records: int = 10_000
    """HEADWAY_PROJECTOR_POLL_RECORDS: the most records in one poll, which is one transaction."""
    remembered_files: int = 600_000
    """HEADWAY_PROJECTOR_REMEMBERED_FILES: file outcomes kept in memory (about 150 bytes each); others are looked up."""
    rest_after_s: int = 30
    """HEADWAY_PROJECTOR_REST_AFTER_S: seconds without a record after which a batch is looked at once a second."""
    stuck_after_s: int = 60
    """HEADWAY_PROJECTOR_STUCK_AFTER_S: seconds without progress of a batch that has lag until `/healthz` says so."""
    stalled_after_s: int = 30
    """HEADWAY_STALLED_AFTER_S: seconds after which a batch under way of which nothing is heard is stalled."""
    alerts_file: str = ""
    """HEADWAY_PROJECTOR_ALERTS_FILE: the TOML file that says whom to tell what of batches; empty, the default, means
    nobody. See docs/operate/alerts.md."""
    topic_kept_s: int = 14 * 24 * 60 * 60
    """HEADWAY_PROJECTOR_TOPIC_KEPT_S: seconds from a batch's last event until its topic is deleted, if the batch is
    closed and the raw log has every event; 0 means never. By default as long as topics keep their records (14 days):
    who reads a topic loses nothing that it would not lose anyway."""
    log_kept_weeks: int = 0
    """HEADWAY_PROJECTOR_LOG_KEPT_WEEKS: weeks that the raw log and the file outcomes of finished batches are kept;
    counts are kept for ever. 0, the default, means for ever: nothing else has them once the topic is deleted."""

    log_archived_first: int = 0
    """HEADWAY_PROJECTOR_LOG_ARCHIVED_FIRST: 1 to keep a week of the log until `headway-projector archive` has written
    all of its batches, however old it is."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """The settings in the environment (the process's by default).

        Raises:
            InvalidSetting, InvalidSecurity: a value cannot be read; the message names the setting.
        """
        found = os.environ if environment is None else environment
        default = cls()
        return cls(
            bootstrap=found.get("HEADWAY_KAFKA_BOOTSTRAP") or default.bootstrap,
            security=KafkaSecurity.from_environment(found),
            names=TopicNames(
                prefix=found.get("HEADWAY_TOPIC_PREFIX") or default.names.prefix,
                registry=found.get("HEADWAY_REGISTRY_TOPIC") or default.names.registry,
                dead_letters=found.get("HEADWAY_DEAD_LETTER_TOPIC") or default.names.dead_letters,
            ),
            replication_factor=_whole(found, "HEADWAY_REPLICATION_FACTOR", default.replication_factor),
            database_url=found.get("HEADWAY_DATABASE_URL") or default.database_url,
            app_id=found.get("HEADWAY_PROJECTOR_APP_ID") or default.app_id,
            health_host=found.get("HEADWAY_PROJECTOR_HEALTH_HOST") or default.health_host,
            health_port=_whole(found, "HEADWAY_PROJECTOR_HEALTH_PORT", default.health_port),
            poll_records=_whole(found, "HEADWAY_PROJECTOR_POLL_RECORDS", default.poll_records),
            remembered_files=_whole(found, "HEADWAY_PROJECTOR_REMEMBERED_FILES", default.remembered_files),
            rest_after_s=_whole(found, "HEADWAY_PROJECTOR_REST_AFTER_S", default.rest_after_s),
            stuck_after_s=_whole(found, "HEADWAY_PROJECTOR_STUCK_AFTER_S", default.stuck_after_s),
            stalled_after_s=_whole(found, "HEADWAY_STALLED_AFTER_S", default.stalled_after_s),
            alerts_file=found.get("HEADWAY_PROJECTOR_ALERTS_FILE") or default.alerts_file,
            topic_kept_s=_whole(found, "HEADWAY_PROJECTOR_TOPIC_KEPT_S", default.topic_kept_s),
            log_kept_weeks=_whole(found, "HEADWAY_PROJECTOR_LOG_KEPT_WEEKS", default.log_kept_weeks),
            log_archived_first=_whole(found, "HEADWAY_PROJECTOR_LOG_ARCHIVED_FIRST", default.log_archived_first),
        )

    @property
    def connection(self) -> dict[str, str]:
        """Kafka's address and what is shown to it, as properties of librdkafka."""
        return self.security.connection(self.bootstrap)


def _whole(found: Mapping[str, str], name: str, default: int) -> int:
    text = found.get(name) or str(default)
    if not text.isdecimal():
        raise InvalidSetting(name, text, "a whole number that is not negative")
    return int(text)
