"""The dashboard as a person reads it."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page, expect


class Dashboard:
    """The page of one batch."""

    def __init__(self, page: Page, url: str, batch_id: int) -> None:
        self.page = page
        self.address = f"{url}/?batchId={batch_id}"

    async def open(self) -> None:
        """Open the page."""
        await self.page.goto(self.address)

    async def shows(self, stage: str, *, counts: str, files: str, percent: str, status: str) -> None:
        """Wait until a stage's card shows exactly these texts."""
        card = self.page.locator(f'.card[data-stage="{stage}"]')
        await expect(card.locator(".counts")).to_have_text(counts, timeout=20_000)
        await expect(card.locator(".files")).to_have_text(files)
        await expect(card.locator(".percent")).to_have_text(percent)
        await expect(card.locator(".pill")).to_contain_text(status)

    async def connection(self, text: str) -> None:
        """Wait until the page says this of its connection."""
        await expect(self.page.locator("#connection")).to_contain_text(text, timeout=20_000)

    async def stage(self, name: str) -> dict[str, Any]:
        """What the console shows of `state.stages[name]`, as the guide does."""
        found: dict[str, Any] = await self.page.evaluate(
            "name => { const {total, processed, errors, status} = state.stages[name];"
            " return {total, processed, errors, status}; }",
            name,
        )
        return found
