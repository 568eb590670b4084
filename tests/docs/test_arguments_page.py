"""The page of arguments has each of them, and no other."""

import inspect
import re
from pathlib import Path

from cdk_scalable_webhook import ScalableWebhook

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "arguments.md").read_text()


def test_the_table_has_every_argument_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", PAGE, re.MULTILINE))
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(ScalableWebhook.__init__).parameters.items()
        if name not in ("self", "scope", "id")
    }
    assert set(rows) == set(parameters)
    for name in ("max_concurrency", "batch_size"):
        assert rows[name] == str(parameters[name].default)
