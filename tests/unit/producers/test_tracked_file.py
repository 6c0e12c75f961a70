"""A file's block reports how the file ended: done, failed by itself, or nothing where it was interrupted."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import CancelledError
from typing import Any

import msgspec
import pytest
from headway import InvalidArgument
from headway.testing import RecordingLogger
from headway_events import Event, FileComplete, FileError

INTERRUPTIONS = [KeyboardInterrupt(), SystemExit(1), GeneratorExit(), asyncio.CancelledError(), CancelledError()]


@pytest.fixture
def recorded() -> RecordingLogger:
    return RecordingLogger()


def kinds(recorded: RecordingLogger) -> list[str]:
    return [event.event_type for event in recorded.events]


def files(recorded: RecordingLogger) -> list[Event]:
    return [event for event in recorded.events if isinstance(event, FileComplete | FileError)]


def test_a_block_reports_its_file_with_response_duration_and_worker(recorded: RecordingLogger) -> None:
    with recorded.stage(1, "denoise", total_files=1, gpu_ip="10.0.0.7") as stage, stage.file("a.wav") as file:
        file.response = {"snrDb": 18.2}
    (event,) = files(recorded)
    assert isinstance(event, FileComplete)
    assert isinstance(event.response, msgspec.Raw)
    assert (event.file_name, bytes(event.response), event.worker) == ("a.wav", b'{"snrDb":18.2}', recorded.worker)
    assert event.duration_ms is not None
    assert 0 < event.duration_ms < 10_000
    assert kinds(recorded) == ["stage_start", "file_complete", "stage_complete"]


def test_an_exception_is_reported_with_type_message_and_traceback_and_goes_on_its_way(
    recorded: RecordingLogger,
) -> None:
    with pytest.raises(OSError, match="no room"), recorded.stage(1, "denoise") as stage, stage.file("a.wav"):
        raise OSError("no room")
    (event,) = files(recorded)
    assert isinstance(event, FileError)
    assert isinstance(event.response, msgspec.Raw)
    said = msgspec.json.decode(event.response)
    assert (said["status"], said["type"], said["message"]) == ("error", "OSError", "no room")
    assert 'raise OSError("no room")' in said["traceback"]
    assert kinds(recorded) == ["stage_start", "file_error"]  # and the stage is not complete


def test_a_stage_that_goes_on_reports_the_failure_and_completes(recorded: RecordingLogger) -> None:
    with recorded.stage(1, "denoise", total_files=2, on_error="continue") as stage:
        for name in ("a", "b"):
            with stage.file(name):
                if name == "a":
                    raise OSError("no room")
    run = recorded.batch(1).stages["denoise"][-1]
    assert (run.processed, run.errors, run.status) == (1, 1, "complete_with_errors")


@pytest.mark.parametrize("on_error", ["raise", "continue"])
@pytest.mark.parametrize("interruption", INTERRUPTIONS, ids=lambda error: f"{type(error).__module__}.{error!r}")
def test_an_interruption_says_nothing_of_the_file_and_is_never_swallowed(
    recorded: RecordingLogger, on_error: str, interruption: BaseException
) -> None:
    def run() -> None:
        with recorded.stage(1, "denoise", on_error=on_error) as stage:  # type: ignore[arg-type]
            try:
                with stage.file("a.wav"):
                    raise interruption
            finally:
                assert stage.in_flight == {}

    with pytest.raises(type(interruption)):
        run()
    assert kinds(recorded) == ["stage_start"]


def test_a_file_can_be_failed_without_an_exception(recorded: RecordingLogger) -> None:
    with recorded.stage(1, "denoise") as stage, stage.file("a.wav") as file:
        file.failed("too short")
    assert [event.event_type for event in files(recorded)] == ["file_error"]
    assert (stage.processed_files, stage.failed_files) == (0, 1)


async def test_blocks_work_as_async_ones(recorded: RecordingLogger) -> None:
    async with recorded.stage(1, "denoise", on_error="continue") as stage:
        async with stage.file("a"):
            await asyncio.sleep(0)
        async with stage.file("b"):
            raise OSError("no room")
    assert kinds(recorded) == ["stage_start", "file_complete", "file_error", "stage_complete"]


async def test_a_cancelled_task_reports_nothing_of_its_file(recorded: RecordingLogger) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with recorded.stage(1, "denoise") as stage, stage.file("a"):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kinds(recorded) == ["stage_start"]


def test_a_wrapped_function_reports_each_call_and_keeps_its_name(recorded: RecordingLogger) -> None:
    with recorded.stage(1, "denoise") as stage:

        @stage.wrap
        def denoise(path: str, strength: int = 1) -> int:
            """Denoise."""
            return strength

        assert (denoise("a", strength=2), denoise(path="b")) == (2, 1)
        assert (denoise.__name__, denoise.__doc__) == ("denoise", "Denoise.")
    assert [event.file_name for event in files(recorded) if isinstance(event, FileComplete)] == ["a", "b"]


def test_a_wrapped_function_says_which_file_and_what_of_it(recorded: RecordingLogger) -> None:
    def denoise(strength: int, job: dict[str, Any]) -> int:
        return int(job["n"]) * strength

    with recorded.stage(1, "denoise") as stage:
        tracked = stage.wrap(denoise, file=lambda _, job: job["path"], response=lambda n: {"n": n})
        assert tracked(2, {"path": "a", "n": 3}) == 6
    (event,) = files(recorded)
    assert isinstance(event, FileComplete)
    assert isinstance(event.response, msgspec.Raw)
    assert (event.file_name, bytes(event.response)) == ("a", b'{"n":6}')


async def test_a_wrapped_coroutine_function_is_reported_when_it_has_ended(recorded: RecordingLogger) -> None:
    async with recorded.stage(1, "denoise", on_error="continue") as stage:

        @stage.wrap
        async def denoise(path: str) -> str:
            await asyncio.sleep(0)
            if path == "b":
                raise OSError("no room")
            return path

        assert inspect.iscoroutinefunction(denoise)
        assert [await denoise("a"), await denoise("b")] == ["a", None]
    assert kinds(recorded) == ["stage_start", "file_complete", "file_error", "stage_complete"]


def test_what_cannot_be_tracked_is_refused_by_name(recorded: RecordingLogger) -> None:
    def generator(path: str) -> object:
        yield path

    with recorded.stage(1, "denoise") as stage:
        with pytest.raises(InvalidArgument, match=r"^function: "):
            stage.wrap(generator)
        with pytest.raises(InvalidArgument, match=r"^file_name: "):
            stage.file(7)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match=r"^on_error: "):
        recorded.stage(1, "denoise", on_error="ignore")  # type: ignore[arg-type]


def test_a_long_traceback_is_cut_at_its_beginning(recorded: RecordingLogger) -> None:
    def deeper(levels: int) -> None:
        if not levels:
            raise OSError("x" * 100)
        if levels % 2:
            deeper(levels - 1)
        else:
            deeper(levels - 1)  # on another line, so that Python does not fold the repetition

    with recorded.stage(1, "denoise", on_error="continue") as stage, stage.file("a"):
        deeper(400)
    (event,) = files(recorded)
    assert isinstance(event, FileError)
    assert isinstance(event.response, msgspec.Raw)
    traceback = msgspec.json.decode(event.response)["traceback"]
    assert len(traceback) == 8_000
    assert traceback.endswith("x\n")
