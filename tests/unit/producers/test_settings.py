"""Settings come from the environment, and what cannot be read is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from headway import InvalidSetting, Settings
from headway_events import TopicNames


def test_every_setting_is_read_from_the_environment() -> None:
    settings = Settings.from_environment(
        {
            "HEADWAY_KAFKA_BOOTSTRAP": "kafka:9092",
            "HEADWAY_TOPIC_PREFIX": "b-",
            "HEADWAY_REGISTRY_TOPIC": "registry",
            "HEADWAY_REPLICATION_FACTOR": "2",
            "HEADWAY_BUFFER_BYTES": "1000",
            "HEADWAY_SPOOL_DIR": "/spool",
            "HEADWAY_SPOOL_BYTES": "0",
            "HEADWAY_CLOSE_TIMEOUT_S": "0.5",
            "HEADWAY_DISABLED": "true",
        }
    )
    assert settings == Settings(
        bootstrap="kafka:9092",
        names=TopicNames(prefix="b-", registry="registry"),
        replication_factor=2,
        buffer_bytes=1000,
        spool_dir=Path("/spool"),
        spool_bytes=0,
        close_timeout_s=0.5,
        disabled=True,
    )


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEADWAY_BUFFER_BYTES", "64 MB"),
        ("HEADWAY_SPOOL_BYTES", "-1"),
        ("HEADWAY_REPLICATION_FACTOR", "1.5"),
        ("HEADWAY_CLOSE_TIMEOUT_S", "soon"),
        ("HEADWAY_CLOSE_TIMEOUT_S", "nan"),
        ("HEADWAY_CLOSE_TIMEOUT_S", "inf"),
        ("HEADWAY_DISABLED", "maybe"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named_with_its_value(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=f"^{name} is '{value}'; expected "):
        Settings.from_environment({name: value})


def test_the_spool_is_kept_with_the_users_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert Settings().spool_dir == Path("/state/headway/spool")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/someone")
    assert Settings().spool_dir == Path("/home/someone/.local/state/headway/spool")


def test_a_spool_directory_may_be_given_as_text() -> None:
    assert Settings().changed({"spool_dir": "/spool"}).spool_dir == Path("/spool")
