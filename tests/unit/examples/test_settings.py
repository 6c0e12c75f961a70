"""What `make demo` is told and what it makes of nonsense."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from examples.denoise.errors import DemoError
from examples.denoise.settings import DEFAULT_SIZE, DemoSettings


def test_settings_left_empty_as_make_leaves_them_are_the_defaults() -> None:
    settings = DemoSettings.from_environment(
        {"HEADWAY_DEMO_BATCH": "", "HEADWAY_DEMO_SIZE": "", "HEADWAY_DEMO_FILES": ""}
    )
    assert settings.batch_id == pytest.approx(time.time(), abs=60)
    assert (settings.size, settings.files) == (DEFAULT_SIZE, None)


def test_settings_given_are_taken(tmp_path: Path) -> None:
    environment = {"HEADWAY_DEMO_BATCH": "-7", "HEADWAY_DEMO_SIZE": "20", "HEADWAY_DEMO_FILES": str(tmp_path)}
    assert DemoSettings.from_environment(environment) == DemoSettings(-7, 20, tmp_path)


@pytest.mark.parametrize(
    ("name", "value"), [("BATCH", "x"), ("BATCH", str(2**63)), ("SIZE", "0"), ("SIZE", "1.5"), ("FILES", "/no/such")]
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(DemoError, match=f"^{name} is '{value}'; expected"):
        DemoSettings.from_environment({f"HEADWAY_DEMO_{name}": value})
