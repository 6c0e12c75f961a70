"""An issuer of tokens for client credentials, as an identity provider is one. Source: RFC 6749, section 4.4."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

LASTS_S: Final = 300


class TokenEndpoint:
    """Gives a token in the name of whoever knows the secret; `refused` counts the others."""

    def __init__(self, *, secret: str, audience: str) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._secret = secret
        self._audience = audience
        self.given = 0
        self.refused = 0

    def write_key_set(self, path: Path) -> None:
        """The public key, for the brokers."""
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        path.write_text(json.dumps({"keys": [{**key, "kid": "one", "use": "sig", "alg": "RS256"}]}))

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Listen; the address of the endpoint."""
        app = web.Application()
        app.router.add_post("/token", self._token)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/token"
        finally:
            await runner.cleanup()

    async def _token(self, request: web.Request) -> web.Response:
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        client, _, secret = base64.b64decode(credentials).decode().partition(":") if scheme == "Basic" else ("", "", "")
        if secret != self._secret or (await request.post())["grant_type"] != "client_credentials":
            self.refused += 1
            return web.json_response({"error": "invalid_client"}, status=401)
        self.given += 1
        now = int(time.time())
        claims: dict[str, Any] = {"sub": client, "aud": self._audience, "iat": now, "exp": now + LASTS_S}
        token = jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "one"})
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": LASTS_S})
