"""The address at which a webhook answers: on a local AWS, API Gateway's own URLs and custom domains lead nowhere."""

import re
from urllib.parse import urlsplit

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.target import Target, is_loopback

_LOCAL = "/_aws/execute-api/"
_URL = re.compile(r"https://(?P<api>[a-z0-9]+)\.execute-api\.(?P<region>[a-z0-9-]+)\.[^/\s]+/(?P<rest>\S*)")


def reachable(target: Target, url: str) -> str:
    """Return the URL at which this AWS answers for one of its webhooks."""
    endpoint = target.client("apigateway").meta.endpoint_url
    if not is_loopback(urlsplit(endpoint).hostname or ""):
        return url
    return local_url(endpoint, _past_the_domain(target, url))


def called(target: Target, url: str) -> str:
    """Return the URL that the functions behind a reachable one see, and that some providers sign."""
    gateway = target.client("apigateway")
    api, slash, rest = url.removeprefix(f"{gateway.meta.endpoint_url}{_LOCAL}").partition("/")
    if not slash or api.endswith(":"):  # another URL, whose first part is https:
        return url
    return f"https://{api}.execute-api.{gateway.meta.region_name}.amazonaws.com/{rest}"


def local_url(endpoint: str, url: str) -> str:
    """Return the URL of an API at the local AWS with this endpoint."""
    parts = _URL.fullmatch(url)
    if parts is None:
        raise CliError(
            f"a webhook's URL must be one of API Gateway's own, got {url}; there are no custom domains locally"
        )
    return f"{endpoint}{_LOCAL}{parts['api']}/{parts['rest']}"


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
