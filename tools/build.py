"""Build the files of a release, by the build backend alone: `make dist`, `make dist-alone`.

    python tools/build.py FOLDER           the sdist, and the wheel from it
    python tools/build.py FOLDER --wheel   the wheel alone, straight from the checkout

The same checkout makes the same bytes, on any machine. Nothing is installed and nothing fetched.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from hatchling.build import build_sdist, build_wheel

ROOT = Path(__file__).parents[1]


def build(target: Path, *, straight: bool = False) -> list[Path]:
    """Build into the folder, after emptying it."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    os.chdir(ROOT)
    os.environ.pop("SOURCE_DATE_EPOCH", None)  # the backend has a fixed time of its own
    if straight:
        return [target / build_wheel(str(target))]
    sdist = target / build_sdist(str(target))
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(sdist, folder)
        os.chdir(Path(folder) / sdist.name.removesuffix(".tar.gz"))
        wheel = target / build_wheel(str(target))
        os.chdir(ROOT)
    return [sdist, wheel]


if __name__ == "__main__":
    folder, *options = sys.argv[1:]
    build(Path(folder).absolute(), straight=options == ["--wheel"])
