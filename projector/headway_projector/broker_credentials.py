"""Faust's credentials for Kafka, from the same settings as those of every other client."""

from __future__ import annotations

import ssl
from typing import Any, Final

import aiohttp
import faust
from aiokafka.abc import AbstractTokenProvider
from headway_events import KafkaSecurity

from headway_projector.errors import TokenRefused

TOKEN_TIMEOUT_S: Final = 10.0


def broker_credentials(security: KafkaSecurity) -> Any:
    """What a Faust app takes as `broker_credentials`; None for `plaintext`."""
    context = _tls(security) if security.has_tls else None
    if not security.has_sasl:
        return None if context is None else faust.SSLCredentials(context)
    if security.mechanism == "OAUTHBEARER":
        return faust.OAuthCredentials(oauth_cb=ClientCredentials(security), ssl_context=context)
    return faust.SASLCredentials(
        username=security.username,
        password=security.password.reveal(),
        mechanism=security.mechanism,
        ssl_context=context,
    )


def _tls(security: KafkaSecurity) -> ssl.SSLContext:
    """Verifies the broker and its name, as librdkafka does by default."""
    context = ssl.create_default_context(cafile=security.ca_file or None)
    if security.certificate_file:
        context.load_cert_chain(
            security.certificate_file, security.key_file, password=security.key_password.reveal() or None
        )
    return context


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc] # aiokafka has no types
    """Asks the token endpoint anew for each connection: the client has no way to renew a token within one.

    Source: RFC 6749, section 4.4.
    """

    def __init__(self, security: KafkaSecurity) -> None:
        self._url = security.token_url
        self._client = aiohttp.BasicAuth(security.client_id, security.client_secret.reveal())
        self._form = {"grant_type": "client_credentials", **({"scope": security.scope} if security.scope else {})}

    async def token(self) -> str:
        """A token.

        Raises:
            TokenRefused: the endpoint does not give one.
        """
        timeout = aiohttp.ClientTimeout(total=TOKEN_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, auth=self._client) as session,
                session.post(self._url, data=self._form) as answer,
            ):
                answer.raise_for_status()
                return str((await answer.json(content_type=None))["access_token"])
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError) as error:
            raise TokenRefused(self._url, error) from error
