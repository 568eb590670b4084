"""Find messages by the ids that a person knows."""

from collections.abc import Iterable, Sequence
from threading import Lock

from scalable_webhook_cli.dead_letters.look import look
from scalable_webhook_cli.dead_letters.message import Message
from scalable_webhook_cli.dead_letters.queue import Queue
from scalable_webhook_cli.errors import CliError

_LISTED = 5


def find(queue: Queue, texts: Sequence[str], *, patient: bool = False) -> list[Message]:
    """Return the messages with these ids. Each text is an id of a webhook, of its request or of SQS, or begins one.

    Raises:
        CliError: A text begins no id, or several.
    """
    if not all(texts):
        raise CliError("an id must have a character, got an empty text; take an id of the log, or of SQS")
    found: list[Message] = []
    lock = Lock()

    def take(messages: Sequence[Message]) -> list[str]:
        with lock:
            found.extend(each for each in messages if any(id.startswith(tuple(texts)) for id in each.ids))
        return []

    looked = look(queue, take, patient=patient)
    chosen: dict[str, Message] = {}
    for text in texts:
        named = _named(text, found)
        if not named:
            messages = "1 message" if looked.seen == 1 else f"{looked.seen:,} messages"
            raise CliError(
                f"no id of the {messages} in {queue.name} starts with {text}"
                + (f"; about {looked.unseen:,} more could not be seen, try again in a minute" if looked.unseen else "")
            )
        chosen |= {each.id: each for each in named}
    return list(chosen.values())


def find_one(queue: Queue, text: str) -> Message:
    """Return the message with this id.

    Raises:
        CliError: There is none, or there are several.
    """
    found = find(queue, [text])
    if len(found) > 1:
        raise CliError(f"{text} is the id of {len(found)} messages; name one by {_listed(each.id for each in found)}")
    return found[0]


def _named(text: str, messages: Iterable[Message]) -> list[Message]:
    """Return the messages with this id, or with the only id that it begins."""
    whole = [each for each in messages if text in each.ids]
    if whole:
        return whole
    begun = [each for each in messages if any(id.startswith(text) for id in each.ids)]
    ids = {id for each in begun for id in each.ids if id.startswith(text)}
    if len(ids) > 1:
        raise CliError(f"{text} begins {len(ids)} ids; add a character, they are {_listed(sorted(ids))}")
    return begun


def _listed(ids: Iterable[str]) -> str:
    every = list(ids)
    more = f" and {len(every) - _LISTED} more" if len(every) > _LISTED else ""
    return ", ".join(every[:_LISTED]) + more
