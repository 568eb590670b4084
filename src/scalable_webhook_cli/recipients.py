"""The endpoints of an AWS that webhooks can be sent to: each with the source that verifies them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from scalable_webhook_cli import addresses, deployed
from scalable_webhook_cli.deployed import DeployedEndpoint, DeployedWebhook
from scalable_webhook_cli.target import Target
from webhook_runtime.contract.providers import PROVIDERS, Provider
from webhook_runtime.contract.schemes import AnyOf, Hmac, Scheme, scheme_of
from webhook_runtime.contract.settings import SourceSettings, from_environment

# A source as synth time describes it: kind and fields of its scheme, its handshakes, and the ARN of its secret.
Description = Mapping[str, Any]


@dataclass(frozen=True)
class Recipient:
    """An endpoint, its webhook, and the ids of the webhook's other endpoints."""

    endpoint: DeployedEndpoint
    webhook: DeployedWebhook
    others: Sequence[str]

    @property
    def name(self) -> str:
        """The name of the endpoint."""
        return self.endpoint.name

    @property
    def target(self) -> Target:
        return self.webhook.target

    @property
    def called(self) -> str:
        """The URL that its functions see."""
        return addresses.called(self.target, self.endpoint.url)

    @cached_property
    def source(self) -> Description | None:
        """The description of its source. None: nothing is verified, or only code of the user knows how."""
        described = _described(self.webhook)
        if self.name != self.webhook.name:
            return next((each for mount, each in described.items() if _id_at(mount) == self._id), None)
        own = [mount for mount in described if _id_at(mount) not in self.others]
        path = urlsplit(self.endpoint.url).path.rstrip("/")
        fitting = [mount for mount in own if path.endswith(mount.rstrip("/"))]
        return described[max(fitting, key=len)] if fitting else None

    @property
    def scheme(self) -> Scheme | None:
        """The scheme by which the source verifies."""
        return None if self.source is None else scheme_of(self.source["kind"], self.source["scheme"])

    @cached_property
    def provider(self) -> Provider | None:
        """The provider of the source, if it is one of those that have a method of ``Source``."""
        if self.source is None:
            return None
        asked, scheme = _handshakes(self.source.get("handshakes", ())), self.scheme
        return next(
            (
                each
                for each in PROVIDERS
                if _handshakes(each.handshakes) == asked and scheme is not None and _is_same(scheme, each)
            ),
            None,
        )

    @property
    def _id(self) -> str:
        return self.name.removeprefix(f"{self.webhook.name}/")


def recipients(target: Target) -> list[Recipient]:
    """Return every endpoint of the region."""
    webhooks, endpoints = deployed.webhooks(target), deployed.endpoints(target)
    found = []
    for endpoint in endpoints:
        of = [each for each in webhooks if each.stack == endpoint.stack and _is_at(endpoint.name, each.name)]
        for webhook in sorted(of, key=lambda each: len(each.name))[-1:]:
            ids = [each.name.removeprefix(f"{webhook.name}/") for each in endpoints if each is not endpoint]
            found.append(Recipient(endpoint, webhook, ids))
    return found


def _is_at(endpoint: str, webhook: str) -> bool:
    return endpoint == webhook or endpoint.startswith(f"{webhook}/")


def _id_at(mount: str) -> str:
    """Return the id of the construct that ``add_source()`` makes for an endpoint, as a path has it."""
    return f"Source {mount.strip('/') or mount}".replace("/", "--")


def _described(webhook: DeployedWebhook) -> dict[str, Description]:
    """Return the description of each source by the path of its endpoint, from the functions that verify."""
    described: dict[str, Description] = {}
    for function in [*webhook.publishers, webhook.consumer]:
        settings = from_environment(SourceSettings, webhook.variables_of(function))
        described |= {mount: each for mount, each in (settings.sources or {}).items() if each is not None}
    return described


def _handshakes(told: Sequence[Sequence[str]]) -> list[list[str]]:
    return [list(each) for each in told]


def _is_same(scheme: Scheme, provider: Provider) -> bool:
    """Tell whether a scheme is that of a provider, whatever the arguments of its method were."""
    return _fields(scheme, provider) == _fields(provider.scheme, provider)


def _fields(scheme: Scheme, provider: Provider) -> list[object]:
    ways = [Hmac(**way) for way in scheme.ways] if isinstance(scheme, AnyOf) else [scheme]
    varied = {"tolerance", *provider.varied}
    told = [{name: value for name, value in way.described().items() if name not in varied} for way in ways]
    return [scheme.kind, *told]
