"""The throttle of a deployed webhook: pause and resume its consumer, and change its concurrency.

It is the event source mapping. While it is disabled, webhooks wait in the queue, and use up no try.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from scalable_webhook_cli import names
from scalable_webhook_cli.deployed import DeployedWebhook
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.observe import wait_for
from scalable_webhook_cli.target import Target
from webhook_runtime.contract.connections import MAX_CONCURRENCY
from webhook_runtime.contract.pausing import BREAKER, IS_CHANGING, PAUSED_AT, PAUSED_BY, time_text
from webhook_runtime.contract.settings import PaceSettings, from_environment

# https://docs.aws.amazon.com/lambda/latest/dg/tag-esm.html
_NOT_IN_A_TAG = re.compile(r"[^\w\s.:/=+@-]")
_LONGEST_TAG = 256

# One batch at a time needs another kind of queue.
_LOWEST = 2
# No document tells how long a mapping takes. A deployment that changes it may be running.
_PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Throttle:
    """The event source mapping of a deployed webhook.

    Attributes:
        target: The AWS, with the region of the webhook.
        name: The path of the webhook's construct.
        stack: The name of its stack.
        id: The UUID of the mapping.
    """

    target: Target
    name: str
    stack: str
    id: str

    def describe(self) -> Mapping[str, Any]:
        """Return what Lambda tells about the mapping."""
        described: Mapping[str, Any] = self._lambda.get_event_source_mapping(UUID=self.id)
        return described

    def tags(self) -> Mapping[str, str]:
        """Return the tags of the mapping, which tell who paused it."""
        tags: Mapping[str, str] = self._lambda.list_tags(Resource=self._arn)["Tags"]
        return tags

    def paused_by(self) -> str | None:
        """Return who paused it and when, or None if it is not told."""
        tags = self.tags()
        return f"{tags[PAUSED_BY]} at {tags.get(PAUSED_AT)}" if PAUSED_BY in tags else None

    def is_paused_by_breaker(self) -> bool:
        """Tell whether the circuit breaker has paused it, and will resume it."""
        return bool(self.tags().get(PAUSED_BY) == BREAKER)

    def told(self) -> dict[str, Any]:
        """Return how it is, for a program."""
        mapping = self.describe()
        return {
            "webhook": self.name,
            "paused": mapping["State"] == "Disabled",
            "paused_by": self.paused_by(),
            "concurrency": concurrency(mapping),
        }

    def pause(self) -> float:
        """Disable the mapping, tell who did it, and return the seconds until it was disabled."""
        seconds = self._change({"Enabled": False}, lambda now: bool(now["State"] == "Disabled"))
        self.take_over()
        return seconds

    def take_over(self) -> None:
        """Tell that the caller has paused it, so that the circuit breaker does not resume it."""
        me = self.target.client("sts").get_caller_identity()["Arn"]
        tags = {PAUSED_BY: _NOT_IN_A_TAG.sub("-", me)[:_LONGEST_TAG], PAUSED_AT: time_text(time.time())}
        self._lambda.tag_resource(Resource=self._arn, Tags=tags)

    def resume(self) -> float:
        """Enable the mapping, and return the seconds until it was enabled."""
        seconds = self._change({"Enabled": True}, lambda now: bool(now["State"] == "Enabled"))
        self._lambda.untag_resource(Resource=self._arn, TagKeys=[PAUSED_BY, PAUSED_AT])
        return seconds

    def require_concurrency(self, number: int) -> None:
        """
        Raises:
            CliError: The mapping, the consumer or its pace cannot handle this concurrency.
        """
        if number == 0:
            raise CliError(f"concurrency must be at least {_LOWEST}, got 0; run: scalable-webhook pause {self.name}")
        mapping = self.describe()
        if "ScalingConfig" not in mapping:
            raise CliError(
                f"{self.name} has one batch at a time, since its queue has one group; deploy it with another "
                "max_concurrency, which replaces the queue"
            )
        if not _LOWEST <= number <= MAX_CONCURRENCY:
            raise CliError(
                f"concurrency must be {_LOWEST} to {MAX_CONCURRENCY:,}, got {number:,}; take a number within, or "
                "deploy max_concurrency=1 for one batch at a time"
            )
        consumer = mapping["FunctionArn"]
        reserved = self._lambda.get_function_concurrency(FunctionName=consumer).get("ReservedConcurrentExecutions")
        if reserved is not None and number > reserved:
            raise CliError(
                f"concurrency must be at most {reserved:,}, the reserved concurrency of the consumer, got {number:,}: "
                "each delivery that Lambda rejects uses up a try of a webhook; lower it, or raise "
                "reserved_concurrent_executions and deploy"
            )
        at_most = self.deployed_concurrency
        if (at_most is None or number > at_most) and self._is_paced(consumer):
            raise CliError(
                f"concurrency must be at most {'the deployed one' if at_most is None else at_most} with "
                f"max_delivery_rate, got {number:,}: each batch has its part of the rate since the deployment; deploy "
                f"max_concurrency={number}"
            )

    def set_concurrency(self, number: int) -> float:
        """Change the number of batches at a time, and return the seconds until it was changed."""
        return self._change(
            {"ScalingConfig": {"MaximumConcurrency": number}},
            lambda now: now["State"] in ("Enabled", "Disabled") and concurrency(now) == number,
        )

    @cached_property
    def deployed_concurrency(self) -> int | None:
        """The concurrency in the template; None if only the deployment knows it."""
        logical_id = names.mapping_in(self.template, self.name)
        number = self.template["Resources"][logical_id]["Properties"]["ScalingConfig"]["MaximumConcurrency"]
        return number if isinstance(number, int) else None

    @cached_property
    def template(self) -> dict[str, Any]:
        """The template of its stack, as it was deployed."""
        template = self.target.client("cloudformation").get_template(StackName=self.stack)["TemplateBody"]
        if not isinstance(template, dict):
            raise CliError(f"the template of {self.stack} is not JSON, as that of a CDK app is; deploy it by the CDK")
        return template

    def _is_paced(self, consumer: str) -> bool:
        """Tell whether each batch of a consumer has a part of a rate."""
        configuration = self._lambda.get_function_configuration(FunctionName=consumer)
        variables = configuration.get("Environment", {}).get("Variables", {})
        return from_environment(PaceSettings, variables).seconds_each is not None

    def _change(self, change: Mapping[str, Any], is_there: Callable[[Mapping[str, Any]], bool]) -> float:
        """Make a change, wait until it is there, and return the seconds."""
        began = time.monotonic()

        def accepted() -> bool:
            try:
                self._lambda.update_event_source_mapping(UUID=self.id, **change)
            except ClientError as error:
                if error.response["Error"]["Code"] in IS_CHANGING:
                    return False
                raise
            return True

        def left() -> float:
            return _PATIENCE_SECONDS - (time.monotonic() - began)

        if not (wait_for(accepted, left()) and wait_for(lambda: is_there(self.describe()), left())):
            raise CliError(
                f"the event source mapping of {self.name} is still {self.describe()['State']} after "
                f"{_PATIENCE_SECONDS} seconds, and changes by itself; run the command again to wait for it"
            )
        return time.monotonic() - began

    @cached_property
    def _arn(self) -> str:
        return str(self.describe()["EventSourceMappingArn"])

    @property
    def _lambda(self) -> Any:
        return self.target.client("lambda")


def of(webhook: DeployedWebhook) -> Throttle:
    """Return the throttle of a webhook."""
    return Throttle(webhook.target, webhook.name, webhook.stack, webhook.mapping_id)


def concurrency(mapping: Mapping[str, Any]) -> int | None:
    """Return the number of batches at a time of a mapping that Lambda describes."""
    number = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
    return None if number is None else int(number)
