"""The libraries of PyPI. It runs in their own environment, reads requests as JSON, and writes for each whether its
library accepts it."""

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

Request = dict[str, Any]


class _Headers(dict[str, str]):
    """Headers with names in any case, as every framework has them."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


def of(module: str) -> Any:
    """Import a library without types, since mypy does not have it."""
    return importlib.import_module(module)


def adyen(sent: Request, header: _Headers) -> Any:
    return of("Adyen.util").is_valid_hmac_payload(header["HmacSignature"], sent["secret"], sent["payload"].encode())


def airtable(sent: Request, header: _Headers) -> Any:
    known = of("pyairtable.models").WebhookNotification
    return known.from_request(sent["payload"], header["X-Airtable-Content-MAC"], sent["secret"])


def box(sent: Request, header: _Headers) -> Any:
    managers = of("box_sdk_gen.managers.webhooks").WebhooksManager
    return managers.validate_message(sent["payload"], header, "another key", secondary_key=sent["secret"])


def coinbase(sent: Request, header: _Headers) -> Any:
    signature = of("coinbase_commerce.webhook").WebhookSignature
    return signature.verify_sig_header(sent["payload"], header["X-CC-Webhook-Signature"], sent["secret"])


def cronofy(sent: Request, header: _Headers) -> Any:
    client = of("pycronofy").Client(client_secret=sent["secret"])
    return client.hmac_valid(header["Cronofy-HMAC-SHA256"], sent["payload"])


def easypost(sent: Request, header: _Headers) -> Any:
    return of("easypost.util").validate_webhook(sent["payload"].encode(), header, sent["secret"])


def elevenlabs(sent: Request, header: _Headers) -> Any:
    webhooks = of("elevenlabs").ElevenLabs(api_key="none").webhooks
    return webhooks.construct_event(sent["payload"], header["ElevenLabs-Signature"], sent["secret"])


def finch(sent: Request, header: _Headers) -> Any:
    client = of("finch").Finch(access_token="none")
    return client.webhooks.verify_signature(sent["payload"], header, secret=sent["secret"]) is None


def gocardless(sent: Request, header: _Headers) -> Any:
    webhooks = of("gocardless_pro.webhooks")
    return webhooks.parse(sent["payload"], sent["secret"], header["Webhook-Signature"])


def hubspot(sent: Request, header: _Headers) -> Any:
    return of("hubspot.utils.signature").Signature.is_valid(
        signature=header["X-HubSpot-Signature-v3"],
        client_secret=sent["secret"],
        request_body=sent["payload"],
        http_uri=sent["url"],
        http_method=sent["method"],
        signature_version="v3",
        timestamp=header["X-HubSpot-Request-Timestamp"],
    )


def increase(sent: Request, header: _Headers) -> Any:
    client = of("increase").Increase(api_key="none", webhook_secret=sent["secret"])
    return client.events.unwrap(sent["payload"], headers=dict(header))


def line(sent: Request, header: _Headers) -> Any:
    validator = of("linebot.v3.webhook").SignatureValidator(sent["secret"])
    return validator.validate(sent["payload"], header["x-line-signature"])


def lithic(sent: Request, header: _Headers) -> Any:
    client = of("lithic").Lithic(api_key="none")
    return client.webhooks.verify_signature(sent["payload"], header, secret=sent["secret"]) is None


def modern_treasury(sent: Request, header: _Headers) -> Any:
    client = of("modern_treasury").ModernTreasury(organization_id="none", api_key="none")
    return client.webhooks.validate_signature(sent["payload"], header, key=sent["secret"])


def onfido(sent: Request, header: _Headers) -> Any:
    verifier = of("onfido").WebhookEventVerifier(sent["secret"])
    return verifier.read_payload(sent["payload"], header["X-SHA2-Signature"])


def openai(sent: Request, header: _Headers) -> Any:
    client = of("openai").OpenAI(api_key="none")
    return client.webhooks.verify_signature(sent["payload"], header, secret=sent["secret"]) is None


def paddle(sent: Request, header: _Headers) -> Any:
    notifications = of("paddle_billing.Notifications")
    request = Mock(spec=["headers", "body"], headers=header, body=sent["payload"].encode())
    return notifications.Verifier().verify(request, notifications.Secret(sent["secret"]))


def pusher(sent: Request, header: _Headers) -> Any:
    client = of("pusher").Pusher("1", key="the app's key", secret=sent["secret"])
    return client.validate_webhook(header["X-Pusher-Key"], header["X-Pusher-Signature"], sent["payload"])


def razorpay(sent: Request, header: _Headers) -> Any:
    utility = of("razorpay").Client(auth=("none", "none")).utility
    return utility.verify_webhook_signature(sent["payload"], header["X-Razorpay-Signature"], sent["secret"])


def replicate(sent: Request, header: _Headers) -> Any:
    webhook = of("replicate.webhook")
    secret = webhook.WebhookSigningSecret(key=sent["secret"])
    return webhook.Webhooks.validate(headers=header, body=sent["payload"], secret=secret, tolerance=300) is None


def resend(sent: Request, header: _Headers) -> Any:
    names = {name: header[f"svix-{name}"] for name in ("id", "timestamp", "signature")}
    return of("resend").Webhooks.verify(
        {"payload": sent["payload"], "headers": names, "webhook_secret": sent["secret"]}
    )


def retell(sent: Request, header: _Headers) -> Any:
    verify = of("retell.lib.webhook_auth").verify
    return verify(sent["payload"], sent["secret"], header["X-Retell-Signature"])


def square(sent: Request, header: _Headers) -> Any:
    return of("square.utils.webhooks_helper").verify_signature(
        request_body=sent["payload"],
        signature_header=header["x-square-hmacsha256-signature"],
        signature_key=sent["secret"],
        notification_url=sent["url"],
    )


def standard(sent: Request, header: _Headers) -> Any:
    key = sent["secret"]
    if not key.startswith("whsec_"):
        # As in BigCommerce's documentation.
        key = of("base64").b64encode(key.encode()).decode()
    return of("standardwebhooks").Webhook(key).verify(sent["payload"], header)


def stream(sent: Request, header: _Headers) -> Any:
    client = of("stream_chat").StreamChat(api_key="none", api_secret=sent["secret"])
    return client.verify_webhook(sent["payload"].encode(), header["X-Signature"])


def svix(sent: Request, header: _Headers) -> Any:
    return of("svix").Webhook(sent["secret"]).verify(sent["payload"], header) is None


def telegram(sent: Request, header: _Headers) -> Any:
    handler = of("telegram.ext._utils.webhookhandler").TelegramHandler
    asked = Mock(secret_token=sent["secret"], request=Mock(headers=header))
    return handler._validate_post(asked) is None


def viber(sent: Request, header: _Headers) -> Any:
    configuration = of("viberbot.api.bot_configuration").BotConfiguration(sent["secret"], "none", "")
    api = of("viberbot").Api(configuration)
    return api.verify_signature(sent["payload"].encode(), header["X-Viber-Content-Signature"])


def workos(sent: Request, header: _Headers) -> Any:
    client = of("workos").WorkOSClient(api_key="none", client_id="none")
    client.webhooks.verify_header(
        event_body=sent["payload"], event_signature=header["WorkOS-Signature"], secret=sent["secret"]
    )
    return True


LIBRARIES: dict[str, Callable[[Request, _Headers], Any]] = {
    "Adyen": adyen,
    "box-sdk-gen": box,
    "coinbase-commerce": coinbase,
    "easypost": easypost,
    "elevenlabs": elevenlabs,
    "finch-api": finch,
    "gocardless-pro": gocardless,
    "hubspot-api-client": hubspot,
    "increase": increase,
    "line-bot-sdk": line,
    "lithic": lithic,
    "modern-treasury": modern_treasury,
    "onfido-python": onfido,
    "openai": openai,
    "paddle-python-sdk": paddle,
    "pusher": pusher,
    "pyairtable": airtable,
    "pycronofy": cronofy,
    "python-telegram-bot": telegram,
    "razorpay": razorpay,
    "replicate": replicate,
    "resend": resend,
    "retell-sdk": retell,
    "squareup": square,
    "standardwebhooks": standard,
    "stream-chat": stream,
    "svix": svix,
    "viberbot": viber,
    "workos": workos,
}


def accepted(sent: Request) -> str:
    """Return the reason of a rejection, or an empty text. A library returns False or raises an error of its own."""
    with of("time_machine").travel(sent["at"], tick=False):
        try:
            said = LIBRARIES[sent["library"]](sent, _Headers(sent["headers"]))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return "" if said else f"it returned {said!r}"


if __name__ == "__main__":
    json.dump([accepted(sent) for sent in json.load(sys.stdin)], sys.stdout)
