"""A page as the lines of a terminal, never wider or higher than that is. Pure.

There are no frames and nothing stands at the right edge: terminals do not agree on how wide some of the symbols are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from headway_events import Status
from rich.text import Text

from headway_client.cli.styles import BAD, GOOD, QUIET, STATUS, TITLE, WAITING
from headway_client.page import Card, Page
from headway_client.watched import Standing
from headway_client.wording import STATUS as STATUS_TEXT
from headway_client.wording import count, joined

NARROWEST_TITLE: Final = 8  # cells
MOST_EVENTS: Final = 10  # of a stage, where there is room
WIDEST_BAR: Final = 60  # cells
_EVENTS: Final = (MOST_EVENTS, 5, 3, 1, 0)  # tried in turn, until all stages fit


def screen(page: Page, width: int, height: int) -> list[Text]:
    """The page's lines: with as many events of each stage as there is room for, else a line for each stage."""
    head = _head(page)
    for events in _EVENTS:
        lines = [*head, *(line for card in page.cards for line in _card(card, width, events))]
        if len(lines) <= height:
            return _fitted(lines, width)
    lines = [*head, *(_brief(card, width) for card in page.cards)]
    if len(lines) > height:
        left_out = len(lines) - height + 1
        lines = [*lines[: height - 1], Text(f"and {count(left_out)} more lines", QUIET)]
    return _fitted(lines, width)


def status_text(status: Status) -> Text:
    """A status, coloured."""
    return Text(STATUS_TEXT[status], STATUS[status])


def _fitted(lines: Iterable[Text], width: int) -> list[Text]:
    fitted = []
    for line in lines:
        line.truncate(width, overflow="ellipsis")
        line.no_wrap = True
        fitted.append(line)
    return fitted


def _head(page: Page) -> list[Text]:
    standing = {Standing.OFFLINE: BAD, Standing.STOPPED: BAD, Standing.LIVE: GOOD}.get(page.standing, QUIET)
    lines = [
        Text(page.title, TITLE),
        Text.assemble(status_text(page.status), Text(" · ", QUIET), Text(page.connection, standing)),
        Text(page.reason, BAD) if page.standing is Standing.OFFLINE else Text(),
        Text(page.subline, QUIET),
        Text(page.notice, WAITING),
    ]
    return [line for line in lines if line]


def _card(card: Card, width: int, events: int) -> list[Text]:
    status = Text.assemble((" · ", QUIET), status_text(card.status))
    return [
        Text(),
        Text.assemble(_title(card, width - status.cell_len), status),
        *_bar(card, width),
        Text(card.files),
        Text(card.pace, QUIET),
        _counts(card, width),
        *(Text(text, WAITING) for text in card.silent),
        *(_event(line.time, line.text, line.failed) for line in card.events[:events]),
    ]


def _title(card: Card, room: int) -> Text:
    """Cut before what is said of the stage is."""
    title = Text(f"{card.icon} {card.title} {card.run}".rstrip(), TITLE)
    title.truncate(max(room, NARROWEST_TITLE), overflow="ellipsis")
    return title


def _counts(card: Card, width: int) -> Text:
    errors = Text(card.errors_text, BAD if card.failed else "")
    whole = Text.assemble(card.counts, errors)
    return whole if whole.cell_len <= width else Text.assemble(card.counts.partition(" | ")[2], errors)


def _bar(card: Card, width: int) -> list[Text]:
    """Processed, failed, to come, told apart without colours too; of errors at least a cell, where there are any."""
    if card.processed is None:
        return []
    cells = max(1, min(WIDEST_BAR, width - len(" 100%")))
    errors = max(int(card.errors * cells), 1) if card.failed else 0
    processed = min(int(card.processed * cells), cells - errors)
    to_come = cells - processed - errors
    return [Text.assemble(("█" * processed, GOOD), ("▓" * errors, BAD), ("░" * to_come, QUIET), f" {card.percent}")]


def _event(time: str, text: str, failed: bool) -> Text:
    return Text.assemble((f"[{time}]", QUIET), " ", (text, BAD if failed else ""))


def _brief(card: Card, width: int) -> Text:
    words = joined(card.percent, card.errors_text if card.failed else "", STATUS_TEXT[card.status])
    rest = Text.assemble(" ", (words, STATUS[card.status]), f" · {card.files}")
    return Text.assemble(_title(card, width - rest.cell_len), rest)
