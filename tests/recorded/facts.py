"""What AWS was recorded to do. A fact is a line of facts.json: what was asked, what came of it, who recorded it, when.

They are from the recordings of LocalStack's tests (https://github.com/localstack/localstack, Apache-2.0), which run
against AWS and keep what it answers. Without a day is what a test asserts, and keeps no day of.
"""

import json
from pathlib import Path
from typing import Any

FACTS: dict[str, dict[str, Any]] = {
    fact["id"]: fact for fact in json.loads(Path(__file__).with_name("facts.json").read_text())
}


def of(prefix: str) -> list[str]:
    """The ids of the facts that begin so."""
    return [id for id in FACTS if id.startswith(prefix)]
