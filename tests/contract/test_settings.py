"""Every `HEADWAY_*` setting that a program reads is documented at its field, and every documented one is read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from infra.docs.settings_reference import settings_class

REPOSITORY = Path(__file__).parents[2]
SETTINGS = sorted(
    path
    for folder in ("schemas", "producers", "projector", "gateway", "clients", "infra", "bench", "examples")
    for name in ("settings.py", "kafka_security.py")
    for path in (REPOSITORY / folder).rglob(name)
)
NAME = re.compile(r"HEADWAY_[A-Z0-9_]+")


def _documented(fields: ast.ClassDef) -> dict[str, str]:
    """Of each field of a class, the docstring below it."""
    documentation: dict[str, str] = {}
    for node, below in zip(fields.body, [*fields.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            text = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            documentation[node.target.id] = str(text)
    return documentation


@pytest.mark.parametrize("path", SETTINGS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_each_setting_is_documented_at_its_field_and_read(path: Path) -> None:
    module = ast.parse(path.read_text())
    documentation = _documented(settings_class(module))
    assert [field for field, text in documentation.items() if not NAME.match(text)] == []
    documented = {name for text in documentation.values() for name in NAME.findall(text.partition(":")[0])}
    documented = {name for name in documented if not name.endswith("_")}  # a family, documented in a class of its own
    texts = {node.value for node in ast.walk(module) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    named = {text for text in texts if NAME.fullmatch(text) and not text.endswith("_")}
    prefixes = tuple(text for text in texts if NAME.fullmatch(text) and text.endswith("_"))
    assert named - documented == set()
    assert {name for name in documented - named if not (prefixes and name.startswith(prefixes))} == set()


def test_the_settings_of_every_program_were_found() -> None:
    folders = {path.relative_to(REPOSITORY).parts[0] for path in SETTINGS}
    assert folders >= {"producers", "projector", "gateway", "clients", "infra"}
