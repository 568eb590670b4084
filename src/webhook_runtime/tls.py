"""The certificate authorities that a sink trusts."""

import re
import ssl
from pathlib import Path

# The folder of the asset, which contains this package.
_ROOT = Path(__file__).parents[1]

# Amazon's certificate authorities for databases, which no system trusts by default. `make authorities` writes the file.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
RDS_AUTHORITIES = Path(__file__).parent / "sinks" / "rds-global-bundle.pem"

# In China and GovCloud the region may stand behind `rds`.
_RDS = re.compile(r"\.rds(\.[a-z0-9-]+)?\.amazonaws\.(com|com\.cn|eu)\.?$", re.IGNORECASE)
# A proxy has a certificate of ACM, which the system trusts. Its first label is the name that the user chose.
_PROXY = re.compile(r"\.proxy-[^.]+\.", re.IGNORECASE)


def rds_authorities(host: str) -> Path | None:
    """Return the file of certificate authorities for an RDS host, or None for any other host."""
    return RDS_AUTHORITIES if _RDS.search(host) and not _PROXY.search(host) else None


def tls_context(authorities: Path | None, ca_certificates: str | None) -> ssl.SSLContext:
    """Create a context that verifies certificate and host name.

    Args:
        authorities: A file of certificates to trust instead of those of the system.
        ca_certificates: The user's own file in the asset, to trust instead of all others.
    """
    if ca_certificates is not None:
        context = ssl.create_default_context(cafile=_ROOT / ca_certificates)
        # Since Python 3.13 a certificate must also follow RFC 5280, which private certificate authorities rarely do.
        # Signature, name and dates are still verified.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context
    return ssl.create_default_context(cafile=authorities)
