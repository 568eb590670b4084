"""Forge over a hundred requests for each provider with a ``Source``, and for each on the page."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from webhook_runtime import Unverified, Webhook
from webhook_runtime.sources.source import Source
from webhook_runtime.testing import webhook

from ..providers.test_providers import PROVIDERS, VECTORS
from ..runtime.doubles import SecretsManager
from ..runtime.events import by_function_url
from ..signers import BODY, SIGNERS, WAYS
from ..suite.attacks import Attempts
from .forging import Rejected, Request, Scheme, forgeries
from .hostile import description

URL = "https://abc.execute-api.us-east-1.amazonaws.com/prod/sms"
NOW = float(int(time.time()))
AT_LEAST = 100


def checker(described: dict[str, Any]) -> Rejected:
    """Return a function that tells whether a source rejects a request.

    Any other error is a failure, and so is an answer: no forged request is a handshake.
    """
    described = json.loads(json.dumps(described))

    def rejected(request: Request) -> bool:
        source = Source.from_description(described, SecretsManager(AWSCURRENT=request.secret))
        arrived = webhook(
            request.body,
            method=request.method,
            headers=request.headers,
            received_at=datetime.fromtimestamp(request.at, UTC),
        )
        arrived = arrived._replace(url=request.url, query_string=request.query)
        verdicts = {admits(source, each) for each in (arrived, by_function_url(arrived))}
        # A function URL never lets in what an API does not, nor the other way round.
        assert len(verdicts) == 1
        return verdicts == {False}

    return rejected


def admits(source: Source, webhook: Webhook) -> bool:
    try:
        admitted = source.admit(webhook)
    except Unverified:
        return False
    assert isinstance(admitted, Webhook)
    return True


def attack(kind: str, genuine: Request, described: dict[str, Any], attempts: Attempts) -> None:
    rejected = checker(described)
    assert not rejected(genuine)
    tried = list(forgeries(genuine, Scheme.of(described), rejected))
    assert len(tried) >= AT_LEAST
    attempts(kind, len(tried), [what for what, forged in tried if not rejected(forged)])


@pytest.mark.parametrize("name", SIGNERS | WAYS)
def test_no_forged_request_of_a_source_is_accepted(name: str, attempts: Attempts) -> None:
    provider = (SIGNERS | WAYS)[name]
    headers = provider.sign(BODY, NOW, URL)
    genuine = Request(headers, BODY, NOW, provider.secret, URL, query=provider.query(BODY))
    attack("signatures of sources", genuine, description(provider.source), attempts)


@pytest.mark.parametrize("number", range(len(VECTORS)), ids=[vector["provider"] for vector in VECTORS])
def test_no_forged_request_of_another_provider_is_accepted(number: int, attempts: Attempts) -> None:
    vector = VECTORS[number]
    genuine = Request(
        vector["headers"], vector["payload"].encode(), vector["at"], vector["secret"], vector["url"], vector["method"]
    )
    source = PROVIDERS[vector["provider"]].source()
    attack("signatures of providers", genuine, dict(source.describe()), attempts)
