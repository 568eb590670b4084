"""A deployed REST API as its control plane describes it: the method of each request, and its integration."""

import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from botocore.exceptions import ClientError

from scalable_webhook_cli.gateway.recent import recent
from scalable_webhook_cli.gateway.template import AccessLogSetting, TemplateSettings, template_settings
from scalable_webhook_cli.target import Target

Network = IPv4Network | IPv6Network


@dataclass
class TokenBucket:
    """API Gateway's throttle: ``rate`` tokens a second are added, up to ``burst``."""

    rate: float
    burst: float
    _tokens: float = field(init=False)
    _filled_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens, self._filled_at = self.burst, time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass(frozen=True)
class Method:
    """A method of a resource."""

    resource_id: str
    resource_path: str
    authorization_type: str
    api_key_required: bool
    integration: Mapping[str, Any]


@dataclass(frozen=True)
class RestApi:
    """A stage of an API."""

    id: str
    region: str
    stage: str
    stage_variables: Mapping[str, str]
    binary_media_types: Sequence[str]
    throttle: tuple[float, float] | None
    resources: Mapping[str, Mapping[str, Method]]
    access_log: AccessLogSetting | None
    denied_outside: Sequence[Sequence[Network]] = ()
    api_keys: frozenset[str] = frozenset()
    deployment_id: str = ""

    def allows(self, source_ip: str) -> bool:
        """Tell whether the resource policy allows this address. Other policies are not evaluated."""
        return all(any(ip_address(source_ip) in network for network in networks) for networks in self.denied_outside)

    def match(self, path: str, http_method: str) -> tuple[Method, dict[str, str]] | None:
        """Return the method of a request, with its path parameters: fixed segments first, ``{proxy+}`` last."""
        found = []
        for resource_path, methods in self.resources.items():
            method = methods.get(http_method) or methods.get("ANY")
            parameters = _pattern(resource_path).fullmatch(path)
            if method and parameters:
                found.append(([_rank(part) for part in resource_path.split("/")], method, parameters.groupdict()))
        return min(found, key=lambda candidate: candidate[0])[1:] if found else None

    def is_binary(self, content_type: str) -> bool:
        """Tell whether API Gateway treats a payload of this type as bytes. A declared ``*/png`` has no effect."""
        wanted = media_type(content_type)
        family, slash, _ = wanted.partition("/")
        binary = {"*/*", wanted, f"{family}/*"} if slash and family != "*" else {"*/*"}
        return any(declared.lower() in binary for declared in self.binary_media_types)


class RestApis:
    """The APIs of the local AWS, and the state of their throttles."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.regions = ["us-east-1"]
        self._buckets: dict[tuple[str, str, str], TokenBucket] = {}
        self._templates: dict[tuple[str, ...], TemplateSettings] = {}
        self._lock = threading.Lock()
        self._recent = recent(self._find)

    def get(self, id: str, stage: str) -> RestApi | None:
        """Return a stage of an API, as deployed at most a second ago."""
        return self._recent(id, stage)

    def saw_region(self, authorization: str) -> None:
        """Remember the region of a signed call: only regions with a deployment are searched for an API."""
        scope = re.search(r"Credential=[^/]+/\d+/([a-z0-9-]+)/", authorization)
        if scope and scope[1] not in self.regions:
            self.regions.append(scope[1])

    def may_enter(self, api: RestApi, method: Method) -> bool:
        """Take a token of the stage's throttle, if it has one. Each method has a bucket of its own."""
        if api.throttle is None:
            return True
        with self._lock:
            place = (api.id, api.stage, method.resource_id)
            bucket = self._buckets.get(place)
            if bucket is None or (bucket.rate, bucket.burst) != api.throttle:
                bucket = self._buckets[place] = TokenBucket(*api.throttle)
            return bucket.take()

    def _find(self, id: str, stage: str) -> RestApi | None:
        for region in self.regions:
            try:
                return self._read(id, region, stage)
            except ClientError as error:
                if error.response["Error"]["Code"] != "NotFoundException":
                    raise
        return None

    def _read(self, id: str, region: str, stage_name: str) -> RestApi:
        gateway = self._target.within(region).client("apigateway")
        api = gateway.get_rest_api(restApiId=id)
        stage = gateway.get_stage(restApiId=id, stageName=stage_name)
        pages = gateway.get_paginator("get_resources").paginate(restApiId=id, embed=["methods"])
        resources = [resource for page in pages for resource in page["items"]]
        methods = [method for resource in resources for method in (resource.get("resourceMethods") or {}).values()]
        keyed = any(method.get("apiKeyRequired") for method in methods)
        deployment = (id, region, stage_name, stage["deploymentId"])
        if deployment not in self._templates:  # a template changes only with a deployment
            cloudformation = self._target.within(region).client("cloudformation")
            paths = {resource["id"]: resource["path"] for resource in resources}
            self._templates[deployment] = template_settings(cloudformation, id, stage_name, paths)
        template = self._templates[deployment]
        return RestApi(
            id=id,
            region=region,
            stage=stage_name,
            stage_variables=stage.get("variables") or {},
            # A template may escape a slash.
            binary_media_types=[type.replace("~1", "/") for type in api.get("binaryMediaTypes") or []],
            throttle=_throttle(stage.get("methodSettings") or {}),
            resources={resource["path"]: _methods(resource, template) for resource in resources},
            access_log=template.access_log or _access_log(stage),
            denied_outside=_denied_outside(api.get("policy")),
            api_keys=_api_keys(gateway, id, stage_name) if keyed else frozenset(),
            deployment_id=stage["deploymentId"],
        )


