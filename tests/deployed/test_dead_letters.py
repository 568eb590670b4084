"""``scalable-webhook dead-letters`` on a deployed webhook: what it redrives is stored, once and as it was."""

import json
import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import ObservedWebhook, wait_for
from webhook_runtime import message
from webhook_runtime.testing import webhook

from ..faults import redrives
from ..suite.patience import SECONDS
from .conftest import Command

Observe = Callable[[str], ObservedWebhook]


@pytest.mark.slow(10)
@pytest.mark.parametrize("name", ["Aside/Standard", "Aside/Ordered"])
def test_what_is_redriven_is_stored_once_and_the_rest_stays(
    name: str, emulator: Emulator, observe: Observe, command: Command
) -> None:
    observed, sqs, run = observe(name), emulator.client("sqs"), f"{uuid.uuid4()}"
    fifo = name.endswith("Ordered")

    def set_aside(id: str, error: str, group: str) -> str:
        body, attribute = message.write(webhook(json={"id": id}, id=id))
        texts = {"webhook": attribute, "error": error, "reason": f"it is {error}"}
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}
        order: dict[str, Any] = {"MessageGroupId": group, "MessageDeduplicationId": id} if fifo else {}
        url = observed.dead_letter_queue_url
        return str(sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes, **order)["MessageId"])

    named = {f"{run}-{number}": "Busy" if number % 3 else "Permanent" for number in range(45)}
    messages = {id: set_aside(id, error, f"group-{number % 4}") for number, (id, error) in enumerate(named.items())}
    busy = {id for id, error in named.items() if error == "Busy"}

    (listed,) = command("dead-letters", "list", name, "--json")
    counts = {group["error"]: group["count"] for group in json.loads(listed)["groups"]}
    assert counts == {"Busy": 30, "Permanent": 15} or fifo
    first = next(iter(named))
    (shown,) = command("dead-letters", "show", first, "--webhook", name, "--json", "--payload")
    assert json.loads(shown)["message_id"] == messages[first]
    assert json.loads(json.loads(shown)["payload"]) == {"id": first}

    def stored() -> set[str]:
        return {item["delivery_id"] for item in observed.items()}

    assert command("dead-letters", "redrive", name, "--error", "Busy", "--rate", "500") == [
        f"redriven 30 from the dead-letter queue of {name}"
    ]
    assert wait_for(lambda: busy <= stored(), SECONDS)
    assert observed.dead_letters() == 15
    ids = [word for id in list(named)[:9:3] for word in ("--id", id)]
    assert command("dead-letters", "delete", name, *ids) == [f"deleted 3 from the dead-letter queue of {name}"]
    # By SQS itself.
    assert command("dead-letters", "redrive", name) == [f"redriven 12 from the dead-letter queue of {name}"]
    assert wait_for(lambda: named.keys() - stored() == set(list(named)[:9:3]), SECONDS)
    assert command("dead-letters", "list", name) == [f"nothing in the dead-letter queue of {name}"]
    assert sorted(item["delivery_id"] for item in observed.items()) == sorted(stored())


@pytest.mark.slow(30)
def test_a_redrive_that_is_killed_loses_no_webhook_and_stores_none_twice(emulator: Emulator, observe: Observe) -> None:
    """``python -m tests.faults.redrives`` does the same with 10,000 messages."""
    outcome = redrives.run(
        observe("Aside/Killed"), emulator.home, messages=500, kills=3, seed=random.randrange(10**6), hidden_seconds=3
    )
    assert outcome.ok, outcome
    assert (outcome.redriven, outcome.kills) == (100, 3)
