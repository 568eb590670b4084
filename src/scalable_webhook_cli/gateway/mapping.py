"""An integration with mappings: its request and its response, by templates and parameter mappings.

https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-data-mapping.html
"""

import base64
import json
import logging
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from starlette.responses import Response

from scalable_webhook_cli.gateway.answers import GatewayResponse, answered
from scalable_webhook_cli.gateway.call import Call
from scalable_webhook_cli.gateway.rest_api import Method, media_type
from scalable_webhook_cli.gateway.velocity import render

_CALL_HEADER = "integration.request.header."
# Recorded from AWS: headers of a call that no parameter mapping may set.
_NOT_MAPPED = {
    *("authorization", "connection", "content-length", "expect", "proxy-authenticate", "te", "transfer-encoding"),
}

_log = logging.getLogger("gateway")


def require_possible_parameters(method: Method) -> None:
    """Fail as AWS does: a mapping of a header that API Gateway reserves can be deployed, but each request fails."""
    names = (name.removeprefix(_CALL_HEADER).lower() for name in method.integration.get("requestParameters") or {})
    if not _NOT_MAPPED.isdisjoint(names):
        raise GatewayResponse(500, "Internal server error")


def call_headers(call: Call) -> dict[str, str]:
    """Return the headers of the call to the integration."""
    return _mapped(call.method.integration.get("requestParameters"), _CALL_HEADER, call)


def request(call: Call) -> str:
    """Return the body of the call to the integration. No template can be rendered for bytes."""
    template = _request_template(call.method.integration, call.content_type)
    if template is None:
        return text(call)
    handling = call.method.integration.get("contentHandling")
    if call.payload and (handling == "CONVERT_TO_BINARY" or (call.is_binary and handling != "CONVERT_TO_TEXT")):
        raise GatewayResponse(500, "Internal server error")
    return rendered(template, call, text(call))


def answer(call: Call, status: int, reply: str) -> Response:
    """Return the response to a reply of the integration."""
    chosen = integration_response(call.method.integration, status)
    content_type, template = response_template(chosen, call.request.headers.get("accept", ""))
    answer = reply if template is None else rendered(template, call, reply_text(call, chosen, reply))
    override = call.context.pop("responseOverride", {})
    headers = {"content-type": content_type}
    headers |= _mapped(chosen.get("responseParameters"), "method.response.header.", call)
    headers |= {name.lower(): str(value) for name, value in override.get("header", {}).items()}
    return Response(
        answer,
        status_code=int(override.get("status") or chosen["statusCode"]),
        headers=dict(answered(headers.items())),
    )


def reply_text(call: Call, response: Mapping[str, Any], reply: str) -> str:
    """Return ``$input.body`` for the template of a response. An empty reply counts as an absent payload.

    No template can be rendered for bytes.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html
    """
    if not call.api.is_binary("application/json"):
        return reply or "{}"
    if response.get("contentHandling") != "CONVERT_TO_TEXT":
        raise GatewayResponse(500, "Internal server error")
    return base64.b64encode(reply.encode()).decode()


def text(call: Call) -> str:
    """Return ``$input.body``. An absent body is ``{}``, and bytes that are not UTF-8 are replaced silently."""
    if not call.payload:
        return "{}"
    if call.is_binary and call.method.integration.get("contentHandling") == "CONVERT_TO_TEXT":
        return base64.b64encode(call.payload).decode()
    return call.payload.decode(errors="replace")


def _request_template(integration: Mapping[str, Any], content_type: str) -> str | None:
    """Return the template for a content type, else ``$default``. None passes the payload on as it is."""
    templates = {name.lower(): str(text) for name, text in (integration.get("requestTemplates") or {}).items()}
    template = templates.get(media_type(content_type), templates.get("$default"))
    behavior = integration.get("passthroughBehavior") or "WHEN_NO_MATCH"
    passes = behavior == "WHEN_NO_MATCH" or (behavior == "WHEN_NO_TEMPLATES" and not templates)
    if template is None and not passes:
        raise GatewayResponse(415, "Unsupported Media Type")
    return template


def response_template(response: Mapping[str, Any], accept: str) -> tuple[str, str | None]:
    """Return content type and template of a response: the accepted one, else JSON, else the first."""
    templates = response.get("responseTemplates") or {}
    for content_type in (media_type(accept), "application/json", *templates):
        if content_type in templates:
            return content_type, templates[content_type]
    return "application/json", None


def rendered(template: str, call: Call, body: str) -> str:
    try:
        return render(
            template,
            body=body,
            header=dict(call.headers()),
            querystring=dict(call.query()),
            path=call.parameters,
            stage_variables=call.api.stage_variables,
            context=call.context,
        )
    except Exception as error:
        _log.exception("a mapping template failed")
        raise GatewayResponse(500, "Internal server error") from error


def integration_response(integration: Mapping[str, Any], status: int) -> Mapping[str, Any]:
    """Return the response whose pattern matches the integration's status, else the one without a pattern."""
    responses = list((integration.get("integrationResponses") or {}).values())
    for response in responses:
        if response.get("selectionPattern") and re.fullmatch(response["selectionPattern"], str(status)):
            return dict(response)
    for response in responses:
        if not response.get("selectionPattern"):
            return dict(response)
    raise GatewayResponse(500, "Internal server error")


def _mapped(parameters: Mapping[str, Any] | None, prefix: str, call: Call) -> dict[str, str]:
    """Return the headers that a parameter mapping sets. Headers without a value are left out."""
    values = {
        name.removeprefix(prefix).lower(): call.value_of(source)
        for name, source in (parameters or {}).items()
        if name.startswith(prefix) and isinstance(source, str)
    }
    return {name: value for name, value in values.items() if value is not None}


def as_json(reply: bytes) -> str:
    """Convert a reply of the Query protocol to JSON. Of an error, the outermost element is dropped."""

    def value(element: ElementTree.Element) -> Any:
        return {_name(child): value(child) for child in element} if len(element) else element.text

    try:
        root = ElementTree.fromstring(reply)  # noqa: S314 (the emulator's, on loopback)
    except ElementTree.ParseError:
        return reply.decode(errors="replace")
    inner = value(root)
    return json.dumps(inner if _name(root) == "ErrorResponse" else {_name(root): inner})


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
