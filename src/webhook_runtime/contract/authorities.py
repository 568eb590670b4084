"""Amazon's certificate authorities for databases, which no system trusts by default.

`make authorities` writes them. A function has those of the regions in which its database may be.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
"""

import re
from pathlib import Path

BUNDLE = Path(__file__).with_name("rds-global-bundle.pem")

# In China and GovCloud the region may stand behind `rds`.
_RDS = re.compile(r"\.(?:([a-z0-9-]+)\.rds|rds\.([a-z0-9-]+))\.amazonaws\.(?:com|com\.cn|eu)\.?$")
# A proxy has a certificate of ACM, which the system trusts. Its first label is the name that the user chose.
_PROXY = re.compile(r"\.proxy-[^.]+\.")


def region_of(host: str) -> str | None:
    """Return the region of an RDS host, or None for any other host."""
    named = _RDS.search(host.lower())
    return None if named is None or _PROXY.search(host.lower()) else named[1] or named[2]


def authorities_of(region: str) -> str:
    """Return the certificate authorities of a region, or an empty text if they are not known."""
    named = BUNDLE.read_text().split("\n\n")
    return "\n\n".join(each for each in named if each.startswith(f"# Amazon RDS {region} Root CA "))


def rds_authorities(host: str) -> str:
    """Return the certificate authorities to trust for this host, or an empty text for those of the system."""
    region = region_of(host)
    return "" if region is None else authorities_of(region)
