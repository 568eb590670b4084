"""The certificate authorities of RDS that are bundled, and the hosts for which they are trusted."""

import hashlib
import json
import re
import socket
import ssl
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import rds_authorities
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from rds_authorities import Rejected

from webhook_runtime.contract import authorities
from webhook_runtime.contract.authorities import authorities_of
from webhook_runtime.contract.authorities import rds_authorities as authorities_for
from webhook_runtime.contract.settings import DatabaseSettings, from_environment
from webhook_runtime.tls import tls_context

from ..suite.patience import SECONDS

AUTHORITIES = x509.load_pem_x509_certificates(authorities.BUNDLE.read_bytes())
PACKED_REGIONS = sorted({name.split()[2] for name in re.findall(r"# (.+)", authorities.BUNDLE.read_text())})

OF_RDS = [
    "orders.abc123.eu-west-1.rds.amazonaws.com",
    "ORDERS.ABC123.EU-WEST-1.RDS.AMAZONAWS.COM",
    "orders.cluster-abc123.eu-west-1.rds.amazonaws.com",
    "orders.cluster-ro-abc123.eu-west-1.rds.amazonaws.com",
    "mine.cluster-custom-abc123.eu-west-1.rds.amazonaws.com",
    "orders.shardgrp-abc123.eu-west-1.rds.amazonaws.com",
    "proxy-orders.abc123.eu-west-1.rds.amazonaws.com",  # an instance with the name of a proxy
    "orders.abc123.cn-north-1.rds.amazonaws.com.cn",
    "orders.cluster-abc123.rds.cn-north-1.amazonaws.com.cn",
    "orders.abc123.rds.us-gov-west-1.amazonaws.com",
    "orders.abc123.eusc-de-east-1.rds.amazonaws.eu",
]
REGIONS = ["eu-west-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"]
OF_OTHERS = [
    "orders.proxy-abc123.eu-west-1.rds.amazonaws.com",
    "readers.endpoint.proxy-abc123.eu-west-1.rds.amazonaws.com",
    "orders.proxy-abc123.rds.cn-north-1.amazonaws.com.cn",
    "abc123.dsql.eu-west-1.on.aws",
    "db.example.com",  # a custom name for an RDS endpoint, which no certificate of RDS has
    "orders.abc123.eu-west-1.rds.amazonaws.com.example.com",
    "orders.abc123.eu-west-1.rds-amazonaws.com",
    "ordersrds.amazonaws.com",
    "localhost",
    "127.0.0.1",
]


