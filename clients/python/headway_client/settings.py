"""Where the gateway is and what opens it, for the `headway` command and for notebooks: from the environment.

`HeadwayClient` itself reads no environment: programs say what they mean.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from headway_client.errors import BadAddress

DEFAULT_URL = "http://127.0.0.1:8080"  # where `make up` puts it


class Secret(str):
    """A text that no log and no traceback shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(...)"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where to ask, and what to show there."""

    url: str = DEFAULT_URL
    """HEADWAY_GATEWAY_URL: the gateway's address, with the path below which it is served if there is one."""
    token: Secret | None = None
    """HEADWAY_GATEWAY_TOKEN: sent as `Authorization: Bearer ...`; none by default."""

    @classmethod
    def from_environment(
        cls, url: str | None = None, token: str | None = None, environment: Mapping[str, str] = os.environ
    ) -> Settings:
        """What is given, and from the environment what is not.

        Raises:
            BadAddress: the address is not one of http or https.
        """
        url = url or environment.get("HEADWAY_GATEWAY_URL") or DEFAULT_URL
        token = token or environment.get("HEADWAY_GATEWAY_TOKEN")
        if not url.startswith(("http://", "https://")):
            raise BadAddress(f"{url!r} is no address of a gateway: expected one such as {DEFAULT_URL}")
        return cls(url=url, token=Secret(token) if token else None)
