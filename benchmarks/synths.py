"""The time of the app in `cdk synth`: whole processes, imports included, with compiled bytecode on each side. And the
result: the number of resources, and the size of the functions' code."""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from figure import Figure, figure, interleaved, print_figures, ratio
from side import OURS, PEERS

APPS = {
    "empty": PEERS / "empty",
    "default": OURS / "default",
    "handwritten": PEERS / "handwritten",
    "direct": OURS / "direct",
    "solutions_constructs": PEERS / "solutions_constructs",
}
_QUIET = {"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20", "JSII_DEPRECATED": "quiet"}


def measure(rounds: int = 5) -> Iterator[Figure]:
    """Measure whole processes and their output."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: Path(folder, name) for name in APPS}
        synths: dict[str, Callable[[], float]] = {name: synth(APPS[name], outputs[name]) for name in APPS}
        for warm_up in synths.values():
            warm_up()  # compiles bytecode, and unpacks jsii's modules
        ours, handwritten = (_resources(outputs[name]) for name in ("default", "handwritten"))
        if ours != handwritten:
            raise RuntimeError(
                f"handwritten must have the resources of ours, got {ours - handwritten} {handwritten - ours}"
            )
        seconds = interleaved(synths, rounds)
        for key, over, under, goal in (
            ("synth.over_handwritten", "default", "handwritten", "<= 1.10"),
            ("synth.over_solutions_constructs", "direct", "solutions_constructs", "<= 0.60"),
            # The lower limits: an empty CDK app, and the CDK's own constructs by hand.
            ("synth.empty_over_solutions_constructs", "empty", "solutions_constructs", ""),
            ("synth.handwritten_over_solutions_constructs", "handwritten", "solutions_constructs", ""),
        ):
            note = ", ".join(f"{name} {min(seconds[name]):.2f} s at best" for name in (over, under))
            yield ratio(key, seconds[over], seconds[under], goal=goal, note=note)
        sides = {"direct": "", "solutions_constructs": "_solutions_constructs"}
        for name, suffix in sides.items():
            yield figure(f"template.resources{suffix}", [sum(_resources(outputs[name]).values())])
        for name, suffix in sides.items():
            yield figure(f"asset.kib{suffix}", [sum(map(kib, outputs[name].glob("asset.*")))], unit="KiB")
    yield from _assets()


def synth(app: Path, output: Path, *, sources: Path | None = None) -> Callable[[], float]:
    """Return a function that synthesises an app, and returns the seconds.

    Args:
        app: The folder of its ``app.py``.
        output: The folder of its templates.
        sources: The folder of another construct than the installed one. Default: none.
    """
    # The built-in validator is on, as it is for a user.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CDK_", "JSII_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    environment = {**kept, **_QUIET, "CDK_OUTDIR": str(output)} | ({"PYTHONPATH": str(sources)} if sources else {})
    # The Node of this environment instead of the machine's.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])

    def seconds() -> float:
        began = time.perf_counter()
        run = subprocess.run(
            [sys.executable, "app.py"], cwd=app, env=environment, capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - began
        if run.returncode:
            raise RuntimeError(f"{app.name} does not synthesise:\n{run.stderr}")
        return took

    return seconds


def _resources(output: Path) -> Counter[str]:
    """Count the resources of each type in the template."""
    (template,) = output.glob("*.template.json")
    resources = json.loads(template.read_text())["Resources"].values()
    return Counter(resource["Type"] for resource in resources)


def _assets() -> Iterator[Figure]:
    """Measure the functions that have a goal: one for any endpoint, and the consumer with the largest driver."""
    # Imported late, since it takes a second, and the other measurements are of processes of their own.
    from aws_cdk import Stack

    from cdk_scalable_webhook.packaging.asset import packed

    sizes = []
    for handler, packages, regions in (
        ("publisher", [], []),
        ("postgres", ["pg8000"], ["us-east-1"]),
        ("postgres", ["pg8000"], None),
    ):
        with packed(Stack(), packages, handler=handler, certificate_regions=regions) as code:
            sizes.append(kib(Path(code.path)))  # type: ignore[attr-defined]
    publisher, postgres, anywhere = sizes
    yield figure("asset.publisher_kib", [publisher], unit="KiB", goal="<= 60")
    note = f"with the certificates of all regions; {postgres:.4g} with those of one, if synth knows it"
    yield figure("asset.postgres_kib", [anywhere], unit="KiB", goal="<= 200", note=note)


def kib(asset: Path) -> float:
    """Return the size of the upload for a function.

    Args:
        asset: The folder that is zipped.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(asset.rglob("*")):
            archive.write(file, file.relative_to(asset))
    return round(packed.tell() / 1024, 1)


if __name__ == "__main__":
    print_figures(measure)
