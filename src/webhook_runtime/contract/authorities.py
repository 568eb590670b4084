"""Amazon's certificate authorities for databases, which no system trusts by default: a file for each region.

`make authorities` writes the files.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
"""

import re
from pathlib import Path

FOLDER = Path(__file__).with_name("rds-authorities")

# In China and GovCloud the region may stand behind `rds`.
_RDS = re.compile(r"\.(?:([a-z0-9-]+)\.rds|rds\.([a-z0-9-]+))\.amazonaws\.(?:com|com\.cn|eu)\.?$")
# A proxy has a certificate of ACM, which the system trusts. Its first label is the name that the user chose.
_PROXY = re.compile(r"\.proxy-[^.]+\.")


def region_of(host: str) -> str | None:
    """Return the region of an RDS host, or None for any other host."""
    named = _RDS.search(host.lower())
    return None if named is None or _PROXY.search(host.lower()) else named[1] or named[2]


def file_of(region: str) -> Path | None:
    """Return the certificate authorities of a region, or None if they are not known."""
    file = FOLDER / f"{region}.pem"
    return file if file.exists() else None


def rds_authorities(host: str) -> Path | None:
    """Return the certificate authorities to trust for this host, or None for those of the system."""
    region = region_of(host)
    return None if region is None else file_of(region)
