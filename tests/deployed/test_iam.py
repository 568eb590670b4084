"""Prove least privilege: run the examples on a local AWS that evaluates policies.

With the synthesised roles everything works, and without any one of their actions something fails.
"""

import hmac
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import postgres_server
import pytest
from postgres_server import PostgresServer
from typer.testing import CliRunner

from scalable_webhook_cli import target
from scalable_webhook_cli.commands import app as cli
from scalable_webhook_cli.dead_letters.queue import Queue
from scalable_webhook_cli.dead_letters.task import MoveTask
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local.deploy import deploy
from scalable_webhook_cli.local.emulator import Emulator, running
from scalable_webhook_cli.observe import ObservedWebhook, wait_for
from scalable_webhook_cli.target import Target
from webhook_runtime import message
from webhook_runtime.testing import webhook

from .. import apps
from ..runtime.events import log_lines
from ..suite.patience import SECONDS, http

EXAMPLES = apps.ROOT / "examples"
STRICT = Path(__file__).parent / "strict"

MOVES = ("StartMessageMoveTask", "ListMessageMoveTasks", "CancelMessageMoveTask")

# The emulator requires an action with the name of the call and, if a call names no resource, for any resource. AWS has
# none of these actions: it requires the other one, for the queue or table.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
DIALECT = {
    **{f"sqs:{action}": f"sqs:{action}Batch" for action in ("ChangeMessageVisibility", "SendMessage", "DeleteMessage")},
    # For the ARN of a queue instead of its URL.
    **{f"sqs:{action}": f"sqs:{action}" for action in MOVES},
    "dynamodb:PartiQLInsert": "dynamodb:BatchExecuteStatement",
    "lambda:GetEventSourceMapping": "lambda:ListEventSourceMappings",
    # For rule/default/NAME instead of rule/NAME.
    "events:EnableRule": "events:EnableRule",
    "events:DisableRule": "events:DisableRule",
}
# AWS requires these actions, but the emulator does not.
NOT_ASKED_FOR = {
    # It writes the log of a function by itself.
    *("logs:CreateLogStream", "logs:PutLogEvents"),
    # Its event source mappings have no role.
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "lambda:UpdateEventSourceMapping",
    # Its S3 answers 404 in either case.
    "s3:ListBucket",
    # A part of the CDK's grant to read a secret, which does not read its value.
    "secretsmanager:DescribeSecret",
}

Statement = dict[str, Any]
# The place of an action: role, policy, number of the statement, and name.
Place = tuple[str, str, int, str]


@dataclass
class Roles:
    """The roles of one stack. ``synthesised`` has their statements by role and policy."""

    iam: Any
    synthesised: dict[tuple[str, str], list[Statement]] = field(default_factory=dict)

    def read(self, names: list[str]) -> None:
        for role in names:
            for policy in self.iam.list_role_policies(RoleName=role)["PolicyNames"]:
                document = self.iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
                self.synthesised[role, policy] = document["Statement"]
        self.put(self.synthesised)

    def put(self, policies: dict[tuple[str, str], list[Statement]]) -> None:
        for (role, policy), statements in policies.items():
            if not statements:
                self.iam.delete_role_policy(RoleName=role, PolicyName=policy)
                continue
            translated = [understood for each in statements for understood in in_dialect(each)]
            document = {"Version": "2012-10-17", "Statement": translated}
            self.iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))

    def allowed(self) -> list[Place]:
        """Return the place of each action that the emulator requires."""
        return [
            (*place, number, action)
            for place, statements in self.synthesised.items()
            for number, each in enumerate(statements)
            for action in actions(each)
            if action not in NOT_ASKED_FOR
        ]

    @contextmanager
    def without(self, role: str, policy: str, number: int, action: str) -> Iterator[None]:
        changed = list(self.synthesised[role, policy])
        left = [each for each in actions(changed[number]) if each != action]
        changed[number : number + 1] = [changed[number] | {"Action": left}] if left else []
        self.put({(role, policy): changed})
        try:
            yield
        finally:
            self.put(self.synthesised)

    @contextmanager
    def denying(self, role: str, action: str) -> Iterator[None]:
        """Deny an action in the block, which is trouble with the sink."""
        denied = {"Effect": "Deny", "Action": DIALECT.get(action, action), "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": [denied]}
        self.iam.put_role_policy(RoleName=role, PolicyName="Trouble", PolicyDocument=json.dumps(document))
        try:
            yield
        finally:
            self.iam.delete_role_policy(RoleName=role, PolicyName="Trouble")


