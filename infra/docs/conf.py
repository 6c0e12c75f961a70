"""Sphinx's settings for the documentation's site: `make docs`. Pages are Markdown, read as MyST.

The pages link to each other, and to files of the repository, as they do where the repository is browsed.
"""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Final

from sphinx.application import Sphinx

project = "Headway"
version = release = version_of("headway-gateway")
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Headway"
html_copy_source = False
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]
nitpicky = True

FROM_ROOT: Final = {"ARCHITECTURE.md": "architecture.md", "CHANGELOG.md": "changelog.md"}


def setup(app: Sphinx) -> None:
    """Lead links to the repository's pages of its root to those of the site."""
    app.connect("source-read", _to_pages)


def _to_pages(_: Sphinx, document: str, source: list[str]) -> None:
    for name, page in FROM_ROOT.items():
        up = "../" * document.count("/")
        source[0] = source[0].replace(f"]({up}../{name}", f"]({up}{page}")
