"""What the distributions offer by name, and what importing them brings along."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

PUBLIC = [
    "headway",
    "headway_client",
    "headway_events",
]  # projector and gateway are programs: they offer commands and no names


@pytest.mark.parametrize("name", PUBLIC)
def test_all_lists_every_public_name_once_and_sorted(name: str) -> None:
    package = importlib.import_module(name)
    public = {
        attribute
        for attribute, value in vars(package).items()
        if not attribute.startswith("_") and not isinstance(value, ModuleType) and attribute != "annotations"
    }

    assert package.__all__ == sorted(public, key=as_ruff_sorts)


def test_the_events_load_no_package_but_msgspec() -> None:
    code = "import {}, sys; print(*(name.partition('.')[0] for name in sys.modules))"
    bare, loaded = (
        subprocess.run([sys.executable, "-c", code.format(name)], capture_output=True, text=True, check=True).stdout
        for name in ("sys", "headway_events")
    )
    optional = {"typing_extensions"}  # msgspec looks for it, and does without

    assert set(loaded.split()) - set(bare.split()) - sys.stdlib_module_names - optional == {"headway_events", "msgspec"}


def as_ruff_sorts(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)
