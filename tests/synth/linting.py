"""cfn-lint, whose rules load once for all templates."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from cfnlint.config import ConfigMixIn, ManualArgs
from cfnlint.decode.decode import decode_str
from cfnlint.rules import Match
from cfnlint.runner import Runner


def lint(template: str | Mapping[str, Any], ignored: Sequence[str] = ()) -> list[Match]:
    """Return what cfn-lint finds in a template."""
    text = template if isinstance(template, str) else json.dumps(template, ensure_ascii=False)
    decoded, errors = decode_str(text)
    return errors or list(_runner(tuple(ignored)).validate_template(decoded))


@cache
def _runner(ignored: tuple[str, ...]) -> Runner:
    return Runner(ConfigMixIn(**ManualArgs(regions=["us-east-1"], ignore_checks=list(ignored))))