def actions(statement: Statement) -> list[str]:
    named = statement["Action"]
    return [named] if isinstance(named, str) else list(named)


def in_dialect(statement: Statement) -> list[Statement]:
    called = [DIALECT[action] for action in actions(statement) if action in DIALECT]
    resource = statement["Resource"]
    if actions(statement)[0].startswith("secretsmanager:") and not resource.startswith("arn:"):
        # In the emulator the Ref of a secret is its name, in CloudFormation its ARN.
        statement = statement | {"Resource": f"arn:aws:secretsmanager:*:*:secret:{resource}*"}
    return [statement, *({"Effect": "Allow", "Action": each, "Resource": "*"} for each in called)]


@pytest.fixture(scope="module")
def strict() -> Iterator[Emulator]:
    """Run a local AWS that evaluates policies."""
    with running(iam=True) as emulator:
        yield emulator


@dataclass
class Stored:
    """The sink of an app: its ids, and a way to break it."""

    ids: Callable[[], list[str]]
    trouble: Callable[[], AbstractContextManager[None]]


@dataclass
class Deployed:
    webhook: ObservedWebhook
    url: str
    roles: Roles
    consumer_role: str
    functions: list[str]
    bucket: str | None
    breaker: str | None
    sink: Stored = field(init=False)

    def works(self) -> dict[str, bool]:
        """Return which parts work: ingress, sink, dead-letter queue, redelivery, S3 if there is a bucket, and a circuit
        breaker if there is one."""
        parts = ("ingress", "sink", "dead-letter queue", "redelivery", "S3", "circuit breaker")
        found = dict.fromkeys(parts, False)
        self.restart()
        id = str(uuid.uuid4())
        found["ingress"] = self.send(id) == 202
        if not found["ingress"]:
            return found
        found["sink"] = self.stores(id)
        if not found["sink"]:
            return found
        found["dead-letter queue"] = self.dead_letters()
        found["S3"] = self.stores_large_payloads()
        with self.sink.trouble():
            id = str(uuid.uuid4())
            self.send(id)
            # A batch first logs whether it could be postponed, and then what failed.
            wait_for(lambda: any(line.get("failed") for line in self.lines_since(id)), SECONDS)
            found["redelivery"] = not [line for line in self.lines_since(id) if line["message"] == "not postponed"]
        found["circuit breaker"] = self.breaker is None or self.breaks(self.breaker)
        return found

    def breaks(self, breaker: str) -> bool:
        """Tell whether the circuit breaker pauses the webhook, and resumes it."""
        events, lambda_ = self.webhook.target.client("events"), self.webhook.target.client("lambda")
        id = self.webhook.physical("AWS::Lambda::EventSourceMapping", self.webhook.id)
        arn = lambda_.get_event_source_mapping(UUID=id)["EventSourceMappingArn"]
        rule = self.webhook.physical("AWS::Events::Rule", self.webhook.id)

        def state() -> tuple[bool, bool, bool]:
            """Whether the mapping is on, whether it has tags, and whether the rule is on."""
            is_on = lambda_.get_event_source_mapping(UUID=id)["State"] == "Enabled"
            return (
                is_on,
                bool(lambda_.list_tags(Resource=arn)["Tags"]),
                events.describe_rule(Name=rule)["State"] == "ENABLED",
            )

        def call(event: dict[str, Any]) -> None:
            lambda_.invoke(FunctionName=breaker, Payload=json.dumps(event).encode())

        try:
            with self.sink.trouble():
                call(log_lines('{"level": "ERROR", "message": "sink down"}'))
                if state() != (False, True, True):
                    return False
            for resumes in (0, 1):
                due = f"wait=60 next=1 full=2 resumes={resumes}"
                lambda_.tag_resource(Resource=arn, Tags={"scalable-webhook:breaker": due})
                call({"source": "aws.events"})
            return state() == (True, False, False)
        finally:
            lambda_.update_event_source_mapping(UUID=id, Enabled=True)
            lambda_.untag_resource(Resource=arn, TagKeys=list(lambda_.list_tags(Resource=arn)["Tags"]))
            events.disable_rule(Name=rule)

    def stores(self, id: str) -> bool:
        """Tell whether the webhook is stored in the end. Do not wait after the consumer has logged a failure."""
        wait_for(lambda: id in self.sink.ids() or self.said(id, "failed", "dead-lettered"), SECONDS)
        return id in self.sink.ids()

    def said(self, id: str, *messages: str) -> bool:
        lines = [line for line in self.webhook.log("ConsumerLogs") if line.get("id") == id]
        return any(line["message"] in messages for line in lines)

    def dead_letters(self) -> bool:
        """Tell whether a foreign message is in the dead-letter queue, with the reason."""
        self.webhook.take_dead_letters()
        sqs = self.webhook.target.client("sqs")
        id = sqs.send_message(QueueUrl=self.webhook.queue_url, MessageBody="hello")["MessageId"]
        wait_for(lambda: self.webhook.dead_letters() > 0 or self.said(id, "failed"), SECONDS)
        dead_letters = self.webhook.take_dead_letters()
        return bool(dead_letters) and all(
            "reason" in dead_letter.get("MessageAttributes", {}) for dead_letter in dead_letters
        )

    def stores_large_payloads(self) -> bool:
        """Tell whether a large payload is stored, and deleted from its temporary place."""
        if self.bucket is None:
            return True
        id, s3 = str(uuid.uuid4()), self.webhook.target.client("s3")
        if self.send(id, b"x" * 1_200_000) != 202 or not self.stores(id):
            return False
        # It is deleted before the batch ends.
        assert wait_for(lambda: any(line["message"] == "batch" for line in self.lines_since(id)), SECONDS)
        return not s3.list_objects_v2(Bucket=self.bucket, Prefix="queued/").get("Contents")

    def restart(self) -> None:
        """Start new execution environments, which have no secret cached."""
        functions = self.webhook.target.client("lambda")
        for name in self.functions:
            variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            variables["RESTARTED"] = str(uuid.uuid4())
            if name == self.breaker:
                variables["WEBHOOK_BREAKER_SUCCESSES"] = "1"  # there are two seconds between two probes
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})

    def lines_since(self, id: str) -> list[dict[str, Any]]:
        lines = self.webhook.log("ConsumerLogs")
        first = next((number for number, line in enumerate(lines) if line.get("id") == id), len(lines))
        return lines[first:]

    def send(self, id: str, body: bytes = b'{"items": [{"price": 1, "quantity": 1}]}') -> int:
        signature = hmac.new(b"shh", body, "sha256").hexdigest()
        headers = {"Idempotency-Key": id, "Content-Type": "application/json", "X-Signature": signature}
        return http.post(self.url, content=body, headers=headers).status_code


