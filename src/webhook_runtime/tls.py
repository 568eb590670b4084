"""The certificate authorities that a sink trusts."""

import ssl
from pathlib import Path

# The folder of the asset, which contains this package.
_ROOT = Path(__file__).parents[1]


def tls_context(authorities: str, ca_certificates: str | None) -> ssl.SSLContext:
    """Create a context that verifies certificate and host name.

    Args:
        authorities: Certificates to trust instead of those of the system. Empty: those of the system.
        ca_certificates: The user's own file in the asset, to trust instead of all others.
    """
    if ca_certificates is not None:
        context = ssl.create_default_context(cafile=_ROOT / ca_certificates)
        # Since Python 3.13 a certificate must also follow RFC 5280, which private certificate authorities rarely do.
        # Signature, name and dates are still verified.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context
    return ssl.create_default_context(cadata=authorities or None)
