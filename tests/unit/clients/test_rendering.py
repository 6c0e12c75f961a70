"""A batch as terminals, plain lines, notebooks and programs get it: the same words, in the space that there is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC
from html.parser import HTMLParser

import pytest
from headway_client.cli.screen import screen
from headway_client.html import page_html, trouble_html
from headway_client.lines import COUNTS_EVERY_S, Lines, event_line
from headway_client.messages import EventMessage, Reset
from headway_client.page import Page, page_of
from headway_client.report import report
from headway_client.watched import Standing, Watched
from headway_events import BatchComplete, FileComplete, StageComplete, StageProgress, StageStart, WorkerHeartbeat
from rich.cells import cell_len
from rich.text import Text

from support.watched import BATCH_ID, BEGAN, NOW, at, batch_info, watched_batch

WIDE = """\
night shift · batch 123
Processing ⏳ · Live
1 of 2 stages complete · 10 errors · team: speech

☁️ Upload · Complete ✅
1 files
took 40 s
Total: unknown | Processed: 1 | Errors: 0
[10:00:40] 🏁 Finished: 1 processed, 0 failed
[10:00:00] 📄 list.csv: ✅ Complete
[10:00:00] ▶️ Started

🔇 Denoise · Processing ⏳
██████████▓░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 18%
90/500 files
1.0 files/s · about 7 min left
Total: 500 | Processed: 90 | Errors: 10
⚠️ Worker gpu-3:47 not heard for 101 s, on long.wav and 1 more
[10:01:40] 📄 audio100.wav: ✅ Complete
[10:01:39] 📄 audio099.wav: ✅ Complete
[10:01:38] 📄 audio098.wav: ✅ Complete
[10:01:37] 📄 audio097.wav: ✅ Complete
[10:01:36] ❌ audio096.wav: Error · no such file"""

NARROW = """\
night shift · batch 123
Processing ⏳ · Live
1 of 2 stages complete · 10 errors · te…

☁️ Upload · Complete ✅
1 files
took 40 s
Processed: 1 | Errors: 0
[10:00:40] 🏁 Finished: 1 processed, 0 …

