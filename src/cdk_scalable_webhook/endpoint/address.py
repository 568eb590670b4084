"""The URL of an endpoint."""

from collections.abc import Iterator

import jsii
from aws_cdk import CfnResource, IResolveContext, IStringProducer, Lazy, Stack
from aws_cdk import aws_apigateway as apigateway


def url_of(api: apigateway.RestApi, mount: str, own_domain: apigateway.DomainNameOptions | None) -> str:
    """Return the URL of an endpoint, with the domain of its API, or else API Gateway's own host name."""
    if own_domain is not None:
        return _at(own_domain.domain_name, own_domain.base_path, mount)
    # An existing API may get its stage and domain later.
    return Lazy.uncached_string(_LaterUrl(api, mount))


def has_address(api: apigateway.RestApi) -> bool:
    """Check whether an API has an address by now, so that it has a URL to show."""
    return api.domain_name is not None or (stage_of(api) is not None and not is_closed(api))


def stage_of(api: apigateway.IRestApi) -> apigateway.Stage | None:
    """Return the stage that the API has by now: with ``deploy=False`` it has none."""
    try:
        return api.deployment_stage
    except RuntimeError:  # jsii's error for a required property that is undefined
        return None


def is_closed(api: apigateway.IRestApi) -> bool:
    """Check whether API Gateway's own host name of the API is disabled."""
    resource = api.node.default_child
    return isinstance(resource, apigateway.CfnRestApi) and resource.disable_execute_api_endpoint is True


@jsii.implements(IStringProducer)
class _LaterUrl:
    """The URL once the app is complete."""

    def __init__(self, api: apigateway.RestApi, mount: str) -> None:
        self._api = api
        self._mount = mount

    def produce(self, _context: IResolveContext) -> str:
        domain = self._api.domain_name
        if domain is not None:
            return _at(domain.domain_name, _base_path(domain, self._api), self._mount)
        if is_closed(self._api):
            raise ValueError(
                "url needs a domain that api knows if its execute-api endpoint is disabled, got none; give it one "
                "by api.add_domain_name(…), or take the URL from the domain that you map yourself"
            )
        return self._api.url_for_path(self._mount)


def mappings(domain: apigateway.DomainName) -> Iterator[tuple[CfnResource, str, str | None]]:
    """Yield the mappings of a domain, each with the id of its API and its base path."""
    for mapping in domain.node.find_all():
        # A base path of several segments needs a resource of API Gateway V2, whose properties have other names.
        for of_api, path in (("rest_api_id", "base_path"), ("api_id", "api_mapping_key")):
            if isinstance(mapping, CfnResource) and hasattr(mapping, path):
                yield mapping, getattr(mapping, of_api), getattr(mapping, path)


def _base_path(domain: apigateway.DomainName, api: apigateway.RestApi) -> str | None:
    """Return the base path of an API at its domain."""
    stack = Stack.of(api)
    own = stack.resolve(api.rest_api_id)
    return next((path for _, of_api, path in mappings(domain) if stack.resolve(of_api) == own), None)


def _at(domain: str, base_path: str | None, mount: str) -> str:
    base = (base_path or "").strip("/")
    return f"https://{domain}{base and '/' + base}{mount}"
