"""The webhooks for each provider's library: a payload, signed by the provider's documentation.

The cases that are written here do not know ``Source``. They follow the documentation of each provider, so a library,
the page of providers and a case agree only if all three are right. A provider with a record has a case of its record,
and its own library decides whether that is right.
"""

import base64
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from scalable_webhook_cli import samples
from webhook_runtime.contract.providers import PROVIDERS, Provider

HERE = Path(__file__).parent
AT = 1_767_225_600
URL = "https://hooks.example.com/prod/provider"
SECRET = "a secret of no worth"
KEY = b"32 bytes of a key that is public"
WHSEC = "whsec_" + base64.b64encode(KEY).decode()
# A key of WooCommerce or Zendesk may look like base64, and is not base64.
LIKE_BASE64 = "dGhpcyBpcyBub3QgZGVjb2RlZA=="


def written(payload: Any) -> str:
    """A webhook as it is sent."""
    return payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A webhook of a provider.

    ``headers`` may have ``{mac}``, ``{timestamp}``, ``{id}`` and ``{secret}``. ``content`` is the signed content, which
    may have ``{body}``, ``{url}`` and ``{method}`` too. ``key`` is the encoding of the secret: text, hex, base64 or
    whsec. ``time`` is the format of the time: s, ms, iso or offset. ``libraries`` have to accept it. ``signature`` is
    the one that the provider has ``published``, with its place.
    """

    provider: str
    headers: dict[str, str]
    payload: Any
    libraries: Sequence[str] = ()
    published: str = ""
    signature: str = ""
    secret: str = SECRET
    content: str = "{body}"
    algorithm: str = "sha256"
    encoding: str = "hex"
    key: str = "text"
    time: str = "s"
    id: str | None = None
    at: int = AT
    url: str = URL

    @property
    def body(self) -> str:
        return written(self.payload)

    def vector(self) -> dict[str, Any]:
        """Return the case as it is kept, without the libraries."""
        names = {"timestamp": self._timestamp(), "id": self.id or "", "url": self.url, "method": "POST"}
        content = self.content.replace("{body}", "\0")
        for name, value in names.items():
            content = content.replace(f"{{{name}}}", value)
        mac = self._written(hmac.digest(self._key(), content.replace("\0", self.body).encode(), self.algorithm))
        assert self.signature in ("", mac), f"{self.provider} has published another signature"
        headers = {name: value.format(mac=mac, secret=self.secret, **names) for name, value in self.headers.items()}
        return {
            "provider": self.provider,
            "secret": self.secret,
            "method": "POST",
            "url": self.url,
            "at": self.at,
            "headers": {"Content-Type": "application/json", **headers},
            "payload": self.body,
            "id": self.id,
        }

    @property
    def is_signed(self) -> bool:
        return "{secret}" not in "".join(self.headers.values())

    @property
    def signed_headers(self) -> set[str]:
        """Return the headers that no one else can change: the signature, and the signed ones."""
        parts = ["{mac}", "{secret}", *(part for part in ("{timestamp}", "{id}") if part in self.content)]
        return {name for name, value in self.headers.items() if any(part in value for part in parts)}

    def _timestamp(self) -> str:
        if self.time in ("s", "ms"):
            return str(self.at * (1000 if self.time == "ms" else 1))
        text = datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{text}Z" if self.time == "iso" else f"{text}-00:00"

    def _key(self) -> bytes:
        if self.key == "hex":
            return bytes.fromhex(self.secret)
        if self.key in ("base64", "whsec"):
            return base64.b64decode(self.secret.removeprefix("whsec_"))
        return self.secret.encode()

    def _written(self, mac: bytes) -> str:
        if self.encoding == "hex":
            return mac.hex()
        text = base64.b64encode(mac).decode()
        return text if self.encoding == "base64" else text.translate({43: "-", 47: "_"}).rstrip("=")


def standard(provider: str, payload: Any, *libraries: str, start: str = "webhook", **others: Any) -> Case:
    """Return a case of Standard Webhooks. A signature by another secret comes first, as during a rotation."""
    more = others.pop("more", {})
    another = base64.b64encode(b"x" * 32).decode()
    return Case(
        provider=provider,
        payload=payload,
        libraries=libraries,
        content="{id}.{timestamp}.{body}",
        encoding="base64",
        headers={
            f"{start}-id": "{id}",
            f"{start}-timestamp": "{timestamp}",
            f"{start}-signature": f"v1,{another} v1,{{mac}}",
            **more,
        },
        id=f"msg_of_{provider.lower().replace(' ', '_')}",
        **{"secret": WHSEC, "key": "whsec", **others},
    )


def versions() -> dict[str, dict[str, str]]:
    """Return the registry and the version of each library, by its name."""
    pinned = re.findall(r"^([\w-]+)(?:\[.*\])?==(.+)$", (HERE / "requirements.in").read_text(), re.MULTILINE)
    npm = json.loads((HERE / "package.json").read_text())["dependencies"]
    return {name: {"registry": "PyPI", "version": version} for name, version in pinned} | {
        name: {"registry": "npm", "version": version} for name, version in npm.items()
    }


def of_record(provider: Provider) -> Case:
    """Return the usual event of a provider, signed as its record says, for its own library."""
    way: Any = provider.ways[0]
    signature = [f"{way['timestamp_prefix']}{{timestamp}}"] if "timestamp_prefix" in way else []
    headers = {way["header"]: way.get("separator", "").join([*signature, f"{way.get('prefix', '')}{{mac}}"])}
    headers |= {way[name]: f"{{{value}}}" for name, value in _MORE_HEADERS.items() if name in way}
    payload = _usual_event(provider)
    return Case(
        provider=provider.name,
        headers=headers,
        payload=payload,
        libraries=[provider.verified_by],
        content=way.get("signed", "{body}"),
        algorithm=way.get("algorithm", "sha256"),
        encoding=way.get("encoding", "hex"),
        time="ms" if way.get("timestamp_format") == "milliseconds" else "s",
        id="id-1" if "id_header" in way else payload[way["id_field"]] if "id_field" in way else None,
    )


_MORE_HEADERS = {"timestamp_header": "timestamp", "id_header": "id"}


def _usual_event(provider: Provider) -> Any:
    """Return the first event that ``scalable-webhook send`` has of a provider, the same each time."""
    told = files(samples).joinpath(f"{provider.method}.json").read_text(encoding="utf-8")
    event = json.dumps(next(iter(json.loads(told)["events"].values())))
    for placeholder, value in _PLACEHOLDERS.items():
        event = re.sub(placeholder, value, event)
    return json.loads(event)


_PLACEHOLDERS = {
    r'"\{int seconds\}"': str(AT),
    r'"\{int milliseconds\}"': str(AT * 1000),
    r'"\{int [a-z0-9 ]+\}"': "1",
    r"\{([a-z][a-z0-9 ]*)\}": r"\1-1",
}


EVENT = {"id": "evt_1", "type": "lamp.lit", "data": {"name": "Zoë"}}
# These are from CircleCI's page.
CIRCLECI = "https://circleci.com/docs/outbound-webhooks/"

WRITTEN = [
    Case(
        provider="Adyen",
        headers={"HmacSignature": "{mac}", "Protocol": "HmacSHA256"},
        payload={"type": "balancePlatform.payment.created", "data": {"id": "EVJN1"}},
        secret="44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
        key="hex",
        encoding="base64",
        libraries=["Adyen"],
    ),
    Case(
        provider="Airtable",
        headers={"X-Airtable-Content-MAC": "hmac-sha256={mac}"},
        payload={
            "base": {"id": "app00000000000000"},
            "webhook": {"id": "ach00000000000000"},
            "timestamp": "2026-01-01T00:00:00.000Z",
        },
        secret=base64.b64encode(KEY).decode(),
        key="base64",
        libraries=["pyairtable"],
    ),
    Case(
        provider="Attio",
        headers={"Attio-Signature": "{mac}", "Idempotency-Key": "{id}"},
        payload={"webhook_id": "w1", "events": [{"event_type": "record.created"}]},
        id="5b7d1c9e",
        libraries=["@trigger.dev/core"],
    ),
    Case(
        provider="Auth0 log streams",
        headers={"Authorization": "{secret}"},
        payload=[{"log_id": "1", "data": {"type": "s"}}],
    ),
    Case(
        provider="Auth0 event streams",
        headers={"Authorization": "Bearer {secret}"},
        payload={"id": "evt_1", "type": "user.created"},
    ),
    Case(
        provider="Bitbucket Cloud",
        headers={"X-Hub-Signature": "sha256={mac}", "X-Request-UUID": "{id}", "X-Event-Key": "repo:push"},
        payload={"push": {"changes": []}, "repository": {"full_name": "harbour-lab/Zoë"}},
        id="6b1f2c3d",
        libraries=["nuxt-webhook-validators"],
    ),
    Case(
        provider="Bitbucket Cloud",
        headers={"X-Hub-Signature": "sha256={mac}"},
        signature="a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
        payload="Hello World!",
        secret="It's a Secret to Everybody",
        published="https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/",
    ),
    standard("BigCommerce", EVENT, "standardwebhooks", secret=SECRET, key="text"),
    Case(
        provider="Box",
        headers={
            "BOX-SIGNATURE-VERSION": "1",
            "BOX-SIGNATURE-ALGORITHM": "HmacSHA256",
            "BOX-SIGNATURE-PRIMARY": base64.b64encode(b"x" * 32).decode(),
            "BOX-SIGNATURE-SECONDARY": "{mac}",
            "BOX-DELIVERY-TIMESTAMP": "{timestamp}",
            "BOX-DELIVERY-ID": "another at each try",
        },
        payload={"type": "webhook_event", "id": "0a0a", "trigger": "FILE.UPLOADED"},
        content="{body}{timestamp}",
        encoding="base64",
        time="offset",
        id="0a0a",
        libraries=["box-sdk-gen"],
    ),
    Case(
        provider="Cal.com",
        headers={"X-Cal-Signature-256": "{mac}"},
        payload={"triggerEvent": "BOOKING_CREATED", "payload": {"title": "Zoë"}},
        libraries=["nuxt-webhook-validators", "@trigger.dev/core"],
    ),
    Case(
        provider="Calendly",
        headers={"Calendly-Webhook-Signature": "t={timestamp},v1={mac}"},
        payload={"event": "invitee.created", "payload": {"name": "Zoë"}},
        content="{timestamp}.{body}",
        libraries=["@trigger.dev/core"],
    ),
    *(
        Case(
            provider="CircleCI",
            headers={"circleci-signature": "v1={mac}"},
            signature=mac,
            payload=payload,
            secret=secret,
            published=CIRCLECI,
        )
        for payload, secret, mac in [
            ("hello world", "secret", "734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a"),
            ("lalala", "another-secret", "daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00"),
            (
                "an-important-request-payload",
                "hunter123",
                "9be2242094a9a8c00c64306f382a7f9d691de910b4a266f67bd314ef18ac49fa",
            ),
        ]
    ),
    Case(
        provider="CircleCI",
        headers={"circleci-signature": "v2=another-version,v1={mac}", "circleci-event-type": "workflow-completed"},
        payload={"id": "3888f21b", "type": "workflow-completed"},
        id="3888f21b",
    ),
    standard("Clerk", {"type": "user.created", "object": "event", "data": {}}, "@clerk/backend", start="svix"),
    Case(
        provider="Coinbase Commerce",
        headers={"X-CC-Webhook-Signature": "{mac}"},
        payload={"id": 1, "event": {"id": "e1", "type": "charge:confirmed"}},
        id="e1",
        libraries=["coinbase-commerce"],
    ),
    Case(
        provider="Contentful",
        headers={"X-Contentful-Secret": "{secret}"},
        payload={"sys": {"id": "lamp", "revision": 2}},
    ),
    Case(
        provider="Cronofy",
        headers={"Cronofy-HMAC-SHA256": f"{base64.b64encode(b'x' * 32).decode()},{{mac}}"},
        payload={"notification": {"type": "change"}, "channel": {"channel_id": "chn_1"}},
        encoding="base64",
        libraries=["pycronofy"],
    ),
    Case(
        provider="DocuSign Connect",
        headers={"X-DocuSign-Signature-1": base64.b64encode(b"x" * 32).decode(), "X-DocuSign-Signature-2": "{mac}"},
        payload={"event": "envelope-completed", "data": {"envelopeId": "e1"}},
        encoding="base64",
        libraries=["nuxt-webhook-validators"],
    ),
    Case(
        provider="Doppler",
        headers={"X-Doppler-Signature": "sha256={mac}"},
        payload={"type": "config.secrets.update"},
        libraries=["@hookflo/tern"],
    ),
    Case(
        provider="Dropbox",
        headers={"X-Dropbox-Signature": "{mac}"},
        payload={"list_folder": {"accounts": ["dbid:1"]}},
        libraries=["nuxt-webhook-validators"],
    ),
    Case(
        provider="EasyPost",
        headers={"X-Hmac-Signature": "hmac-sha256-hex={mac}"},
        payload={"id": "evt_0a", "object": "Event", "description": "tracker.updated"},
        id="evt_0a",
        libraries=["easypost"],
    ),
    Case(
        provider="ElevenLabs",
        headers={"ElevenLabs-Signature": "t={timestamp},v0={mac}"},
        payload={"type": "post_call_transcription", "data": {"conversation_id": "c1"}},
        content="{timestamp}.{body}",
        libraries=["elevenlabs"],
    ),
    Case(
        provider="Finch",
        headers={
            "Finch-Event-Id": "{id}",
            "Finch-Timestamp": "{timestamp}",
            "Finch-Signature": f"v1,{base64.b64encode(b'x' * 32).decode()} v1,{{mac}}",
        },
        payload={"event_type": "account.updated", "company_id": "c1"},
        content="{id}.{timestamp}.{body}",
        encoding="base64",
        secret=base64.b64encode(KEY).decode(),
        key="base64",
        id="fe_1",
        libraries=["finch-api"],
    ),
    Case(
        provider="Firecrawl",
        headers={"X-Firecrawl-Signature": "sha256={mac}"},
        payload={"success": True, "type": "crawl.page", "webhookId": "wh-1"},
        id="wh-1",
        libraries=["@trigger.dev/core"],
    ),
    Case(
        provider="Fourthwall",
        headers={"X-Fourthwall-Hmac-SHA256": "{mac}"},
        payload={"id": "weve_1", "type": "ORDER_PLACED"},
        encoding="base64",
        libraries=["nuxt-webhook-validators"],
    ),
    standard(
        "GitLab",
        {"object_kind": "push", "ref": "refs/heads/main"},
        "standardwebhooks",
        more={"X-Gitlab-Event": "Push Hook", "Idempotency-Key": "{id}"},
    ),
    Case(
        provider="GitLab, by a secret token",
        headers={"X-Gitlab-Token": "{secret}", "X-Gitlab-Event": "Push Hook", "Idempotency-Key": "{id}"},
        payload={"object_kind": "push", "ref": "refs/heads/main"},
        id="f5e5f430",
        libraries=["nuxt-webhook-validators"],
    ),
    Case(
        provider="GoCardless",
        headers={"Webhook-Signature": "{mac}"},
        payload={"events": [{"id": "EV1", "action": "confirmed"}], "meta": {"webhook_id": "WB1"}},
        libraries=["gocardless-pro"],
    ),
    Case(
        provider="Heroku",
        headers={"Heroku-Webhook-Hmac-SHA256": "{mac}"},
        payload={"id": "6ca8a4e2", "resource": "release", "action": "update"},
        encoding="base64",
        libraries=["nuxt-webhook-validators"],
    ),
    Case(
        provider="Hookdeck",
        headers={
            "X-Hookdeck-Signature": base64.b64encode(b"x" * 32).decode(),
            "X-Hookdeck-Signature-2": "{mac}",
            "X-Hookdeck-EventId": "{id}",
        },
        payload=EVENT,
        encoding="base64",
        id="evt_of_hookdeck",
        libraries=["@trigger.dev/core"],
    ),
    standard(
        "Increase",
        {"id": "event_1", "category": "account.created", "type": "event"},
        "increase",
        secret=SECRET,
        key="text",
    ),
    Case(
        provider="Intercom",
        headers={"X-Hub-Signature": "sha1={mac}"},
        payload={"type": "notification_event", "id": "notif_1", "topic": "user.created"},
        algorithm="sha1",
        id="notif_1",
        libraries=["x-hub-signature", "@trigger.dev/core"],
    ),
    Case(
        provider="Jira Cloud",
        headers={"X-Hub-Signature": "sha256={mac}", "X-Atlassian-Webhook-Identifier": "{id}"},
        payload={"webhookEvent": "jira:issue_created", "issue": {"key": "LAMP-1"}},
        id="2e8a7c11",
        libraries=["@octokit/webhooks-methods", "@trigger.dev/core"],
    ),
    Case(
        provider="Langfuse",
        headers={"X-Langfuse-Signature": "t={timestamp},v1={mac}"},
        payload={"id": "wh_1", "type": "prompt-version", "action": "created"},
        content="{timestamp}.{body}",
        id="wh_1",
        libraries=["@trigger.dev/core"],
    ),
    Case(
        provider="Lemon Squeezy",
        headers={"X-Signature": "{mac}", "X-Event-Name": "order_created"},
        payload={"meta": {"event_name": "order_created"}, "data": {"id": "1"}},
        libraries=["@hookflo/tern"],
    ),
    Case(
        provider="LINE",
        headers={"x-line-signature": "{mac}"},
        payload={"destination": "U1", "events": []},
        encoding="base64",
        libraries=["line-bot-sdk"],
    ),
    standard("Lithic", {"event_type": "card.created"}, "lithic"),
    standard(
        "Liveblocks",
        {
            "type": "userEntered",
            "data": {
                "projectId": "p",
                "roomId": "r",
                "connectionId": 1,
                "userId": "u",
                "userInfo": None,
                "enteredAt": "2026-01-01T00:00:00.000Z",
                "numActiveUsers": 1,
            },
        },
        "@liveblocks/node",
    ),
    standard("Loops", {"eventName": "email.delivered"}, "@trigger.dev/core"),
    Case(
        provider="Modern Treasury",
        headers={"X-Signature": "{mac}", "X-Topic": "payment_order"},
        payload={"event": "created", "data": {"id": "p1"}},
        libraries=["modern-treasury"],
    ),
    Case(
        provider="Mux",
        headers={"Mux-Signature": "t={timestamp},v1={mac}"},
        payload={"type": "video.asset.ready", "id": "3f1a", "data": {}},
        content="{timestamp}.{body}",
        id="3f1a",
        libraries=["@mux/mux-node"],
    ),
    Case(
        provider="Notion",
        headers={"X-Notion-Signature": "sha256={mac}"},
        payload={"id": "367cba44", "type": "page.created"},
        id="367cba44",
        libraries=["@notionhq/client"],
    ),
    Case(
        provider="Onfido",
        headers={"X-SHA2-Signature": "{mac}"},
        payload={"payload": {"resource_type": "check", "action": "check.completed"}},
        libraries=["onfido-python"],
    ),
    standard("OpenAI", {"id": "evt_1", "type": "response.completed", "data": {"id": "resp_1"}}, "openai"),
    Case(
        provider="Paddle",
        headers={"Paddle-Signature": f"ts={{timestamp}};h1={'0' * 64};h1={{mac}}"},
        payload={"event_id": "evt_01", "event_type": "transaction.completed"},
        content="{timestamp}:{body}",
        id="evt_01",
        libraries=["paddle-python-sdk"],
    ),
    Case(
        provider="PagerDuty",
        headers={"X-PagerDuty-Signature": "v1={mac}", "X-Webhook-Id": "{id}"},
        payload={"event": {"id": "01", "event_type": "incident.triggered"}},
        id="5b1f7b0a",
        libraries=["@trigger.dev/core"],
    ),
    Case(
        provider="PagerDuty",
        headers={"X-PagerDuty-Signature": f"v1={'0' * 64},v1={{mac}}", "X-Webhook-Id": "{id}"},
        payload={"event": {"id": "02", "event_type": "incident.resolved"}},
        id="5b1f7b0b",
    ),
    Case(
        provider="PagerDuty",
        headers={"X-PagerDuty-Signature": "v1={mac}", "X-Webhook-Id": "{id}"},
        signature="0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd",
        payload={
            "event": {
                "id": "01BWDWL3NYY7LUFPZCC28QUCMK",
                "event_type": "incident.priority_updated",
                "resource_type": "incident",
                "occurred_at": "2021-04-26T17:36:27.458Z",
                "agent": {
                    "html_url": "https://acme.pagerduty.com/users/PLH1HKV",
                    "id": "PLH1HKV",
                    "self": "https://api.pagerduty.com/users/PLH1HKV",
                    "summary": "Tenex Engineer",
                    "type": "user_reference",
                },
                "client": None,
                "data": {
                    "id": "PGR0VU2",
                    "type": "incident",
                    "self": "https://api.pagerduty.com/incidents/PGR0VU2",
                    "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
                    "number": 2,
                    "status": "triggered",
                    "title": "A little bump in the road",
                    "service": {
                        "html_url": "https://acme.pagerduty.com/services/PF9KMXH",
                        "id": "PF9KMXH",
                        "self": "https://api.pagerduty.com/services/PF9KMXH",
                        "summary": "API Service",
                        "type": "service_reference",
                    },
                    "assignees": [
                        {
                            "html_url": "https://acme.pagerduty.com/users/PTUXL6G",
                            "id": "PTUXL6G",
                            "self": "https://api.pagerduty.com/users/PTUXL6G",
                            "summary": "User 123",
                            "type": "user_reference",
                        }
                    ],
                    "escalation_policy": {
                        "html_url": "https://acme.pagerduty.com/escalation_policies/PUS0KTE",
                        "id": "PUS0KTE",
                        "self": "https://api.pagerduty.com/escalation_policies/PUS0KTE",
                        "summary": "Default",
                        "type": "escalation_policy_reference",
                    },
                    "teams": [
                        {
                            "html_url": "https://acme.pagerduty.com/teams/PFCVPS0",
                            "id": "PFCVPS0",
                            "self": "https://api.pagerduty.com/teams/PFCVPS0",
                            "summary": "Engineering",
                            "type": "team_reference",
                        }
                    ],
                    "priority": {
                        "html_url": "https://acme.pagerduty.com/account/incident_priorities",
                        "id": "PSO75BM",
                        "self": "https://api.pagerduty.com/priorities/PSO75BM",
                        "summary": "P1",
                        "type": "priority_reference",
                    },
                    "urgency": "high",
                    "conference_bridge": {"conference_number": 1000, "conference_url": "https://example.com"},
                    "resolve_reason": None,
                },
            }
        },
        secret="lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK",
        id="5b1f7b0c",
        # From the tests of its own client.
        published="https://github.com/PagerDuty/go-pagerduty/blob/main/webhookv3/webhookv3_test.go",
    ),
    Case(
        provider="Plain",
        headers={"Plain-Request-Signature": "{mac}"},
        payload={
            "id": "pEv_1",
            "type": "thread.thread_created",
            "webhookMetadata": {"webhookDeliveryAttemptTimestamp": "2026-01-01T00:00:00.000Z"},
        },
        id="pEv_1",
        libraries=["@trigger.dev/core"],
    ),
    Case(
        provider="PlanetScale",
        headers={"X-PlanetScale-Signature": "{mac}"},
        payload={"event": "branch.ready", "database": "lamp"},
        libraries=["@trigger.dev/core"],
    ),
    standard("Polar", {"type": "another.event", "data": {}}, "@polar-sh/sdk", secret=SECRET, key="text"),
    Case(
        provider="Postmark",
        headers={"Authorization": "Basic {secret}"},
        payload={"RecordType": "Delivery", "MessageID": "883953f4"},
        secret=base64.b64encode(b"postmark:of no worth").decode(),
    ),
    Case(
        provider="Pusher Channels",
        headers={"X-Pusher-Key": "the app's key", "X-Pusher-Signature": "{mac}"},
        payload={"time_ms": AT * 1000, "events": [{"name": "channel_occupied", "channel": "Zoë"}]},
        libraries=["pusher"],
    ),
    standard("Replicate", {"id": "p1", "status": "succeeded"}, "replicate"),
    standard("Resend", {"type": "email.delivered", "data": {}}, "resend", start="svix"),
    Case(
        provider="Retell AI",
        headers={"X-Retell-Signature": "v={timestamp},d={mac}"},
        payload={"event": "call_ended", "call": {"call_id": "c1"}},
        content="{body}{timestamp}",
        time="ms",
        libraries=["retell-sdk"],
    ),
    Case(
        provider="Sanity",
        headers={"sanity-webhook-signature": "t={timestamp},v1={mac}", "idempotency-key": "{id}"},
        payload={"_id": "lamp", "_type": "post"},
        content="{timestamp}.{body}",
        encoding="base64url",
        time="ms",
        id="k1",
        libraries=["@sanity/webhook"],
    ),
    Case(
        provider="Segment",
        headers={"X-Signature": "{mac}"},
        payload={"type": "track", "event": "Lamp lit", "messageId": "ajs-1"},
        algorithm="sha1",
        id="ajs-1",
    ),
    Case(
        provider="Sentry",
        headers={
            "Sentry-Hook-Signature": "{mac}",
            "Request-ID": "{id}",
            "Sentry-Hook-Resource": "issue",
            "Sentry-Hook-Timestamp": "{timestamp}",
        },
        payload={"action": "created", "data": {"issue": {"id": "1"}}},
        id="91bb3a0f",
        libraries=["@hookflo/tern", "@trigger.dev/core"],
    ),
    Case(
        provider="Stream",
        headers={"X-Signature": "{mac}", "X-Api-Key": "the app's key"},
        payload={"type": "message.new", "message": {"text": "Zoë"}},
        libraries=["stream-chat"],
    ),
    Case(
        provider="Supabase database webhooks",
        headers={"Authorization": "Bearer {secret}"},
        payload={"type": "INSERT", "table": "lamps"},
        libraries=["@trigger.dev/core"],
    ),
    standard("Svix", {"event_type": "ping"}, "svix", start="svix"),
    Case(
        provider="Svix",
        headers={
            "svix-id": "{id}",
            "svix-timestamp": "{timestamp}",
            "svix-signature": "v1,{mac}",
        },
        signature="rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
        payload='{"event_type":"ping","data":{"success":true}}',
        content="{id}.{timestamp}.{body}",
        encoding="base64",
        key="whsec",
        secret="whsec_plJ3nmyCDGBKInavdOK15jsl",
        id="msg_loFOjxBNrRLzqYUf",
        at=1_731_705_121,
        published="https://docs.svix.com/receiving/verifying-payloads/how-manual",
    ),
    Case(
        provider="Tailscale",
        headers={"Tailscale-Webhook-Signature": "t={timestamp},v1={mac}"},
        payload=[{"type": "nodeCreated", "version": 1}],
        content="{timestamp}.{body}",
        libraries=["@trigger.dev/core"],
    ),
    Case(
        provider="Telegram",
        headers={"X-Telegram-Bot-Api-Secret-Token": "{secret}"},
        payload={"update_id": 700000001, "message": {"text": "Zoë"}},
        secret="a_token-of_no_worth",
        id="700000001",
        libraries=["python-telegram-bot"],
    ),
    Case(
        provider="Trello",
        headers={"X-Trello-Webhook": "{mac}"},
        payload={"action": {"id": "a1", "type": "updateCard"}, "model": {"name": "Zoë"}},
        id="a1",
        content="{body}{url}",
        algorithm="sha1",
        encoding="base64",
    ),
    Case(
        provider="Typeform",
        headers={"Typeform-Signature": "sha256={mac}"},
        payload={"event_id": "01H", "event_type": "form_response", "form_response": {"title": "Zoë"}},
        encoding="base64",
        id="01H",
        libraries=["@trigger.dev/core"],
    ),
    Case(
        provider="Vercel",
        headers={"x-vercel-signature": "{mac}"},
        payload={"id": "uev_1", "type": "deployment.created"},
        algorithm="sha1",
        id="uev_1",
        libraries=["nuxt-webhook-validators", "@trigger.dev/core"],
    ),
    Case(
        provider="Viber",
        headers={"X-Viber-Content-Signature": "{mac}"},
        payload={"event": "message", "message_token": 4912661846655238145},
        libraries=["viberbot"],
    ),
    Case(
        provider="Webflow",
        headers={"x-webflow-signature": "{mac}", "x-webflow-timestamp": "{timestamp}"},
        payload={"triggerType": "form_submission", "payload": {"name": "Zoë"}},
        content="{timestamp}:{body}",
        time="ms",
        libraries=["webflow-api"],
    ),
    Case(
        provider="WooCommerce",
        headers={
            "X-WC-Webhook-Signature": "{mac}",
            "X-WC-Webhook-Topic": "order.created",
            "X-WC-Webhook-Delivery-ID": "the same within one second",
        },
        payload={"id": 727, "status": "processing", "billing": {"first_name": "Zoë"}},
        secret=LIKE_BASE64,
        encoding="base64",
        libraries=["@hookflo/tern"],
    ),
    Case(
        provider="WorkOS",
        headers={"WorkOS-Signature": "t={timestamp}, v1={mac}"},
        payload={"id": "event_1", "event": "user.created", "data": {}},
        content="{timestamp}.{body}",
        time="ms",
        id="event_1",
        libraries=["workos"],
    ),
    Case(
        provider="Zendesk",
        headers={
            "X-Zendesk-Webhook-Signature": "{mac}",
            "X-Zendesk-Webhook-Signature-Timestamp": "{timestamp}",
            "X-Zendesk-Webhook-Invocation-Id": "{id}",
        },
        payload={"type": "zen:event-type:ticket.created", "subject": "zen:ticket:1"},
        secret=LIKE_BASE64,
        content="{timestamp}{body}",
        encoding="base64",
        time="iso",
        id="01J",
        libraries=["@trigger.dev/core"],
    ),
]

# Of each provider with a plain record whose library is asked, unless a case of it is above.
CASES = [
    *WRITTEN,
    *(
        of_record(provider)
        for provider in PROVIDERS
        if provider.verified_by in versions()
        and not provider.takes_more
        and provider.name not in {case.provider for case in WRITTEN}
    ),
]
