"""Whom a sink trusts when it connects."""

import re
import ssl
from pathlib import Path

# Where the asset is unpacked, and this package lies.
_ROOT = Path(__file__).parents[1]

# Amazon's own authorities for its databases, which no system trusts by itself. `make authorities` writes the file.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
RDS_AUTHORITIES = Path(__file__).parent / "sinks" / "rds-global-bundle.pem"

# In China and GovCloud the region may stand behind `rds`.
_RDS = re.compile(r"\.rds(\.[a-z0-9-]+)?\.amazonaws\.(com|com\.cn|eu)\.?$", re.IGNORECASE)
# The certificate of a proxy is ACM's, which the system's authorities sign. The first label is what a user named it.
_PROXY = re.compile(r"\.proxy-[^.]+\.", re.IGNORECASE)


def rds_authorities(host: str) -> Path | None:
    """The file of those who alone certify this instance or cluster of RDS. None: it is another host, which the system's
    authorities certify."""
    return RDS_AUTHORITIES if _RDS.search(host) and not _PROXY.search(host) else None


def tls_context(authorities: Path | None, ca_certificates: str | None) -> ssl.SSLContext:
    """A context that verifies certificate and host name.

    Args:
        authorities: A file of certificates that are trusted instead of those of the system.
        ca_certificates: The user's own file in the asset, which is trusted instead of all others.
    """
    if ca_certificates is not None:
        context = ssl.create_default_context(cafile=_ROOT / ca_certificates)
        # Since Python 3.13 a certificate must also be of the form of RFC 5280, which those of private authorities
        # rarely are. Who signed it, for which name and until when is verified as ever.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context
    return ssl.create_default_context(cafile=authorities)
