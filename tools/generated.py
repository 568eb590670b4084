"""Write projen's files; with --check, list the stale ones and fail."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def contents() -> dict[Path, str]:
    """Return the present content of each of projen's files."""
    owned = json.loads((ROOT / ".projen" / "files.json").read_text())["files"]
    return {ROOT / name: (ROOT / name).read_text() if (ROOT / name).exists() else "" for name in owned}


def generate() -> None:
    """Run .projenrc.py, and show its output only if it fails."""
    run = subprocess.run([sys.executable, ".projenrc.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(run.stdout + run.stderr)


before = contents()
generate()
stale = [path.relative_to(ROOT) for path, text in contents().items() if before.get(path) != text]
if stale and "--check" in sys.argv:
    sys.exit(f"stale: {', '.join(map(str, stale))}; they are generated again now: commit them")
print("generated files are fresh" if not stale else f"wrote {', '.join(map(str, stale))}")
