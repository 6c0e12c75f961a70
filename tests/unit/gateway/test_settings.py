"""Settings come from the environment; those that would open a gateway to strangers by mistake are refused."""

from __future__ import annotations

import ipaddress

import pytest
from headway_gateway.errors import InvalidSetting
from headway_gateway.settings import Settings

SECRET = "0123456789abcdef0123456789abcdef"


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


def test_lists_are_taken_apart() -> None:
    settings = Settings.from_environment(
        {
            "HEADWAY_GATEWAY_ORIGINS": "https://a.example, HTTP://B.example:81",
            "HEADWAY_GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8,::1",
        }
    )
    assert settings.origins == {"https://a.example", "http://b.example:81"}
    assert settings.trusted_proxies == (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1"))


@pytest.mark.parametrize(
    "authentication", [{"HEADWAY_GATEWAY_TOKEN_SECRET": SECRET}, {"HEADWAY_GATEWAY_JWKS": "/etc/keys.json"}]
)
def test_another_address_than_loopback_needs_authentication_or_a_plain_word(authentication: dict[str, str]) -> None:
    everywhere = {"HEADWAY_GATEWAY_HOST": "0.0.0.0"}
    with pytest.raises(InvalidSetting, match="HEADWAY_GATEWAY_HOST"):
        Settings.from_environment(everywhere)
    assert Settings.from_environment({**everywhere, "HEADWAY_GATEWAY_OPEN": "1"}).open
    assert Settings.from_environment({**everywhere, **authentication}).authenticated
    with pytest.raises(InvalidSetting, match="HEADWAY_GATEWAY_OPEN"):
        Settings.from_environment({**authentication, "HEADWAY_GATEWAY_OPEN": "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEADWAY_GATEWAY_ORIGINS", "*"),
        ("HEADWAY_GATEWAY_ORIGINS", "null"),
        ("HEADWAY_GATEWAY_ORIGINS", "a.example"),
        ("HEADWAY_GATEWAY_ORIGINS", "https://a.example/"),
        ("HEADWAY_GATEWAY_JWKS", "http://id.example/keys"),
        ("HEADWAY_GATEWAY_OPEN", "yes"),
        ("HEADWAY_GATEWAY_COOKIE_SECURE", "true"),
        ("HEADWAY_GATEWAY_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("HEADWAY_GATEWAY_TRUSTED_PROXIES", "proxy.example"),
        ("HEADWAY_GATEWAY_PROXY_HEADER", "X-Real-IP"),
        ("HEADWAY_GATEWAY_LOG_LEVEL", "debug"),
        ("HEADWAY_GATEWAY_MOST_STREAMS", "-1"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=name) as refusal:
        Settings.from_environment({name: value})
    assert repr(value) in str(refusal.value)


def test_a_short_secret_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidSetting, match="HEADWAY_GATEWAY_TOKEN_SECRET") as refusal:
        Settings.from_environment({"HEADWAY_GATEWAY_TOKEN_SECRET": SECRET[:31]})
    assert "0123" not in str(refusal.value)


def test_settings_do_not_show_the_secret() -> None:
    assert "0123" not in repr(Settings.from_environment({"HEADWAY_GATEWAY_TOKEN_SECRET": SECRET}))
