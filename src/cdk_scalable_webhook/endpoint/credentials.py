"""The credentials of a request for API Gateway: an API key, a signature of IAM, a token for an authorizer. Anyone who
reads the table, or runs the service behind a sink, could send with them, so they are no part of the webhook."""

import re
from typing import NamedTuple

from aws_cdk import Token
from aws_cdk import aws_apigateway as apigateway

from cdk_scalable_webhook.endpoint.options import ApiOptions
from cdk_scalable_webhook.filters import EventFilters
from cdk_scalable_webhook.grouping import GroupBy
from cdk_scalable_webhook.sources.source import Source

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
_SIGNED_HEADERS = {"authorization", "x-amz-security-token"}
_SIGNED_PARAMETERS = {"x-amz-credential", "x-amz-security-token", "x-amz-signature"}
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html
_API_KEY = "x-api-key"
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-authorizer.html
_IDENTITY = re.compile(r"method\.request\.(header|querystring)\.([^,\s]+)")


class Credentials(NamedTuple):
    """The names of headers and of query parameters, in lower case."""

    headers: frozenset[str]
    parameters: frozenset[str]

    @classmethod
    def asked_at(cls, mount: apigateway.IResource, options: ApiOptions) -> "Credentials":
        """Return the credentials at an endpoint, by the options of its API, or by the defaults of an existing one."""
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
        """Return the credentials without those of the source, which removes its own secret after it has verified."""
        return self if source is None else Credentials(self.headers - source.headers, self.parameters)

    def require_unused(
        self,
        delivery_id_header: str | None,
        filters: EventFilters | None,
        group_by: GroupBy | None,
        source: Source | None,
        *,
        verifies: bool,
    ) -> None:
        """Reject a use of credentials as a part of the webhook. ``verifies`` tells whether the ingress does.

        Raises:
            ValueError: A credential is to make a webhook unique, to filter it, or to group it; or it is in a signed URL
                behind an ingress that cannot remove it.
        """
        if self.parameters and source is not None and source.signs_url and not verifies:
            raise ValueError(
                "ingress must be Ingress.lambda_integration() for a source that signs a URL with the credential "
                f"{min(self.parameters)} of API Gateway in it, got one that cannot remove that after the check; take "
                "that ingress, or another source"
            )
        used = {
            "id_header": source.id_headers if source else set(),
            "delivery_id_header": {delivery_id_header} if delivery_id_header else set(),
            "event_filters": filters.header_names if filters else set(),
        }
        grouped_by = group_by.header_name if group_by is not None else None
        if source is not None and grouped_by in source.headers:
            raise ValueError(
                f"GroupBy.header() must name a header of the webhook, got {grouped_by!r}, which has the secret of the "
                "source; name another header"
            )
        used["GroupBy.header()"] = {grouped_by} if grouped_by else set()
        for argument, names in used.items():
            if clash := sorted(self.headers & names):
                raise ValueError(
                    f"{argument} must name a header of the webhook, got {clash[0]!r}, a credential for API Gateway, "
                    "which is not passed on; name another header"
                )


def _identity(authorizer: apigateway.IAuthorizer) -> tuple[set[str], set[str]]:
    """Return the headers and parameters that an authorizer reads: the Authorization header if they are not known."""
    resource = authorizer.node.default_child if isinstance(authorizer, apigateway.Authorizer) else None
    told = resource.identity_source if isinstance(resource, apigateway.CfnAuthorizer) else None
    found = [] if told is None or Token.is_unresolved(told) else _IDENTITY.findall(told.lower())
    if not found:
        return {"authorization"}, set()
    return {name for place, name in found if place == "header"}, {name for place, name in found if place != "header"}


def _is_authorizers_key(api: apigateway.IRestApi) -> bool:
    """Check whether an API gets its keys from an authorizer instead of a header."""
    resource = api.node.default_child
    return isinstance(resource, apigateway.CfnRestApi) and resource.api_key_source_type == "AUTHORIZER"