def deployed(emulator: Emulator, app: Path, context: list[str]) -> Deployed:
    (webhook,) = deploy(emulator, app, context=context)
    observed = ObservedWebhook(emulator, *webhook.name.split("/"))
    resources = emulator.client("cloudformation").describe_stack_resources(StackName=webhook.stack)["StackResources"]

    def names(kind: str) -> list[str]:
        return [each["PhysicalResourceId"] for each in resources if each["ResourceType"] == kind]

    roles = Roles(emulator.client("iam"))
    roles.read([name for name in names("AWS::IAM::Role") if "ScalableWebhookLogs" not in name])
    consumer_role = observed.physical("AWS::IAM::Role", "WebhookConsumerRole")
    buckets = [*names("AWS::S3::Bucket"), None]
    functions = names("AWS::Lambda::Function")
    breakers = [*(name for name in functions if "Breaker" in name), None]
    return Deployed(observed, webhook.url, roles, consumer_role, functions, buckets[0], breakers[0])


def in_table(app: Deployed, table: str, action: str) -> Stored:
    """Return a table of DynamoDB, which breaks by a missing permission of the consumer."""

    def ids() -> list[str]:
        return [item["id"].partition("#")[2] for item in app.webhook.items(table)]

    return Stored(ids, lambda: app.roles.denying(app.consumer_role, action))


