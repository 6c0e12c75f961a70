"""What PostgreSQL's jsonb gives back of a response, told by the rules of its manual and not by asking it.

Source: https://www.postgresql.org/docs/current/datatype-json.html and datatype-numeric.html
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

MOST_DIGITS: Final = (131_072, 16_383)  # of a numeric, before and after its point
SAID: Final = "not storable as jsonb"


class _NotStorable(ValueError):
    """jsonb refuses it."""


@lru_cache(maxsize=1024)  # a load's files mostly get the same response
def as_stored(response: bytes) -> Any:
    """A response as the log should hold it: NUL replaced; only the reason, `SAID`, of one that jsonb cannot hold."""
    try:
        return _replaced(json.loads(response.decode(), parse_int=_number, parse_float=_number))
    except ValueError:
        return SAID


@lru_cache(maxsize=1024)
def as_read(response: str) -> Any:
    """A response as PostgreSQL writes it, in the form of `as_stored`."""
    found = json.loads(response, parse_int=Decimal, parse_float=Decimal)
    refused = isinstance(found, dict) and str(found.get("headway", "")).startswith(SAID)
    return SAID if refused else found


def _number(text: str) -> Decimal:
    number = Decimal(text)  # exact, as numeric is
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # JSON has no NaN
    before, after = MOST_DIGITS
    if len(digits) + exponent > before or -exponent > after:
        raise _NotStorable(text)
    return number


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair is a ValueError, here as in PostgreSQL
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_replaced(member) for member in value]
    if isinstance(value, dict):
        return {_replaced(name): _replaced(member) for name, member in value.items()}
    return value
