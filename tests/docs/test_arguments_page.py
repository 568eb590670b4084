"""The page of arguments lists each argument, and no other."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

from cdk_scalable_webhook import AlarmOptions, ApiOptions, ConsumerOptions, QueueOptions, ScalableWebhook

ROOT = Path(__file__).parents[2]
OPTIONS = (ApiOptions, QueueOptions, ConsumerOptions, AlarmOptions)
PAGE = (ROOT / "docs" / "arguments.md").read_text()


def test_the_tables_have_every_argument_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|", PAGE, re.MULTILINE))
    parameters = {
        name: parameter
        for kind in (ScalableWebhook, *OPTIONS)
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if name not in ("self", "scope", "id")
    }
    assert set(rows) == set(parameters)
    assert rows["batch_size"] == str(parameters["batch_size"].default)


def test_an_option_is_in_the_table_of_its_class() -> None:
    for kind in OPTIONS:
        (table,) = re.findall(rf"^### `{kind.__name__}`\n(.*?)^#", PAGE, re.MULTILINE | re.DOTALL)
        assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == [field.name for field in fields(kind)]


def test_the_constructor_has_at_most_23_arguments() -> None:
    """More would be hard to survey: put a new setting into the options of its part."""
    assert len(inspect.signature(ScalableWebhook.__init__).parameters) - len(("self", "scope", "id")) <= 23
