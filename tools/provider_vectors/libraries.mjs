// The libraries of npm. It runs in the folder in which they are installed, reads requests as JSON, and writes for each
// the reason of a rejection, or an empty text if its library accepts it.

import { readFileSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { createHmac } from "node:crypto";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.cwd()}/`);
const from = (name) => import(pathToFileURL(require.resolve(name)));

// A replacement for Nuxt's own import.
let configuration = {};
globalThis.useRuntimeConfigOfTests = () => ({ webhook: configuration });
registerHooks({
  resolve: (name, context, next) =>
    name === "#imports"
      ? { url: "data:text/javascript,export const useRuntimeConfig=()=>globalThis.useRuntimeConfigOfTests()", shortCircuit: true }
      : next(name, context),
});

const RealDate = Date;
function timeIs(seconds) {
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      super(...(given.length ? given : [seconds * 1000]));
    }
    static now() {
      return seconds * 1000;
    }
  };
}

const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
const request = (sent) => new Request(sent.url, { method: sent.method, headers: sent.headers, body: sent.payload });

const VALIDATORS = {
  "Bitbucket Cloud": ["bitbucket", (secretKey) => ({ secretKey })],
  "Cal.com": ["calcom.post", (secretKey) => ({ secretKey }), "calcom"],
  "DocuSign Connect": ["docusign", (secretKey) => ({ secretKey })],
  Dropbox: ["dropbox", (appSecret) => ({ appSecret })],
  Fourthwall: ["fourthwall", (secretKey) => ({ secretKey })],
  "GitLab, by a secret token": ["gitlab", (secretToken) => ({ secretToken })],
  Heroku: ["heroku", (secretKey) => ({ secretKey })],
  Vercel: ["vercel", (secretKey) => ({ secretKey })],
};

async function nuxt(sent) {
  const [file, asked, name] = VALIDATORS[sent.provider];
  configuration = { [name ?? file]: asked(sent.secret) };
  const folder = `${process.cwd()}/node_modules/nuxt-webhook-validators/dist/runtime/server/lib/validators`;
  const validator = Object.values(await import(pathToFileURL(`${folder}/${file}.js`)))[0];
  const { H3Event } = await from("h3");
  return validator(new H3Event(request(sent)));
}

async function tern(sent) {
  const { WebhookVerificationService } = require("@hookflo/tern");
  const platform = sent.provider.toLowerCase().replace(" ", "");
  const result = await WebhookVerificationService.verifyWithPlatformConfig(request(sent), platform, sent.secret);
  if (!result.isValid) throw new Error(result.error);
  return true;
}

// @trigger.dev/core has no code that verifies, but says of each provider what has to be: this does what it says.
const DESCRIPTIONS = "node_modules/@trigger.dev/core/dist/esm/v3/webhooks/index.js";
const DESCRIBED = {
  "Cal.com": "cal-com",
  "Jira Cloud": "jira",
  "Supabase database webhooks": "supabase",
};

async function described(sent) {
  const { webhookProviderConfigs } = await import(pathToFileURL(`${process.cwd()}/${DESCRIPTIONS}`));
  const asked = webhookProviderConfigs[DESCRIBED[sent.provider] ?? sent.provider.toLowerCase()].config();
  const headers = lower(sent.headers);
  if (asked.scheme === "shared-secret" && asked.placement === "bearer") return headers.authorization === `Bearer ${sent.secret}`;
  if (asked.scheme !== "hmac") throw new Error(`not known here: ${asked.scheme}`);
  const { itemSeparator, fieldSeparator, field, trim } = asked.signature;
  const values = [asked.signatureHeader, ...(asked.additionalSignatureHeaders ?? [])].map((name) => headers[name]).filter(Boolean);
  const items = values
    .flatMap((value) => (itemSeparator ? value.split(itemSeparator) : [value]))
    .map((item) => (trim ? item.trim() : item));
  const named = (name) => items.filter((item) => item.startsWith(name + fieldSeparator)).map((item) => item.slice(name.length + 1));
  const given = field ? named(field) : items;
  const body = JSON.parse(sent.payload);
  const read = (place) =>
    ({
      header: () => headers[place.name],
      signatureField: () => named(place.field)[0],
      body: () => (place.path ?? place.name).split(".").reduce((value, key) => value[key], body),
      url: () => sent.url,
    })[place.from]();
  const timestamp = asked.timestamp ? read(asked.timestamp.source) : "";
  if (asked.timestamp?.toleranceSeconds) {
    const { unit, format } = asked.timestamp;
    const at = format === "iso8601" ? RealDate.parse(timestamp) / 1000 : timestamp / (unit === "milliseconds" ? 1000 : 1);
    if (Math.abs(Date.now() / 1000 - at) > asked.timestamp.toleranceSeconds) throw new Error("it is too old or too new");
  }
  let content = "{body}";
  if (asked.signingString !== "raw") {
    content = asked.signingString.template.replace("{timestamp}", timestamp);
    for (const [name, place] of Object.entries(asked.signingString.vars ?? {})) content = content.replace(`{${name}}`, read(place));
  }
  const { encoding, stripPrefix } = asked.secret ?? {};
  const key = encoding === "base64" ? Buffer.from(sent.secret.slice(stripPrefix.length), "base64") : sent.secret;
  const mac = createHmac(asked.algorithm, key).update(content.replace("{body}", () => sent.payload)).digest(asked.encoding);
  // What it says of the id has to be what is kept here.
  const id = asked.idempotencyField && read(asked.idempotencyField);
  if (id && String(id) !== sent.id) throw new Error(`the id is ${id}`);
  return given.includes(mac);
}

const LIBRARIES = {
  "@clerk/backend": async (sent) => (await from("@clerk/backend/webhooks")).verifyWebhook(request(sent), { signingSecret: sent.secret }),
  "@hookflo/tern": tern,
  "@linear/sdk": async (sent) => {
    const { LinearWebhookClient } = await from("@linear/sdk/webhooks");
    const { webhookTimestamp } = JSON.parse(sent.payload);
    return new LinearWebhookClient(sent.secret).verify(Buffer.from(sent.payload), sent.headers["Linear-Signature"], webhookTimestamp);
  },
  "@liveblocks/node": async (sent) => {
    const { WebhookHandler } = await from("@liveblocks/node");
    return new WebhookHandler(sent.secret).verifyRequest({ headers: lower(sent.headers), rawBody: sent.payload });
  },
  "@mux/mux-node": async (sent) => {
    const { default: Mux } = await from("@mux/mux-node");
    await new Mux({ tokenId: "none", tokenSecret: "none" }).webhooks.verifySignature(sent.payload, lower(sent.headers), sent.secret);
    return true;
  },
  "@notionhq/client": async (sent) => {
    const { verifyWebhookSignature } = await from("@notionhq/client");
    return verifyWebhookSignature({
      body: sent.payload,
      signature: sent.headers["X-Notion-Signature"],
      verificationToken: sent.secret,
    });
  },
  "@octokit/webhooks-methods": async (sent) =>
    (await import(pathToFileURL(`${process.cwd()}/node_modules/@octokit/webhooks-methods/dist-node/index.js`))).verify(
      sent.secret,
      sent.payload,
      sent.headers["X-Hub-Signature"],
    ),
  "@polar-sh/sdk": async (sent) => {
    const { validateEvent, WebhookVerificationError } = await from("@polar-sh/sdk/webhooks");
    try {
      validateEvent(sent.payload, lower(sent.headers), sent.secret);
    } catch (error) {
      // Once it is verified it is parsed, and ours is no event that it knows.
      if (error instanceof WebhookVerificationError || error.name !== "SDKValidationError") throw error;
    }
    return true;
  },
  "@sanity/webhook": async (sent) => {
    const { isValidSignature } = require("@sanity/webhook");
    return isValidSignature(sent.payload, sent.headers["sanity-webhook-signature"], sent.secret);
  },
  "@trigger.dev/core": described,
  "nuxt-webhook-validators": nuxt,
  "webflow-api": async (sent) => {
    const { WebflowClient } = require("webflow-api");
    const client = new WebflowClient({ accessToken: "none" });
    return client.webhooks.verifySignature({ headers: lower(sent.headers), body: sent.payload, secret: sent.secret });
  },
  "x-hub-signature": async (sent) => {
    const XHubSignature = require("x-hub-signature");
    return new XHubSignature("sha1", sent.secret).verify(sent.headers["X-Hub-Signature"], Buffer.from(sent.payload));
  },
};

async function accepted(sent) {
  timeIs(sent.at);
  try {
    const said = await LIBRARIES[sent.library](sent);
    return said ? "" : `it returned ${said}`;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const answers = [];
for (const sent of JSON.parse(readFileSync(0, "utf8"))) answers.push(await accepted(sent));
// Some of them print what they do.
process.stdout.write(`\n${JSON.stringify(answers)}\n`);
