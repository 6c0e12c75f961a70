"""Runs notebooks in tests, each in a kernel of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from nbclient import NotebookClient

WITHIN_S: Final = 60


def home(folder: Path) -> dict[str, str]:
    """Settings by which Jupyter keeps there what it keeps in a person's home."""
    return {name: str(folder / name) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR")}


async def executed(notebook: Any, folder: Path) -> list[list[Any]]:
    """What the cells with code have put out once a notebook has run, in a folder."""
    client = NotebookClient(notebook, timeout=WITHIN_S, kernel_name="python3", resources={"metadata": {"path": folder}})
    await client.async_execute()
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
