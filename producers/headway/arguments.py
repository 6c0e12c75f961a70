"""What a call was given, made fit for an event: taken as meant where that is certain, else refused by its name."""

from __future__ import annotations

import numbers
import os
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from headway_events import (
    Announcement,
    BadAnnouncement,
    BadEvent,
    Event,
    FileComplete,
    FileError,
    MalformedRecord,
    decode_announcement,
    encode,
    encode_announcement,
)
from headway_events.events import MAX_FILE_NAME_BYTES, MAX_FILE_NAME_LENGTH

from headway.errors import InvalidArgument

MOST_ANNOUNCEMENT_BYTES: Final = 100_000  # arbitrary: name and labels are for people, and a record holds 1 MiB


def check_batch(batch_id: object) -> int:
    """A signed 64-bit integer.

    Raises:
        InvalidArgument: it is none.
    """
    number = int(batch_id) if isinstance(batch_id, numbers.Integral) and not isinstance(batch_id, bool) else 2**63
    if not -(2**63) <= number < 2**63:
        raise InvalidArgument("batch_id", f"expected a signed 64-bit integer, got {batch_id!r}")
    return number


def check_text(argument: str, value: object) -> str | None:
    """Text that Postgres and JSON can hold, or None.

    Raises:
        InvalidArgument: it is neither.
    """
    if value is None:
        return None
    if not isinstance(value, str) or "\0" in value:
        raise InvalidArgument(argument, f"expected text without NUL, got {value!r}")
    return as_unicode(value)


def check_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Text for text.

    Raises:
        InvalidArgument: a name or a value is no text.
    """
    checked = {check_text("labels", name): check_text("labels", value) for name, value in labels.items()}
    plain = {name: value for name, value in checked.items() if name is not None and value is not None}
    if len(plain) < len(labels):
        raise InvalidArgument("labels", f"expected text for text, got {labels!r}")
    return plain


def file_name_text(name: str | os.PathLike[str]) -> str:
    """The name of a file as text.

    Raises:
        InvalidArgument: it is neither text nor a path.
    """
    text = name if isinstance(name, str) else os.fspath(name) if isinstance(name, os.PathLike) else name
    if not isinstance(text, str):
        raise InvalidArgument("file_name", f"expected text or a path, got {name!r}")
    return as_unicode(text)


def is_file_name(name: str) -> bool:
    """Whether readers take it as the name of a file."""
    return 0 < len(name) <= MAX_FILE_NAME_LENGTH and "\0" not in name and len(name.encode()) <= MAX_FILE_NAME_BYTES


def as_unicode(text: str) -> str:
    """`text` with readable escapes for what is no Unicode: surrogates, as `os.fsdecode` leaves them for bad bytes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def encode_checked(announcement: Announcement) -> bytes:
    """The announcement's record.

    Raises:
        InvalidArgument: readers would refuse it, or it is too large.
    """
    value = encode_announcement(announcement)
    if len(value) > MOST_ANNOUNCEMENT_BYTES:
        problem = f"with the name they take {len(value)} bytes; at most {MOST_ANNOUNCEMENT_BYTES} fit"
        raise InvalidArgument("labels", problem)
    try:
        decode_announcement(value)
    except BadAnnouncement as error:
        raise InvalidArgument("announce", str(error)) from error
    return value


def encode_as_meant(event: Event, error: Exception) -> tuple[Event, bytes]:
    """For an event that `encode` refused with `error`: what is meant for certain, in a form that it takes.

    NumPy's numbers become Python's. A response nested too deeply is replaced by a note: the file matters more.

    Raises:
        InvalidArgument: it is not certain what is meant; the message names the argument.
    """
    changes: dict[str, float | msgspec.Raw] = {
        field: int(value) if isinstance(value, numbers.Integral) else float(value)
        for field in event.__struct_fields__
        if isinstance(value := getattr(event, field), numbers.Real) and not isinstance(value, bool | int | float)
    }
    if isinstance(error, MalformedRecord) and isinstance(event, FileComplete | FileError):
        changes["response"] = _TOO_DEEP[type(event)]
    if not changes:
        raise _named(event, error) from error
    meant = msgspec.structs.replace(event, **changes)
    try:
        return meant, encode(meant)
    except BadEvent as still:
        raise _named(meant, still) from still


def _named(event: Event, error: Exception) -> InvalidArgument:
    """The refusal of an event, in the words of the call that made it: `fileName` on the wire is `file_name` here."""
    problem, _, path = str(error).partition(" - at `$.")
    field = re.sub(r"(?<!^)(?=[A-Z])", "_", path.rstrip("`").partition("[")[0]).lower()
    if field in event.__struct_fields__:
        return InvalidArgument(field, f"{problem[0].lower()}{problem[1:]}, got {getattr(event, field)!r}")
    for field in event.__struct_fields__:
        value = getattr(event, field)
        if not _has_json_form(value):
            return InvalidArgument(field, f"expected something that JSON can hold, got {value!r}")
    return InvalidArgument(event.event_type, str(error))


def _has_json_form(value: Any) -> bool:
    try:
        msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError):
        return value is msgspec.UNSET
    return True


_TOO_DEEP: Final = {
    FileComplete: msgspec.Raw(b'{"status":"success","headway":"response nested too deeply"}'),
    FileError: msgspec.Raw(b'{"status":"error","headway":"response nested too deeply"}'),
}
