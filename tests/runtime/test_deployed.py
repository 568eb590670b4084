import pytest

from webhook_runtime import deployed
from webhook_runtime.sources.verification import Unverified
from webhook_runtime.testing import webhook


@pytest.fixture(autouse=True)
def _region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def test_without_its_variable_an_object_is_not_created() -> None:
    assert deployed.sources() is None
    assert deployed.event_filters() is None


def test_the_sources_and_filters_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    described = '{"kind": "hmac", "scheme": {"header": "X-Signature"}, "secret": {"arn": "a"}}'
    monkeypatch.setenv("WEBHOOK_SOURCES", f'{{"/signed": {described}, "/open": null}}')
    monkeypatch.setenv("WEBHOOK_EVENT_FILTERS", '{"/open": [{"body": {"a": [1]}}]}')
    sources, filters = deployed.sources(), deployed.event_filters()
    assert sources
    assert filters
    wanted, other = webhook(b'{"a": 1}', mount="/open"), webhook(b'{"a": 2}', mount="/open")
    assert sources.admit(wanted) is wanted
    assert [filters.want(each) for each in (wanted, other)] == [True, False]
    with pytest.raises(Unverified, match="X-Signature"):
        sources.admit(webhook(mount="/signed"))
