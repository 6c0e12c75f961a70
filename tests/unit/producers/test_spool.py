"""What is written to the spool is read from it, in order, whatever becomes of the process that wrote it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from headway.record import Record
from headway.spool import SEGMENT_BYTES, Spool

BOUND = 1024 * 1024 * 1024


def _record(number: int, size: int = 100) -> Record:
    return Record(123, "topic", b"denoise", b"x" * size, 0, "file_complete", f"id-{number}")


def _read(spool: Spool) -> list[str]:
    """The ids of all records, read and acknowledged."""
    ids = []
    while (segment := spool.read_segment()) is not None:
        ids += [record.event_id for record in segment.records]
        for _ in segment.records:
            segment.arrived()
    return ids


def _adopted(root: Path) -> list[str]:
    """What the next process finds."""
    with closing(Spool(root, BOUND)) as spool:
        spool.adopt()
        return _read(spool)


def _ids(count: int) -> list[str]:
    return [f"id-{number}" for number in range(count)]


@pytest.fixture
def make_spool(tmp_path: Path) -> Iterator[Callable[[], Spool]]:
    """Makes spools in one directory, each as of a process of its own."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Spool(tmp_path, BOUND)))


@pytest.fixture
def spool(make_spool: Callable[[], Spool]) -> Spool:
    return make_spool()


@pytest.fixture
def abandoned(tmp_path: Path) -> Path:
    """The one segment of a process that was killed after its third record."""
    spool = Spool(tmp_path, BOUND)
    for number in range(3):
        spool.append([_record(number)])
    spool.abandon()  # closes the files, and so the lock, as the kernel does
    (segment,) = tmp_path.glob("*/*.spool")
    return segment


def test_records_come_back_in_order_and_their_file_goes_when_all_have_arrived(spool: Spool, tmp_path: Path) -> None:
    spool.append([_record(0), _record(1)])
    spool.append([_record(2)])
    segment = spool.read_segment()
    assert segment is not None
    assert [record.event_id for record in segment.records] == _ids(3)
    segment.arrived()
    segment.arrived()
    assert not spool.is_empty
    assert list(tmp_path.glob("*/*.spool"))
    segment.arrived()
    assert spool.is_empty
    assert not list(tmp_path.glob("*/*.spool"))


def test_what_is_appended_while_a_segment_is_sent_comes_after_it(spool: Spool, tmp_path: Path) -> None:
    spool.append([_record(0)])
    first = spool.read_segment()
    spool.append([_record(1)])
    second = spool.read_segment()
    assert first is not None
    assert second is not None
    assert [record.event_id for record in first.records + second.records] == _ids(2)


def test_many_segments_come_back_in_order(spool: Spool, tmp_path: Path) -> None:
    for number in range(7):
        spool.append([_record(number, SEGMENT_BYTES // 2)])
    assert len(list(tmp_path.glob("*/*.spool"))) > 2
    assert _read(spool) == _ids(7)


def test_the_next_process_finds_what_a_killed_one_left(abandoned: Path, tmp_path: Path) -> None:
    assert _adopted(tmp_path) == _ids(3)
    assert not abandoned.exists()


def test_two_processes_never_take_the_same_records(abandoned: Path, make_spool: Callable[[], Spool]) -> None:
    first, second = make_spool(), make_spool()
    first.adopt()
    second.adopt()
    assert (_read(second), _read(first)) == ([], _ids(3))


def test_a_living_process_keeps_its_own(spool: Spool, tmp_path: Path) -> None:
    spool.append([_record(0)])
    assert _adopted(tmp_path) == []
    assert _read(spool) == _ids(1)


def test_a_frame_torn_at_any_byte_costs_that_record_alone_and_is_said(
    abandoned: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = abandoned.read_bytes()
    frame = len(whole) // 3
    for kept in range(2 * frame + 1, 3 * frame):
        caplog.clear()
        abandoned.parent.mkdir(exist_ok=True)
        abandoned.write_bytes(whole[:kept])
        with caplog.at_level(logging.WARNING, "headway"):
            assert _adopted(tmp_path) == _ids(2)
        (torn,) = [entry for entry in caplog.records if vars(entry)["action"] == "spool_torn"]
        assert vars(torn)["bytes_dropped"] == kept - 2 * frame


@pytest.mark.parametrize("damage", [b"\0" * 4096, b"\xff" * 4096], ids=["zeros", "ones"])
def test_what_a_power_cut_leaves_behind_the_records_is_dropped(abandoned: Path, tmp_path: Path, damage: bytes) -> None:
    with abandoned.open("ab") as segment:
        segment.write(damage)
    assert _adopted(tmp_path) == _ids(3)


def test_a_damaged_record_is_not_sent(abandoned: Path, tmp_path: Path) -> None:
    data = bytearray(abandoned.read_bytes())
    data[len(data) // 2] ^= 1  # in the second record
    abandoned.write_bytes(data)
    assert _adopted(tmp_path) == _ids(1)


def test_what_does_not_fit_is_counted_and_what_was_sent_makes_room(tmp_path: Path) -> None:
    with closing(Spool(tmp_path, 1_000)) as spool:
        unfit = spool.append([_record(number) for number in range(20)])
        kept = _read(spool)
        assert 0 < unfit < 20
        assert kept == _ids(20 - unfit)
        assert spool.append([_record(20)]) == 0


def test_without_an_outage_nothing_is_made_on_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", BOUND)
    spool.adopt()
    spool.close()
    assert not (tmp_path / "spool").exists()


def test_nobody_else_may_read_the_spool(tmp_path: Path) -> None:
    with closing(Spool(tmp_path / "spool", BOUND)) as spool:
        spool.append([_record(0)])
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "spool", *(tmp_path / "spool").iterdir())} == {0}
