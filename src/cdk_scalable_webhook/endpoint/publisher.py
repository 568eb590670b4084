"""The publisher: the function between an endpoint and the queue."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_scalable_webhook import findings, grants
from cdk_scalable_webhook.endpoint.ingress import IngressOptions
from cdk_scalable_webhook.filters import count_dropped, filter_environment
from cdk_scalable_webhook.packaging.asset import packed
from cdk_scalable_webhook.packaging.function import runtime_function
from cdk_scalable_webhook.payloads import grant_put
from cdk_scalable_webhook.sources.source import count_mismatched, environment
from webhook_runtime.contract.settings import PublisherSettings, to_environment

_TIMEOUT = 20  # seconds
# The largest event needs 137 MiB (decisions/0013).
_MEMORY = 256


def create_publisher(
    scope: Construct,
    options: IngressOptions,
    *,
    accepted: Sequence[findings.Finding],
    reserved_concurrency: int | None = None,
    mount: str | None = None,
) -> lambda_.Function:
    """Create the publisher of an endpoint, with the permission to send. ``mount`` is its path, if its events do not
    tell it. ``accepted`` has the findings of checkers in it."""
    source = options.source
    acknowledgement = options.accepted()
    settings = PublisherSettings(
        queue_url=options.queue.queue_url,
        delivery_id_header=None if source is not None and source.gives_ids else options.delivery_id_header,
        acknowledgement=asdict(acknowledgement) if acknowledgement is not None else None,
        response_headers=dict(options.response_headers) or None,
        credentials=_credentials(options),
        payload_bucket=options.payload_bucket.bucket_name if options.payload_bucket is not None else None,
        group_by=options.group_by.describe() if options.group_by is not None else None,
        mount=mount,
    )
    variables = to_environment(settings) | environment({options.mount: source})
    if options.event_filters is not None:
        variables |= filter_environment({options.mount: options.event_filters})
    packages, own = (source.packages, [source.code] if source.code else []) if source else ((), [])
    with packed(scope, packages, own, handler="publisher") as code:
        publisher = runtime_function(
            scope,
            "Publisher",
            code=code,
            handler="publisher",
            description="Writes each webhook to the queue",
            environment=variables,
            timeout=Duration.seconds(_TIMEOUT),
            memory_size=_MEMORY,
            common=options.common,
            accepted=accepted,
            reserved_concurrent_executions=reserved_concurrency,
        )
    grants.send(options.queue, publisher)
    if source is not None:
        source.grant_read(publisher)
        count_mismatched(publisher, options.queue, [source])
    if options.event_filters is not None:
        count_dropped(publisher, options.queue)
    if options.payload_bucket is not None:
        grant_put(options.payload_bucket, publisher)
    return publisher


def _credentials(options: IngressOptions) -> Mapping[str, list[str]] | None:
    """Return the names of the credentials that the publisher has to remove."""
    if not options.credential_headers and not options.credential_parameters:
        return None
    # A signed URL includes its whole query, so the parameters are removed after the check only.
    parameters = "signed_parameters" if options.source is not None and options.source.signs_url else "parameters"
    return {"headers": sorted(options.credential_headers), parameters: sorted(options.credential_parameters)}
