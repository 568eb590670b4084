"""The front of a queue: a REST API with every endpoint, or an address for each."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from aws_cdk import CfnOutput
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct, IDependable

from cdk_scalable_webhook.common import CommonOptions
from cdk_scalable_webhook.endpoint.access import Access, paths, usage_plan, web_acl_of_stage
from cdk_scalable_webhook.endpoint.address import has_address, stage_of, url_of
from cdk_scalable_webhook.endpoint.api import create_api, existing_api, open_endpoint, place, require_ingress
from cdk_scalable_webhook.endpoint.credentials import Credentials
from cdk_scalable_webhook.endpoint.ingress import Ingress, IngressConfig, IngressOptions, RestApiIngress
from cdk_scalable_webhook.endpoint.options import ApiOptions, Throttle
from cdk_scalable_webhook.endpoints import Endpoint
from webhook_runtime.contract import outputs

if TYPE_CHECKING:  # importing these slows each synth
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_wafv2 as wafv2

Told = Literal["requests", "client_errors", "server_errors", "latency"]


class Front(ABC):
    """The front of a queue. ``publishers`` has the functions of its endpoints, by their paths.

    ``asks_nobody`` tells whether nothing but the source checks the callers of the webhook's own endpoint.
    """

    api_key: apigateway.IApiKey | None = None
    usage_plan: apigateway.UsagePlan | None = None
    web_acl: "wafv2.CfnWebACL | None" = None
    asks_nobody: bool = False

    def __init__(self) -> None:
        self.publishers: dict[str, lambda_.Function] = {}

    @property
    @abstractmethod
    def api(self) -> apigateway.RestApi:
        """The REST API."""

    @abstractmethod
    def require(self, ingress: Ingress) -> None:
        """Reject an ingress that cannot have an endpoint here."""

    @abstractmethod
    def open(
        self,
        scope: Construct,
        ingress: Ingress,
        options: IngressOptions,
        endpoint: Endpoint,
        after: Sequence[IDependable] = (),
    ) -> None:
        """Open an endpoint. ``after`` has the resources that must exist before the first request."""

    @abstractmethod
    def url_of(self, mount: str) -> str:
        """Return the URL of an endpoint."""

    @abstractmethod
    def metrics(self, told: Told, **options: Any) -> "Mapping[str, cloudwatch.Metric]":
        """Return the metrics of AWS that tell this together, by the endpoint that each is of: empty for all."""

    def grant_invoke(self, grantee: iam.IGrantable) -> iam.Grant:  # noqa: ARG002
        """See ``ScalableWebhook.grant_invoke``."""
        raise ValueError(
            "grant_invoke needs iam_authorization=True, got an endpoint that requires no signature; set it, "
            "or give the URL to the provider"
        )

    def _opened(self, scope: Construct, mount: str, config: IngressConfig, url: str | None) -> None:
        if config.publisher is not None:
            self.publishers[mount] = config.publisher
        if url is not None:
            CfnOutput(scope, "Url", value=url, description=outputs.described(outputs.URL, scope.node.path))


class RestApiFront(Front):
    """A REST API, a new one or an existing one. ``one_group`` tells whether the queue is a FIFO queue with one group.

    ``mount`` and ``ingress`` are those of the webhook's own endpoint, and ``cors`` is for that one alone.
    """

    api_key: apigateway.IApiKey | None
    usage_plan: apigateway.UsagePlan | None
    web_acl: "wafv2.CfnWebACL | None"
    asks_nobody: bool

    def __init__(
        self,
        scope: Construct,
        api: apigateway.RestApi | ApiOptions,
        cors: apigateway.CorsOptions | None,
        ingress: RestApiIngress,
        *,
        mount: str,
        one_group: bool,
        common: CommonOptions,
    ) -> None:
        super().__init__()
        # An existing API has its own throttle and access control.
        self._is_own_api = isinstance(api, ApiOptions)
        self._options = api if isinstance(api, ApiOptions) else ApiOptions()
        self._own = mount
        self._own_access = Access(self._options, cors)
        self._throttle = Throttle.of(self._options, one_group=one_group)
        self._is_signed = False
        self._mounts: list[str] = []
        self._api = (
            create_api(scope, self._own_access, self._throttle, ingress=ingress, mount=mount, common=common)
            if isinstance(api, ApiOptions)
            else existing_api(scope, api, ingress)
        )

    @property
    def api(self) -> apigateway.RestApi:
        """See ``Front.api``."""
        return self._api

    def require(self, ingress: Ingress) -> None:
        """See ``Front.require``."""
        require_ingress(self.api, _of_rest_api(ingress))

    def open(
        self,
        scope: Construct,
        ingress: Ingress,
        options: IngressOptions,
        endpoint: Endpoint,
        after: Sequence[IDependable] = (),
    ) -> None:
        """See ``Front.open``."""
        is_new = self._is_own_api and not self._mounts
        mount, source = place(self.api, options.mount, is_new=is_new), options.source
        is_own = options.mount == self._own
        access = (self._own_access if is_own else Access(self._options, cors=None)).at(mount)
        credentials = Credentials.asked_at(mount, access.options)
        credentials.require_unused(
            options.delivery_id_header, endpoint.filters, options.group_by, source, verifies=ingress.verifies
        )
        credentials = credentials.but_for(source)
        options = replace(
            options,
            response_headers=access.response_headers(),
            credential_headers=credentials.headers,
            credential_parameters=credentials.parameters,
        )
        config = _of_rest_api(ingress).bind(scope, options)
        asked = open_endpoint(mount, config, access, verified=source is not None, after=after)
        self._is_signed = self._is_signed or asked == "AWS_IAM"
        self._mounts.append(options.mount)
        self._opened(
            scope, options.mount, config, self.url_of(options.mount) if is_new or has_address(self.api) else None
        )
        if is_own:
            self.asks_nobody = asked == "NONE" and not self._options.proves_caller
            self.api_key, self.usage_plan = usage_plan(scope, self.api, self._options, self._throttle)
            self.web_acl = web_acl_of_stage(scope, self.api, self._options)

    def url_of(self, mount: str) -> str:
        """See ``Front.url_of``."""
        return url_of(self.api, mount, self._options.domain_name)

    def metrics(self, told: Told, **options: Any) -> "Mapping[str, cloudwatch.Metric]":
        """See ``Front.metrics``."""
        metric = {
            "requests": self.api.metric_count,
            "client_errors": self.api.metric_client_error,
            "server_errors": self.api.metric_server_error,
            "latency": self.api.metric_latency,
        }[told]
        return {"": metric(**options)}

    def grant_invoke(self, grantee: iam.IGrantable) -> iam.Grant:
        """See ``Front.grant_invoke``."""
        if not self._is_signed:
            return super().grant_invoke(grantee)
        below = [path for mount in self._mounts for path in paths(mount)]
        deployed = stage_of(self.api)
        stage = "*" if deployed is None else deployed.stage_name
        return iam.Grant.add_to_principal_or_resource(
            grantee=grantee,
            actions=["execute-api:Invoke"],
            resource_arns=[self.api.arn_for_execute_api("*", path, stage) for path in below],
            resource=self.api,
            resource_self_arns=[f"execute-api:/*/*{path}" for path in below],
        )


class UrlFront(Front):
    """An address of its own for each endpoint, which its ingress makes."""

    asks_nobody: bool = True
    _METRICS = MappingProxyType(
        {
            "requests": ("UrlRequestCount", "Sum"),
            "client_errors": ("Url4xxCount", "Sum"),
            "server_errors": ("Url5xxCount", "Sum"),
            "latency": ("UrlRequestLatency", "p50"),
        }
    )

    def __init__(self, api: apigateway.RestApi | ApiOptions | None, cors: apigateway.CorsOptions | None) -> None:
        super().__init__()
        for argument, value in {"api": api, "cors": cors}.items():
            if value is not None:
                raise ValueError(
                    f"{argument} must not be set with an ingress that has no API, got {type(value).__name__}; leave it "
                    "out, or take Ingress.lambda_integration(): only an API has ranges of addresses, a web ACL, API "
                    "keys, a domain, CORS, IAM authorization and a throttle by rate"
                )
        self._urls: dict[str, str] = {}

    @property
    def api(self) -> apigateway.RestApi:
        """See ``Front.api``."""
        raise ValueError(
            "webhook.api needs an ingress in an API, got one with an address of its own; take webhook.url, "
            "webhook.publisher, or Ingress.lambda_integration()"
        )

    def require(self, ingress: Ingress) -> None:
        """See ``Front.require``."""
        if isinstance(ingress, RestApiIngress):
            raise ValueError(
                f"ingress must have an address of its own, as that of the webhook itself, got {_name(ingress)}, which "
                "needs an API; take Ingress.function_url(), or give the webhook itself an ingress in an API"
            )

    def open(
        self,
        scope: Construct,
        ingress: Ingress,
        options: IngressOptions,
        endpoint: Endpoint,  # noqa: ARG002
        after: Sequence[IDependable] = (),
    ) -> None:
        """See ``Front.open``."""
        if options.mount in self._urls:
            raise ValueError(
                f"path must be free, got {options.mount!r}, which the webhook itself has; take another path"
            )
        config = ingress.bind(scope, options)
        if config.url is None:
            raise ValueError(
                f"ingress must have the URL of its endpoint, got {_name(ingress)} whose bind() returns none; return "
                "IngressConfig(url=…), or subclass RestApiIngress"
            )
        if after:
            scope.node.add_dependency(*after)
        self._urls[options.mount] = config.url
        self._opened(scope, options.mount, config, config.url)

    def url_of(self, mount: str) -> str:
        """See ``Front.url_of``."""
        return self._urls[mount]

    def metrics(self, told: Told, **options: Any) -> "Mapping[str, cloudwatch.Metric]":
        """See ``Front.metrics``."""
        name, statistic = self._METRICS[told]
        return {
            mount: each.metric(name, **{"statistic": statistic, **options}) for mount, each in self.publishers.items()
        }


def _of_rest_api(ingress: Ingress) -> RestApiIngress:
    if not isinstance(ingress, RestApiIngress):
        raise ValueError(
            f"ingress must be in an API, as that of the webhook itself, got {_name(ingress)}, which has an address of "
            "its own; take Ingress.lambda_integration() or direct_integration(), or a ScalableWebhook of its own"
        )
    return ingress


def _name(ingress: Ingress) -> str:
    return f"a {type(ingress).__name__.lstrip('_')}"
