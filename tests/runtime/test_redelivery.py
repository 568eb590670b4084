from typing import Any

import pytest

from webhook_runtime.contract.backoff import Backoff
from webhook_runtime.contract.limits import MAX_DELAY_SECONDS
from webhook_runtime.deadline import Deadline
from webhook_runtime.redelivery import Redelivery

from .doubles import REJECTED, Invocation, Sqs


def postpone(sqs: Sqs, count: int, *seconds: float) -> None:
    records: list[dict[str, Any]] = [{"receiptHandle": f"handle-{n}"} for n in range(count)]
    Redelivery(sqs, "http://sqs/Queue", Backoff(1, 1)).postpone(
        [(each, n) for n, each in enumerate(records)], Deadline(Invocation(*seconds))
    )


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (0, 0),
        (77, 77),
        (0.1, 1),
        (2.5, 3),
        (-5, 0),
        (MAX_DELAY_SECONDS, 39_600),
        (50_000, 39_600),
        (float("inf"), 39_600),
        (float("nan"), 0),
    ],
)
def test_a_requested_delay_is_kept_up_to_11_hours(asked: float, seconds: int) -> None:
    assert Redelivery(Sqs(), "url", Backoff(10, 900)).delay(7, asked) == seconds


def test_messages_are_postponed_ten_in_a_call() -> None:
    sqs = Sqs()
    postpone(sqs, 25)
    assert [len(entries) for entries in sqs.postponed] == [10, 10, 5]
    assert sqs.delays() == {f"handle-{n}": n for n in range(25)}


def test_messages_that_sqs_rejects_leave_the_others_postponed(caplog: pytest.LogCaptureFixture) -> None:
    sqs = Sqs(failed=("handle-3", "handle-4"))
    postpone(sqs, 25)
    assert [len(entries) for entries in sqs.postponed] == [10, 10, 5]
    assert [vars(line)["error"] for line in caplog.records] == ["ReceiptHandleIsInvalid"]


def test_an_sqs_that_fails_is_not_called_again(caplog: pytest.LogCaptureFixture) -> None:
    sqs = Sqs(error=REJECTED)
    postpone(sqs, 25)
    assert len(sqs.postponed) == 1
    (line,) = caplog.records
    assert vars(line)["messages"] == 25


def test_a_function_that_has_no_time_left_postpones_no_more(caplog: pytest.LogCaptureFixture) -> None:
    sqs = Sqs()
    postpone(sqs, 35, 30, 2, 2, 0.7, 0.7, 0.4)
    assert [len(entries) for entries in sqs.postponed] == [10, 10]
    (line,) = caplog.records
    assert (vars(line)["error"], vars(line)["messages"]) == ("OutOfTime", 15)
