"""The bill by AWS's list prices, of ``prices.json``: docs/limits-and-costs.md and the benchmarks have the same ones.

It excludes logs, tracing, data transfer, free tiers, and the polling of an empty queue.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FILE: Mapping[str, Any] = json.loads(Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))
REGION: str = _FILE["region"]


def usd(name: str) -> float:
    """Return a price."""
    return float(_FILE["prices"][name]["usd"])


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The use that is billed. ``gb_seconds`` are the GB-seconds of Lambda by architecture."""

    requests: float = 0
    invocations: float = 0
    gb_seconds: Mapping[str, float] = field(default_factory=dict)
    sqs_requests: float = 0
    write_units: float = 0

    def bill(self) -> dict[str, float]:
        """Return the dollars of each service."""
        memory = sum(number * usd(f"lambda_gb_second_{name}") for name, number in self.gb_seconds.items())
        return {
            "API Gateway": self.requests * usd("api_gateway_rest_request"),
            "Lambda": self.invocations * usd("lambda_request") + memory,
            "SQS": self.sqs_requests * usd("sqs_standard_request"),
            "DynamoDB": self.write_units * usd("dynamodb_write_request_unit"),
        }
