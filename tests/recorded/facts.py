"""Recorded behaviour of AWS. A fact is a line of facts.json: request, result, author and date.

The facts are from the recordings of LocalStack's tests (https://github.com/localstack/localstack, Apache-2.0), which
run against AWS. A fact without a date is an assertion of a test.
"""

import json
from pathlib import Path
from typing import Any

FACTS: dict[str, dict[str, Any]] = {
    fact["id"]: fact for fact in json.loads(Path(__file__).with_name("facts.json").read_text())
}


def of(prefix: str) -> list[str]:
    """Return the ids of the facts that begin with this text."""
    return [id for id in FACTS if id.startswith(prefix)]
