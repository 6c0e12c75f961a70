"""A certificate authority of a test's own, and what it signs."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY: Final = timedelta(days=1)


class Certificate(NamedTuple):
    """Where a certificate and its key lie."""

    certificate: Path
    key: Path
    both: Path  # in one file, the key first: as Kafka wants them


class Authority:
    """Signs certificates for 127.0.0.1, or in the name of a program."""

    def __init__(self, directory: Path) -> None:
        """Make the authority's own certificate."""
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)  # PostgreSQL, which does not run as root, reads what lies here
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Headway's tests")
        signed = (
            _builder(self._name, self._name, self._key.public_key(), until=datetime.now(UTC) + DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = directory / "authority.pem"
        """The authority's certificate: what those who trust it are given."""
        self.file.write_bytes(signed.public_bytes(Encoding.PEM))

    def sign(self, name: str, *, expired: bool = False) -> Certificate:
        """A certificate in this name, valid for 127.0.0.1, for a day, or until an hour ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        until = datetime.now(UTC) + (-timedelta(hours=1) if expired else DAY)
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        signed = (
            _builder(_name(name), self._name, key.public_key(), until=until)
            .add_extension(address, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        certificate = signed.public_bytes(Encoding.PEM)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        stem = self._directory / f"{name}{'-expired' if expired else ''}"
        written = Certificate(stem.with_suffix(".crt"), stem.with_suffix(".key"), stem.with_suffix(".pem"))
        written.certificate.write_bytes(certificate)
        for path, content in ((written.key, private), (written.both, private + certificate)):
            path.touch(mode=0o600)
            path.write_bytes(content)
        return written


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - 2 * DAY)
        .not_valid_after(until)
    )
