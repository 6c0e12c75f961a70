"""Turns whatever a pipeline says of a file into JSON. Never refuses: an event matters more than its details."""

from __future__ import annotations

import json
import traceback
from typing import Any, Final

import msgspec

from headway.errors import InvalidArgument

MOST_TRACEBACK_CHARACTERS: Final = 8_000  # arbitrary: its last part, where the error is, fits
MOST_BYTES: Final = 900_000  # with the event around it below Kafka's usual limit of 1 MiB for a record


def encode_response(response: Any) -> bytes:
    """`response` as JSON in UTF-8.

    What JSON has no form for becomes text (a NumPy number its value); what is larger than a record may be is replaced
    by its status and size.
    """
    try:
        encoded = _encoder.encode(response)
    except Exception:  # noqa: BLE001 - a user's object can raise anything while it is looked at
        encoded = _encode_leniently(response)
    if len(encoded) <= MOST_BYTES:
        return encoded
    status = response.get("status") if isinstance(response, dict) else None
    kept = {"status": status} if isinstance(status, str) else {}
    return _encoder.encode({**kept, "headway": "response too large", "bytes": len(encoded)})


def describe_error(error: BaseException | str) -> dict[str, str]:
    """The response of a file that failed.

    Raises:
        InvalidArgument: `error` is neither an exception nor text.
    """
    if isinstance(error, str):
        return {"status": "error", "message": error}
    if not isinstance(error, BaseException):
        raise InvalidArgument("error", f"expected an exception or text, got {error!r}")
    return {
        "status": "error",
        "type": type(error).__name__,
        "message": _text_of(error),
        "traceback": "".join(traceback.format_exception(error))[-MOST_TRACEBACK_CHARACTERS:],
    }


def _encode_leniently(response: Any) -> bytes:
    """For lone surrogates, keys that are no text, objects that fail: text that says what can be said."""
    try:
        text = json.dumps(response, default=plain, ensure_ascii=False, allow_nan=False, skipkeys=True)
    except Exception:  # noqa: BLE001
        text = json.dumps(_last_resort(response))
    return text.encode("utf-8", "replace")


def plain(value: Any) -> Any:
    """Something that JSON has a form for in place of what it has none for."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:  # a NumPy scalar
        return item()
    return str(value)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception of the pipeline's may fail to say what it is
        return f"<{type(error).__name__} that cannot be shown>"


def _last_resort(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001
        return f"<{type(value).__name__}>"


_encoder: Final = msgspec.json.Encoder(enc_hook=plain)
