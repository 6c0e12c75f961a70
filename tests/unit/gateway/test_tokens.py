"""A token opens what its claim says, until it says, if the right key has signed it; everything else opens nothing."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from headway_gateway import tokens
from headway_gateway.errors import NotAuthenticated
from headway_gateway.jwks import read_keys
from headway_gateway.principal import Principal
from headway_gateway.settings import Secret
from headway_gateway.tokens import Key

SECRET = Secret(b"0123456789abcdef0123456789abcdef")
OTHER = Secret(b"fedcba9876543210fedcba9876543210")


def claims(**changed: Any) -> dict[str, Any]:
    return {"exp": time.time() + 60, "headway": {"batches": [1, "2"]}, **changed}


def signed(of: dict[str, Any], secret: bytes = SECRET, **header: Any) -> str:
    return jwt.encode(of, secret, algorithm="HS256", headers=header or None)


def verified(token: str, *, audience: str | None = None, issuer: str | None = None) -> Principal:
    return tokens.verify(token, tokens.secret_key(SECRET), audience=audience, issuer=issuer)


def refused(token: str, *, audience: str | None = None, issuer: str | None = None) -> str:
    with pytest.raises(NotAuthenticated) as refusal:
        verified(token, audience=audience, issuer=issuer)
    return str(refusal.value)


@pytest.mark.parametrize("batches", [[1, 2**62], [-5], []])
def test_what_is_signed_for_some_batches_opens_these_alone(batches: list[int]) -> None:
    principal = verified(tokens.sign(SECRET, batches, expires_at=time.time() + 60))
    assert principal.batches == frozenset(batches)
    assert [principal.may_read(batch_id) for batch_id in (*batches, 77)] == [True] * len(batches) + [False]


def test_what_is_signed_for_all_batches_opens_any() -> None:
    expires_at = time.time() + 60
    principal = verified(tokens.sign(SECRET, "*", expires_at=expires_at))
    assert (principal.batches, principal.may_read(123), principal.expires_at) == (None, True, int(expires_at))


def test_ids_may_be_numbers_or_text() -> None:
    assert verified(signed(claims(headway={"batches": [7, "9007199254740993"]}))).batches == frozenset({7, 2**53 + 1})


@pytest.mark.parametrize(
    "headway",
    [
        None, {}, [], "*", {"batches": "1"}, {"batches": ["*"]}, {"batches": [1.5]}, {"batches": [True]},
        {"batches": ["01"]}, {"batches": [2**63]}, {"batches": {"1": True}}, {"batches": None},
        {"batches": "*", "readOnlyStage": "denoise"},
    ],
)  # fmt: skip
def test_a_claim_of_another_form_opens_nothing(headway: Any) -> None:
    refused(signed(claims(headway=headway)))


def test_a_token_without_the_claim_opens_nothing() -> None:
    of = claims()
    del of["headway"]
    assert "no claim 'headway'" in refused(signed(of))


@pytest.mark.parametrize("exp", [None, "soon", "9999999999", True, [], 0, -1])
def test_a_token_without_a_time_of_expiry_in_the_future_opens_nothing(exp: Any) -> None:
    refused(signed(claims(exp=exp)))
    of = claims()
    del of["exp"]
    refused(signed(of))


@pytest.mark.parametrize("exp", [4_102_444_800_000, 10**18, 1e300, float("inf"), float("nan")])
def test_a_time_of_expiry_in_milliseconds_is_not_taken_for_the_far_future(exp: float) -> None:
    refused(signed(claims(exp=exp)))


def test_a_token_that_has_expired_a_moment_ago_opens_nothing() -> None:
    assert refused(signed(claims(exp=time.time() - 1))) == "The token has expired"


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_signers_clock_may_be_ahead_by_the_leeway_and_no_more(claim: str) -> None:
    verified(signed(claims(**{claim: time.time() + tokens.LEEWAY_S - 5})))
    refused(signed(claims(**{claim: time.time() + tokens.LEEWAY_S + 5})))


def test_the_audience_and_the_issuer_must_be_those_that_are_set() -> None:
    verified(signed(claims(aud=["headway", "other"], iss="https://id.example")), audience="headway")
    verified(signed(claims(iss="https://id.example")), issuer="https://id.example")
    refused(signed(claims(aud="other")), audience="headway")
    refused(signed(claims()), audience="headway")
    refused(signed(claims(aud="headway")))  # meant for somebody in particular, and nobody has said that it is us
    refused(signed(claims(iss="https://evil.example")), issuer="https://id.example")
    refused(signed(claims()), issuer="https://id.example")


def test_another_secret_a_changed_claim_and_no_signature_open_nothing() -> None:
    refused(signed(claims(), OTHER))
    head, body, signature = signed(claims()).split(".")
    changed = encoded({**json.loads(decoded(body)), "headway": {"batches": "*"}})
    refused(f"{head}.{changed}.{signature}")
    for alg in ("none", "None", "NONE", "HS384", "", None, 5):
        refused(f"{encoded({'alg': alg, 'typ': 'JWT'})}.{body}.")
        refused(f"{encoded({'alg': alg, 'typ': 'JWT'})}.{body}.{signature}")
    refused(f"{encoded({'typ': 'JWT'})}.{body}.{signature}")


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "...", "a.b.c", "\udcff", "é.é.é", "x" * 9000, f"{'W' * 8000}.e30.AAAA", "e30.e30.e30", "\0.\0.\0"],
)
def test_what_is_no_token_opens_nothing(text: str) -> None:
    refused(text)
    with pytest.raises(NotAuthenticated):
        tokens.verify_for_query(text, SECRET)


def test_a_deeply_nested_header_and_claim_open_nothing() -> None:
    nested = base64.urlsafe_b64encode(b"[" * 100_000).rstrip(b"=").decode()
    refused(f"{nested}.{nested}.AAAA")
    refused(f"{encoded({'alg': 'HS256'})}.{nested}.AAAA")


def test_a_critical_extension_that_is_not_known_opens_nothing() -> None:
    refused(signed(claims(), crit=["mine"], mine=1))


def test_a_query_token_opens_its_batch_for_minutes_and_lasts_as_long_as_the_token_it_was_made_with() -> None:
    until = time.time() + 3600
    token, expires_at = tokens.sign_for_query(SECRET, 5, Principal(expires_at=until))
    assert tokens.QUERY_TOKEN_S - 5 < expires_at - time.time() <= tokens.QUERY_TOKEN_S
    assert tokens.verify_for_query(token, SECRET) == Principal(batches=frozenset({5}), expires_at=until, read_only=True)


def test_a_query_token_ends_no_later_than_the_token_it_was_made_with() -> None:
    until = time.time() + 10
    _, expires_at = tokens.sign_for_query(SECRET, 5, Principal(expires_at=until))
    assert expires_at == until


def test_a_query_token_that_has_expired_opens_nothing() -> None:
    token, _ = tokens.sign_for_query(SECRET, 5, Principal(expires_at=time.time() - 1))
    with pytest.raises(NotAuthenticated, match="expired"):
        tokens.verify_for_query(token, SECRET)


def test_neither_kind_of_token_passes_for_the_other() -> None:
    token, _ = tokens.sign_for_query(SECRET, 5, Principal())
    refused(token)
    with pytest.raises(NotAuthenticated):
        tokens.verify_for_query(signed(claims(batch="5", until=None)), SECRET)


def test_a_secret_is_not_shown() -> None:
    assert "0123" not in f"{SECRET} {SECRET!r} {[SECRET]}"


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE: dict[str, Any] = {
    "RS256": RSA_KEY, "PS512": RSA_KEY, "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()), "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}  # fmt: skip


def jwk(algorithm: str, **changed: Any) -> dict[str, Any]:
    public = PRIVATE[algorithm].public_key()
    made: dict[str, Any] = json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(public))
    return {**made, **changed}


def key_set(*entries: dict[str, Any]) -> dict[str | None, Key]:
    return read_keys(json.dumps({"keys": entries}).encode())


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_a_public_key_checks_the_algorithms_of_its_kind(algorithm: str) -> None:
    keys = key_set(jwk(algorithm, kid="one"))
    token = jwt.encode(claims(), PRIVATE[algorithm], algorithm=algorithm)
    assert tokens.verify(token, keys["one"], audience=None, issuer=None).batches == frozenset({1, 2})


def test_a_key_that_names_its_algorithm_checks_no_other() -> None:
    keys = key_set(jwk("RS256", kid="one", alg="RS256"))
    token = jwt.encode(claims(), RSA_KEY, algorithm="PS256")
    with pytest.raises(NotAuthenticated):
        tokens.verify(token, keys["one"], audience=None, issuer=None)


def test_a_public_key_is_never_taken_for_a_secret() -> None:
    keys = key_set(jwk("RS256", kid="one"))
    public = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head, body = encoded({"alg": "HS256", "typ": "JWT", "kid": "one"}), encoded(claims())
    mac = jwt.get_algorithm_by_name("HS256")
    signature = base64.urlsafe_b64encode(mac.sign(f"{head}.{body}".encode(), public)).rstrip(b"=").decode()
    with pytest.raises(NotAuthenticated):
        tokens.verify(f"{head}.{body}.{signature}", keys["one"], audience=None, issuer=None)


def test_keys_that_are_not_for_checking_signatures_are_passed_over() -> None:
    secret = {"kty": "oct", "k": base64.urlsafe_b64encode(SECRET).decode(), "kid": "secret"}
    keys = key_set(
        jwk("RS256", kid="good"), jwk("RS256", kid="enc", use="enc"), jwk("RS256", kid="ops", key_ops=["sign"]),
        jwk("RS256", kid="alg", alg="HS256"), jwk("ES256", kid="crv", crv="P-999"), jwk("ES256", kid="xy", x="AA"),
        jwk("ES256", kid=["list"]), secret, {},
    )  # fmt: skip
    assert set(keys) == {"good"}


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AAAA"}]}'])
def test_a_document_without_keys_is_an_error(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"no public key|Input data|Expected|missing"):
        read_keys(document)


def encoded(of: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(of).encode()).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
