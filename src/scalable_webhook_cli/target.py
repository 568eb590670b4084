"""The AWS that a command talks to: the local one, or an account.

Every boto3 client comes from here, and the options of every other client.
"""

import os
import threading
from dataclasses import dataclass, field, replace
from functools import cache
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
import botocore.session
import httpx
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials

from scalable_webhook_cli.errors import CliError

_MAKING_A_CLIENT = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Target:
    """An AWS.

    Attributes:
        region: The region. None: the one that boto3 finds, for an account.
        profile: The profile of an account. None: the credentials that boto3 finds.
        endpoint: The URL of the local AWS, on this machine. None: it is an account.
        key: The key of the local AWS, which is used instead of the credentials of profile and environment.
    """

    region: str | None = None
    profile: str | None = None
    endpoint: str | None = None
    key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.endpoint is not None:
            require_loopback(self.endpoint)

    def within(self, region: str) -> Self:
        """Return the same AWS in another region."""
        return replace(self, region=region)

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service."""
        if self.endpoint is None:
            return _of_an_account(service, self.region, self.profile)
        return _of_the_local_aws(service, self.region, self.endpoint, self.key)

    def credentials(self) -> ReadOnlyCredentials:
        """Return the credentials of its calls, for a call to something else than a service of boto3.

        Raises:
            CliError: There are none.
        """
        if self.endpoint is not None:
            return ReadOnlyCredentials(self.key, self.key, None)
        found = boto3.Session(profile_name=self.profile).get_credentials()
        if found is None:
            raise CliError("there are no credentials of an account; sign in, or name a --profile")
        frozen: ReadOnlyCredentials = found.get_frozen_credentials()
        return frozen


@cache
def _of_an_account(service: str, region: str | None, profile: str | None) -> Any:
    with _MAKING_A_CLIENT:
        try:
            return boto3.Session(profile_name=profile, region_name=region).client(service)
        except ValueError as error:  # of AWS_ENDPOINT_URL, for example
            raise CliError(f"there is no client of {service} with these settings of AWS: {error}") from None


@cache
def _of_the_local_aws(service: str, region: str | None, endpoint: str, key: str) -> Any:
    """Return a client that ignores the environment. Cached, since creating one is slow and not thread-safe."""
    # Ignore the user's profile and files, which may name missing ones, and any proxy.
    nothing = {"profile": None, "config_file": os.devnull, "credentials_file": os.devnull}
    settings = {name: (None, None, value, None) for name, value in nothing.items()}
    with _MAKING_A_CLIENT:
        session = boto3.Session(botocore_session=botocore.session.Session(session_vars=settings))
        return session.client(
            service,
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=key,
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=50, proxies={}),
        )


def require_loopback(url: str) -> str:
    """Return the URL if it is on this machine.

    Raises:
        CliError: It is not. A local command must never reach a real account.
    """
    if not is_loopback(urlsplit(url).hostname or ""):
        raise CliError(f"the local AWS must be on a loopback address, got {url}; nothing was sent")
    return url


def http_options(url: str) -> dict[str, Any]:
    """Return the options of a client of httpx for this URL.

    A proxy of the environment may lead to an account, but not to this machine. Without TLS no certificates are needed,
    and to read them takes longer than a call.
    """
    parts = urlsplit(url)
    is_here = is_loopback(parts.hostname or "")
    is_plain = is_here and parts.scheme == "http"
    return {"trust_env": not is_here, "verify": False if is_plain else httpx.create_ssl_context()}


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
