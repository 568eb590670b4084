"""An endpoint is the resource that API Gateway matched, and never a text of the client.

A signature for one endpoint is not valid at another.
"""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from scalable_webhook_cli.gateway.rest_api import Method, RestApi
from webhook_runtime import Unverified
from webhook_runtime.contract.settings import PublisherSettings
from webhook_runtime.publisher import Publisher
from webhook_runtime.sources.source import Source, Sources
from webhook_runtime.testing import webhook

from ..runtime.doubles import SecretsManager, Sqs
from ..runtime.events import request
from ..signers import BODY, SIGNERS
from ..suite.attacks import Attempts
from .hostile import description

NOW = float(int(time.time()))
URL = "https://abc.execute-api.us-east-1.amazonaws.com/prod/hooks"
MOUNTS = ["/stripe", "/github", "/hooks/github", "/"]
# Paths that parts of a system may read differently.
PATHS = [
    *("/stripe/../github", "/stripe/%2e%2e/github", "/stripe/%2E%2E%2Fgithub", "/stripe/..%2fgithub", "/./github"),
    *("//github", "///github", "/github//", "/%67ithub", "/GITHUB", "/Github", "/github%00", "/github%20", "/github ."),
    *("/github;/../stripe", "/github;x=1", "/stripe;/github", "/stripe%5c..%5cgithub", "/stripe\\..\\github"),
    *("/github/", "/github/.", "/github/..", "/github/../stripe", "/github%2f..%2fstripe", "/stripe%2fgithub"),
    *(
        "/github?/../stripe",
        "/github%3f",
        "/github#",
        "/github%23",
        "/github%0d%0a",
        "/hooks/../github",
        "/hooks//github",
    ),
    *("/{proxy+}", "/{proxy}", "/github/{proxy+}", "/%7Bproxy%2B%7D", "/stripe/{proxy+}/../github", "/proxy+", "/*"),
    *("/gith\u0443b", "/\uff47ithub", "/github\u200b", "/stripe/github", "/stripe/hooks/github", "/prod/github", "/"),
]


def api() -> RestApi:
    resources = {
        path: {"ANY": Method(path, path, "NONE", False, {})}
        for mount in MOUNTS
        for path in (mount, f"{mount.rstrip('/')}/{{proxy+}}")
    }
    return RestApi("abc", "us-east-1", "prod", {}, ["*/*"], None, resources, None)


def mount_of(resource: str) -> str:
    return resource.removesuffix("{proxy+}").rstrip("/") or "/"


def published(resource: str, proxy: str | None) -> str:
    """Return the `mount` of the publisher's message."""
    sqs = Sqs()
    event = request(BODY, proxy=proxy, mount=mount_of(resource))
    event["pathParameters"] = None if proxy is None else {"proxy": proxy}
    Publisher(PublisherSettings("http://sqs/Queue", None), sqs).handle(event, None)
    (sent,) = sqs.sent
    fields = dict(pair.split("=", 1) for pair in sent["MessageAttributes"]["webhook"]["StringValue"].split("&"))
    return str(fields["mount"].replace("%2F", "/"))


def test_no_path_is_at_two_endpoints(attempts: Attempts) -> None:
    through = []
    for path in PATHS:
        found = api().match(path, "POST")
        assert found is not None  # the last endpoint accepts every path
        method, parameters = found
        mount = mount_of(method.resource_path)
        below = path == mount or path.startswith(f"{mount.rstrip('/')}/")
        if not below or published(method.resource_path, parameters.get("proxy")) != mount:
            through.append(path)
    attempts("paths", len(PATHS), through)


@pytest.fixture(scope="module")
def sources() -> Sources:
    def made(name: str) -> Source:
        provider = SIGNERS[name]
        return Source.from_description(description(provider.source), SecretsManager(AWSCURRENT=provider.secret))

    return Sources({f"/{name}": made(name) for name in SIGNERS})


@pytest.mark.parametrize("signer", SIGNERS)
def test_a_signature_for_one_provider_is_rejected_at_every_other_endpoint(
    signer: str, sources: Sources, attempts: Attempts
) -> None:
    provider = SIGNERS[signer]
    headers = provider.sign(BODY, NOW, URL)
    # Schemes with the secret in the request share one secret in these tests, and Meta signs as GitHub does.
    same = {"meta", "github"} if signer in ("meta", "github") else {signer, "microsoft_graph"}
    body = b'{"value": [{"clientState": "of another"}]}' if signer == "microsoft_graph" else BODY
    others = [name for name in SIGNERS if name not in {*same, "microsoft_graph"}]
    through = []
    for other in others:
        for path in (f"/{other}", f"/{signer}", f"/{other}/../{signer}"):
            arrived: Any = webhook(body, path=path, headers=headers, received_at=datetime.fromtimestamp(NOW, UTC))
            arrived = arrived._replace(mount=f"/{other}", url=URL, query_string=provider.query(body))
            try:
                sources.admit(arrived)
            except Unverified:
                continue
            through.append(f"{other} at {path}")
    attempts("signatures of another endpoint", 3 * len(others), through)


def test_an_unknown_endpoint_accepts_no_request(sources: Sources, attempts: Attempts) -> None:
    mounts = ["", "/", "/GITHUB", "/github/", "/github/x", "github", "/github\0", "None", "/\u200bgithub", "//github"]
    headers = SIGNERS["github"].sign(BODY, NOW, URL)
    through = []
    for mount in mounts:
        try:
            sources.admit(webhook(BODY, headers=headers)._replace(mount=mount))
        except Unverified:
            continue
        through.append(mount)
    attempts("endpoints that are not there", len(mounts), through)
