"""The fate of a request, until its message is in a queue, or was dropped."""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from scalable_webhook_cli.conformance.case import Case, Facts
from scalable_webhook_cli.conformance.facts import answered, field, received
from scalable_webhook_cli.conformance.ways.common import Seen, at_each, count_of, id_of, sent_at_once, status_of, wanted
from scalable_webhook_cli.conformance.world import Reply, World


def message(world: World, cases: Sequence[Case]) -> Iterator[Seen]:
    """Send all, and take the messages from queues without a consumer."""
    sent = [
        (case, ingress, request, world.mark(case, ingress, number))
        for case, ingress in at_each(cases)
        for number, request in enumerate(case.requests)
    ]
    replies = world.send((ingress, request, mark) for _, ingress, request, mark in sent)
    of = {mark: (request, reply) for (_, _, request, mark), reply in zip(sent, replies, strict=True)}
    awaited: dict[str, list[str]] = {}
    for case, ingress, _, mark in sent:
        marks, expected = awaited.setdefault(world.webhook(ingress).queue_url, []), case.expected[ingress]
        if status_of(of[mark][1]) < 300 and (expected is None or "message" not in expected):
            marks.append(mark)
    taken = {mark: each for queue, marks in awaited.items() for mark, each in world.take(queue, marks).items()}
    for case, ingress in at_each(cases):
        marks = [world.mark(case, ingress, number) for number in range(len(case.requests))]
        request, reply = of[marks[-1]]
        facts = {**answered(reply), **received(taken.get(marks[-1]), reply, world.urls[ingress], request)}
        if len(marks) > 1:
            facts["ids"] = len({field(taken.get(mark), "id") for mark in marks})
        yield case, ingress, facts


def events(world: World, cases: Sequence[Case]) -> Iterator[Seen]:
    """Send all, and look which are stored once the queues are empty."""
    pairs, replies = sent_at_once(world, cases)

    def is_kept(ingress: str, reply: Reply) -> bool:
        return world.item(ingress, id_of(reply)) is not None

    kept = [
        (ingress, reply)
        for (case, ingress), reply in zip(pairs, replies, strict=True)
        if wanted(world, case, ingress).get("kept")
    ]
    world.wait_until_drained(*(ingress for _, ingress in pairs))
    world.wait_for(lambda: all(is_kept(*each) for each in kept))
    for (case, ingress), reply in zip(pairs, replies, strict=True):
        yield case, ingress, {**answered(reply), "kept": is_kept(ingress, reply)}


def own(world: World, cases: Sequence[Case]) -> Iterator[Seen]:
    """Send all, and look which are tried again. The queue permits one try, so these end in the dead-letter queue."""
    pairs, replies = sent_at_once(world, cases)
    ingresses = dict.fromkeys(ingress for _, ingress in pairs)
    world.wait_until_drained(*ingresses)
    letters: set[str] = set()
    for ingress in ingresses:
        awaited = [
            world.mark(case, at) for case, at in pairs if at == ingress and wanted(world, case, at).get("retried")
        ]
        letters |= world.take(world.webhook(ingress).dead_letter_queue_url, awaited).keys()
    for (case, ingress), reply in zip(pairs, replies, strict=True):
        yield case, ingress, {**answered(reply), "retried": world.mark(case, ingress) in letters}


def throttle(world: World, case: Case, ingress: str) -> Facts:
    """Send many requests at once, and count the answers."""
    (request,) = case.requests
    replies = world.send(
        (ingress, request, world.mark(case, ingress, number)) for number in range(count_of(world, case))
    )
    statuses = [status_of(reply) for reply in replies]
    rejected = next((reply for reply in replies if status_of(reply) == 429), "none")
    counted = {str(status): statuses.count(status) for status in sorted(set(statuses))}
    return {"statuses": sorted(set(statuses)), "counted": counted, "rejected": answered(rejected)}


def broken(world: World, case: Case, ingress: str) -> Facts:
    """Delete the queue, and send until that shows."""
    world.target.client("sqs").delete_queue(QueueUrl=world.webhook(ingress).queue_url)
    replies: list[Reply] = []

    def shows() -> bool:
        replies[:] = world.send([(ingress, case.requests[0], world.mark(case, ingress))])
        return status_of(replies[0]) != 202

    world.wait_for(shows)
    return answered(replies[0])


def sqs(world: World, case: Case, ingress: str) -> Facts:
    """Send a message to SQS itself, by its Query protocol."""
    form = b"Action=SendMessage&Version=2012-11-05&MessageBody=" + quote(case.requests[0].body).encode()
    answer = world.call("sqs", world.webhook(ingress).queue_url, form)
    code = re.search("<Code>(.*?)</Code>", answer.text)
    return {"status": answer.status, "code": code[1] if code else None, "answer": answer.text[:300]}
