"""`make demo` as a person runs it: starts what it needs, ends with counts that agree, and can be run again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import soundfile  # type: ignore[import-untyped]

from examples.denoise import corpus
from infra.local.service import free_port
from infra.local.settings import CHECKOUT
from support import servers

DEMO_S = 100.0


@pytest.fixture(scope="module")
def stack_settings() -> Iterator[dict[str, str]]:
    """Free ports and a state directory of its own, with Kafka's jars in it; stopped in the end."""
    with servers.scratch_directory() as directory:
        (directory / "jars").symlink_to(servers.JARS)
        ports = {
            f"HEADWAY_{name}_PORT": str(free_port())
            for name in ("KAFKA", "KAFKA_CONTROLLER", "POSTGRES", "PROJECTOR_HEALTH", "GATEWAY")
        }
        settings = {"HEADWAY_STATE_DIR": str(directory), "HEADWAY_SPOOL_DIR": str(directory / "spool"), **ports}
        yield settings
        for command in ("down", "clean"):
            run_module("infra.local", command, settings=settings)


def run_module(name: str, *arguments: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", name, *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEMO_S,
    )


def run_demo(settings: dict[str, str], **given: object) -> subprocess.CompletedProcess[str]:
    """Run the demo with these of SIZE, BATCH and FILES; the others are left empty, as make leaves them."""
    demo = {f"HEADWAY_DEMO_{name}": str(given.get(name, "")) for name in ("SIZE", "BATCH", "FILES")}
    return run_module("examples.denoise.demo", settings={**settings, **demo})


def rows(output: str) -> list[list[str]]:
    """The rows of the table of counts, as words."""
    return [line.split() for line in output.splitlines() if line.startswith(("denoise ", "normalise ", "encode "))]


@pytest.mark.timeout(2 * DEMO_S)
async def test_the_demo_ends_with_counts_that_agree_everywhere_and_a_second_run_with_its_own(
    stack_settings: dict[str, str],
) -> None:
    first = run_demo(stack_settings, SIZE=30, BATCH=77)
    assert first.returncode == 0, first.stdout + first.stderr
    gateway = f"http://127.0.0.1:{stack_settings['HEADWAY_GATEWAY_PORT']}"
    assert f"dashboard: {gateway}/?batchId=77\n" in first.stdout
    assert "All counts agree, number for number." in first.stdout
    assert "`make down`" in first.stdout
    denoise = {"total": 30, "processed": 29, "errors": 1}
    assert rows(first.stdout)[:3] == [["denoise", name, *[str(count)] * 5] for name, count in denoise.items()]

    second = run_demo(stack_settings, SIZE=10, BATCH=77)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "kafka: runs already" in second.stdout
    assert rows(second.stdout)[0] == ["denoise", "total", *["10"] * 5]
    async with (
        aiohttp.ClientSession(raise_for_status=True) as session,
        session.get(f"{gateway}/api/batches/77") as response,
    ):
        batch = await response.json()
    assert {stage["run"] for stage in batch["stages"]} == {2}, "the stack stays up, and holds both runs"


@pytest.mark.timeout(2 * DEMO_S)
def test_the_demo_takes_a_folder_of_ones_own_and_writes_nothing_there(
    stack_settings: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "recordings"
    list(corpus.write(corpus.plan(3, broken=0), folder / "below"))
    (folder / "below" / "UPPER.WAV").write_bytes(b"")
    (folder / "notes.txt").write_text("not audio")
    before = sorted(folder.rglob("*"))
    done = run_demo(stack_settings, FILES=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(done.stdout)[:3] == [
        ["denoise", name, *[count] * 5] for name, count in (("total", "4"), ("processed", "3"), ("errors", "1"))
    ]
    assert sorted(folder.rglob("*")) == before
    encoded = Path(done.stdout.partition("encoded files: ")[2].splitlines()[0])
    flacs = sorted(path for path in encoded.rglob("*") if path.is_file())
    assert len(flacs) == 3
    assert all(soundfile.info(path).format == "FLAC" for path in flacs)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"BATCH": "seven"}, "demo: BATCH is 'seven'; expected a whole number"),
        ({"SIZE": "-1"}, "demo: SIZE is '-1'; expected a whole number"),
        ({"FILES": "/no/such"}, "demo: FILES is '/no/such'; expected a folder that exists."),
        ({"FILES": "{empty}"}, "demo: There is no WAV file in {empty}."),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_started(
    given: dict[str, str], message: str, tmp_path: Path
) -> None:
    settings = {"HEADWAY_STATE_DIR": str(tmp_path / "state")}
    done = run_demo(settings, **{name: value.format(empty=tmp_path) for name, value in given.items()})
    assert done.returncode == 1
    assert message.format(empty=tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()
