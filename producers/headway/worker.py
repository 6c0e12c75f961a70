"""Who this process is: the name under which it reports, and its host's name and address. Asks no other machine."""

from __future__ import annotations

import functools
import os
import socket
from typing import Final

from headway_events.events import MAX_WORKER_LENGTH

from headway.arguments import as_unicode, check_text
from headway.errors import InvalidArgument

_ELSEWHERE: Final = (  # reserved for documentation (RFC 5737, RFC 3849); where the host has a route, it leads there
    (socket.AF_INET, "192.0.2.1"),
    (socket.AF_INET6, "2001:db8::1"),
)
_DISCARD: Final = 9  # the port of the discard protocol


def worker_name(configured: str = "") -> str:
    """The name in all that this process reports: the one configured, else `host:pid`.

    Raises:
        InvalidArgument: no reader could hold it.
    """
    name = check_text("worker", configured) or f"{host()}:{os.getpid()}"
    if len(name) > MAX_WORKER_LENGTH:
        raise InvalidArgument("worker", f"expected at most {MAX_WORKER_LENGTH} characters, got {len(name)}")
    return name


def host() -> str:
    """This machine's name, as it calls itself."""
    return as_unicode(socket.gethostname())


@functools.cache
def address() -> str | None:
    """The address from which this machine would reach others; None if it has no way to any.

    Connecting a datagram socket chooses a route and sends nothing.
    """
    for family, elsewhere in _ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, _DISCARD))
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return None
