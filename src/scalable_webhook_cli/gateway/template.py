"""Settings of a REST API in a stack's template that the emulator does not pass on: access logs and binary payloads.

It can go once the emulator passes them on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AccessLogSetting:
    """The log group of a stage's access logs, and the format of a line."""

    log_group: str
    format: str


@dataclass(frozen=True)
class TemplateSettings:
    """Settings that a template has for an API."""

    access_log: AccessLogSetting | None = None
    content_handling: Mapping[tuple[str, str], str] = field(default_factory=dict)  # by resource path and HTTP method


def template_settings(cloudformation: Any, api_id: str, stage: str, paths: Mapping[str, str]) -> TemplateSettings:
    """Read the template of the stack that has the API. ``paths`` has the path of each resource id."""
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            resources = cloudformation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
            physical = {resource["LogicalResourceId"]: resource.get("PhysicalResourceId") for resource in resources}
            if api_id in physical.values():
                template = cloudformation.get_template(StackName=stack["StackName"])["TemplateBody"]
                return _read(template, physical, api_id, stage, paths)
    return TemplateSettings()


def _read(
    template: Mapping[str, Any], physical: Mapping[str, str | None], api_id: str, stage: str, paths: Mapping[str, str]
) -> TemplateSettings:
    access_log = None
    for properties in _of_api(template, "AWS::ApiGateway::Stage", physical, api_id):
        setting = properties.get("AccessLogSetting")
        if setting and properties["StageName"] == stage:
            group = physical.get(setting["DestinationArn"]["Fn::GetAtt"][0])
            access_log = AccessLogSetting(group, setting["Format"]) if group else None
    handling = {}
    for properties in _of_api(template, "AWS::ApiGateway::Method", physical, api_id):
        if "ContentHandling" in properties.get("Integration", {}):
            resource = physical.get(properties["ResourceId"].get("Ref", ""))
            path = paths[resource] if resource else "/"  # the root is an attribute of the API, not a resource
            handling[path, properties["HttpMethod"]] = properties["Integration"]["ContentHandling"]
    return TemplateSettings(access_log, handling)


def _of_api(
    template: Mapping[str, Any], type: str, physical: Mapping[str, str | None], api_id: str
) -> Iterator[Mapping[str, Any]]:
    for resource in template["Resources"].values():
        if resource["Type"] == type and physical.get(resource["Properties"]["RestApiId"].get("Ref")) == api_id:
            yield resource["Properties"]
