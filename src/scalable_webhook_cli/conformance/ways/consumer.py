"""The fate of a message: sinks, retries, the dead-letter queue, concurrency."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError, ParamValidationError

from scalable_webhook_cli import burst as bursts
from scalable_webhook_cli import throttle as throttles
from scalable_webhook_cli.conformance.case import Case, Facts, Request
from scalable_webhook_cli.conformance.facts import answered, stored
from scalable_webhook_cli.conformance.ways.common import count_of, id_of, sent, share, status_of
from scalable_webhook_cli.conformance.world import MARK, World
from scalable_webhook_cli.observe import peak

_ENDED = ("stored", "duplicate", "dead-lettered")
# A poller of Lambda that has begun may take messages for so long: locally, and in an account.
_POLLERS_SECONDS = {True: 6, False: 40}
_LATE_SECONDS = 5
# Less than the throttles of API Gateway and of a group of a FIFO queue permit, from near and far.
_AT_ONCE, _AT_ONCE_IN_A_GROUP = 20, 8


def item(world: World, case: Case, ingress: str) -> Facts:
    """Send, and look for the item in the table."""
    reply = sent(world, case, ingress)
    world.wait_for(lambda: world.item(ingress, id_of(reply)) is not None)
    world.wait_until_drained(ingress)
    return {**answered(reply), **stored(world.target, world.item(ingress, id_of(reply)))}


def twice(world: World, case: Case, ingress: str) -> Facts:
    """Send each of some webhooks twice, at once."""
    ids = [f"{world.run}-{number}" for number in range(count_of(world, case))]
    requests = [Request(headers=[("Idempotency-Key", id)], body=b"x") for id in [*ids, *ids]]
    world.send((ingress, request, world.mark(case, ingress)) for request in requests)
    lines = _outcomes(world, ingress, set(ids), len(requests))
    return {"items": sum(world.item(ingress, id) is not None for id in ids), **_counted(lines)}


def partial(world: World, case: Case, ingress: str) -> Facts:
    """Send several at once, of which one fails for ever."""
    requests = [Request(body=b"x")] * (count_of(world, case) - 1) + [Request(body=b"permanent")]
    replies = world.send((ingress, request, world.mark(case, ingress)) for request in requests)
    return _counted(_outcomes(world, ingress, set(map(id_of, replies)), len(requests)))


def letter(world: World, case: Case, ingress: str) -> Facts:
    """Send, and take the message from the dead-letter queue."""
    reply, mark = sent(world, case, ingress), world.mark(case, ingress)
    found = world.take(world.webhook(ingress).dead_letter_queue_url, [mark]).get(mark, {})
    attributes = found.get("MessageAttributes", {})
    why = {name: attributes.get(name, {}).get("StringValue") for name in ("error", "reason")}
    return {**answered(reply), "dead-lettered": bool(found), **why}


def retry(world: World, case: Case, ingress: str) -> Facts:
    """Send a webhook that fails at first, and measure the delays."""
    id = id_of(sent(world, case, ingress))
    done = _outcomes(world, ingress, {id}, 1)
    failed = [line for line in world.logged(ingress, "failed") if line.get("id") == id]
    times = [datetime.fromisoformat(line["timestamp"]).timestamp() for line in [*failed, *done]]
    waited = [later - earlier for earlier, later in pairwise(times)]
    told = [line["retry_in"] for line in failed]
    return {
        "attempts": done[0]["attempt"] if done else None,
        "told": told,
        "waited": [round(seconds, 1) for seconds in waited],
        # The delay begins a little before the line is written.
        "too early": sum(seconds < least - 1 for seconds, least in zip(waited, told, strict=False)),
    }


def redrive(world: World, case: Case, ingress: str) -> Facts:
    """Send a webhook that ends in the dead-letter queue, and let SQS move it back."""
    id = id_of(sent(world, case, ingress))
    _outcomes(world, ingress, {id}, 1)
    status = _moved(world, ingress)
    return {"status": status, "came back": status == "COMPLETED" and len(_outcomes(world, ingress, {id}, 2)) == 2}


def move(world: World, case: Case, ingress: str) -> Facts:
    """Put a message into the dead-letter queue, and let SQS move it to the queue, which has no consumer."""
    sqs, webhook, mark = world.target.client("sqs"), world.webhook(ingress), world.mark(case, ingress)
    marked = {"DataType": "String", "StringValue": urlencode({f"h.{MARK}": mark})}
    sqs.send_message(
        QueueUrl=webhook.dead_letter_queue_url,
        MessageBody="x",
        MessageAttributes={"webhook": marked},
        MessageGroupId="x",
        MessageDeduplicationId=world.run,
    )
    status = _moved(world, ingress)
    awaited = [mark] if status == "COMPLETED" else []
    return {"status": status, "came back": mark in world.take(webhook.queue_url, awaited)}


def limits(world: World, _case: Case, ingress: str) -> Facts:
    """Ask for a concurrency that no mapping has."""
    control = throttles.of(world.webhook(ingress))
    usual, facts = throttles.concurrency(control.describe()), {}
    for number in (1, 1001):
        try:
            control.set_concurrency(number)
            facts[str(number)] = "taken"
        except ClientError as error:
            facts[str(number)] = error.response["Error"]["Code"]
        except ParamValidationError:
            facts[str(number)] = "rejected by boto3"
    if usual is not None:
        control.set_concurrency(usual)
    return facts


def burst(world: World, case: Case, ingress: str) -> Facts:
    """Send a burst, and look how many batches ran at a time."""
    since = time.time()
    accepted = _accepted(world, case, ingress)
    of_all = {"accepted": share(len(accepted), count_of(world, case)), **_stored(world, ingress, accepted)}
    return {**of_all, **_at_a_time(world, ingress, since)}


def pause(world: World, case: Case, ingress: str) -> Facts:
    """Pause the consumer under a backlog, and resume it."""
    control = throttles.of(world.webhook(ingress))
    accepted = _accepted(world, case, ingress)
    paused = control.pause()
    paused_at = time.time()
    time.sleep(_POLLERS_SECONDS[world.is_local])
    begun = [line["started"] / 1000 - paused_at for line in world.logged(ingress, "batch")]
    resumed = control.resume()
    return {
        **_stored(world, ingress, accepted),
        "seconds to pause": round(paused, 1),
        "seconds to resume": round(resumed, 1),
        "last batch after the pause": round(max([0, *begun]), 1),
        "late batches": sum(seconds > _LATE_SECONDS for seconds in begun),
    }


def one(world: World, case: Case, ingress: str) -> Facts:
    """Resume a consumer with one group, send a burst, and pause it again, as it was deployed."""
    control = throttles.of(world.webhook(ingress))
    control.resume()
    try:
        return burst(world, case, ingress)
    finally:
        control.pause()


def groups(world: World, case: Case, ingress: str) -> Facts:
    """Send webhooks of several groups, each group one after the other, and look for their order."""
    since, count = time.time(), count_of(world, case)
    names = [f"{world.run}-{group}" for group in range(10)]
    accepted: list[str] = []
    for number in range(count // len(names)):
        requests = [
            Request(headers=[("X-Group", name), ("Idempotency-Key", f"{name}-{number:04}")], body=b"x")
            for name in names
        ]
        replies = world.send((ingress, request, world.mark(case, ingress)) for request in requests)
        accepted += [id_of(reply) for reply in replies if status_of(reply) == 202]
    all_stored = _stored(world, ingress, accepted)
    order: dict[str, list[str]] = {name: [] for name in names}
    for line in world.logged(ingress, "stored"):
        group, _, _ = str(line["id"]).rpartition("-")
        order.setdefault(group, []).append(line["id"])
    return {
        "accepted": share(len(accepted), count),
        **all_stored,
        "out of order": sum(ids != sorted(ids) for ids in order.values()),
        **_at_a_time(world, ingress, since),
    }


def _accepted(world: World, case: Case, ingress: str) -> list[str]:
    """Send a burst, and return the ids of those that were accepted."""
    requests, is_fifo = bursts.uniform(count_of(world, case)), world.webhook(ingress).queue_url.endswith(".fifo")
    at_once = _AT_ONCE_IN_A_GROUP if is_fifo else _AT_ONCE
    return bursts.send(world.url(ingress), requests, concurrency=at_once).accepted_ids


def _outcomes(world: World, ingress: str, ids: set[str], count: int) -> list[dict[str, Any]]:
    """Return the consumer's lines about the end of these webhooks, once there are so many."""

    def lines() -> list[dict[str, Any]]:
        return [line for line in world.logged(ingress, *_ENDED) if line.get("id") in ids]

    world.wait_for(lambda: len(lines()) >= count)
    return lines()


