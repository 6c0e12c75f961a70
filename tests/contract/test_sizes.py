"""Modules and functions stay small enough to be read in one go."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
FOLDERS = ("schemas", "producers", "projector", "gateway", "clients", "infra", "bench", "examples", "tests")
MODULE_LINES = 400
FUNCTION_LINES = 50


def _modules() -> Iterator[Path]:
    for folder in FOLDERS:
        for pattern in ("*.py", "*.js", "*.mjs"):
            found = (REPOSITORY / folder).rglob(pattern)
            yield from (path for path in found if "node_modules" not in path.parts)


def _functions(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or 0) - node.lineno + 1, f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name}"


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {str(path.relative_to(REPOSITORY)): len(path.read_text().splitlines()) for path in _modules()}
    assert len(lengths) > 20
    assert {path: lines for path, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_no_function_is_longer_than_50_lines() -> None:
    functions = [found for path in _modules() if path.suffix == ".py" for found in _functions(path)]
    longest = sorted(functions, reverse=True)[:10]
    print(*longest, sep="\n")
    assert [found for found in longest if found[0] > FUNCTION_LINES] == []


def test_every_module_begins_with_its_one_job() -> None:
    undocumented = [
        str(path.relative_to(REPOSITORY))
        for path in _modules()
        if path.suffix == ".py" and path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert undocumented == []
