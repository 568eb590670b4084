"""The ingress that needs no API: a function URL of the publisher."""

from aws_cdk import Fn
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_scalable_webhook import findings
from cdk_scalable_webhook.checks.values import require_number
from cdk_scalable_webhook.endpoint.ingress import IngressConfig, IngressOptions, WithPublisher
from cdk_scalable_webhook.endpoint.publisher import create_publisher
from cdk_scalable_webhook.grouping import has_one_group

# Lambda accepts ten times as many requests a second: 1,000, as in front of an API. In front of one message group it
# is 300, which SQS takes. https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-throttling
_BY_DEFAULT, _OF_ONE_GROUP = 100, 30
_HIGHEST = 10_000


class FunctionUrl(WithPublisher):
    """See ``Ingress.function_url()``."""

    def __init__(self, reserved_concurrency: int | bool) -> None:
        number = None if isinstance(reserved_concurrency, bool) else reserved_concurrency
        require_number("reserved_concurrency", number, 1, _HIGHEST)
        self._reserved_concurrency = reserved_concurrency

    def bind(self, scope: Construct, options: IngressOptions) -> IngressConfig:
        """See ``Ingress.bind``."""
        if options.source is None:
            raise ValueError(
                "source must be set with Ingress.function_url(), got none: everyone can call the URL, and nothing but "
                "the source checks a caller; set source=Source.…(), or take Ingress.lambda_integration()"
            )
        reserved = self._reserved(options)
        publisher = create_publisher(
            scope,
            options,
            accepted=[] if reserved else [findings.UNRESERVED],
            reserved_concurrency=reserved,
            mount=options.mount,
        )
        # The CDK adds the two permissions that AWS requires.
        # https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
        url = publisher.add_function_url(auth_type=lambda_.FunctionUrlAuthType.NONE)
        findings.acknowledge(url, findings.PUBLIC_URL)
        host = Fn.select(2, Fn.split("/", url.url))
        return IngressConfig(publisher=publisher, url=f"https://{host}{options.mount}")

    def _reserved(self, options: IngressOptions) -> int | None:
        if not isinstance(self._reserved_concurrency, bool):
            return self._reserved_concurrency
        one_group = has_one_group(options.group_by, fifo=options.queue.fifo)
        return (_OF_ONE_GROUP if one_group else _BY_DEFAULT) if self._reserved_concurrency else None
