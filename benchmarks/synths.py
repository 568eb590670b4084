"""The time of the app in `cdk synth`: whole processes, imports included, with compiled bytecode on each side. And the
result: the number of resources, and the size of the functions' code.

Each comparison is made of wall times, and of processor times with those of the CDK's kernel, which hang less on what
else the machine does.
"""

import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from figure import Figure, figure, interleaved, print_figures, ratio
from side import OURS, PEERS

APPS = {
    "empty": PEERS / "empty",
    "default": OURS / "default",
    "handwritten": PEERS / "handwritten",
    "direct": OURS / "direct",
    "solutions_constructs": PEERS / "solutions_constructs",
}
# The CDK's built-in validator takes half of a synth, and is no part of what a library adds.
WITHOUT_VALIDATOR = {"CDK_VALIDATION": "false"}
_COMPARED = (
    ("over_handwritten", "default", "handwritten", "<= 1.10"),
    ("over_solutions_constructs", "direct", "solutions_constructs", "<= 0.60"),
    # The lower limits: an empty CDK app, and the CDK's own constructs by hand.
    ("empty_over_solutions_constructs", "empty", "solutions_constructs", ""),
    ("handwritten_over_solutions_constructs", "handwritten", "solutions_constructs", ""),
)
_COMPARED_WITHOUT_VALIDATOR = (
    ("over_handwritten", "default", "handwritten", "<= 1.10"),
    ("over_solutions_constructs", "direct", "solutions_constructs", ""),
)
_QUIET = {"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20", "JSII_DEPRECATED": "quiet"}


class Took(NamedTuple):
    """The seconds of a synth, and those of processor time."""

    wall: float
    cpu: float


def measure(rounds: int = 5) -> Iterator[Figure]:
    """Measure whole processes and their output."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: Path(folder, name) for name in APPS}
        synths = {name: synth(APPS[name], outputs[name]) for name in APPS}
        for warm_up in synths.values():
            warm_up()  # compiles bytecode, and unpacks jsii's modules
        ours, handwritten = (_resources(outputs[name]) for name in ("default", "handwritten"))
        if ours != handwritten:
            raise RuntimeError(
                f"handwritten must have the resources of ours, got {ours - handwritten} {handwritten - ours}"
            )
        took = interleaved(synths, rounds)
        for key, over, under, goal in _COMPARED:
            yield from _ratios(f"synth.{key}", took[over], took[under], goal)
        without = {name: synth(APPS[name], outputs[name], extra=WITHOUT_VALIDATOR) for name in APPS if name != "empty"}
        took = interleaved(without, rounds)
        for key, over, under, goal in _COMPARED_WITHOUT_VALIDATOR:
            yield from _ratios(f"synth.{key}_without_validator", took[over], took[under], goal)
        sides = {"direct": "", "solutions_constructs": "_solutions_constructs"}
        for name, suffix in sides.items():
            yield figure(f"template.resources{suffix}", [sum(_resources(outputs[name]).values())])
        for name, suffix in sides.items():
            yield figure(f"asset.kib{suffix}", [sum(map(kib, outputs[name].glob("asset.*")))], unit="KiB")
    yield from _assets()


def _ratios(key: str, over: Sequence[Took], under: Sequence[Took], goal: str) -> Iterator[Figure]:
    """Compare wall times, and then processor times."""
    best = ", ".join(f"{min(each.wall for each in side):.2f} s" for side in (over, under))
    yield ratio(key, [each.wall for each in over], [each.wall for each in under], goal=goal, note=f"{best} at best")
    yield ratio(f"{key}_cpu", [each.cpu for each in over], [each.cpu for each in under])


def synth(
    app: Path, output: Path, *, sources: Path | None = None, extra: Mapping[str, str] = MappingProxyType({})
) -> Callable[[], Took]:
    """Return a function that synthesises an app, and returns the seconds.

    Args:
        app: The folder of its ``app.py``.
        output: The folder of its templates.
        sources: The folder of another construct than the installed one. Default: none.
        extra: More environment variables. Default: none, so the built-in validator is on, as it is for a user.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CDK_", "JSII_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    environment = {**kept, **_QUIET, **extra, "CDK_OUTDIR": str(output)} | (
        {"PYTHONPATH": str(sources)} if sources else {}
    )
    # The Node of this environment instead of the machine's.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])

    def seconds() -> Took:
        began, used = time.perf_counter(), _processor_time()
        run = subprocess.run(
            [sys.executable, "app.py"], cwd=app, env=environment, capture_output=True, text=True, check=False
        )
        took = time.perf_counter() - began
        if run.returncode:
            raise RuntimeError(f"{app.name} does not synthesise:\n{run.stderr}")
        return Took(took, _processor_time() - used)

    return seconds


def _processor_time() -> float:
    """Return the seconds of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