🔇 Denoise · Processing ⏳
██████▓░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 18%
90/500 files
1.0 files/s · about 7 min left
Total: 500 | Processed: 90 | Errors: 10
⚠️ Worker gpu-3:47 not heard for 101 s,…
[10:01:40] 📄 audio100.wav: ✅ Complete"""

LOW = """\
night shift · batch 123
Processing ⏳ · Live
1 of 2 stages complete · 10 errors · team: speech
☁️ Upload Complete ✅ · 1 files
🔇 Denoise 18% · Errors: 10 · Processing ⏳ · 90/500 files"""


def shown(watched: Watched) -> Page:
    return page_of(watched, NOW, UTC)


def text(lines: Iterable[Text]) -> str:
    return "\n".join(line.plain for line in lines)


@pytest.mark.parametrize(
    ("columns", "rows", "expected"), [(80, 24, WIDE), (40, 18, NARROW), (80, 8, LOW)], ids=["80x24", "40x18", "80x8"]
)
def test_a_screen_shows_what_there_is_room_for(columns: int, rows: int, expected: str) -> None:
    assert text(screen(shown(watched_batch()), columns, rows)) == expected


@pytest.mark.parametrize("columns", [1, 10, 20, 40, 41, 80, 300])
@pytest.mark.parametrize("rows", [1, 3, 6, 10, 23, 24, 100])
def test_no_screen_is_wider_or_higher_than_the_terminal(columns: int, rows: int) -> None:
    watched = watched_batch(
        batch_info(name="夜勤" * 50, labels={"\x1b[2J": "x" * 500}, problem="y" * 500, dead_letters=7)
    )
    for stage in ("音声認識" * 20, "x" * 100, "🔇\x1b[31m\u202e", "mix"):
        for number, name in enumerate(("録音" * 100, "a\nb", "👩‍👩‍👧" * 40)):
            event = FileComplete(batch_id=BATCH_ID, timestamp=BEGAN, stage=stage, file_name=name)
            watched.take(EventMessage(f"{stage}{number}", event, b""))
    watched.stand(Standing.OFFLINE, NOW, "no\nroute\x07" * 30)
    lines = screen(shown(watched), columns, rows)
    assert len(lines) <= rows
    assert max(line.cell_len for line in lines) <= columns
    assert all(line.plain.isprintable() for line in lines)


def test_a_long_name_hides_neither_status_nor_errors() -> None:
    watched = watched_batch()
    event = FileComplete(batch_id=BATCH_ID, timestamp=NOW, stage="x" * 100, file_name="a")
    watched.take(EventMessage("1000", event, b""))
    title = next(line.plain for line in screen(shown(watched), 40, 100) if "xxx" in line.plain)
    assert title.endswith("… · Processing ⏳")
    assert cell_len(title) == 40


def test_what_happens_to_the_watching_is_said_in_the_head() -> None:
    watched = watched_batch(batch_info(dead_letters=1234, log_dropped_at=NOW))
    watched.stand(Standing.OFFLINE, at(90), "Cannot connect")
    page = shown(watched)
    assert (page.connection, page.reason) == ("Offline since 10:01:30, trying again", "Cannot connect")
    assert page.notice == (
        "The events of this batch are not kept any more, its counts are. "
        "1,234 records of this batch are not events and were not counted."
    )
    watched.stand(Standing.OFFLINE, NOW, "Another reason")
    assert shown(watched).connection.startswith("Offline since 10:01:30")
    watched.take(Reset("", "No such offset", b""))
    assert shown(watched).notice.startswith("Counted anew: No such offset. The events")
    assert shown(watched).cards == []
    unknown = Watched(7)
    unknown.stand(Standing.UNKNOWN, NOW)
    assert text(screen(shown(unknown), 80, 24)) == "Batch 7\nPending · Waiting for this batch to begin"


def test_counts_without_a_snapshot_say_so() -> None:
    watched = Watched(BATCH_ID)
    watched.take(EventMessage("0", StageStart(batch_id=BATCH_ID, stage="mix", total_files=3), b""))
    assert shown(watched).notice == "Counted from the first event on, as PostgreSQL does not answer."


def test_a_stage_that_nothing_is_heard_of_is_stalled_as_soon_as_the_gateway_says_so() -> None:
    later = at(100 + 31)
    assert page_of(watched_batch(), later, UTC).status == "stalled"
    assert page_of(watched_batch(batch_info(stalled_after_s=60)), later, UTC).status == "processing"
    assert [card.pace for card in page_of(watched_batch(), later, UTC).cards] == ["took 40 s", "time left not known"]


def test_lines_say_what_is_new_and_counts_not_too_often() -> None:
    watched, lines = watched_batch(), Lines()
    assert lines.of(shown(watched), 0) == [
        "night shift · batch 123: Live",
        "Upload: 1 files · took 40 s · Complete ✅",
        "Denoise: 90/500 files · 18% · Errors: 10 · 1.0 files/s · about 7 min left · Processing ⏳",
        "⚠️ Worker gpu-3:47 not heard for 101 s, on long.wav and 1 more",
        "night shift · batch 123: Processing ⏳ · 1 of 2 stages complete · 10 errors · team: speech",
    ]
    assert lines.of(shown(watched), 1) == []
    for name in ("a.wav", "b.wav"):
        watched.take(
            EventMessage(name, FileComplete(batch_id=BATCH_ID, timestamp=NOW, stage="denoise", file_name=name), b"")
        )
    assert lines.of(shown(watched), COUNTS_EVERY_S - 1) == []
    (line,) = lines.of(shown(watched), COUNTS_EVERY_S)
    assert line.startswith("Denoise: 92/500 files")
    watched.stand(Standing.OFFLINE, NOW, "Cannot connect")
    assert lines.of(shown(watched), COUNTS_EVERY_S) == [
        "night shift · batch 123: Offline since 10:01:41, trying again · Cannot connect"
    ]
    done = StageComplete(batch_id=BATCH_ID, timestamp=NOW, stage="denoise", processed_files=490, failed_files=10)
    watched.take(EventMessage("200", done, b""))
    watched.take(EventMessage("201", BatchComplete(batch_id=BATCH_ID), b""))
    lasts = lines.of(shown(watched), COUNTS_EVERY_S)
    watched.stand(Standing.FINISHED, NOW)
    assert lasts + lines.of(shown(watched), COUNTS_EVERY_S) == [
        "Denoise: 490/500 files · 98% · Errors: 10 · took 1 min 41 s · 5.0 files/s on average · Complete with errors ⚠️",
        "night shift · batch 123: Complete with errors ⚠️ · 2 of 2 stages complete · 10 errors · team: speech",
    ]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (StageStart(batch_id=1, timestamp=NOW, stage="denoise"), "7 [10:01:41] Denoise: ▶️ Started"),
        (StageProgress(batch_id=1, timestamp=NOW, stage="mix", processed_files=9), "7 [10:01:41] Mix: 📊 9 files"),
        (StageComplete(batch_id=1, timestamp=NOW, stage="mix"), "7 [10:01:41] Mix: 🏁 Finished"),
        (
            WorkerHeartbeat(batch_id=1, timestamp=NOW, stage="mix", worker="gpu-3:4", files_in_flight=["a"]),
            "7 [10:01:41] Mix: 💓 gpu-3:4 on 1 file",
        ),
        (BatchComplete(batch_id=1), "7 [--:--:--] 🏁 Batch complete"),
        (
            FileComplete(batch_id=1, timestamp=NOW, stage="mix", file_name="\x1b]0;a\x07\ud800\n.wav"),
            "7 [10:01:41] Mix: 📄 \\x1b]0;a\\x07\\ud800\\n.wav: ✅ Complete",
        ),
    ],
)  # fmt: skip
def test_an_event_is_one_line_that_commands_no_terminal(event: StageStart, expected: str) -> None:
    assert event_line(EventMessage("7", event, b""), UTC) == expected


class Checked(HTMLParser):
    """Reads HTML strictly enough to see whether it is whole, and keeps its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"class", "style"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_html_has_the_words_of_the_page_and_nothing_that_runs() -> None:
    watched = watched_batch(batch_info(name="<script>alert(1)</script>"))
    hostile = FileComplete(
        batch_id=BATCH_ID, timestamp=NOW, stage="denoise", file_name='"><img src=x onerror=alert(1)>'
    )
    watched.take(EventMessage("900", hostile, b""))
    checked = Checked(page_html(shown(watched)))
    assert checked.tags == {"div", "strong", "span", "code"}
    for words in (
        "<script>alert(1)</script> · batch 123", "91/500 files", "Total: 500 | Processed: 91 | ", "Errors: 10", "18%",
        "Complete ✅", "⚠️ Worker gpu-3:47 not heard for 101 s, on long.wav and 1 more",
        ' 📄 "><img src=x onerror=alert(1)>: ✅ Complete',
    ):  # fmt: skip
        assert words in checked.text
    assert Checked(trouble_html("No.", "<b>")).text == ["No.", " <b>"]


def test_programs_get_numbers_under_the_names_of_the_api() -> None:
    found = json.loads(json.dumps(report(watched_batch(), NOW)))
    assert {name: value for name, value in found.items() if name != "stages"} == {
        "batchId": 123, "name": "night shift", "status": "processing", "closed": False, "connection": "live",
        "connectionSince": "2026-11-25T10:00:00Z", "errors": 10, "problem": None,
    }  # fmt: skip
    denoise = found["stages"][1]
    assert (denoise["processed"], denoise["errors"], denoise["total"], denoise["percent"]) == (90, 10, 500, 18)
    assert denoise["filesPerSecond"] == pytest.approx(1)
    assert denoise["leftMs"] == pytest.approx(400_000)
