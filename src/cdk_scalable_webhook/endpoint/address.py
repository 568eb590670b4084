"""Where an endpoint is to be reached."""

from collections.abc import Iterator

import jsii
from aws_cdk import CfnResource, IResolveContext, IStringProducer, Lazy, Stack
from aws_cdk import aws_apigateway as apigateway


def url_of(api: apigateway.RestApi, mount: str, own_domain: apigateway.DomainNameOptions | None) -> str:
    """The URL of an endpoint: at the domain of its API where it has one, else at API Gateway's own name."""
    if own_domain is not None:
        return _at(own_domain.domain_name, own_domain.base_path, mount)
    # Stage and domain of an API of yours may be made later.
    return Lazy.uncached_string(_LaterUrl(api, mount))


def has_address(api: apigateway.RestApi) -> bool:
    """Whether an API can be reached by now, so that there is a URL to be shown."""
    return api.domain_name is not None or (stage_of(api) is not None and not is_closed(api))


def stage_of(api: apigateway.IRestApi) -> apigateway.Stage | None:
    """The stage that the API has by now: one that is made with ``deploy=False`` has none."""
    try:
        return api.deployment_stage
    except RuntimeError:  # jsii's, for a property that must not be undefined and is
        return None


def is_closed(api: apigateway.IRestApi) -> bool:
    """Whether API Gateway's own name of the API answers 403."""
    resource = api.node.default_child
    return isinstance(resource, apigateway.CfnRestApi) and resource.disable_execute_api_endpoint is True


@jsii.implements(IStringProducer)
class _LaterUrl:
    """The URL as it is once everything is made."""

    def __init__(self, api: apigateway.RestApi, mount: str) -> None:
        self._api = api
        self._mount = mount

    def produce(self, _context: IResolveContext) -> str:
        domain = self._api.domain_name
        if domain is not None:
            return _at(domain.domain_name, _base_path(domain, self._api), self._mount)
        if is_closed(self._api):
            raise ValueError(
                "url needs a domain that api knows where its execute-api endpoint is disabled, got none; give it one "
                "by api.add_domain_name(…), or take the URL from the domain that you map yourself"
            )
        return self._api.url_for_path(self._mount)


def mappings(domain: apigateway.DomainName) -> Iterator[tuple[CfnResource, str, str | None]]:
    """What maps APIs to a domain, with the id of each API and the path below which it is."""
    for mapping in domain.node.find_all():
        # One of several segments is of API Gateway's second generation, which has other names for the same.
        for of_api, path in (("rest_api_id", "base_path"), ("api_id", "api_mapping_key")):
            if isinstance(mapping, CfnResource) and hasattr(mapping, path):
                yield mapping, getattr(mapping, of_api), getattr(mapping, path)


def _base_path(domain: apigateway.DomainName, api: apigateway.RestApi) -> str | None:
    """Below which path of its domain an API is."""
    stack = Stack.of(api)
    own = stack.resolve(api.rest_api_id)
    return next((path for _, of_api, path in mappings(domain) if stack.resolve(of_api) == own), None)


def _at(domain: str, base_path: str | None, mount: str) -> str:
    base = (base_path or "").strip("/")
    return f"https://{domain}{base and '/' + base}{mount}"
