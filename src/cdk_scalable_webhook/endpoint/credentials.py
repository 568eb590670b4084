"""What API Gateway asked a sender for: an API key, a signature of IAM's, a token for an authorizer. Whoever reads the
table or runs the service behind a sink could send by it, so it is no part of the webhook."""

import re
from typing import NamedTuple

from aws_cdk import Token
from aws_cdk import aws_apigateway as apigateway

from cdk_scalable_webhook.endpoint.options import ApiOptions
from cdk_scalable_webhook.filters import EventFilters
from cdk_scalable_webhook.sources.source import Source

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
_SIGNED_HEADERS = {"authorization", "x-amz-security-token"}
_SIGNED_PARAMETERS = {"x-amz-credential", "x-amz-security-token", "x-amz-signature"}
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html
_API_KEY = "x-api-key"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-authorizer.html
_IDENTITY = re.compile(r"method\.request\.(header|querystring)\.([^,\s]+)")


class Credentials(NamedTuple):
    """Names in lower case: of headers, and of parameters of the query."""

    headers: frozenset[str]
    parameters: frozenset[str]

    @classmethod
    def asked_at(cls, mount: apigateway.IResource, options: ApiOptions) -> "Credentials":
        """What is asked for at an endpoint, by the options of its API, or by the defaults of an existing one."""
        defaults = mount.default_method_options
        authorizer = None if defaults is None or options.iam_authorization else defaults.authorizer
        headers, parameters = _identity(authorizer) if authorizer else (set(), set())
        if options.api_key or (defaults and defaults.api_key_required and not _is_authorizers_key(mount.api)):
            headers.add(_API_KEY)
        by_default = None if defaults is None or authorizer else defaults.authorization_type
        if options.iam_authorization or by_default is apigateway.AuthorizationType.IAM:
            headers |= _SIGNED_HEADERS
            parameters |= _SIGNED_PARAMETERS
        return cls(frozenset(headers), frozenset(parameters))

    def but_for(self, source: Source | None) -> "Credentials":
        """Those that the source need not see: it takes its own secret out by itself, once it has verified."""
        return self if source is None else Credentials(self.headers - source.headers, self.parameters)

    def require_unused(
        self, delivery_id_header: str | None, filters: EventFilters | None, source: Source | None, *, verifies: bool
    ) -> None:
        """``verifies`` is whether the ingress does.

        Raises:
            ValueError: What is no part of the webhook is to make it unique, to tell whether it is wanted, or to be
                verified where nobody can take it out afterwards.
        """
        if self.parameters and source is not None and source.signs_url and not verifies:
            raise ValueError(
                "ingress must be Ingress.lambda_integration() for a source that signs the URL where API Gateway looks "
                f"for {min(self.parameters)} in it, got one that cannot take that out of what was verified; take that "
                "ingress, or another source"
            )
        used = {
            "id_header": source.id_headers if source else set(),
            "delivery_id_header": {delivery_id_header} if delivery_id_header else set(),
            "event_filters": filters.header_names if filters else set(),
        }
        for argument, names in used.items():
            if clash := sorted(self.headers & names):
                raise ValueError(
                    f"{argument} must name a header of the webhook, got {clash[0]!r}, by which API Gateway lets a "
                    "sender in and which is not handed on; name another header"
                )


def _identity(authorizer: apigateway.IAuthorizer) -> tuple[set[str], set[str]]:
    """Where an authorizer finds who sends: of one that nobody can look into, and of most, in one header."""
    resource = authorizer.node.default_child if isinstance(authorizer, apigateway.Authorizer) else None
    told = resource.identity_source if isinstance(resource, apigateway.CfnAuthorizer) else None
    found = [] if told is None or Token.is_unresolved(told) else _IDENTITY.findall(told.lower())
    if not found:
        return {"authorization"}, set()
    return {name for place, name in found if place == "header"}, {name for place, name in found if place != "header"}


def _is_authorizers_key(api: apigateway.IRestApi) -> bool:
    """Whether an API has its keys from an authorizer and not from a header."""
    resource = api.node.default_child
    return isinstance(resource, apigateway.CfnRestApi) and resource.api_key_source_type == "AUTHORIZER"
