"""Settings come from the environment, and one that cannot be read is named."""

from __future__ import annotations

import pytest
from headway_projector.errors import InvalidSetting
from headway_projector.settings import Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


def test_each_setting_is_taken_from_the_environment() -> None:
    settings = Settings.from_environment({"HEADWAY_PROJECTOR_HEALTH_PORT": "9", "HEADWAY_TOPIC_PREFIX": "p-"})
    assert settings.health_port == 9
    assert settings.names.prefix == "p-"
    assert settings.names.registry == "headway-batches"


@pytest.mark.parametrize("text", ["-1", "many", "1.5", " 1"])
def test_a_number_that_cannot_be_read_is_named_with_its_value(text: str) -> None:
    with pytest.raises(InvalidSetting, match="HEADWAY_PROJECTOR_POLL_RECORDS") as caught:
        Settings.from_environment({"HEADWAY_PROJECTOR_POLL_RECORDS": text})
    assert repr(text) in str(caught.value)
