"""BatchView in a real notebook: a cell shows the batch as it is, another follows it in place to its end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from headway_client import BatchView
from headway_events import Event

from infra.local.service import free_port
from support import notebooks
from support.batches import batch_events
from support.headway import followed
from support.pipelines import code_blocks
from support.programs import Program
from support.projected import projected
from support.tables import Tables
from support.tokens import SECRET, token
from support.topics import Topics

WITHIN_S = 60
SHOWN, FOLLOWED = code_blocks("how-to/terminal.md", "python")


@pytest.fixture(autouse=True)
def leave_home_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What Jupyter keeps of a person, it keeps of the test."""
    for name, value in notebooks.home(tmp_path).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def begun(projector: Program, topics: Topics, tables: Tables, batch_id: int) -> list[Event]:
    """A batch whose first files are done, one of which has a hostile name; what is still to come of it."""
    events = list(batch_events(batch_id, 20, failed=5))
    await projected(topics, tables, batch_id, events[:16], name="<script>alert(1)</script>")
    return events[16:]


async def executed(*cells: str, folder: Path) -> list[list[Any]]:
    """What the cells of a notebook have put out once they have run, in an interpreter of their own."""
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]  # type: ignore[no-untyped-call]
    return await notebooks.executed(nbformat.v4.new_notebook(cells=made), folder)  # type: ignore[no-untyped-call]


async def test_a_cell_shows_the_batch_as_it_is(
    gateway: Program, begun: list[Event], batch_id: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWAY_GATEWAY_URL", gateway.url)
    ((output,),) = await executed(SHOWN.replace("123", str(batch_id)), folder=tmp_path)
    assert output.output_type == "execute_result"
    assert output.data["text/plain"] == f"BatchView({batch_id}, url={gateway.url!r})"
    html = output.data["text/html"]
    assert "15/20 files" in html
    assert "Total: 20 | Processed: 15 | " in html
    assert "audio00014.wav: ✅ Complete" in html
    assert "As of " in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>" not in html


async def test_a_live_view_changes_in_place_until_the_batch_is_finished_and_gives_its_counts(
    gateway: Program,
    topics: Topics,
    begun: list[Event],
    batch_id: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADWAY_GATEWAY_URL", gateway.url)
    cells = (
        "from headway_client import BatchView",
        FOLLOWED.replace("123", str(batch_id)),
        "batch.current('denoise').processed, batch.current('denoise').errors",
    )
    executing = asyncio.create_task(executed(*cells, folder=tmp_path))
    await followed(gateway)
    await asyncio.to_thread(gateway.kill)
    await asyncio.to_thread(gateway.run)
    topics.write_events(begun)
    _, live, counts = await executing
    (output,) = live  # in place: one output, however often it has changed
    assert output.output_type == "display_data"
    assert "Complete with errors" in output.data["text/html"]
    assert "Errors: 5" in output.data["text/html"]
    assert "Finished" in output.data["text/html"]
    assert counts[0].data["text/plain"] == "(15, 5)"


async def test_a_cell_says_why_a_batch_cannot_be_shown(
    gateway: Program, batch_id: int, projector: Program, tmp_path: Path
) -> None:
    unknown = f"from headway_client import BatchView\nBatchView({batch_id}, url={gateway.url!r})"
    away = f"BatchView({batch_id}, url='http://127.0.0.1:{free_port()}')"
    first, second = await executed(unknown, away, folder=tmp_path)
    assert f"There is no batch {batch_id}" in first[0].data["text/html"]
    assert "does not answer" in second[0].data["text/html"]


@pytest.mark.parametrize("interpreter", [(), ("-m", "IPython")], ids=["Python", "IPython in a terminal"])
async def test_outside_a_notebook_a_live_view_prints_lines(
    gateway: Program, topics: Topics, begun: list[Event], batch_id: int, interpreter: tuple[str, ...]
) -> None:
    script = f"""if True:
        import asyncio, sys
        from headway_client import BatchView
        asyncio.run(BatchView({batch_id}, url={gateway.url!r}).live())
        assert ("IPython" in sys.modules) is {bool(interpreter)}
    """
    command = (sys.executable, *interpreter, "-c", script)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    await followed(gateway)
    topics.write_events(begun)
    printed, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert process.returncode == 0
    assert "Denoise: 15/20 files" in printed.decode()
    assert "1 of 1 stage complete · 5 errors" in printed.decode()


async def test_address_and_token_come_from_the_environment(
    make_gateway: Callable[..., Program], begun: list[Event], batch_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = make_gateway(HEADWAY_GATEWAY_TOKEN_SECRET=SECRET)
    gateway.run()
    monkeypatch.setenv("HEADWAY_GATEWAY_URL", gateway.url)
    refused = await asyncio.to_thread(BatchView(batch_id)._repr_html_)
    assert "401" in refused
    monkeypatch.setenv("HEADWAY_GATEWAY_TOKEN", token(batch_id))
    view = BatchView(batch_id)
    assert "15/20 files" in view._repr_html_()  # in the thread of a running event loop, as a notebook's cell is
    assert token(batch_id) not in repr(view)