class TestWhoIsTrusted:
    """Real handshakes on loopback, with test certificate authorities in place of those of RDS and the public ones."""

    @pytest.fixture(scope="class")
    def rds(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture(scope="class")
    def public(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture(autouse=True)
    def known(self, rds: trustme.CA, public: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        of_regions = {**dict.fromkeys(REGIONS, rds), "eu-central-1": trustme.CA()}
        each = (
            f"# Amazon RDS {region} Root CA G1\n{ca.cert_pem.bytes().decode()}" for region, ca in of_regions.items()
        )
        (tmp_path / "rds.pem").write_text("\n".join(each))
        public.cert_pem.write_to_path(str(tmp_path / "public.pem"))
        monkeypatch.setattr(authorities, "BUNDLE", tmp_path / "rds.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "public.pem"))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))

    @pytest.mark.parametrize("host", OF_RDS)
    def test_an_endpoint_of_rds_is_certified_by_its_authorities_alone(
        self, rds: trustme.CA, public: trustme.CA, host: str
    ) -> None:
        assert connects(host, rds)
        assert not connects(host, public)

    @pytest.mark.parametrize("host", OF_OTHERS)
    def test_a_proxy_and_every_other_host_is_certified_by_those_of_the_system_alone(
        self, rds: trustme.CA, public: trustme.CA, host: str
    ) -> None:
        assert connects(host, public)
        assert not connects(host, rds)

    @pytest.mark.parametrize("host", [OF_RDS[0], *OF_OTHERS[:2], "db.example.com"])
    def test_the_authorities_that_a_user_names_are_trusted_instead_of_all_others(
        self, rds: trustme.CA, public: trustme.CA, host: str, tmp_path: Path
    ) -> None:
        own = trustme.CA()
        own.cert_pem.write_to_path(str(tmp_path / "own.pem"))
        assert connects(host, own, str(tmp_path / "own.pem"))
        assert not connects(host, rds, str(tmp_path / "own.pem"))
        assert not connects(host, public, str(tmp_path / "own.pem"))

    @pytest.mark.parametrize("host", [OF_RDS[0], OF_RDS[1], OF_OTHERS[0], "db.example.com"])
    def test_a_name_that_ends_with_a_dot_is_the_same_host(self, rds: trustme.CA, public: trustme.CA, host: str) -> None:
        assert authorities_for(f"{host}.") == authorities_for(host)
        told = from_environment(
            DatabaseSettings,
            {
                "WEBHOOK_DATABASE_HOST": f"{host}.",
                "WEBHOOK_DATABASE_PORT": "5432",
                "WEBHOOK_DATABASE_NAME": "orders",
                "WEBHOOK_TABLE_NAME": "webhooks",
                "WEBHOOK_CREATE_TABLE": "true",
                "WEBHOOK_DATABASE_TLS": "true",
            },
        )
        certified, other = (rds, public) if host in OF_RDS else (public, rds)
        assert connects(told.host, certified, named=host)
        assert not connects(told.host, other, named=host)

    @pytest.mark.parametrize("region", ["eu-central-1", "mx-central-1"])
    def test_an_endpoint_of_another_region_or_of_one_without_authorities_is_rejected(
        self, rds: trustme.CA, region: str
    ) -> None:
        assert not connects(f"orders.abc123.{region}.rds.amazonaws.com", rds)

    def test_another_host_of_the_same_authority_is_rejected(self, rds: trustme.CA) -> None:
        assert not connects(OF_RDS[0], rds, named="other.abc123.eu-west-1.rds.amazonaws.com")


def connects(host: str, authority: trustme.CA, ca_certificates: str | None = None, named: str | None = None) -> bool:
    """Tell whether a sink for this host accepts a server with a certificate of this certificate authority."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert((named or host).lower()).configure_cert(serving)
    context = tls_context(authorities_for(host), ca_certificates)
    ours, theirs = socket.socketpair()
    ours.settimeout(SECONDS)
    server = threading.Thread(target=serve, args=(serving, theirs))
    server.start()
    try:
        with closing(context.wrap_socket(ours, server_hostname=host)):
            return True
    except ssl.SSLCertVerificationError:
        return False
    finally:
        ours.close()
        server.join()


def serve(context: ssl.SSLContext, wire: socket.socket) -> None:
    wire.settimeout(SECONDS)
    with suppress(OSError), closing(context.wrap_socket(wire, server_side=True)) as tls_wire:
        tls_wire.recv(1)


class TestWhatIsPacked:
    @pytest.mark.parametrize("region", PACKED_REGIONS)
    def test_a_context_trusts_each_of_its_region_and_no_other(self, region: str) -> None:
        context = tls_context(authorities_for(f"orders.abc123.{region}.rds.amazonaws.com"), None)
        own = {fingerprint(each) for each in AUTHORITIES if name(each).startswith(f"Amazon RDS {region} Root CA ")}
        assert {hashlib.sha256(each).hexdigest() for each in context.get_ca_certs(binary_form=True)} == own
        assert context.cert_store_stats()["x509"] == context.cert_store_stats()["x509_ca"] == len(own) == 3

    def test_each_is_of_one_region(self) -> None:
        of_regions = [x509.load_pem_x509_certificates(authorities_of(each).encode()) for each in PACKED_REGIONS]
        assert [each for of_region in of_regions for each in of_region] == AUTHORITIES
        assert len(AUTHORITIES) > 50

    def test_each_is_recorded_and_in_two_packages_and_no_other_is_packed(self) -> None:
        record = json.loads(rds_authorities.RECORD.read_text())
        packed = {each["sha256"]: each for each in record["packed"]}
        assert [fingerprint(each) for each in AUTHORITIES] == list(packed)
        for each in AUTHORITIES:
            line = packed[fingerprint(each)]
            assert (line["name"], line["until"]) == (name(each), f"{each.not_valid_after_utc:%Y-%m-%d}")
            assert len(set(line["agreed_by"]) & rds_authorities.SOURCES.keys()) >= 2, line
        assert not packed.keys() & {each["sha256"] for each in record["left_out"]}
        assert all(len(each["known_to"]) == 1 for each in record["left_out"])

    def test_each_is_an_authority_of_amazons_for_rds_and_is_valid(self) -> None:
        now = datetime.now(UTC)
        for each in AUTHORITIES:
            rds_authorities.check(each)
            assert each.not_valid_before_utc < now < each.not_valid_after_utc
            assert name(each).startswith("Amazon RDS ")

    @pytest.mark.parametrize("extension", [x509.BasicConstraints, x509.KeyUsage, x509.SubjectKeyIdentifier])
    def test_each_has_the_fields_that_python_requires_since_3_13(self, extension: type[x509.ExtensionType]) -> None:
        for authority in AUTHORITIES:
            found = authority.extensions.get_extension_for_class(extension)
            assert found.critical is (extension is not x509.SubjectKeyIdentifier), authority.subject


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex()


def name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


class TestHowTheyAreChosen:
    """The choice of certificates, and bundles that must be rejected."""

    NAME = "Amazon RDS eu-west-1 Root CA RSA2048 G1"

    def test_a_certificate_in_two_packages_is_chosen(self) -> None:
        one, other = authority(self.NAME), authority("Amazon RDS eu-west-2 Root CA RSA2048 G1")
        texts = {"a": pem(one, other), "b": pem(one)}
        packed, left_out = rds_authorities.agreed(chosen(texts), texts)
        assert [(each.sha256, each.known_to) for each in packed] == [(fingerprint(one), ("a", "b"))]
        assert [(each.sha256, each.known_to) for each in left_out] == [(fingerprint(other), ("a",))]
        assert x509.load_pem_x509_certificates(rds_authorities.bundle(packed).encode()) == [one]

    def test_a_certificate_twice_in_one_package_is_not_chosen(self) -> None:
        one = authority(self.NAME)
        texts = {"a": pem(one, one), "b": pem(authority("Amazon RDS eu-west-2 Root CA RSA2048 G1"))}
        assert rds_authorities.agreed(chosen(texts), texts)[0] == []

    def test_another_certificate_of_the_same_name_is_rejected(self) -> None:
        genuine = pem(authority(self.NAME))
        with pytest.raises(Rejected, match=r"must be one certificate, got \w+ by .*: one of them is not Amazon's"):
            chosen({"a": genuine, "b": genuine, "c": pem(authority(self.NAME))})
        with pytest.raises(Rejected, match="must be one certificate"):
            chosen({"a": genuine, "b": genuine + pem(authority(self.NAME))})

    def test_certificates_in_two_packages_must_be_in_the_bundle_of_aws(self) -> None:
        one, other = authority(self.NAME), authority("Amazon RDS eu-west-2 Root CA RSA2048 G1")
        texts = {"AWS": pem(one), "a": pem(one, other), "b": pem(other)}
        with pytest.raises(Rejected, match="got none of Amazon RDS eu-west-2 Root CA RSA2048 G1"):
            rds_authorities.agreed(chosen(texts), texts)
        texts = {"AWS": pem(one), "a": pem(one)}
        assert len(rds_authorities.agreed(chosen(texts), texts)[0]) == 1

    @pytest.mark.parametrize(
        "of",
        [
            "Amazon RDS Beta us-east-1 Root CA RSA2048 G1",
            "Amazon RDS Preview us-east-2 Root CA ECC384 G1",
            "Amazon RDS Root 2019 CA",
            "Amazon RDS eu-west-1 Root CA RSA2048 G1 ",
            "example.com",
        ],
    )
    def test_certificates_of_no_region_are_left_out(self, of: str) -> None:
        texts = dict.fromkeys("ab", pem(authority(of)))
        assert chosen(texts) == []

    def test_expired_certificates_are_left_out(self) -> None:
        texts = dict.fromkeys("ab", pem(authority(self.NAME, until=datetime.now(UTC) - timedelta(days=1))))
        assert chosen(texts) == []

    @pytest.mark.parametrize(
        ("made", "told"),
        [
            ({"organisation": "Amazing Web Services"}, "must be of Amazon Web Services"),
            ({"ca": False}, "must be a certificate authority"),
            ({"signed_by_itself": False}, "must be signed by itself"),
        ],
    )
    def test_a_certificate_that_is_no_authority_of_amazon_is_rejected(self, made: dict[str, Any], told: str) -> None:
        with pytest.raises(Rejected, match=told):
            chosen(dict.fromkeys("ab", pem(authority(self.NAME, **made))))

    def test_a_package_without_certificates_is_rejected(self) -> None:
        with pytest.raises(Rejected, match="b must have certificates, got none"):
            chosen({"a": pem(authority(self.NAME)), "b": ""})


def authority(
    of: str,
    *,
    organisation: str = "Amazon Web Services, Inc.",
    ca: bool = True,
    signed_by_itself: bool = True,
    until: datetime | None = None,
) -> x509.Certificate:
    """Create a certificate like Amazon's, with one difference."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, of),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organisation),
        ]
    )
    until = until or datetime.now(UTC) + timedelta(days=1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(until - timedelta(days=9)).not_valid_after(until)
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    return builder.sign(key if signed_by_itself else ec.generate_private_key(ec.SECP256R1()), SHA256())


def pem(*certificates: x509.Certificate) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)


def chosen(texts: dict[str, str]) -> list[rds_authorities.Authority]:
    return rds_authorities.authorities(texts, datetime.now(UTC))