def _methods(resource: Mapping[str, Any], template: TemplateSettings) -> dict[str, Method]:
    return {
        name: Method(
            resource["id"],
            resource["path"],
            method.get("authorizationType", "NONE"),
            bool(method.get("apiKeyRequired")),
            _integration(method["methodIntegration"], template.content_handling.get((resource["path"], name))),
        )
        for name, method in (resource.get("resourceMethods") or {}).items()
        if method.get("methodIntegration")
    }


def _integration(integration: Mapping[str, Any], content_handling: str | None) -> Mapping[str, Any]:
    return {**integration, "contentHandling": content_handling} if content_handling else integration


def _access_log(stage: Mapping[str, Any]) -> AccessLogSetting | None:
    settings = stage.get("accessLogSettings") or {}
    if not settings.get("destinationArn"):
        return None
    return AccessLogSetting(settings["destinationArn"].split(":log-group:")[-1].removesuffix(":*"), settings["format"])


def _denied_outside(policy: str | None) -> list[list[Network]]:
    """Return the networks outside of which the policy denies every call."""
    if not policy:
        return []
    # API Gateway returns it with escaped quotes.
    document = json.loads(policy if policy.startswith('{"') else json.loads(f'"{policy}"'))
    return [
        [ip_network(network, strict=False) for network in _several(condition["NotIpAddress"]["aws:SourceIp"])]
        for statement in _several(document["Statement"])
        if statement["Effect"] == "Deny"
        and (condition := statement.get("Condition", {})).keys() == {"NotIpAddress"}
        and condition["NotIpAddress"].keys() == {"aws:SourceIp"}
    ]


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _api_keys(gateway: Any, id: str, stage: str) -> frozenset[str]:
    """Return the API keys of this stage by its usage plans."""
    covers = {"apiId": id, "stage": stage}
    opening = {
        key["id"]
        for page in gateway.get_paginator("get_usage_plans").paginate()
        for plan in page["items"]
        if any(covers.items() <= entry.items() for entry in plan.get("apiStages") or [])
        for keys in gateway.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan["id"])
        for key in keys["items"]
    }
    return frozenset(
        key["value"]
        for page in gateway.get_paginator("get_api_keys").paginate(includeValues=True)
        for key in page["items"]
        if key["id"] in opening and key["enabled"]
    )


def _throttle(method_settings: Mapping[str, Any]) -> tuple[float, float] | None:
    settings = method_settings.get("*/*") or {}
    rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
    if rate is None and burst is None:
        return None
    # The defaults of an account.
    return float(10_000 if rate is None else rate), float(5_000 if burst is None else burst)


def _pattern(resource_path: str) -> re.Pattern[str]:
    greedy = re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", re.escape(resource_path))
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", greedy), re.DOTALL)


def _rank(part: str) -> int:
    return 2 if part.endswith("+}") else 1 if part.startswith("{") else 0


def media_type(content_type: str) -> str:
    """Return a content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()
