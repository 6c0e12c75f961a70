"""Tokens for tests, signed as whoever runs a gateway signs them."""

from __future__ import annotations

import time
from typing import Literal

from headway_gateway import tokens
from headway_gateway.settings import Secret

SECRET = "a secret of the tests, of 32 bytes or more"


def token(*batches: int, everything: bool = False, lasts_s: float = 3600) -> str:
    """A token for some batches, or for all."""
    scope: list[int] | Literal["*"] = "*" if everything else list(batches)
    return tokens.sign(Secret(SECRET.encode()), scope, expires_at=time.time() + lasts_s)


def bearer(*batches: int, everything: bool = False, lasts_s: float = 3600) -> dict[str, str]:
    """The header that shows it."""
    return {"Authorization": f"Bearer {token(*batches, everything=everything, lasts_s=lasts_s)}"}
