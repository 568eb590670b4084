"""Kill a redrive again and again: ``python -m tests.faults.redrives``.

Messages of five errors are in the dead-letter queue. The redrive of one of them is killed in the middle by SIGKILL, and
run again until it ends. Then each webhook is looked for: in the sink, by its log, and in the dead-letter queue.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.local.emulator import running
from scalable_webhook_cli.observe import ObservedWebhook, wait_for
from scalable_webhook_cli.terminal import say
from webhook_runtime import message
from webhook_runtime.testing import webhook

HELLO = Path(__file__).parents[2] / "examples" / "hello"
ERRORS = ("Permanent", "HTTP 404", "SQLSTATE 23505", "OutOfTime", "NoSecret")
WANTED = ERRORS[0]
PATIENCE_SECONDS = 600

# A command whose messages are shown again sooner after a kill than in a minute.
_CHILD = (
    "from scalable_webhook_cli.dead_letters import look\n"
    "look.HIDDEN_SECONDS, look._PATIENCE_SECONDS = {0}, {0} + 5\n"
    "from scalable_webhook_cli.__main__ import main\n"
    "main()\n"
)


@dataclass(frozen=True)
class Outcome:
    """The webhooks of a run, by their end.

    Attributes:
        redriven: The webhooks of the error.
        lost: Those of all webhooks that are neither stored nor in the dead-letter queue.
        stored_twice: Those that the sink has stored twice.
        sent_twice: Those that a kill left in both queues, and that the sink found to be there already.
        misplaced: Those of another error that are stored, and those of this error that are not.
        kills: The kills in the middle.
        seconds: The time from the first start to the end.
    """

    redriven: int
    lost: int
    stored_twice: int
    sent_twice: int
    misplaced: int
    kills: int
    seconds: float

    @property
    def ok(self) -> bool:
        return not (self.lost or self.stored_twice or self.misplaced)


def run(observed: ObservedWebhook, home: Path, *, messages: int, kills: int, seed: int, hidden_seconds: int) -> Outcome:
    """Fill the dead-letter queue of a webhook, and redrive one error."""
    random = Random(seed)
    ids = {f"{seed}-{number}": ERRORS[number % len(ERRORS)] for number in range(messages)}
    wanted = {id for id, error in ids.items() if error == WANTED}
    _fill(observed, ids)
    command = [sys.executable, "-c", _CHILD.format(hidden_seconds), "dead-letters", "redrive"]
    command += [f"{observed.stack}/{observed.id}", "--error", WANTED, "--rate", "500", "--json"]
    began, killed = time.monotonic(), 0
    while True:
        with subprocess.Popen(
            command, env=os.environ | {"SCALABLE_WEBHOOK_HOME": str(home)}, stdout=subprocess.PIPE, text=True
        ) as redrive:
            if killed < kills:
                # Somewhere in what is left, and anywhere within a batch.
                left = observed.dead_letters()
                until = left - random.randint(1, max(1, (left - messages + len(wanted)) // 2))
                _wait_until(observed, until, redrive)
                time.sleep(random.random() / 20)
                redrive.kill()
            said, _ = redrive.communicate(timeout=PATIENCE_SECONDS)
        if redrive.returncode == 0 and json.loads(said)["unseen"] == 0:
            break
        killed += redrive.returncode == -signal.SIGKILL
    seconds = time.monotonic() - began
    wait_for(lambda: wanted <= _stored(observed) and observed.backlog() == 0, PATIENCE_SECONDS)
    return _outcome(observed, ids, wanted, killed, seconds)


def _wait_until(observed: ObservedWebhook, left: int, redrive: "subprocess.Popen[str]") -> None:
    """Wait until no more messages than these are in the dead-letter queue, or the redrive has ended."""
    wait_for(lambda: redrive.poll() is not None or observed.dead_letters() <= left, PATIENCE_SECONDS)


def _outcome(observed: ObservedWebhook, ids: dict[str, str], wanted: set[str], kills: int, seconds: float) -> Outcome:
    stored = _stored(observed) & ids.keys()
    left = {id for id in map(_id_of, observed.take_dead_letters()) if id in ids}
    lines = [line for line in observed.log("ConsumerLogs") if line.get("id") in ids]
    counts = {
        what: Counter(line["id"] for line in lines if line["message"] == what) for what in ("stored", "duplicate")
    }
    return Outcome(
        redriven=len(stored),
        lost=len(ids.keys() - stored - left),
        stored_twice=sum(count > 1 for count in counts["stored"].values()),
        sent_twice=counts["duplicate"].total(),
        misplaced=len(stored ^ wanted) + len(left & wanted),
        kills=kills,
        seconds=seconds,
    )


def _fill(observed: ObservedWebhook, ids: dict[str, str]) -> None:
    sqs, url = observed.target.client("sqs"), observed.dead_letter_queue_url
    entries = list(_entries(ids))
    for first in range(0, len(entries), 10):
        assert not sqs.send_message_batch(QueueUrl=url, Entries=entries[first : first + 10]).get("Failed")


def _entries(ids: dict[str, str]) -> Iterator[dict[str, Any]]:
    for number, (id, error) in enumerate(ids.items()):
        body, attribute = message.write(webhook(json={"id": id}, id=id))
        texts = {"webhook": attribute, "error": error, "reason": f"it is {error}"}
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}
        yield {"Id": str(number), "MessageBody": body, "MessageAttributes": attributes}


def _stored(observed: ObservedWebhook) -> set[str]:
    return {str(item["delivery_id"]) for item in observed.items()}


def _id_of(received: dict[str, Any]) -> str:
    return str(json.loads(received["Body"])["id"])


def main() -> int:
    """Return the exit status: 0 if nothing was lost, and nothing stored twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.redrives", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hidden-seconds", type=int, default=60)
    arguments = parser.parse_args()
    with running() as emulator:
        deploy(emulator, HELLO)
        outcome = run(
            ObservedWebhook(emulator, "Hello", "Webhook"),
            emulator.home,
            messages=arguments.messages,
            kills=arguments.kills,
            seed=arguments.seed,
            hidden_seconds=arguments.hidden_seconds,
        )
    say(f"redrives: {'ok' if outcome.ok else 'FAILED'} {outcome}")
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    sys.exit(main())
