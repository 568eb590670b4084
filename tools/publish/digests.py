"""The SHA-256 of the files of a release, which one job of the release workflow passes to another.

    python3 digests.py FOLDER                  print them in one line
    python3 digests.py FOLDER --are TEXT TEXT  compare the folder with the built and the tested files

It needs the standard library alone, since no other code may run where it decides about an upload.
"""

import hashlib
import sys
from pathlib import Path

_NO_DIGESTS = "the digests of the files must be given, got none"


class Mismatch(Exception):
    """The reason why these files must not be published."""


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file, by its name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def text(known: dict[str, str]) -> str:
    """Return the digests as one line. The names have neither blanks nor equals signs."""
    return " ".join(f"{name}={digest}" for name, digest in known.items())


def read(line: str) -> dict[str, str]:
    """Read a line of ``text``. Raise Mismatch if it is empty, as from a job that has failed."""
    if not line.strip():
        raise Mismatch(_NO_DIGESTS)
    return dict(word.split("=") for word in line.split())


def hold(folder: Path, *lines: str) -> None:
    """Raise Mismatch unless the folder has the files of each line, with their bytes, and no other."""
    if not lines:
        raise Mismatch(_NO_DIGESTS)
    here = digests(folder)
    for line in lines:
        told = read(line)
        if differ := sorted(name for name in here.keys() | told.keys() if here.get(name) != told.get(name)):
            said = "; ".join(f"{name} is {here.get(name)}, and {told.get(name)} was expected" for name in differ)
            raise Mismatch(f"these are not the files that were built and tested: {said}")


def main() -> None:
    """Print or compare."""
    folder, *rest = sys.argv[1:]
    if not rest:
        print(text(digests(Path(folder))))
        return
    try:
        hold(Path(folder), *rest[1:])
    except Mismatch as mismatch:
        sys.exit(f"rejected: {mismatch}")
    print(f"{folder} has {text(digests(Path(folder)))}, as they were built and tested")


if __name__ == "__main__":
    main()
