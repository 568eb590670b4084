"""Permission to call a function: its resource policy, which the emulator stores but does not evaluate.

https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html#apigateway-permissions
https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from scalable_webhook_cli.gateway.function_urls import FunctionUrl
from scalable_webhook_cli.gateway.recent import recent
from scalable_webhook_cli.target import Target

_GATEWAY = "apigateway.amazonaws.com"
_BY_URL = "lambda:InvokedViaFunctionUrl"
# Since October 2025, both are needed.
_FOR_URLS = {
    "lambda:InvokeFunctionUrl": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
    "lambda:InvokeFunction": {"Bool": {_BY_URL: "true"}},
}


class Permissions:
    """The resource policies of functions."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._statements = recent(self._read)

    def allow(self, function: str, region: str, sources: Iterable[str]) -> bool:
        """Tell whether API Gateway may call the function for a request with one of these ARNs."""
        statements = self._statements(function, region)
        return any(_allows(statement, source) for statement in statements for source in sources)

    def allow_url(self, url: FunctionUrl) -> bool:
        """Tell whether everyone may call a function by its URL."""
        statements = self._statements(url.function, url.region)
        return url.auth_type == "NONE" and all(
            any(
                each.get("Effect") == "Allow"
                and each.get("Principal") in ("*", {"AWS": "*"})
                and each.get("Action") == action
                and each.get("Condition", condition) == condition
                for each in statements
            )
            for action, condition in _FOR_URLS.items()
        )

    def _read(self, function: str, region: str) -> list[Mapping[str, Any]]:
        # Versions and aliases have policies of their own.
        name, _, qualifier = function.partition(":function:")[2].partition(":")
        functions = self._target.within(region).client("lambda")
        try:
            policy = functions.get_policy(FunctionName=name, **({"Qualifier": qualifier} if qualifier else {}))[
                "Policy"
            ]
        except ClientError:
            return []
        return list(json.loads(policy)["Statement"])


def _allows(statement: Mapping[str, Any], source: str) -> bool:
    principal = statement.get("Principal")
    if statement.get("Effect") != "Allow" or principal not in ("*", {"Service": _GATEWAY}):
        return False
    if statement.get("Action") not in ("lambda:InvokeFunction", "lambda:*", "*"):
        return False
    for values in statement.get("Condition", {}).values():
        for key, pattern in values.items():
            if key == _BY_URL:
                return False
            if key.lower() == "aws:sourcearn" and not _is_like(source, pattern):
                return False
            if key.lower() == "aws:sourceaccount" and source.split(":")[4] != pattern:
                return False
    return True


def _is_like(arn: str, pattern: str) -> bool:
    """Match as ArnLike does: a star stays within one of the six parts of an ARN."""
    parts, patterns = arn.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(patterns) and all(map(_part_is_like, parts, patterns))


def _part_is_like(part: str, pattern: str) -> bool:
    wild = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wild, part, re.DOTALL) is not None
