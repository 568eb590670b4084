"""A stand-in for asn1crypto, of which a login to Postgres needs one thing: the hash that a certificate is signed with.

Over TLS the login is bound to a digest of the server's certificate by that hash, so that no one in between can pass it
on. asn1crypto would be half of the asset, and two thirds of the time in which a cold start imports the driver.
https://www.rfc-editor.org/rfc/rfc5929#section-4.1
"""

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Self

# By their object identifiers: https://www.rfc-editor.org/rfc/rfc8017#appendix-C, RFC 5758 and RFC 8410.
_RSA, _ECDSA = "2a864886f70d0101", "2a8648ce3d04"
_RSA_PSS = f"{_RSA}0a"
_SIGNED_WITH = {
    **{f"{_RSA}{end}": name for end, name in {"04": "md5", "05": "sha1", "0e": "sha224"}.items()},
    **{f"{_RSA}{end}": name for end, name in {"0b": "sha256", "0c": "sha384", "0d": "sha512"}.items()},
    **{f"{_ECDSA}{end}": name for end, name in {"01": "sha1", "0301": "sha224", "0302": "sha256"}.items()},
    **{f"{_ECDSA}{end}": name for end, name in {"0303": "sha384", "0304": "sha512"}.items()},
    "2b6570": "sha512",  # Ed25519
}
_SHA2 = "6086480165030402"
_HASHES = {f"{_SHA2}01": "sha256", f"{_SHA2}02": "sha384", f"{_SHA2}03": "sha512", f"{_SHA2}04": "sha224"}


class Certificate:
    """The part of ``asn1crypto.x509.Certificate`` that scramp uses."""

    def __init__(self, algorithm: str, parameters: list[bytes]) -> None:
        self._algorithm = algorithm
        self._parameters = parameters

    @classmethod
    def load(cls, encoded: bytes, strict: bool = False) -> Self:  # noqa: ARG003
        ((_, certificate),) = _elements(encoded)
        _, (_, algorithm), _ = _elements(certificate)
        (_, identifier), *parameters = _elements(algorithm)
        return cls(identifier.hex(), [content for _, content in parameters])

    @property
    def hash_algo(self) -> str:
        """The name of the hash. ValueError if it is not known."""
        if self._algorithm == _RSA_PSS:
            return self._of_parameters()
        if self._algorithm not in _SIGNED_WITH:
            raise ValueError(f"a certificate is signed with the unknown algorithm {self._algorithm}")
        return _SIGNED_WITH[self._algorithm]

    def _of_parameters(self) -> str:
        """Return the hash that stands next to the algorithm. https://www.rfc-editor.org/rfc/rfc4055#section-3.1"""
        named = [content for part in self._parameters for tag, content in _elements(part) if tag == 0xA0]
        if not named:
            return "sha1"
        ((_, algorithm),) = _elements(named[0])
        return _HASHES[_elements(algorithm)[0][1].hex()]


def _elements(encoded: bytes) -> list[tuple[int, bytes]]:
    """Return tag and content of each element of DER, which is `X.690 <https://www.itu.int/rec/T-REC-X.690>`_."""
    found, at = [], 0
    while at < len(encoded):
        tag, length, start = encoded[at], encoded[at + 1], at + 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(encoded[at + 2 : start])
        at = start + length
        found.append((tag, encoded[start:at]))
    return found


def stand_in() -> None:
    """Be what scramp imports."""
    asn1crypto, pem, x509 = (ModuleType(name) for name in ("asn1crypto", "asn1crypto.pem", "asn1crypto.x509"))
    vars(asn1crypto).update(pem=pem, x509=x509)
    vars(x509).update(Certificate=Certificate)
    sys.modules.update({module.__name__: module for module in (asn1crypto, pem, x509)})


# A package of the user may need the real one, which is packed then.
if find_spec("asn1crypto") is None:
    stand_in()
