"""A custom source: this bank seals its webhooks with two words."""

from webhook_runtime import Answer, Unverified, Webhook


def verify(webhook: Webhook, secrets: list[str]) -> str | Answer:
    if webhook.method == "OPTIONS":
        return Answer("here")
    if webhook.headers.get("x-seal") not in secrets:
        raise Unverified("The seal is broken.")
    return webhook.headers["x-transfer"]
