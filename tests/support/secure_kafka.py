"""A broker that lets nobody in who does not prove who he is: by SCRAM, by OAuth, or by a certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from infra.local.kafka import BrokerAccess
from infra.local.service import free_port
from support import servers
from support.certificates import Authority

PASSWORD: Final = "correct horse"  # of a broker that lives as long as its tests
ADMINISTRATOR: Final = "admin"
USERS: Final = ("pipeline", "projector", "gateway")
AUDIENCE: Final = "kafka"
MODULES: Final = "org.apache.kafka.common.security"


class SecureKafka:
    """Where the broker is, and what one of its users must set to be let in."""

    def __init__(self, authority: Authority, scram_port: int, certificates_port: int) -> None:
        self.authority = authority
        self.bootstrap = f"127.0.0.1:{scram_port}"
        self.for_certificates = f"127.0.0.1:{certificates_port}"

    def scram(self, user: str) -> dict[str, str]:
        """The settings of a program that is this user, by password."""
        return {
            "HEADWAY_KAFKA_BOOTSTRAP": self.bootstrap,
            "HEADWAY_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
            "HEADWAY_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "HEADWAY_KAFKA_SASL_USERNAME": user,
            "HEADWAY_KAFKA_SASL_PASSWORD": PASSWORD,
            "HEADWAY_KAFKA_CA_FILE": str(self.authority.file),
        }

    def oauth(self, user: str, token_url: str) -> dict[str, str]:
        """The same, by a token that is had for a client's secret."""
        return {
            "HEADWAY_KAFKA_BOOTSTRAP": self.bootstrap,
            "HEADWAY_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
            "HEADWAY_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "HEADWAY_KAFKA_OAUTH_TOKEN_URL": token_url,
            "HEADWAY_KAFKA_OAUTH_CLIENT_ID": user,
            "HEADWAY_KAFKA_OAUTH_CLIENT_SECRET": PASSWORD,
            "HEADWAY_KAFKA_CA_FILE": str(self.authority.file),
        }

    def certificate(self, user: str, *, expired: bool = False) -> dict[str, str]:
        """The same, by a certificate in this user's name."""
        signed = self.authority.sign(user, expired=expired)
        return {
            "HEADWAY_KAFKA_BOOTSTRAP": self.for_certificates,
            "HEADWAY_KAFKA_SECURITY_PROTOCOL": "ssl",
            "HEADWAY_KAFKA_CA_FILE": str(self.authority.file),
            "HEADWAY_KAFKA_CERTIFICATE_FILE": str(signed.certificate),
            "HEADWAY_KAFKA_KEY_FILE": str(signed.key),
        }


@contextmanager
def secure_kafka(directory: Path, authority: Authority, key_set: Path) -> Iterator[SecureKafka]:
    """One broker; the tokens that it takes are signed with a key of the key set."""
    certificates_port = free_port()
    with servers.local_kafka(directory, access=_access(authority, key_set, certificates_port)) as broker:
        yield SecureKafka(authority, broker.port, certificates_port)


def _access(authority: Authority, key_set: Path, certificates_port: int) -> Callable[[int, int], BrokerAccess]:
    own = authority.sign("broker")

    def access(port: int, controller_port: int) -> BrokerAccess:
        clients = f"CLIENTS://127.0.0.1:{port},CERTIFICATES://127.0.0.1:{certificates_port}"
        return BrokerAccess(
            properties={**_listeners(clients, controller_port), **_tls(authority, own.both), **_sasl(key_set)},
            client={
                "security.protocol": "sasl_ssl", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": ADMINISTRATOR,
                "sasl.password": PASSWORD, "ssl.ca.location": str(authority.file),
            },
            scram=[f"SCRAM-SHA-512=[name={user},password={PASSWORD}]" for user in (ADMINISTRATOR, *USERS)],
            java_options=[f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={key_set.as_uri()}"],
        )  # fmt: skip

    return access


def _listeners(clients: str, controller_port: int) -> dict[str, str]:
    return {
        "listeners": f"{clients},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": clients,
        "listener.security.protocol.map": "CLIENTS:SASL_SSL,CERTIFICATES:SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CERTIFICATES",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # The controller's listener has no names. Clients are not told of it, and nobody else is ANONYMOUS.
        "super.users": f"User:{ADMINISTRATOR};User:broker;User:ANONYMOUS",
    }


def _tls(authority: Authority, own: Path) -> dict[str, str]:
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(own),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
        "listener.name.certificates.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
    }


def _sasl(key_set: Path) -> dict[str, str]:
    oauth = "listener.name.clients.oauthbearer"
    return {
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
        "listener.name.clients.scram-sha-512.sasl.jaas.config": f"{MODULES}.scram.ScramLoginModule required;",
        f"{oauth}.sasl.jaas.config": f"{MODULES}.oauthbearer.OAuthBearerLoginModule required;",
        f"{oauth}.sasl.server.callback.handler.class": f"{MODULES}.oauthbearer.OAuthBearerValidatorCallbackHandler",
        f"{oauth}.sasl.oauthbearer.jwks.endpoint.url": key_set.as_uri(),
        f"{oauth}.sasl.oauthbearer.expected.audience": AUDIENCE,
    }
