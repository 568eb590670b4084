"""The outputs of a stack by which the command line finds its webhooks: each is described as one of these, of a name."""

import re

URL = "Webhook URL"
MAPPING = "Event source mapping"


def described(what: str, name: str) -> str:
    """Return the description of an output of this webhook."""
    return f"{what} of {name}"


def name_in(what: str, description: str) -> str | None:
    """Return the name of the webhook that a description is of, or None if it is of something else."""
    found = re.fullmatch(f"{what} of (.+)", description)
    return found[1] if found else None
