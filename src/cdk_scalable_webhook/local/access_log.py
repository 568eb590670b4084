"""API Gateway's access logs, which the emulator does not write: one line a request into the log group of the stage."""

import re
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from cachetools import TTLCache, cached

from cdk_scalable_webhook.local.rest_api import RestApi, client

_STREAM = "door"
_FLUSH_SECONDS = 0.5


@dataclass(frozen=True)
class AccessLogSetting:
    region: str
    log_group: str
    format: str


@dataclass(frozen=True)
class _Request:
    api: RestApi
    context: Mapping[str, Any]
    timestamp: int


class AccessLog:
    """Writes in the background: a request never waits for its line, and never fails for it."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._requests: SimpleQueue[_Request] = SimpleQueue()
        self._setting = cached(TTLCache(maxsize=256, ttl=60), lock=threading.Lock())(self._find)
        threading.Thread(target=self._run, daemon=True).start()

    def write(self, api: RestApi, context: Mapping[str, Any]) -> None:
        """Log one request, whose outcome is in the context by now."""
        self._requests.put(_Request(api, context, round(time.time() * 1000)))

    def _run(self) -> None:
        while True:
            waiting = [self._requests.get()]
            time.sleep(_FLUSH_SECONDS)
            with suppress(Empty):
                while True:
                    waiting.append(self._requests.get_nowait())
            lines: dict[AccessLogSetting, list[dict[str, Any]]] = {}
            for request in waiting:
                setting = self._setting(request.api.id, request.api.region, request.api.stage)
                if setting:
                    line = {"timestamp": request.timestamp, "message": fill(setting.format, request.context)}
                    lines.setdefault(setting, []).append(line)
            for setting, events in lines.items():
                self._put(setting, events)

    def _put(self, setting: AccessLogSetting, events: list[dict[str, Any]]) -> None:
        logs = client("logs", self._endpoint, setting.region)
        target = {"logGroupName": setting.log_group, "logStreamName": _STREAM}
        with suppress(ClientError):  # it is there already
            logs.create_log_stream(**target)
        try:
            logs.put_log_events(**target, logEvents=events)
        except (ClientError, BotoCoreError) as error:
            print(f"access log of {setting.log_group}: {error}", flush=True)

    def _find(self, api_id: str, region: str, stage: str) -> AccessLogSetting | None:
        """The stage's setting. The emulator forgets it when it deploys, but its CloudFormation still has the
        template."""
        cloudformation = client("cloudformation", self._endpoint, region)
        try:
            for page in cloudformation.get_paginator("describe_stacks").paginate():
                for stack in page["Stacks"]:
                    found = _in_stack(cloudformation, stack["StackName"], api_id, region, stage)
                    if found:
                        return found
        except (ClientError, BotoCoreError) as error:
            print(f"access log of {api_id}: {error}", flush=True)
        return None


def _in_stack(cloudformation: Any, stack: str, api_id: str, region: str, stage: str) -> AccessLogSetting | None:
    resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    physical = {resource["LogicalResourceId"]: resource.get("PhysicalResourceId") for resource in resources}
    if api_id not in physical.values():
        return None
    for resource in cloudformation.get_template(StackName=stack)["TemplateBody"]["Resources"].values():
        properties = resource.get("Properties", {})
        if (
            resource["Type"] == "AWS::ApiGateway::Stage"
            and "AccessLogSetting" in properties
            and properties["StageName"] == stage
            and physical.get(properties["RestApiId"].get("Ref")) == api_id
        ):
            setting = properties["AccessLogSetting"]
            group = physical.get(setting["DestinationArn"]["Fn::GetAtt"][0])
            return AccessLogSetting(region, group, setting["Format"]) if group else None
    return None


def fill(format: str, context: Mapping[str, Any]) -> str:
    """A format with its ``$context`` variables filled in; a dash stands for what is not known, as in API Gateway."""

    def value(found: re.Match[str]) -> str:
        known: Any = context
        for name in found[1].split("."):
            known = known.get(name) if isinstance(known, Mapping) else None
        return "-" if known is None else str(known)

    return re.sub(r"\$context\.([A-Za-z]+(?:\.[A-Za-z]+)*)", value, format)
