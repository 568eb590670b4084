"""SQS's own redrive of a whole dead-letter queue, which goes on if this ends.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from scalable_webhook_cli.dead_letters.queue import Queue, in_words
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.target import Target

_ACTIVE = ("RUNNING", "CANCELLING")
_LONGEST_PAUSE_SECONDS = 1.0
# The time within which SQS lists a redrive that has started.
_LISTED_SECONDS = 60


class MoveTask:
    """The redrive of a dead-letter queue into a queue."""

    def __init__(self, target: Target, queue: Queue, to: Queue) -> None:
        self._sqs = target.client("sqs")
        self._queue = queue
        self._to = to
        self._before: Mapping[str, Any] = {}

    def running(self) -> Mapping[str, Any] | None:
        """Return the redrive that is in progress, also one of another person."""
        latest = self._latest()
        return latest if latest.get("Status") in _ACTIVE else None

    def start(self, rate: int) -> None:
        """Start at so many messages a second."""
        self._before = self._latest()
        self._call(
            "start_message_move_task",
            SourceArn=self._queue.arn,
            DestinationArn=self._to.arn,
            MaxNumberOfMessagesPerSecond=rate,
        )

    def follow(self, tell: Callable[[int, int], None]) -> int:
        """Wait until the redrive ends, and return the number of messages that it has moved. An interrupt cancels it.

        Args:
            tell: Is called with the numbers that are moved and to be moved.

        Raises:
            CliError: It failed.
            KeyboardInterrupt: It was cancelled.
        """
        cancelled = False
        give_up, pause = time.monotonic() + _LISTED_SECONDS, 0.1
        while True:
            try:
                task = self._latest()
                is_listed = task.get("StartedTimestamp") != self._before.get("StartedTimestamp")
                moved = int(task.get("ApproximateNumberOfMessagesMoved", 0)) if is_listed else 0
                tell(moved, int(task.get("ApproximateNumberOfMessagesToMove", 0)) if is_listed else 0)
                if (is_listed and task["Status"] not in _ACTIVE) or (not is_listed and time.monotonic() > give_up):
                    break
                time.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
            except KeyboardInterrupt:
                self._cancel()
                cancelled = True
        if cancelled:
            raise KeyboardInterrupt
        status, reason = task.get("Status", "not listed"), task.get("FailureReason")
        if not is_listed or status != "COMPLETED":
            raise CliError(
                f"the redrive of {self._queue.name} has moved {moved:,} and is {status.lower()}"
                + (f": {reason}" if reason else "")
                + "; the other messages are still there"
            )
        return moved

    def _cancel(self) -> None:
        if handle := (self.running() or {}).get("TaskHandle"):
            self._call("cancel_message_move_task", TaskHandle=handle)

    def _latest(self) -> Mapping[str, Any]:
        """Return the latest redrive, or nothing."""
        results = self._call("list_message_move_tasks", SourceArn=self._queue.arn, MaxResults=1).get("Results", ())
        latest: Mapping[str, Any] = results[0] if results else {}
        return latest

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._sqs, operation)(**arguments)
        except ClientError as error:
            raise in_words(error, self._queue.name) from error
