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


# What Lambda does with a line: it has no handler around it that would take an error of the encoding.
LAMBDA = """
import json, logging, sys

class InLambda(logging.Handler):
    def emit(self, record):
        line = {"message": record.getMessage(), "id": vars(record).get("id")}
        if record.exc_info:
            line |= {"errorType": record.exc_info[0].__name__, "errorMessage": str(record.exc_info[1])}
        sys.stderr.buffer.write(json.dumps(line, ensure_ascii=False).encode() + b"\\n")

logging.getLogger().addHandler(InLambda())
logging.getLogger().setLevel("INFO")
"""

HALF_A_PAIR = r"""
logs.logger.info("stored", extra={"id": "Zo\xeb \ud800"})
try:
    raise ValueError("Zo\xeb \ud800")
except ValueError:
    logs.logger.exception("failed", extra={"id": "a"})
"""


def test_a_text_that_utf8_does_not_have_fails_no_line_in_lambda() -> None:
    """JSON may hold half of a surrogate pair."""
    stored, failed = _lines(LAMBDA + "from webhook_runtime import logs" + HALF_A_PAIR)
    assert stored == {"message": "stored", "id": r"Zoë \ud800"}
    assert failed == {"message": "failed", "id": "a", "errorType": "ValueError", "errorMessage": r"Zoë \ud800"}


LEVELS = """
import logging, os
logging.basicConfig(format='{"logger": "%(name)s", "level": "%(levelname)s"}')
if "AWS_LAMBDA_LOG_LEVEL" in os.environ:
    logging.getLogger().setLevel(os.environ["AWS_LAMBDA_LOG_LEVEL"])
from webhook_runtime import logs
logs.configure()
for name in ("webhook", "botocore.credentials"):
    for level in (logging.DEBUG, logging.INFO, logging.WARNING):
        logging.getLogger(name).log(level, "said")
"""


@pytest.mark.parametrize(
    ("chosen", "ours", "botocores"),
    [
        (None, ["INFO", "WARNING"], ["WARNING"]),
        ("INFO", ["INFO", "WARNING"], ["WARNING"]),
        ("WARN", ["WARNING"], ["WARNING"]),
        ("DEBUG", ["DEBUG", "INFO", "WARNING"], ["DEBUG", "INFO", "WARNING"]),
    ],
)
def test_info_is_written_unless_another_level_was_chosen_and_of_botocore_none(
    chosen: str | None, ours: list[str], botocores: list[str]
) -> None:
    """Lambda gives the root logger the level that it says in the variable, and none where there is no variable."""
    lines = _lines(LEVELS, **({"AWS_LAMBDA_LOG_LEVEL": chosen} if chosen else {}))
    assert [line["level"] for line in lines if line["logger"] == "webhook"] == ours
    assert [line["level"] for line in lines if line["logger"] == "botocore.credentials"] == botocores


def _lines(code: str, **variables: str) -> list[dict[str, Any]]:
    environment = {**os.environ, "PYTHONPATH": str(SRC), **variables}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stderr.splitlines()]