def _stored(world: World, ingress: str, ids: Sequence[str]) -> Facts:
    """Return how many of these webhooks were stored, once the queue is empty."""
    world.wait_until_drained(ingress)
    ended = {line["id"] for line in _outcomes(world, ingress, set(ids), len(ids)) if line["message"] == "stored"}
    return {"stored": share(len(ended), len(ids))}


def _counted(lines: Sequence[Mapping[str, Any]]) -> Facts:
    return {name: sum(line["message"] == name for line in lines) for name in _ENDED}


def _at_a_time(world: World, ingress: str, since: float) -> Facts:
    """Return how many batches ran at a time, by their starts and ends."""
    batches = [line for line in world.logged(ingress, "batch") if line["started"] / 1000 >= since]
    highest = peak(batches)
    at_most = throttles.concurrency(throttles.of(world.webhook(ingress)).describe()) or 1
    return {"batches": len(batches), "at a time": highest, "above the maximum": highest > at_most}


def _moved(world: World, ingress: str) -> str:
    """Move the messages of the dead-letter queue back, and return the status at the end, or the code of an error.

    The queue is named, since messages that a function has sent there do not name it.
    """
    sqs, webhook = world.target.client("sqs"), world.webhook(ingress)
    source, destination = (_arn(sqs, url) for url in (webhook.dead_letter_queue_url, webhook.queue_url))

    def status() -> str:
        return str(sqs.list_message_move_tasks(SourceArn=source)["Results"][0]["Status"])

    try:
        sqs.start_message_move_task(SourceArn=source, DestinationArn=destination)
        world.wait_for(lambda: status() not in ("RUNNING", "CANCELLING"))
        return status()
    except ClientError as error:
        return str(error.response["Error"]["Code"])


def _arn(sqs: Any, url: str) -> str:
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
