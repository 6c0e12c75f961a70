"""Which setting is to blame when Kafka refuses a connection or a request: a remedy for the words of librdkafka.

librdkafka tries for ever and tells only what it saw. Its codes say less than its words: a broker that wants TLS just
hangs up.
"""

from __future__ import annotations

from typing import Any, Final

# The first that is found in the text counts.
REMEDIES: Final = (
    (
        "certificate verify failed",
        "The broker's certificate is not signed by an authority that is trusted here, has expired or is for another "
        "host: see HEADWAY_KAFKA_CA_FILE and HEADWAY_KAFKA_BOOTSTRAP.",
    ),
    ("Unsupported SASL mechanism", "See HEADWAY_KAFKA_SASL_MECHANISM."),
    (
        "OAUTHBEARER",
        "See HEADWAY_KAFKA_OAUTH_TOKEN_URL, HEADWAY_KAFKA_OAUTH_CLIENT_ID and HEADWAY_KAFKA_OAUTH_CLIENT_SECRET.",
    ),
    ("SASL authentication", "See HEADWAY_KAFKA_SASL_USERNAME and HEADWAY_KAFKA_SASL_PASSWORD."),
    ("PLAINTEXT broker", "The broker does not speak TLS there: see HEADWAY_KAFKA_SECURITY_PROTOCOL."),
    (
        "security.protocol",
        "The broker does not speak as this program does: see HEADWAY_KAFKA_SECURITY_PROTOCOL.",
    ),
    (
        "alert",
        "The broker refuses this program's certificate, or misses one: see HEADWAY_KAFKA_CERTIFICATE_FILE and "
        "HEADWAY_KAFKA_KEY_FILE.",
    ),
    (
        "authorization failed",
        "Kafka knows this program and does not allow it this: see docs/operate/security.md for the rules it needs.",
    ),
)


def remedy(reason: object) -> str | None:
    """What to look at, or None if this is no refusal: a broker that is away, say."""
    text = str(reason).lower()
    return next((advice for words, advice in REMEDIES if words.lower() in text), None)


def explained(reason: object) -> str:
    """The reason, with the remedy where there is one."""
    advice = remedy(reason)
    text = str(reason)
    return text if advice is None or advice in text else f"{text.rstrip('.')}. {advice}"


class Refusals:
    """Hears what a client of librdkafka reports, and keeps the last refusal."""

    def __init__(self) -> None:
        self.last = ""
        """Why the brokers last refused, with the remedy; empty where they did not."""

    @property
    def callbacks(self) -> dict[str, Any]:
        """Properties with which a client of librdkafka reports here, and not by lines on stderr."""
        return {"log_level": 2, "error_cb": lambda error: self.hear(error.str())}

    def hear(self, reason: str) -> None:
        """The client has reported this; what is no refusal is passed over."""
        if remedy(reason) is not None:
            self.last = explained(reason)

    def forget(self) -> None:
        """The brokers have answered since."""
        self.last = ""
