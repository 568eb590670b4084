import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from webhook_runtime import logs

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


@pytest.mark.processes
def test_outside_lambda_a_record_is_one_line_of_json_with_its_extra_fields() -> None:
    stored, failed = _lines(LOG)
    assert (stored["level"], stored["message"], stored["id"], stored["attempt"]) == ("INFO", "stored", "a", 1)
    assert failed["stackTrace"].endswith("KeyError: 'b'")


@pytest.mark.processes
def test_in_lambda_the_handler_that_is_there_stays_the_only_one() -> None:
    there = "import logging; logging.basicConfig(format='{\"there\": \"%(message)s\"}', level='INFO')\n"
    assert _lines(there + LOG.split("try:")[0]) == [{"there": "stored"}]


# As Lambda does, without handling an error of the encoding.
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


@pytest.mark.processes
def test_a_text_that_utf8_does_not_have_fails_no_line_in_lambda() -> None:
    """JSON may hold half of a surrogate pair."""
    stored, failed = _lines(LAMBDA + "from webhook_runtime import logs" + HALF_A_PAIR)
    assert stored == {"message": "stored", "id": r"Zoë \ud800"}
    assert failed == {"message": "failed", "id": "a", "errorType": "ValueError", "errorMessage": r"Zoë \ud800"}


# The default-ignorable characters of Unicode, and a few more that are invisible.
UNSEEN = [
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010)),
    *(*range(0x2028, 0x202F), *range(0x2060, 0x2070), 0x2800, 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0),
    *(*range(0xFFF0, 0xFFFC), 0xE0000, 0xE0001, 0xE0020, 0xE007F, 0xE0100, 0xE01EF, 0xE0FFF),
]


@pytest.mark.parametrize("text", [chr(code) for code in UNSEEN], ids=map(hex, UNSEEN))
def test_invisible_characters_are_escaped(text: str) -> None:
    record = logging.makeLogRecord({"msg": f"before {text} after", "levelno": logging.INFO})
    logs._Shown().filter(record)
    assert record.msg == f"before {text.encode('unicode_escape').decode()} after"
    assert record.msg.isascii()


@pytest.mark.parametrize("text", ["Zoë", "日本", "🎉", "e\u0301", "ไทย", "한글", "a\u00a0b"])
def test_visible_characters_are_kept(text: str) -> None:
    record = logging.makeLogRecord({"msg": text})
    logs._Shown().filter(record)
    assert record.msg == text


@pytest.fixture
def levels() -> Iterator[None]:
    """Restore the loggers."""
    loggers = [logging.getLogger(name) for name in (None, "webhook", "botocore")]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize(
    ("chosen", "ours", "botocores"),
    [
        (None, ["INFO", "WARNING"], ["WARNING"]),
        ("INFO", ["INFO", "WARNING"], ["WARNING"]),
        ("WARN", ["WARNING"], ["WARNING"]),
        ("DEBUG", ["DEBUG", "INFO", "WARNING"], ["DEBUG", "INFO", "WARNING"]),
    ],
)
@pytest.mark.usefixtures("levels")
def test_info_is_written_unless_another_level_was_chosen_and_of_botocore_none(
    chosen: str | None, ours: list[str], botocores: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda sets the level of the root logger to that in the variable, or not at all without it."""
    for name in ("webhook", "botocore"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    monkeypatch.delenv("AWS_LAMBDA_LOG_LEVEL", raising=False)
    logging.getLogger().setLevel(chosen or "WARNING")
    if chosen:
        monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", chosen)
    logs.configure()

    def written(name: str) -> list[str]:
        every = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARNING": logging.WARNING}
        return [level for level, number in every.items() if logging.getLogger(name).isEnabledFor(number)]

    assert written("webhook") == ours
    assert written("botocore.credentials") == botocores


def _lines(code: str) -> list[dict[str, Any]]:
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stderr.splitlines()]
