"""The errors of the client. What passes by itself (a gateway that restarts, a lost connection) raises none of them.

HeadwayError
└── ClientError
    ├── BadAddress           the gateway's address is none
    ├── GatewayAway          nothing answered for longer than the client's patience
    ├── BadStream            what answered is not a gateway's stream, or says what this version cannot count
    └── Problem              the gateway refused the request (RFC 9457)
        ├── BadRequest       400
        ├── Unauthorized     401
        ├── Forbidden        403
        ├── NotFound         404
        └── Gone             410
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, ClassVar

import msgspec
from headway_events import HeadwayError


class ClientError(HeadwayError):
    """The gateway could not be used."""


class BadAddress(ClientError):
    """The address is not one of http or https."""


class GatewayAway(ClientError):
    """The gateway does not answer."""


class BadStream(ClientError):
    """What was received cannot be counted."""


class Problem(ClientError):
    """The gateway refused the request."""

    expected_status: ClassVar[int | None] = None

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status = status
        """The HTTP status."""
        self.type = str(document.get("type", "about:blank"))
        """What kind of problem it is, such as `/problems/NoSuchBatch`: a stable name."""
        self.title = str(document.get("title", ""))
        self.detail = str(document.get("detail", ""))
        """What was wrong and what would be right, for people."""
        self.members = {name: value for name, value in document.items() if name not in _STANDARD}
        """Everything else that the problem says, such as `parameter` or `batchId`."""
        super().__init__(f"{status}: {self.detail or self.title or _phrase(status)}")


class BadRequest(Problem):
    """A parameter is malformed."""

    expected_status = 400


class Unauthorized(Problem):
    """There is no token, or not a valid one."""

    expected_status = 401


class Forbidden(Problem):
    """The token does not allow it."""

    expected_status = 403


class NotFound(Problem):
    """There is no such batch."""

    expected_status = 404


class Gone(Problem):
    """The events of the batch are not kept any more."""

    expected_status = 410


_STANDARD = frozenset({"type", "title", "status", "detail"})
_BY_STATUS = {kind.expected_status: kind for kind in (BadRequest, Unauthorized, Forbidden, NotFound, Gone)}


def problem(status: int, body: bytes) -> Problem:
    """The error that an answer is; its body may be anything, as proxies answer too."""
    try:
        document = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        document = {}
    return _BY_STATUS.get(status, Problem)(status, document)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"