def in_server(server: PostgresServer) -> Stored:
    """Return a Postgres server, which breaks by going down."""

    def ids() -> list[str]:
        ((there,),) = server.query("SELECT to_regclass('orders')")
        return [id for (id,) in server.query("SELECT id FROM orders")] if there else []

    @contextmanager
    def down() -> Iterator[None]:
        server.stop()
        try:
            yield
        finally:
            server.start()

    return Stored(ids, down)


def everything_is_needed(app: Deployed) -> None:
    everything = app.works()
    assert everything == dict.fromkeys(everything, True), json.dumps(app.webhook.log("ConsumerLogs")[-5:])

    superfluous = []
    for place in app.roles.allowed():
        with app.roles.without(*place):
            found = app.works()
        if found == everything:
            superfluous.append(place)
    assert superfluous == []
    assert len(app.roles.allowed()) >= 4


@pytest.mark.parametrize(
    ("app_dir", "table", "action"),
    [
        (EXAMPLES / "hello", "WebhookTable", "dynamodb:PartiQLInsert"),
        (EXAMPLES / "direct", "Orders", "dynamodb:PartiQLInsert"),
        (EXAMPLES / "python_handler", "Totals", "dynamodb:PutItem"),
        (STRICT, "WebhookTable", "dynamodb:PartiQLInsert"),
    ],
    ids=["hello", "direct", "python_handler", "strict"],
)
@pytest.mark.slow(30)
def test_no_action_is_missing_and_none_is_superfluous(app_dir: Path, table: str, action: str, strict: Emulator) -> None:
    app = deployed(strict, app_dir, [])
    app.sink = in_table(app, table, action)
    everything_is_needed(app)


@pytest.mark.slow(60)
def test_no_action_is_missing_and_none_is_superfluous_with_a_database(strict: Emulator) -> None:
    with postgres_server.running() as server:
        app = deployed(strict, EXAMPLES / "postgres", server.context())
        app.sink = in_server(server)
        everything_is_needed(app)


GRAPH = """
from aws_cdk import App, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from cdk_scalable_webhook import Ingress, ScalableWebhook, Source

app = App()
stack = Stack(app, "Graph")
source = Source.microsoft_graph(secretsmanager.Secret(stack, "Secret"))
ScalableWebhook(stack, "Webhook", source=source, ingress=Ingress.direct_integration())
app.synth()
"""


