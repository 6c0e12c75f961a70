"""Who asks, and which batches they may read. Pure."""

from __future__ import annotations

from typing import Final

import msgspec


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who has shown a token, or everybody where none is asked for."""

    batches: frozenset[int] | None = None
    """Those that may be read; None: all."""
    expires_at: float | None = None
    """When it ends, in seconds since 1970; None: never."""
    read_only: bool = False
    """Whether it may not even ask for tokens: a query token does not prolong itself."""

    def may_read(self, batch_id: int) -> bool:
        """Whether this batch is among those that may be read."""
        return self.batches is None or batch_id in self.batches


EVERYBODY: Final = Principal()
