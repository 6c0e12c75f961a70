"""How the programs prove themselves to Kafka and know it again: TLS, SASL and OAuth, from the environment.

The same settings for producers, projector and gateway. Pure but for the small files that hold secrets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from headway_events.errors import HeadwayError

PROTOCOLS: Final = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
MECHANISMS: Final = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN", "OAUTHBEARER")
LOOPBACK: Final = ("http://127.0.0.1:", "http://localhost:")  # where a secret may travel without TLS


class InvalidSecurity(HeadwayError, ValueError):
    """A setting of the connection to Kafka cannot be read, or does not fit the others."""

    def __init__(self, name: str, found: str, expected: str) -> None:
        super().__init__(f"{name} is {found}; expected {expected}")
        self.name = name


class Secret(str):
    """Text that no log and no traceback shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(...)"

    def __format__(self, _: str) -> str:
        return repr(self)

    __str__ = __repr__

    def reveal(self) -> str:
        """The text itself."""
        return str.__str__(self)


class KafkaSecurity(msgspec.Struct, frozen=True, kw_only=True):
    """What a program shows to the brokers, and what it expects of them."""

    protocol: str = "plaintext"
    """HEADWAY_KAFKA_SECURITY_PROTOCOL: `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`."""
    mechanism: str = ""
    """HEADWAY_KAFKA_SASL_MECHANISM: with the `sasl` protocols `SCRAM-SHA-256`, `SCRAM-SHA-512`, `PLAIN` or
    `OAUTHBEARER`."""
    username: str = ""
    """HEADWAY_KAFKA_SASL_USERNAME: the user, with SCRAM and PLAIN."""
    password: Secret = Secret()
    """HEADWAY_KAFKA_SASL_PASSWORD, HEADWAY_KAFKA_SASL_PASSWORD_FILE: its password, or the file that holds it."""
    ca_file: str = ""
    """HEADWAY_KAFKA_CA_FILE: PEM file of the authorities that may have signed the brokers' certificates; empty: those
    that the machine trusts."""
    certificate_file: str = ""
    """HEADWAY_KAFKA_CERTIFICATE_FILE: PEM file of this program's own certificate, where the brokers ask for one."""
    key_file: str = ""
    """HEADWAY_KAFKA_KEY_FILE: PEM file of the certificate's private key."""
    key_password: Secret = Secret()
    """HEADWAY_KAFKA_KEY_PASSWORD, HEADWAY_KAFKA_KEY_PASSWORD_FILE: the key's password, or the file that holds it."""
    token_url: str = ""
    """HEADWAY_KAFKA_OAUTH_TOKEN_URL: with OAUTHBEARER, the `https` address that gives tokens for client credentials."""
    client_id: str = ""
    """HEADWAY_KAFKA_OAUTH_CLIENT_ID: the client, with OAUTHBEARER."""
    client_secret: Secret = Secret()
    """HEADWAY_KAFKA_OAUTH_CLIENT_SECRET, HEADWAY_KAFKA_OAUTH_CLIENT_SECRET_FILE: its secret, or the file with it."""
    scope: str = ""
    """HEADWAY_KAFKA_OAUTH_SCOPE: the scope to ask for, where the issuer wants one."""

    @classmethod
    def from_environment(cls, found: Mapping[str, str]) -> KafkaSecurity:
        """The settings in this environment.

        Raises:
            InvalidSecurity: a value cannot be read, is missing, or would be without effect; the message names it.
        """
        return cls(
            protocol=found.get("HEADWAY_KAFKA_SECURITY_PROTOCOL", "").lower() or "plaintext",
            mechanism=found.get("HEADWAY_KAFKA_SASL_MECHANISM", "").upper(),
            username=found.get("HEADWAY_KAFKA_SASL_USERNAME", ""),
            password=_secret(found, "HEADWAY_KAFKA_SASL_PASSWORD", "HEADWAY_KAFKA_SASL_PASSWORD_FILE"),
            ca_file=_file(found, "HEADWAY_KAFKA_CA_FILE"),
            certificate_file=_file(found, "HEADWAY_KAFKA_CERTIFICATE_FILE"),
            key_file=_file(found, "HEADWAY_KAFKA_KEY_FILE"),
            key_password=_secret(found, "HEADWAY_KAFKA_KEY_PASSWORD", "HEADWAY_KAFKA_KEY_PASSWORD_FILE"),
            token_url=found.get("HEADWAY_KAFKA_OAUTH_TOKEN_URL", ""),
            client_id=found.get("HEADWAY_KAFKA_OAUTH_CLIENT_ID", ""),
            client_secret=_secret(found, "HEADWAY_KAFKA_OAUTH_CLIENT_SECRET", "HEADWAY_KAFKA_OAUTH_CLIENT_SECRET_FILE"),
            scope=found.get("HEADWAY_KAFKA_OAUTH_SCOPE", ""),
        )

    @property
    def has_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.protocol in {"ssl", "sasl_ssl"}

    @property
    def has_sasl(self) -> bool:
        """Whether the program names itself by SASL."""
        return self.protocol.startswith("sasl_")

    def connection(self, bootstrap: str) -> dict[str, str]:
        """What a client needs to connect to the brokers at this address, as properties of librdkafka."""
        return {"bootstrap.servers": bootstrap, **self.client_config()}

    def client_config(self) -> dict[str, str]:
        """The settings as properties of librdkafka. Empty for `plaintext`, its default."""
        if self.protocol == "plaintext":
            return {}
        config = {
            "security.protocol": self.protocol,
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.certificate_file,
            "ssl.key.location": self.key_file,
            "ssl.key.password": self.key_password.reveal(),
            "sasl.mechanism": self.mechanism,
            "sasl.username": self.username,
            "sasl.password": self.password.reveal(),
            "sasl.oauthbearer.method": "oidc" if self.mechanism == "OAUTHBEARER" else "",
            "sasl.oauthbearer.token.endpoint.url": self.token_url,
            "sasl.oauthbearer.client.id": self.client_id,
            "sasl.oauthbearer.client.secret": self.client_secret.reveal(),
            "sasl.oauthbearer.scope": self.scope,
        }
        return {name: value for name, value in config.items() if value}

    def __post_init__(self) -> None:
        """See whether the settings fit one another; raises InvalidSecurity where they do not."""
        if self.protocol not in PROTOCOLS:
            raise InvalidSecurity("HEADWAY_KAFKA_SECURITY_PROTOCOL", repr(self.protocol), _one_of(PROTOCOLS))
        if not self.has_tls:
            self._expect_unset(self._of_tls, "HEADWAY_KAFKA_SECURITY_PROTOCOL to be ssl or sasl_ssl beside it")
        if not self.has_sasl:
            self._expect_unset(self._of_sasl, "HEADWAY_KAFKA_SECURITY_PROTOCOL to be sasl_ssl beside it")
        elif self.mechanism not in MECHANISMS:
            found = repr(self.mechanism) if self.mechanism else "not set"
            raise InvalidSecurity("HEADWAY_KAFKA_SASL_MECHANISM", found, _one_of(MECHANISMS))
        elif self.mechanism == "OAUTHBEARER":
            self._expect_set(self._of_oauth)
            if not self.token_url.startswith(("https://", *LOOPBACK)):
                raise InvalidSecurity("HEADWAY_KAFKA_OAUTH_TOKEN_URL", repr(self.token_url), "an https:// address")
        else:
            self._expect_set(self._of_password)
        if bool(self.certificate_file) != bool(self.key_file):
            name = "HEADWAY_KAFKA_KEY_FILE" if self.certificate_file else "HEADWAY_KAFKA_CERTIFICATE_FILE"
            raise InvalidSecurity(name, "not set", "the certificate and its key together")

    @property
    def _of_password(self) -> dict[str, str]:
        return {"HEADWAY_KAFKA_SASL_USERNAME": self.username, "HEADWAY_KAFKA_SASL_PASSWORD": self.password}

    @property
    def _of_oauth(self) -> dict[str, str]:
        return {
            "HEADWAY_KAFKA_OAUTH_TOKEN_URL": self.token_url,
            "HEADWAY_KAFKA_OAUTH_CLIENT_ID": self.client_id,
            "HEADWAY_KAFKA_OAUTH_CLIENT_SECRET": self.client_secret,
        }

    @property
    def _of_sasl(self) -> dict[str, str]:
        return {"HEADWAY_KAFKA_SASL_MECHANISM": self.mechanism, **self._of_password, **self._of_oauth}

    @property
    def _of_tls(self) -> dict[str, str]:
        return {
            "HEADWAY_KAFKA_CA_FILE": self.ca_file,
            "HEADWAY_KAFKA_CERTIFICATE_FILE": self.certificate_file,
            "HEADWAY_KAFKA_KEY_FILE": self.key_file,
        }

    def _expect_set(self, settings: Mapping[str, str]) -> None:
        for name, value in settings.items():
            if not value:
                raise InvalidSecurity(name, "not set", f"it with HEADWAY_KAFKA_SASL_MECHANISM={self.mechanism}")

    def _expect_unset(self, settings: Mapping[str, str], expected: str) -> None:
        """A secret that is set and not used is a mistake: its owner takes the connection for safe."""
        for name, value in settings.items():
            if value:
                raise InvalidSecurity(name, f"set, with protocol {self.protocol!r} that does not use it", expected)


def _one_of(values: tuple[str, ...]) -> str:
    return f"{', '.join(values[:-1])} or {values[-1]}"


def _secret(found: Mapping[str, str], name: str, file_name: str) -> Secret:
    """A secret that stands in the environment or in the file named there, whose last line may end."""
    value, path = found.get(name, ""), found.get(file_name, "")
    if not path:
        return Secret(value)
    if value:
        raise InvalidSecurity(file_name, f"set beside {name}", "one of the two")
    try:
        text = Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSecurity(file_name, f"{path!r}, which cannot be read ({error})", "a readable file") from error
    if not text:
        raise InvalidSecurity(file_name, f"{path!r}, which is empty", "a file that holds the secret")
    return Secret(text)


def _file(found: Mapping[str, str], name: str) -> str:
    path = found.get(name, "")
    if path and not os.access(path, os.R_OK):
        raise InvalidSecurity(name, repr(path), "a PEM file that this user can read")
    return path
