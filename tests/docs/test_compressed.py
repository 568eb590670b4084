"""The two ways to read a compressed payload on docs/sinks/dynamodb.md."""

import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.types import Binary

PAGE = (Path(__file__).parents[2] / "docs" / "sinks" / "dynamodb.md").read_text()
WAYS = dict(re.findall(r'```python title="(read\w*\.py)"\n(.*?)```', PAGE, re.DOTALL))
BODY = '{"name": "Zoë"}' * 100


@pytest.mark.parametrize("name", ["read.py", "read_by_itself.py"])
@pytest.mark.parametrize(
    "item",
    [{"payload": BODY}, {"payload": Binary(zlib.compress(BODY.encode())), "encoding": "zlib"}],
    ids=["text", "compressed"],
)
def test_a_payload_is_read(name: str, item: dict[str, Any]) -> None:
    variables: dict[str, Any] = {"item": item}
    exec(WAYS[name], variables)
    assert variables["payload"] in (BODY, BODY.encode())
