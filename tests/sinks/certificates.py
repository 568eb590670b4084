"""Certificates that a sink must reject, if its user trusts one certificate authority."""

from datetime import UTC, datetime, timedelta

import trustme

UNTRUSTED = ["wrong authority", "wrong host name", "expired", "not trusted"]


def presented(case: str, authority: trustme.CA, trusted: str) -> tuple[trustme.LeafCert, str | None]:
    """Create the certificate of a server at ``localhost``, and the file of trusted certificate authorities."""
    match case:
        case "wrong authority":
            return trustme.CA().issue_cert("localhost"), trusted
        case "wrong host name":
            return authority.issue_cert("example.org"), trusted
        case "expired":
            past = datetime.now(UTC) - timedelta(days=1)
            return authority.issue_cert("localhost", not_before=past - timedelta(days=1), not_after=past), trusted
        case "not trusted":
            return authority.issue_cert("localhost"), None
    return authority.issue_cert("localhost"), trusted