@pytest.mark.slow(8)
def test_a_direct_integration_may_make_the_calls_of_its_handshake(strict: Emulator, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(GRAPH)
    (tmp_path / "cdk.json").write_text((STRICT / "cdk.json").read_text())
    (webhook,) = deploy(strict, tmp_path)
    asked = http.post(webhook.url, params={"validationToken": "a token"})
    assert (asked.status_code, asked.text) == (200, "a token")
    assert http.post(webhook.url, json={"value": []}).status_code == 202


OPERATED = """
from aws_cdk import App, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from cdk_scalable_webhook import Ingress, ScalableWebhook, Source

app = App()
stack = Stack(app, "Operated")
source = Source.github(secretsmanager.Secret(stack, "Secret"))
webhook = ScalableWebhook(stack, "Webhook", source=source, ingress=Ingress.direct_integration())
operator = iam.User(stack, "Operator", user_name="operator")
webhook.grant_redrive(operator)
# To find a webhook by its name.
operator.add_to_policy(iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=["*"]))
app.synth()
"""


@dataclass
class Operator:
    """A user who may redrive, and what they do."""

    emulator: Emulator
    webhook: ObservedWebhook

    def can(self) -> bool:
        """Tell whether every command works."""
        for url in (self.webhook.dead_letter_queue_url, self.webhook.unverified_queue_url):
            self.emulator.client("sqs").purge_queue(QueueUrl=url)
            for number in range(4):
                self._set_aside(url, f"id-{number}", "Busy" if number else "Permanent")
        commands = [
            ("dead-letters", "list"),
            ("dead-letters", "show", "id-2"),
            ("dead-letters", "redrive", "--error", "Permanent", "--yes"),
            ("dead-letters", "delete", "--id", "id-1", "--yes"),
            ("unverified", "redrive", "--yes"),
            ("dead-letters", "redrive", "--yes"),
        ]
        return all(self._works(*command) for command in commands) and self._cancels()

    def _works(self, *command: str) -> bool:
        # By its name: the other tests have deployed more webhooks.
        name = f"{self.webhook.stack}/{self.webhook.id}"
        named = ["--webhook", name] if "show" in command else [name]
        return CliRunner().invoke(cli, [*command, *named, "--region", self.emulator.region]).exit_code == 0

    def _cancels(self) -> bool:
        """Cancel as Ctrl-C does it."""
        for number in range(4):
            self._set_aside(self.webhook.dead_letter_queue_url, f"id-{number}", "Busy")
        me = Target(region=self.emulator.region)
        queues = (self.webhook.dead_letter_queue_url, self.webhook.queue_url)
        task = MoveTask(me, *(Queue(me, url) for url in queues))
        task.start(1)
        try:
            task._cancel()
        except CliError:
            return False
        finally:
            self.emulator.client("sqs").purge_queue(QueueUrl=self.webhook.dead_letter_queue_url)
            assert wait_for(lambda: not task.running(), SECONDS)
        return True

    def _set_aside(self, url: str, id: str, error: str) -> None:
        body, attribute = message.write(webhook(id=id))
        texts = {"webhook": attribute, "error": error, "reason": "no"}
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}
        self.emulator.client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)


@pytest.mark.slow(60)
def test_an_operator_has_the_permissions_of_the_commands_and_no_others(
    strict: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app.py").write_text(OPERATED)
    (tmp_path / "cdk.json").write_text((STRICT / "cdk.json").read_text())
    (deployed,) = deploy(strict, tmp_path)
    operator = Operator(strict, ObservedWebhook(strict, *deployed.name.split("/")))
    iam = strict.client("iam")
    (policy,) = iam.list_user_policies(UserName="operator")["PolicyNames"]
    granted = iam.get_user_policy(UserName="operator", PolicyName=policy)["PolicyDocument"]["Statement"]
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    # An account, as far as the commands can tell.
    monkeypatch.setenv("AWS_ENDPOINT_URL", strict.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    monkeypatch.setattr("scalable_webhook_cli.dead_letters.queue._LONG_POLL_SECONDS", 0)
    target._of_an_account.cache_clear()

    def put(statements: list[Statement]) -> None:
        document = {"Version": "2012-10-17", "Statement": [every for each in statements for every in in_dialect(each)]}
        iam.put_user_policy(UserName="operator", PolicyName=policy, PolicyDocument=json.dumps(document))

    put(granted)
    assert operator.can()
    superfluous = []
    for number, statement in enumerate(granted):
        for action in actions(statement):
            left = [each for each in actions(statement) if each != action]
            put([*granted[:number], *([statement | {"Action": left}] if left else []), *granted[number + 1 :]])
            if operator.can():
                superfluous.append((statement["Resource"], action))
    target._of_an_account.cache_clear()
    assert superfluous == []


def test_each_example_is_checked() -> None:
    deployed_here = {"hello", "direct", "python_handler", "postgres"}
    assert {folder.name for folder in apps.EXAMPLES} == deployed_here
