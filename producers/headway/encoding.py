"""Encodes the report of a file on the hot path: each argument looked at once, nothing decoded again."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any, Final

import msgspec
from headway_events import FileEvent
from headway_events.wire import MAX_DEPTH
from msgspec import UNSET

from headway.response import MOST_BYTES, plain

PLAIN_NAME: Final = 512  # characters; every ASCII name up to here keeps all bounds of a file name


def encode_file(
    kind: type[FileEvent],
    batch_id: int,
    timestamp: datetime,
    stage: str,
    file_name: str | os.PathLike[str],
    response: Any,
    gpu_ip: str | None,
    duration_ms: float | None,
) -> bytes | None:
    """The record's value, if it is certain without decoding it that readers will take it; else None.

    `batch_id` and `stage` have been accepted before. None says nothing against the arguments: most often a name is not
    ASCII, a path is no text, or a response has something that JSON has no form for.
    """
    if not (
        type(file_name) is str
        and 0 < len(file_name) <= PLAIN_NAME
        and file_name.isascii()
        and "\0" not in file_name
        and (duration_ms is None or (type(duration_ms) is float and 0 <= duration_ms < _ENDLESS))
        and (gpu_ip is None or (type(gpu_ip) is str and gpu_ip.isascii() and "\0" not in gpu_ip))
    ):
        return None
    try:
        value = _encoder.encode(
            kind(
                batch_id=batch_id,
                timestamp=timestamp,
                stage=stage,
                file_name=file_name,
                response=UNSET if response is None else response,
                gpu_ip=gpu_ip,
                duration_ms=duration_ms,
            )
        )
    except Exception:  # noqa: BLE001 - a user's object can raise anything while it is looked at
        return None
    is_shallow = len(value) <= MAX_DEPTH or value.count(b"[") + value.count(b"{") <= MAX_DEPTH
    return value if is_shallow and len(value) <= MOST_BYTES else None


_ENDLESS: Final = float("inf")
_encoder: Final = msgspec.json.Encoder(enc_hook=plain)
