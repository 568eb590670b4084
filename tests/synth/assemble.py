"""Synthesise the named apps, and print the hash of every file of their templates and assets."""

import hashlib
import json
import runpy
import sys
from pathlib import Path

import cdk_scalable_webhook


def contents(assembly: Path) -> dict[str, str]:
    """Return the hash of each file that is deployed. The rest of an assembly only tells how it was made."""
    templates = [path for kind in ("template", "assets") for path in assembly.glob(f"*.{kind}.json")]
    packed = [path for path in assembly.glob("asset.*/**/*") if path.is_file()]
    # Lambda gets the modes of packed files too.
    modes = {path: f"{path.stat().st_mode:o} " for path in packed}
    return {
        str(path.relative_to(assembly)): modes.get(path, "") + hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted([*templates, *packed])
    }


made = {app: contents(Path(runpy.run_path(app)["app"].synth().directory)) for app in sys.argv[1:]}
print(json.dumps({"library": cdk_scalable_webhook.__file__, "apps": list(made.values())}))
