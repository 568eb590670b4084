"""Synthesise the apps that are named, and print what each came to: every file of its templates and assets."""

import hashlib
import json
import runpy
import sys
from pathlib import Path

import cdk_scalable_webhook


def contents(assembly: Path) -> dict[str, str]:
    """What is deployed: the rest of an assembly says how it came about."""
    templates = [path for kind in ("template", "assets") for path in assembly.glob(f"*.{kind}.json")]
    packed = [path for path in assembly.glob("asset.*/**/*") if path.is_file()]
    # The modes of what is packed go to Lambda with it.
    modes = {path: f"{path.stat().st_mode:o} " for path in packed}
    return {
        str(path.relative_to(assembly)): modes.get(path, "") + hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted([*templates, *packed])
    }


made = {app: contents(Path(runpy.run_path(app)["app"].synth().directory)) for app in sys.argv[1:]}
print(json.dumps({"library": cdk_scalable_webhook.__file__, "apps": list(made.values())}))
