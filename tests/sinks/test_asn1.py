"""The stand-in for asn1crypto binds a login to the certificate that asn1crypto binds it to."""

import json
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import certifi
import pytest
import scramp.core
from aws_cdk import Stack
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from scramp import ScramException, ScramMechanism

from cdk_scalable_webhook.packaging import asset
from cdk_scalable_webhook.packaging.asset import packed
from webhook_runtime.contract import authorities
from webhook_runtime.sinks import asn1

from .. import isolated
from ..suite.patience import SECONDS

RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
HASHES: list[Any] = [hashes.SHA224(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()]


def certificate(key: Any, algorithm: Any, pss: Any = None, *, named: str = "localhost") -> x509.Certificate:
    """Create a certificate of localhost that is signed by itself with this algorithm."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, named)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
    return builder.sign(key, algorithm, rsa_padding=pss)


def pss(algorithm: hashes.HashAlgorithm) -> padding.PSS:
    return padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)


SIGNED: dict[str, Callable[[], x509.Certificate]] = {
    **{f"RSA {each.name}": partial(certificate, RSA, each) for each in HASHES},
    **{f"RSA-PSS {each.name}": partial(certificate, RSA, each, pss(each)) for each in HASHES},
    **{f"ECDSA {each.name}": partial(certificate, P256, each) for each in HASHES},
    "Ed25519": partial(certificate, ed25519.Ed25519PrivateKey.generate(), None),
    "Ed448": partial(certificate, ed448.Ed448PrivateKey.generate(), None),
    "a long name": partial(certificate, P256, hashes.SHA384(), named="n" * 60),
}


def bound(encoded: bytes) -> bytes | None:
    """Return what scramp binds a login to, or None if it cannot."""
    try:
        return bytes(scramp.core.CBindData.from_der(encoded))
    except (ScramException, TypeError):  # the latter for SHAKE256, which has no length
        return None


def both(encoded: bytes, monkeypatch: pytest.MonkeyPatch) -> list[bytes | None]:
    """Return that by asn1crypto and by the stand-in."""
    real = bound(encoded)
    with monkeypatch.context() as patch:
        patch.setattr(scramp.core, "Certificate", asn1.Certificate)
        return [real, bound(encoded)]


@pytest.mark.parametrize("kind", SIGNED)
def test_a_login_is_bound_to_the_same_digest_with_any_signature(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real, ours = both(SIGNED[kind]().public_bytes(Encoding.DER), monkeypatch)
    assert real == ours
    assert (real is None) is (kind == "Ed448")


@pytest.mark.parametrize("algorithm", ["04", "05", "63"])
def test_a_login_is_bound_to_the_same_digest_with_an_old_signature_or_an_unknown_one(
    algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MD5 and SHA-1, with which cryptography signs nothing."""
    encoded = SIGNED["RSA sha256"]().public_bytes(Encoding.DER)
    identifier = bytes.fromhex("2a864886f70d0101")
    real, ours = both(encoded.replace(identifier + b"\x0b", identifier + bytes.fromhex(algorithm)), monkeypatch)
    assert real == ours
    assert (real is None) is (algorithm == "63")


def test_a_login_is_bound_to_the_same_digest_with_every_public_authority_and_those_of_rds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = [Path(certifi.where()), authorities.BUNDLE]
    contexts = [ssl.create_default_context(cafile=file) for file in files]
    known = [each for context in contexts for each in context.get_ca_certs(binary_form=True)]
    assert len(known) > 150
    for each in known:
        real, ours = both(each, monkeypatch)
        assert real == ours is not None


@pytest.fixture(scope="module")
def lambdas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return isolated.lambdas_packages(tmp_path_factory.mktemp("lambda") / "python")


LOGIN = """
import json
from webhook_runtime.contract.settings import DatabaseSettings
from webhook_runtime.sinks.postgres import PostgresDriver
from webhook_runtime.tls import tls_context
port, authority, password = json.loads(input())
settings = DatabaseSettings("localhost", port, "orders", True, "webhooks", False)
tls = tls_context(authority, None)
connection = PostgresDriver(settings).connect(settings, "webhooks", password, tls)
print(connection._connection.auth.mechanism_name, sys.modules["asn1crypto"].__spec__)
"""


@pytest.mark.parametrize("kind", ["RSA sha256", "ECDSA sha384", "RSA-PSS sha512"])
def test_a_packed_function_logs_in_with_channel_binding_and_without_asn1crypto(
    kind: str, lambdas: Path, tmp_path: Path
) -> None:
    said = logged_in(kind, lambdas, tmp_path)
    assert said.stdout.split() == ["SCRAM-SHA-256-PLUS", "None"], said.stderr


def test_a_function_that_has_asn1crypto_uses_it(lambdas: Path) -> None:
    program = "import webhook_runtime.sinks.postgres, asn1crypto.cms; print(asn1crypto.__file__)"
    for packages in (["pg8000"], ["pg8000", "asn1crypto"]):
        with packed(Stack(), packages, handler="postgres") as code:
            folder = Path(code.path)  # type: ignore[attr-defined]
            said = isolated.run(program, folder, lambdas)
        assert said.stdout.startswith(f"{folder}/asn1crypto") is ("asn1crypto" in packages), said.stderr


def test_another_version_of_scramp_may_ask_for_more_so_asn1crypto_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    for known, there in ((asset._STOOD_IN, False), ({("scramp", "1.4.6"): "asn1crypto"}, True)):
        monkeypatch.setattr(asset, "_STOOD_IN", known)
        with packed(Stack(), ["pg8000"], handler="postgres") as code:
            assert Path(code.path, "asn1crypto").exists() is there  # type: ignore[attr-defined]


def test_a_packed_function_is_rejected_with_another_password_or_behind_another_certificate(
    lambdas: Path, tmp_path: Path
) -> None:
    assert "INVALID_PROOF" in logged_in("ECDSA sha256", lambdas, tmp_path, password="another").stderr
    other = pem(SIGNED["ECDSA sha256"]())
    assert "CHANNEL_BINDINGS_DONT_MATCH" in logged_in("ECDSA sha256", lambdas, tmp_path, bound_to=other).stderr


def logged_in(
    kind: str, lambdas: Path, folder: Path, *, password: str = "secret", bound_to: str = ""
) -> subprocess.CompletedProcess[str]:
    """Let a packed function log in at a server with a certificate of this kind, which may know itself by another."""
    made = pem(SIGNED[kind]())
    (folder / "pem").write_text(made)
    key = RSA if kind.startswith("RSA") else P256
    (folder / "key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with Server(folder, bound_to or made) as port, packed(Stack(), ["pg8000"], handler="postgres") as code:
        packed_folder = Path(code.path)  # type: ignore[attr-defined]
        return isolated.run(LOGIN, packed_folder, lambdas, stdin=json.dumps([port, made, password]))


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


class Server(ExitStack):
    """A Postgres server as far as to its login: scramp's own server, with asn1crypto, behind TLS.

    See: https://www.postgresql.org/docs/current/sasl-authentication.html
    """

    def __init__(self, folder: Path, bound_to: str) -> None:
        super().__init__()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "pem", folder / "key")
        mechanism = ScramMechanism("SCRAM-SHA-256-PLUS")
        login = mechanism.make_auth_info("secret")
        self._scram = mechanism.make_server(lambda _user: login, ("tls-server-end-point", bound_to))

    def __enter__(self) -> int:  # type: ignore[override]
        listening = self.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        listening.settimeout(SECONDS)
        serving = Thread(target=self._serve, args=(listening,))
        serving.start()
        self.callback(serving.join)
        port: int = listening.getsockname()[1]
        return port

    def _serve(self, listening: socket.socket) -> None:
        with closing(listening.accept()[0]) as plain:
            plain.settimeout(SECONDS)
            plain.recv(8)
            plain.sendall(b"S")
            with closing(self._context.wrap_socket(plain, server_side=True)) as wire:
                for answer in self._answers(wire):
                    wire.sendall(answer)
                wire.recv(1)

    def _answers(self, wire: ssl.SSLSocket) -> Iterator[bytes]:
        _message(wire, kind=False)
        yield _authentication(10, b"SCRAM-SHA-256-PLUS\0\0")
        first = _message(wire)
        self._scram.set_client_first(first[first.index(b"\0") + 5 :].decode())
        yield _authentication(11, self._scram.get_server_first().encode())
        try:
            self._scram.set_client_final(_message(wire).decode())
        except ScramException as error:
            told = f"SFATAL\0C28P01\0M{error.server_error}\0\0".encode()
            yield b"E" + struct.pack("!i", len(told) + 4) + told
            return
        yield _authentication(12, self._scram.get_server_final().encode()) + _authentication(0)
        yield b"Z" + struct.pack("!i", 5) + b"I"


def _authentication(code: int, content: bytes = b"") -> bytes:
    return b"R" + struct.pack("!ii", len(content) + 8, code) + content


def _message(wire: ssl.SSLSocket, *, kind: bool = True) -> bytes:
    """Read a message of the client, which has a kind, but for the first one."""
    head = _read(wire, 4 + kind)
    return _read(wire, struct.unpack("!i", head[-4:])[0] - 4)


def _read(wire: ssl.SSLSocket, size: int) -> bytes:
    found = b""
    while len(found) < size and (more := wire.recv(size - len(found))):
        found += more
    return found
