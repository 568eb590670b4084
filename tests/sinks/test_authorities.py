"""The authorities of RDS that are packed with a database's sink."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509

import webhook_runtime

BUNDLE = Path(webhook_runtime.__file__).parent / "sinks" / "rds-global-bundle.pem"
AUTHORITIES = x509.load_pem_x509_certificates(BUNDLE.read_bytes())


def test_a_context_trusts_each_of_them() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(BUNDLE)
    assert context.cert_store_stats()["x509_ca"] == len(AUTHORITIES) > 50


@pytest.mark.parametrize("extension", [x509.BasicConstraints, x509.KeyUsage, x509.SubjectKeyIdentifier])
def test_each_has_what_python_asks_of_an_authority_since_3_13(extension: type[x509.ExtensionType]) -> None:
    for authority in AUTHORITIES:
        found = authority.extensions.get_extension_for_class(extension)
        assert found.critical is (extension is not x509.SubjectKeyIdentifier), authority.subject
