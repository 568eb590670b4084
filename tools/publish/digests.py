"""The files of a release by their SHA-256, as one job of the release workflow tells them to another.

    python3 digests.py FOLDER                  say them, in one line
    python3 digests.py FOLDER --are TEXT TEXT  hold the folder to what was built and to what was tested

The standard library is all that it needs: it decides about what is uploaded, where nothing else shall run.
"""

import hashlib
import sys
from pathlib import Path

_NOBODY = "nobody has said which files there are to be"


class Mismatch(Exception):
    """Why these files must not be published."""


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file, by its name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def text(known: dict[str, str]) -> str:
    """One line, of names that have neither blank nor equals sign."""
    return " ".join(f"{name}={digest}" for name, digest in known.items())


def read(line: str) -> dict[str, str]:
    """What ``text`` has written. Raises Mismatch where it is nothing: a job that has failed says no more."""
    if not line.strip():
        raise Mismatch(_NOBODY)
    return dict(word.split("=") for word in line.split())


def hold(folder: Path, *lines: str) -> None:
    """Raises Mismatch unless the folder has the files of each line, with their bytes, and no other."""
    if not lines:
        raise Mismatch(_NOBODY)
    here = digests(folder)
    for line in lines:
        told = read(line)
        if differ := sorted(name for name in here.keys() | told.keys() if here.get(name) != told.get(name)):
            said = "; ".join(f"{name} is {here.get(name)}, and {told.get(name)} was told" for name in differ)
            raise Mismatch(f"these are not the files that were built and tested: {said}")


def main() -> None:
    """One of both."""
    folder, *rest = sys.argv[1:]
    if not rest:
        print(text(digests(Path(folder))))
        return
    try:
        hold(Path(folder), *rest[1:])
    except Mismatch as mismatch:
        sys.exit(f"refused: {mismatch}")
    print(f"{folder} has {text(digests(Path(folder)))}, as they were built and tested")


if __name__ == "__main__":
    main()
