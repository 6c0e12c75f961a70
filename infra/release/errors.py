"""What can be wrong with a release."""

from __future__ import annotations


class ReleaseError(Exception):
    """The distributions cannot be released as they are."""
