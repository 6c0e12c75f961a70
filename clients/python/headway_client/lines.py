"""A watched batch as plain lines, for what is no terminal: one when something has changed. Pure."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from headway_client import wording
from headway_client.messages import EventMessage
from headway_client.page import Card, Page
from headway_client.watched import Standing
from headway_client.wording import joined

COUNTS_EVERY_S: Final = 10.0  # of a stage whose counts alone have changed, so that a log stays short

_NOTHING_NEW: Final = {Standing.CONNECTING, Standing.FINISHED}  # the batch's status says the latter


class Lines:
    """What was said already, and so need not be said again."""

    def __init__(self) -> None:
        self._said: dict[str, object] = {}
        self._stages: dict[str, tuple[str, float]] = {}  # what was said last of a stage, and when

    def of(self, page: Page, now_s: float) -> list[str]:
        """What is to be said now.

        Args:
            page: the page as it is.
            now_s: seconds on any clock.
        """
        lines = []
        if self._is_new("standing", page.standing) and page.standing not in _NOTHING_NEW:
            lines.append(joined(f"{page.title}: {page.connection}", page.reason))
        if self._is_new("notice", page.notice) and page.notice:
            lines.append(page.notice)
        for card in page.cards:
            lines += self._of_card(card, now_s)
        if self._is_new("status", page.status) and page.cards:
            lines.append(joined(f"{page.title}: {wording.STATUS[page.status]}", page.subline))
        return lines

    def _of_card(self, card: Card, now_s: float) -> list[str]:
        line = stage_line(card)
        before, said_s = self._stages.get(card.stage, ("", 0.0))
        is_new = self._is_new(f"stage {card.stage}", (card.status, card.run))
        lines = []
        if is_new or (line != before and now_s - said_s >= COUNTS_EVERY_S):
            self._stages[card.stage] = (line, now_s)
            lines.append(line)
        if self._is_new(f"silent {card.stage}", len(card.silent)):
            lines += card.silent
        return lines

    def _is_new(self, what: str, value: object) -> bool:
        new = self._said.get(what) != value
        self._said[what] = value
        return new


def stage_line(card: Card) -> str:
    """A stage in one line: "Denoise: 100/500 files · 20% · 12.4 files/s · about 3 min left · Processing ⏳"."""
    errors = card.errors_text if card.failed else ""
    title = f"{card.title} {card.run}".rstrip()
    return f"{title}: {joined(card.files, card.percent, errors, card.pace, wording.STATUS[card.status])}"


def event_line(message: EventMessage, zone: tzinfo | None = None) -> str:
    """An event of the stream in one line: "102 [10:01:40] Denoise: 📄 audio100.wav: ✅ Complete"."""
    event = message.event
    stage = getattr(event, "stage", None)
    what = wording.event_text(event) if stage is None else f"{wording.stage_title(stage)}: {wording.event_text(event)}"
    return f"{message.id} [{wording.time_of_day(event.timestamp, zone)}] {what}"
