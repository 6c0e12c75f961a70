"""A watched batch as HTML, for a notebook's cell. Pure.

Without scripts and style sheets, so that a saved notebook shows it wherever it is opened.
"""

from __future__ import annotations

from html import escape
from typing import Final

from headway_events import Status

from headway_client import wording
from headway_client.page import Card, Page
from headway_client.watched import Standing

SHOWN_EVENTS: Final = 5  # of a stage
_GOOD, _BAD, _WAITING, _QUIET = "#1a7f37", "#cf222e", "#9a6700", "#59636e"  # readable on white and on black
_COLOURS: Final = {
    Status.PENDING: _QUIET,
    Status.PROCESSING: "#0969da",
    Status.COMPLETE: _GOOD,
    Status.COMPLETE_WITH_ERRORS: _BAD,
    Status.STALLED: _WAITING,
}
_CARD: Final = "border:1px solid #8885;border-radius:6px;padding:8px 12px;margin:6px 0;max-width:40em"
_BAR: Final = "display:flex;flex:1;height:10px;border-radius:5px;overflow:hidden;background:#8883"


def page_html(page: Page) -> str:
    """The whole page."""
    connection = page.connection + (f": {page.reason}" if page.standing is Standing.OFFLINE and page.reason else "")
    parts = [
        f"<div><strong>{escape(page.title)}</strong> {_status(page.status)} {_quiet('span', connection)}</div>",
        _quiet("div", page.subline),
        f'<div style="color:{_WAITING}">{escape(page.notice)}</div>' if page.notice else "",
        *(_card(card) for card in page.cards),
    ]
    return f'<div class="headway-batch">{"".join(parts)}</div>'


def trouble_html(what: str, why: str) -> str:
    """What is shown in place of a page that cannot be had."""
    return f'<div class="headway-batch"><strong>{escape(what)}</strong> {escape(wording.printable(why))}</div>'


def _card(card: Card) -> str:
    colour = _BAD if card.failed else "inherit"
    lines = [
        f"<div><strong>{card.icon} {escape(card.title)}</strong> {card.run} {_status(card.status)}</div>",
        _bar(card),
        f"<div>{card.files}</div>",
        _quiet("div", card.pace),
        f'<div>{card.counts}<span style="color:{colour}">{card.errors_text}</span></div>',
        *(f'<div style="color:{_WAITING}">{escape(text)}</div>' for text in card.silent),
        *(_event(line.time, line.text, line.failed) for line in card.events[:SHOWN_EVENTS]),
    ]
    return f'<div style="{_CARD}">{"".join(lines)}</div>'


def _bar(card: Card) -> str:
    if card.processed is None:
        return ""
    parts = "".join(
        f'<div style="width:{share * 100:.2f}%;background:{colour}"></div>'
        for share, colour in ((card.processed, _GOOD), (card.errors, _BAD))
        if share
    )
    return f'<div style="display:flex;align-items:center;gap:8px"><div style="{_BAR}">{parts}</div>{card.percent}</div>'


def _event(time: str, text: str, failed: bool) -> str:
    colour = f' style="color:{_BAD}"' if failed else ""
    return f"<div{colour}><code>[{time}]</code> {escape(text)}</div>"


def _status(status: Status) -> str:
    return f'<span style="color:{_COLOURS[status]}">{wording.STATUS[status]}</span>'


def _quiet(tag: str, text: str) -> str:
    return f'<{tag} style="color:{_QUIET}">{escape(text)}</{tag}>' if text else ""
