"""Whom a sink trusts when it connects."""

import ssl
from pathlib import Path

# Where the asset is unpacked, and this package lies.
_ROOT = Path(__file__).parents[1]


def tls_context(authorities: Path | None, ca_certificates: str | None) -> ssl.SSLContext:
    """A context that verifies certificate and host name.

    Args:
        authorities: A file of certificates that are trusted beside those of the system.
        ca_certificates: The user's own file in the asset, which is trusted instead of all others.
    """
    if ca_certificates is not None:
        context = ssl.create_default_context(cafile=_ROOT / ca_certificates)
        # Since Python 3.13 a certificate must also be of the form of RFC 5280, which those of private authorities
        # rarely are. Who signed it, for which name and until when is verified as ever.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context
    context = ssl.create_default_context()
    if authorities is not None:
        context.load_verify_locations(authorities)
    return context
