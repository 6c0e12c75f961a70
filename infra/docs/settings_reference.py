"""Writes docs/reference/settings.md: every setting of every program, from the docstrings of its fields.

Run it after a change of a `settings.py`; with --check it only says whether that was forgotten.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "reference" / "settings.md"
PROGRAMS: Final = {
    "Pipelines (`headway`)": "producers/headway/settings.py",
    "The projector (`headway-projector`)": "projector/headway_projector/settings.py",
    "The gateway (`headway-gateway`)": "gateway/headway_gateway/settings.py",
    "The connection to Kafka (all three)": "schemas/headway_events/kafka_security.py",
    "The local stack (`make up`, `make demo`)": "infra/local/settings.py",
}
HEAD: Final = """# Settings

Every program reads its settings from the environment, once, when it starts. One that cannot be used ends the program
with a message that names it. `EventLogger` takes them as arguments too.
"""


class Setting(NamedTuple):
    """A field of a program's settings."""

    names: str
    default: str
    meaning: str


def main() -> int:
    """Write the page, or check it; 1 when it is not what it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether the page is as it should be")
    wanted = page()
    if not parser.parse_args().check:
        PAGE.write_text(wanted)
    elif not PAGE.exists() or PAGE.read_text() != wanted:
        print(f"{PAGE.relative_to(ROOT)} is stale: run python -m infra.docs.settings_reference", file=sys.stderr)
        return 1
    return 0


def page() -> str:
    """The page's text."""
    return HEAD + "".join(f"\n## {title}\n\n{table(ROOT / path)}" for title, path in PROGRAMS.items())


def table(path: Path) -> str:
    """The settings of one module, as a table in Markdown."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    rows += [f"| {setting.names} | {setting.default} | {setting.meaning} |" for setting in settings(path)]
    return "\n".join(rows) + "\n"


def settings(path: Path) -> Iterator[Setting]:
    """The documented fields of the settings' class, in order."""
    fields = settings_class(ast.parse(path.read_text())).body
    for field, below in zip_longest(fields, fields[1:]):
        if not isinstance(field, ast.AnnAssign) or not isinstance(below, ast.Expr):
            continue
        names, _, meaning = " ".join(str(ast.literal_eval(below.value)).split()).partition(": ")
        yield Setting(_code(names), _default(field.value), meaning.replace("|", "\\|"))


def settings_class(module: ast.Module) -> ast.ClassDef:
    """The class of a `settings.py` whose fields are the settings."""
    (found,) = [
        node
        for node in module.body
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Settings", "KafkaSecurity"))
    ]
    return found


def _code(names: str) -> str:
    named, bracket, rest = names.partition(" (")
    return ", ".join(f"`{name}`" for name in named.split(", ")) + bracket + rest


def _default(value: ast.expr | None) -> str:
    """What the field is by default, as in the environment; nothing where that is no plain value."""
    try:
        default = _value(value) if value is not None else None
    except ValueError:
        return ""
    if default in (None, "", ()):
        return ""
    return f"`{int(default) if isinstance(default, bool) else default}`"


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return _value(node.left) * _value(node.right)
    return ast.literal_eval(node)


if __name__ == "__main__":
    sys.exit(main())
