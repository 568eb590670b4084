"""The table of sizes in docs/limits-and-costs.md is that of packed functions."""

import re
from pathlib import Path

import pytest
from aws_cdk import Stack

from cdk_scalable_webhook.packaging.asset import packed
from synths import kib

from ..synth.test_two_worlds import HANDLERS
from .test_costs import PAGE

DRIVERS = {"postgres": ["pg8000"], "mysql": ["PyMySQL"]}
ROWS: dict[str | None, str] = {
    "publisher": "publisher",
    "breaker": "circuit breaker",
    **{sink: f"consumer of `Sink.{sink}()`" for sink in HANDLERS if sink not in ("publisher", "breaker")},
    None: "`RuntimeLayer`",
}
# A line of code more is none of the page's business.
TOLERANCE = 3


def sizes(handler: str | None, regions: list[str] | None = None) -> tuple[float, float]:
    """Return the size of an asset, and that of its packages."""
    with packed(Stack(), DRIVERS.get(handler or "", []), handler=handler, certificate_regions=regions) as code:
        folder = Path(code.path)  # type: ignore[attr-defined]
        return kib(folder), kib(folder) - kib(folder / "webhook_runtime")


@pytest.mark.parametrize("handler", ROWS)
def test_the_size_of_a_function_is_told(handler: str | None) -> None:
    ((told, packages),) = re.findall(rf"^\| {re.escape(ROWS[handler])}[^|]*\| (\d+) \| (\d*)", PAGE, re.MULTILINE)
    assert sizes(handler, []) == pytest.approx((int(told), int(packages or 0)), abs=TOLERANCE)
    assert bool(packages) is (handler in DRIVERS)


@pytest.mark.parametrize(("regions", "text"), [(["eu-west-1"], r"the stack: (\d+) KiB"), (None, r"added: (\d+) KiB")])
def test_the_size_of_the_certificates_is_told(regions: list[str] | None, text: str) -> None:
    (told,) = re.findall(text, PAGE)
    with_them, without = (sizes("mysql", each)[0] for each in (regions, []))
    assert with_them - without == pytest.approx(int(told), abs=1)
