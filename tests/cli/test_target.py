"""The clients of a target talk to it, with its credentials."""

from pathlib import Path

import pytest
from botocore.exceptions import NoRegionError, ProfileNotFound

from scalable_webhook_cli import target as targets
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.target import Target, http_options

from ..runtime.serving import Quiet, Serving


def test_the_local_aws_is_called_without_profile_and_proxy_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with Sqs() as sqs:
        target = Target(endpoint=sqs.url, region="eu-west-1", key="a-key")
        assert target.client("sqs").list_queues()["QueueUrls"] == ["http://127.0.0.1/queue"]
    assert "eu-west-1" in sqs.authorization
    assert "Credential=a-key/" in sqs.authorization


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create two profiles of a user, without any other account."""
    config = tmp_path / "config"
    sections = {"one": ("eu-north-1", "of-one"), "two": ("eu-south-1", "of-two")}
    config.write_text(
        "\n".join(
            f"[profile {name}]\nregion = {region}\naws_access_key_id = {key}\naws_secret_access_key = secret"
            for name, (region, key) in sections.items()
        )
    )
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    targets._of_an_account.cache_clear()


def signed(target: Target) -> str:
    """Return a presigned URL, which is not called."""
    return str(target.client("sqs").generate_presigned_url("list_queues"))


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize(
    ("profile", "key", "region"), [("one", "of-one", "eu-north-1"), ("two", "of-two", "eu-south-1")]
)
def test_an_account_is_that_of_its_profile(profile: str, key: str, region: str) -> None:
    url = signed(Target(profile=profile))
    assert url.startswith(f"https://sqs.{region}.amazonaws.com/")
    assert f"Credential={key}%2F" in url


@pytest.mark.usefixtures("profiles")
def test_without_a_profile_an_account_is_the_one_that_boto3_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "two")
    assert "Credential=of-two%2F" in signed(Target())


@pytest.mark.usefixtures("profiles")
def test_a_region_that_is_named_comes_before_that_of_the_profile() -> None:
    target = Target(profile="two", region="us-west-2")
    assert target.client("sqs").meta.region_name == "us-west-2"
    assert target.within("us-east-2").client("sqs").meta.region_name == "us-east-2"


@pytest.mark.usefixtures("profiles")
def test_an_unknown_profile_and_a_missing_region_are_rejected() -> None:
    with pytest.raises(ProfileNotFound):
        Target(profile="three").client("sqs")
    with pytest.raises(NoRegionError):
        Target().client("sqs")


@pytest.mark.parametrize("endpoint", ["https://sqs.us-east-1.amazonaws.com", "http://10.0.0.1:4566", "127.0.0.1:4566"])
def test_an_endpoint_on_another_machine_is_rejected(endpoint: str) -> None:
    with pytest.raises(CliError, match="must be on a loopback address"):
        Target(endpoint=endpoint)


@pytest.mark.parametrize(
    ("url", "trusts_environment", "verifies"),
    [
        ("http://127.0.0.1:4566/hooks", False, False),
        ("https://localhost/hooks", False, True),
        ("https://hooks.example.com/", True, True),
        ("http://hooks.example.com/", True, True),
    ],
)
def test_a_plain_call_to_this_machine_needs_neither_proxy_nor_certificates(
    url: str, trusts_environment: bool, verifies: bool
) -> None:
    options = http_options(url)
    assert options["trust_env"] is trusts_environment
    assert (options["verify"] is not False) is verifies


class Sqs:
    """A real HTTP server that answers ListQueues."""

    def __enter__(self) -> "Sqs":
        remember = self

        class Handler(Quiet):
            def do_POST(self) -> None:
                remember.authorization = self.headers["Authorization"]
                body = b'{"QueueUrls": ["http://127.0.0.1/queue"]}'
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.authorization = ""
        self._serving = Serving(Handler)
        self.url = self._serving.url
        return self

    def __exit__(self, *_: object) -> None:
        self._serving.close()
