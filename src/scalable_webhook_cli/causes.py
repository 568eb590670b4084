"""The cause of a failure of the CDK CLI, from among its lines: it is the last of many, or between them."""

import re
from collections.abc import Sequence

# The CDK's lines about each asset and resource while all goes well. It repeats failures at its end.
_PROGRESS = re.compile(r"\S.* \| +\d+/\d+ \| |\S.*: (start|success): (Building|Built|Publishing|Published) ")
# A resource that CloudFormation could not make. Others are canceled for it.
_RESOURCE = re.compile(r".* \| \w+_FAILED +\| (?!.*(cancelled|canceled)$).*")
_TRACEBACK = "Traceback (most recent call last):"
# The name of an exception starts at the margin. Between are frames, which are indented.
_RAISED = re.compile(r"[A-Za-z_][\w.]*(: .*)?$")
_END_OF_APP = re.compile(r".*: Subprocess exited with error \d+")
_FAILED = re.compile(r"❌ +(?P<why>.*(failed|Error): .*)")


def cause(said: Sequence[str]) -> list[str]:
    """Return the lines that tell why it failed, or all but progress if none is known to."""
    told = [line.rstrip() for line in said if not _PROGRESS.match(line)]
    found = [line for line in told if _RESOURCE.match(line)] or _raised(told) or _of_a_stack(told)
    return list(dict.fromkeys(found)) or _stripped(told)


def _raised(told: Sequence[str]) -> list[str]:
    """Return the error of the app, from its name to the end of its text."""
    if _TRACEBACK not in told:
        return []
    last = len(told) - 1 - told[::-1].index(_TRACEBACK)
    end = next((at for at in range(last, len(told)) if _END_OF_APP.match(told[at])), len(told))
    start = next((at for at in range(last + 1, end) if _RAISED.match(told[at])), end)
    return _stripped(told[start:end])


def _of_a_stack(told: Sequence[str]) -> list[str]:
    return [found["why"] for line in told if (found := _FAILED.match(line.strip()))]


def _stripped(lines: Sequence[str]) -> list[str]:
    return "\n".join(lines).strip().splitlines()
