"""The reference of the HTTP API, drawn by a real browser from the served document."""

from __future__ import annotations

import json
from importlib.resources import files

from playwright.async_api import Page, expect

from support.programs import Program

DOCUMENT = json.loads((files("headway_gateway") / "openapi.json").read_text("utf-8"))


async def test_the_reference_shows_every_address_parameter_and_schema(
    projector: Program, gateway: Program, page: Page
) -> None:
    await page.goto(gateway.url)
    await page.get_by_role("link", name="HTTP API").click()
    await expect(page.locator("h1")).to_have_text(f"Headway: HTTP API {DOCUMENT['info']['version']}")
    for path, operation in DOCUMENT["paths"].items():
        section = page.locator(f"section[id='{operation['get']['operationId']}']")
        await expect(section.locator("h2")).to_have_text(f"GET {path}")
        text = await section.inner_text()
        names = [parameter["name"] for parameter in operation["get"]["parameters"]]
        assert [name for name in [*names, *operation["get"]["responses"]] if name not in text] == []
    for name in DOCUMENT["components"]["schemas"]:
        await expect(page.locator(f"section[id='schema-{name}'] h3")).to_have_text(name)


async def test_an_address_with_a_fragment_shows_that_part(gateway: Program, page: Page) -> None:
    await page.goto(f"{gateway.url}/api/docs#exportBatch")
    await expect(page.locator("section#exportBatch")).to_be_in_viewport()
