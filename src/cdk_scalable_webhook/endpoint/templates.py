"""The mapping templates of the direct integration, and the answers made of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

from aws_cdk import aws_apigateway as apigateway

from cdk_scalable_webhook.endpoint.access import quoted

_MAPPING = Path(__file__).parent / "mapping"


def mapping_template(name: str, **placeholders: str) -> str:
    """Return a template of ``mapping/`` as API Gateway gets it: comments and layout removed, placeholders filled."""
    lines = (_MAPPING / f"{name}.vtl").read_text().splitlines()
    template = "".join(line.strip() for line in lines if not line.startswith("##"))
    for placeholder, value in placeholders.items():
        template = template.replace(f"@{placeholder}@", value)
    return template


def encoded(names: Collection[str]) -> str:
    """Return names as $util.urlEncode writes them, separated by blanks, which no encoded name has."""
    return " ".join(quote_plus(name, safe="*").replace("~", "%7E") for name in sorted(names))


def literal(text: str) -> str:
    """Return a template that writes this text, even if the text has a meaning in Velocity."""
    return f'$util.urlDecode("{quote(text, safe="")}")'


@dataclass(frozen=True)
class Answer:
    """An answer of the direct integration, for the statuses of SQS that match the pattern."""

    status: str
    template: str
    pattern: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def integration_response(self, headers: Mapping[str, str]) -> apigateway.IntegrationResponse:
        """Return the answer of the integration, with these headers in addition to its own."""
        values = quoted(_responded({**self.headers, **headers}))
        return apigateway.IntegrationResponse(
            status_code=self.status,
            selection_pattern=self.pattern,
            # If every media type is binary, so is the reply of SQS, and no template can be rendered from bytes: even an
            # accepted webhook would be answered with 500.
            content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
            response_templates={"application/json": self.template},
            response_parameters=values or None,
        )

    def method_response(self, headers: Mapping[str, str]) -> apigateway.MethodResponse:
        """Return the answer as the method declares it."""
        names = dict.fromkeys(_responded({**self.headers, **headers}), True)
        return apigateway.MethodResponse(status_code=self.status, response_parameters=names or None)


def _responded(headers: Mapping[str, str]) -> dict[str, str]:
    return {f"method.response.header.{name}": value for name, value in headers.items()}
