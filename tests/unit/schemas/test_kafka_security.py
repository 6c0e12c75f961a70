"""The settings of the connection to Kafka: what fits together goes to librdkafka, what does not is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from headway_events import KafkaSecurity
from headway_events.kafka_refusals import explained
from headway_events.kafka_security import InvalidSecurity

SCRAM = {
    "HEADWAY_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "HEADWAY_KAFKA_SASL_MECHANISM": "scram-sha-512",
    "HEADWAY_KAFKA_SASL_USERNAME": "pipeline",
    "HEADWAY_KAFKA_SASL_PASSWORD": "hidden",
}
OAUTH = {
    "HEADWAY_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
    "HEADWAY_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "HEADWAY_KAFKA_OAUTH_TOKEN_URL": "https://id.example/token",
    "HEADWAY_KAFKA_OAUTH_CLIENT_ID": "pipeline",
    "HEADWAY_KAFKA_OAUTH_CLIENT_SECRET": "hidden",
}


def test_without_settings_a_client_connects_as_it_does_by_default() -> None:
    assert KafkaSecurity.from_environment({}).client_config() == {}


def test_a_password_goes_to_the_client_and_nowhere_else() -> None:
    security = KafkaSecurity.from_environment(SCRAM)
    assert security.client_config() == {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "pipeline",
        "sasl.password": "hidden",
    }
    assert "hidden" not in f"{security!r} {security.password} {security.password!r} {str(security.password)!s}"


def test_a_secret_can_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hidden\n")
    found = {**OAUTH, "HEADWAY_KAFKA_OAUTH_CLIENT_SECRET": "", "HEADWAY_KAFKA_OAUTH_CLIENT_SECRET_FILE": str(file)}
    assert KafkaSecurity.from_environment(found).client_config()["sasl.oauthbearer.client.secret"] == "hidden"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"HEADWAY_KAFKA_SECURITY_PROTOCOL": "tls"}, "HEADWAY_KAFKA_SECURITY_PROTOCOL"),
        ({"HEADWAY_KAFKA_SECURITY_PROTOCOL": "plaintext"}, "HEADWAY_KAFKA_SASL_MECHANISM"),
        ({"HEADWAY_KAFKA_SASL_MECHANISM": "GSSAPI"}, "HEADWAY_KAFKA_SASL_MECHANISM"),
        ({"HEADWAY_KAFKA_SASL_PASSWORD": ""}, "HEADWAY_KAFKA_SASL_PASSWORD"),
        ({"HEADWAY_KAFKA_SASL_PASSWORD_FILE": "/dev/null"}, "HEADWAY_KAFKA_SASL_PASSWORD_FILE"),
        ({"HEADWAY_KAFKA_CA_FILE": "/nowhere/ca.pem"}, "HEADWAY_KAFKA_CA_FILE"),
        ({"HEADWAY_KAFKA_KEY_FILE": "/dev/null"}, "HEADWAY_KAFKA_CERTIFICATE_FILE"),
        ({**OAUTH, "HEADWAY_KAFKA_OAUTH_TOKEN_URL": "http://id.example/token"}, "HEADWAY_KAFKA_OAUTH_TOKEN_URL"),
        ({**OAUTH, "HEADWAY_KAFKA_OAUTH_CLIENT_ID": ""}, "HEADWAY_KAFKA_OAUTH_CLIENT_ID"),
    ],
)
def test_what_cannot_be_or_would_be_without_effect_is_named(changes: dict[str, str], name: str) -> None:
    with pytest.raises(InvalidSecurity) as refused:
        KafkaSecurity.from_environment({**SCRAM, **changes})
    assert refused.value.name == name
    assert "hidden" not in str(refused.value)


def test_a_refusal_is_told_with_its_remedy_once_and_an_outage_without() -> None:
    told = explained("SASL authentication error: Authentication failed")
    assert told.endswith("See HEADWAY_KAFKA_SASL_USERNAME and HEADWAY_KAFKA_SASL_PASSWORD.")
    assert explained(told) == told
    assert explained("Connection refused") == "Connection refused"
