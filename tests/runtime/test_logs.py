import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.processes
SRC = Path(__file__).parents[2] / "src"

LOG = """
from webhook_runtime import logs
logs.configure()
logs.configure()
logs.logger.info("stored", extra={"id": "a", "attempt": 1})
try:
    raise KeyError("b")
except KeyError:
    logs.logger.exception("failed")
"""


def test_outside_lambda_a_record_is_one_line_of_json_with_its_extra_fields() -> None:
    stored, failed = _lines(LOG)
    assert (stored["level"], stored["message"], stored["id"], stored["attempt"]) == ("INFO", "stored", "a", 1)
    assert failed["stackTrace"].endswith("KeyError: 'b'")


def test_in_lambda_the_handler_that_is_there_stays_the_only_one() -> None:
    there = "import logging; logging.basicConfig(format='{\"there\": \"%(message)s\"}', level='INFO')\n"
    assert _lines(there + LOG.split("try:")[0]) == [{"there": "stored"}]


def _lines(code: str) -> list[dict[str, Any]]:
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stderr.splitlines()]
