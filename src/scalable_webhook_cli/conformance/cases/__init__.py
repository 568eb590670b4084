"""The cases, group by group. Each has its source, so that a difference can be judged."""

from dataclasses import replace

from scalable_webhook_cli.conformance.case import Case, NotTried
from scalable_webhook_cli.conformance.cases.answers import ANSWERS
from scalable_webhook_cli.conformance.cases.consumer import CONSUMER
from scalable_webhook_cli.conformance.cases.locally import LOCALLY
from scalable_webhook_cli.conformance.cases.requests import REQUESTS

CASES: list[Case] = [replace(case, locally=LOCALLY.get(case.id, {})) for case in (*REQUESTS, *ANSWERS, *CONSUMER)]

NOT_TRIED: list[NotTried] = [
    NotTried("edge.domain", "it needs a domain and its certificate"),
    NotTried("edge.mutual-tls", "it needs a domain, and a certificate authority for its clients"),
    NotTried("edge.web-acl", "WAF is billed by the month, and a managed rule of AWS may change any day"),
    NotTried("sink.database", "an instance of RDS with its network takes 20 minutes, and is billed by the hour"),
    NotTried("answer.415", "each content type has a template, so API Gateway has no reason to answer it"),
    NotTried("answer.504", "SQS would have to take 29 seconds"),
    NotTried("message.input-path", "no template of the construct reads $input.path('$')"),
    NotTried("event.is-base64", "the publisher decodes what the event says is base64, and does not tell"),
    NotTried("consumer.cold-start", "no function of the construct fails while it starts"),
    NotTried("dynamodb.throttled", "a table with on-demand capacity is not throttled by so little"),
]
