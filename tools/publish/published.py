"""Compare the registry's files with the built ones: an upload silently skips a name that exists already.

    BUILT=… python published.py    with the output of digests.py for the built files

Its Python needs the build backend, which pip calls for the metadata of an sdist.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import digests

# A new file is not visible everywhere at once.
TRIES, SECONDS = 20, 15
_OTHER_BYTES = "DO NOT MATCH THE HASHES"


def fetch(name: str, digest: str) -> str:
    """Fetch a wheel or an sdist by pip, which compares its hash.

    Returns:
        The output of pip if it failed.
    """
    only = "--only-binary" if name.endswith(".whl") else "--no-binary"
    project, version = name.removesuffix(".tar.gz").split("-")[:2]
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(f"{project}=={version} --hash=sha256:{digest}\n")
        options = ["--no-deps", "--no-cache-dir", "--no-build-isolation", "--disable-pip-version-check", only, ":all:"]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", folder, "--requirement", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def published(built: str, tries: int = TRIES, seconds: float = SECONDS) -> str:
    """Wait until the registry has each file.

    Raises:
        Mismatch: It has other bytes under that name, or none.
    """
    for name, digest in digests.read(built).items():
        for left in reversed(range(tries)):
            said = fetch(name, digest)
            if _OTHER_BYTES in said:
                raise digests.Mismatch(f"the registry has another {name} than was built\n{said}")
            if not said:
                break
            if not left:
                raise digests.Mismatch(f"the registry has no {name} that can be fetched\n{said}")
            time.sleep(seconds)
    return f"the registry has {built}, as they were built"


if __name__ == "__main__":
    try:
        print(published(os.environ["BUILT"]))
    except digests.Mismatch as mismatch:
        sys.exit(f"rejected: {mismatch}")
