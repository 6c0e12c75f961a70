"""A batch in a notebook: shown as it is, or live in place. Needs no package: IPython is there where a notebook is."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from headway_events import BatchState, HeadwayError

from headway_client.client import HeadwayClient
from headway_client.html import page_html, trouble_html
from headway_client.lines import Lines
from headway_client.page import Page, page_of
from headway_client.reconnection import WATCHED_MOST_S
from headway_client.settings import Settings
from headway_client.watching import look, now, watch


class BatchView:
    """A batch, as a notebook's cell shows it.

    As the last expression of a cell it is one look at the batch; `await view.live()` follows it in place.
    """

    def __init__(self, batch_id: int, *, url: str | None = None, token: str | None = None) -> None:
        """Nothing is connected yet.

        Args:
            batch_id: the batch.
            url: the gateway's address; HEADWAY_GATEWAY_URL by default, else http://127.0.0.1:8080.
            token: sent as `Authorization: Bearer ...`; HEADWAY_GATEWAY_TOKEN by default.

        Raises:
            BadAddress: the address is not one of http or https.
        """
        self._batch_id = batch_id
        self._settings = Settings.from_environment(url, token)

    def __repr__(self) -> str:
        return f"BatchView({self._batch_id}, url={self._settings.url!r})"

    def _repr_html_(self) -> str:
        """One look; what is wrong in place of it where the gateway cannot tell."""
        found: list[str] = []
        looking = threading.Thread(target=lambda: found.append(asyncio.run(self._look())))
        looking.start()  # a cell runs in an event loop, which cannot wait for another
        looking.join()
        return found[0]

    async def live(self) -> BatchState:
        """Show the batch and change what is shown, until the batch is finished; its counts then.

        Outside a notebook a line is printed when something has changed.

        Raises:
            Problem: the gateway refuses.
            BadStream: see there.
        """
        show = _shown_by()
        async with self._client() as client, aclosing(watch(client, self._batch_id, begun=False)) as watching:
            async for watched in watching:
                show(page_of(watched, now()))
        return watched.batch

    async def _look(self) -> str:
        try:
            async with self._client() as client:
                return page_html(page_of(await look(client, self._batch_id), now()))
        except HeadwayError as error:
            return trouble_html(f"Batch {self._batch_id} cannot be shown.", str(error))

    def _client(self) -> HeadwayClient:
        url, token = self._settings.url, self._settings.token
        return HeadwayClient(url, token=token, patience_s=None, most_delay_s=WATCHED_MOST_S)


def _shown_by() -> Callable[[Page], None]:
    """What shows a page in place of the one before it, or as lines where nothing can be shown in place."""
    ipython: Any = sys.modules.get("IPython")  # not imported where it is not running
    in_notebook = ipython is not None and hasattr(ipython.get_ipython(), "kernel")  # in a terminal it has none
    return _displayed(ipython.display) if in_notebook else _printed()


def _printed() -> Callable[[Page], None]:
    lines = Lines()

    def show(page: Page) -> None:
        for line in lines.of(page, time.monotonic()):
            print(line, flush=True)

    return show


def _displayed(display: Any) -> Callable[[Page], None]:
    shown = ""
    handle = display.display(display.HTML(shown), display_id=True)

    def show(page: Page) -> None:
        nonlocal shown
        if (html := page_html(page)) != shown:
            handle.update(display.HTML(html))
            shown = html

    return show
