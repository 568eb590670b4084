"""The URLs of webhooks, as an AWS has them and where they answer."""

import pytest

from scalable_webhook_cli.addresses import local_url
from scalable_webhook_cli.errors import CliError

ENDPOINT = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("aws", "local"),
    [
        ("https://a1b2.execute-api.eu-west-1.amazonaws.com/prod/", "/_aws/execute-api/a1b2/prod/"),
        ("https://a1b2.execute-api.cn-north-1.amazonaws.com.cn/v1/hooks", "/_aws/execute-api/a1b2/v1/hooks"),
        ("https://a1b2.lambda-url.eu-west-1.on.aws/hooks", "/_aws/lambda-url/a1b2/hooks"),
    ],
)
def test_a_url_of_aws_has_a_local_twin(aws: str, local: str) -> None:
    assert local_url(ENDPOINT, aws) == ENDPOINT + local


def test_a_custom_domain_has_no_local_twin() -> None:
    with pytest.raises(CliError, match=r"got https://hooks\.example\.com/; there are no custom domains locally"):
        local_url(ENDPOINT, "https://hooks.example.com/")
