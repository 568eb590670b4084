"""Logs and metrics."""

import json
import time

from scalable_webhook_cli.conformance.case import Case, Facts
from scalable_webhook_cli.conformance.ways.common import is_json, known_locally, sent
from scalable_webhook_cli.conformance.world import World

_OF_ITS_OWN = {"request_id", "time", "source_ip", "latency"}


def lines(world: World, case: Case, ingress: str) -> Facts:
    """Send, and read the logs of all stages."""
    sent(world, case, ingress)

    def all_lines() -> tuple[list[str], list[str]]:
        return world.lines(ingress, "Access"), world.lines(ingress, "Publisher", "Consumer")

    def written() -> list[str]:
        access, others = all_lines()
        infos = [line.get("message") for line in map(json.loads, filter(is_json, others)) if line["level"] == "INFO"]
        return (["access"] if access else []) + [name for name in ("queued", "stored") if name in infos]

    expected = case.expected[ingress] or {}
    world.wait_for(lambda: written() == expected["written"])
    access, others = all_lines()
    return {
        "lines": len(access) + len(others),
        "other lines": sorted({line.split()[0] for line in [*access, *others] if not is_json(line)}),
        "written": written(),
    }


def access(world: World, case: Case, ingress: str) -> Facts:
    """Send, and read the access log: of each status one line, without what differs from request to request."""
    count = len(world.lines(ingress, "Access"))
    world.send((ingress, request, world.mark(case, ingress)) for request in case.requests)
    world.wait_for(lambda: len(world.lines(ingress, "Access")) >= count + len(case.requests))
    parsed = map(json.loads, filter(is_json, world.lines(ingress, "Access")))
    return {
        "lines": {line["status"]: {name: line[name] for name in line if name not in _OF_ITS_OWN} for line in parsed}
    }


def metric(world: World, case: Case, ingress: str) -> Facts:
    """Send what is dropped, and compare the metric with the lines that it counts."""
    logs, cloudwatch = world.target.client("logs"), world.target.client("cloudwatch")
    sent(world, case, ingress)
    (group,) = (name for name, stage in world.webhook(ingress).log_groups.items() if stage == "Publisher")
    filters = logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    metrics = [each["metricTransformations"][0] for each in filters]

    def dropped() -> int:
        return sum('"dropped"' in line for line in world.lines(ingress, "Publisher"))

    def counted() -> int:
        answers = [
            cloudwatch.get_metric_statistics(
                Namespace=each["metricNamespace"],
                MetricName=each["metricName"],
                StartTime=world.began - 60,
                EndTime=time.time() + 60,
                Period=3600,
                Statistics=["Sum"],
            )
            for each in metrics
        ]
        return sum(round(point["Sum"]) for answer in answers for point in answer["Datapoints"])

    world.wait_for(lambda: dropped() > 0)
    if known_locally(world, case, ingress) is None:
        world.wait_for(lambda: counted() >= dropped())
    return {"dropped": dropped(), "counted": counted(), "counted each": counted() == dropped()}
