"""The address at which a webhook answers: on a local AWS, API Gateway's own URLs and custom domains lead nowhere."""

import re
from urllib.parse import urlsplit

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.target import Target, is_loopback

_LOCAL = "/_aws/"
_URL = re.compile(
    r"https://(?P<id>[a-z0-9]+)\.(?P<service>execute-api|lambda-url)\.(?P<region>[a-z0-9-]+)\.[^/\s]+/(?P<rest>\S*)"
)
# The domain of each service in the commercial regions.
_DOMAINS = {"execute-api": "amazonaws.com", "lambda-url": "on.aws"}


def reachable(target: Target, url: str) -> str:
    """Return the URL at which this AWS answers for one of its webhooks."""
    endpoint = target.client("apigateway").meta.endpoint_url
    if not is_loopback(urlsplit(endpoint).hostname or ""):
        return url
    return local_url(endpoint, _past_the_domain(target, url))


def called(target: Target, url: str) -> str:
    """Return the URL that the functions behind a reachable one see, and that some providers sign."""
    gateway = target.client("apigateway")
    parts = re.fullmatch(rf"{re.escape(gateway.meta.endpoint_url + _LOCAL)}([a-z-]+)/([a-z0-9]+)/(.*)", url, re.DOTALL)
    if parts is None or parts[1] not in _DOMAINS:
        return url
    service, id, rest = parts.groups()
    return f"https://{id}.{service}.{gateway.meta.region_name}.{_DOMAINS[service]}/{rest}"


def local_url(endpoint: str, url: str) -> str:
    """Return the URL of an API or of a function at the local AWS with this endpoint."""
    parts = _URL.fullmatch(url)
    if parts is None:
        raise CliError(
            f"a webhook's URL must be API Gateway's own or Lambda's, got {url}; there are no custom domains locally"
        )
    return f"{endpoint}{_LOCAL}{parts['service']}/{parts['id']}/{parts['rest']}"


def with_local_urls(endpoint: str, text: str) -> str:
    """Return a text with local URLs in it instead of API Gateway's own."""
    return _URL.sub(lambda url: local_url(endpoint, url[0]), text)


def _past_the_domain(target: Target, url: str) -> str:
    """Return API Gateway's own URL for one of a custom domain: the local AWS has neither DNS nor TLS for it."""
    parts = urlsplit(url)
    gateway = target.client("apigateway")
    pages = gateway.get_paginator("get_domain_names").paginate()
    if parts.hostname not in {domain["domainName"] for page in pages for domain in page["items"]}:
        return url
    for page in gateway.get_paginator("get_base_path_mappings").paginate(domainName=parts.hostname):
        for mapping in page["items"]:
            base = "" if mapping["basePath"] == "(none)" else f"/{mapping['basePath']}"
            if f"{parts.path}/".startswith(f"{base}/"):
                host = f"{mapping['restApiId']}.execute-api.{gateway.meta.region_name}.amazonaws.com"
                return f"https://{host}/{mapping['stage']}{parts.path.removeprefix(base)}"
    return url
