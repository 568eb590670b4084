import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import App, CfnElement, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template
from constructs import Construct

from cdk_scalable_webhook import ApiOptions, Ingress, QueueOptions, ScalableWebhook, Sink, Source

Synth = Callable[..., Template]


def resources(template: Template, type: str) -> dict[str, Any]:
    return {id: resource["Properties"] for id, resource in template.find_resources(type).items()}


def actions(template: Template, role: str) -> set[str]:
    """Return the actions that are allowed to each role whose id has this prefix."""
    return {
        action
        for properties in resources(template, "AWS::IAM::Policy").values()
        if any(ref["Ref"].startswith(role) for ref in properties["Roles"])
        for statement in properties["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def logical_id(construct: Construct) -> str:
    resource = construct.node.default_child
    assert isinstance(resource, CfnElement)
    return Stack.of(construct).get_logical_id(resource)


def throttled(rate: int, burst: int) -> dict[str, Any]:
    """Match a stage whose methods have these limits."""
    setting = {"HttpMethod": "*", "ResourcePath": "/*", "ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst}
    return {"MethodSettings": [Match.object_like(setting)]}


def own_function(stack: Stack, timeout: Duration | None = None) -> lambda_.Function:
    return lambda_.Function(
        stack,
        "Own",
        runtime=lambda_.Runtime.NODEJS_22_X,
        handler="index.handler",
        code=lambda_.Code.from_inline("exports.handler = async () => ({batchItemFailures: []})"),
        timeout=timeout,
    )


class TestTheShortestProgram:
    def test_has_an_endpoint_a_queue_a_dead_letter_queue_a_consumer_and_a_table(self, synth: Synth) -> None:
        template = synth()
        template.resource_count_is("AWS::ApiGateway::RestApi", 1)
        template.resource_count_is("AWS::SQS::Queue", 2)
        template.resource_count_is("AWS::Lambda::Function", 2)
        template.resource_count_is("AWS::Lambda::EventSourceMapping", 1)
        template.resource_count_is("AWS::DynamoDB::Table", 1)

    def test_shows_its_url_and_what_to_pause(self, synth: Synth) -> None:
        template = synth()
        outputs = {each["Description"]: each["Value"] for each in template.find_outputs("*").values()}
        assert set(outputs) == {"Webhook URL of Stack/Webhook", "Event source mapping of Stack/Webhook"}
        assert "execute-api" in json.dumps(outputs["Webhook URL of Stack/Webhook"])
        (mapping,) = template.find_resources("AWS::Lambda::EventSourceMapping")
        assert outputs["Event source mapping of Stack/Webhook"] == {"Ref": mapping}


class TestTheConcurrencyLimit:
    def test_is_the_maximum_concurrency_of_a_mapping_with_partial_batch_responses(self, synth: Synth) -> None:
        synth().has_resource_properties(
            "AWS::Lambda::EventSourceMapping",
            {
                "ScalingConfig": {"MaximumConcurrency": 2},
                "BatchSize": 10,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "MaximumBatchingWindowInSeconds": Match.absent(),
            },
        )

    def test_is_set_by_max_concurrency_batch_size_and_window(self, synth: Synth) -> None:
        synth(max_concurrency=7, batch_size=50, max_batching_window=Duration.seconds(5)).has_resource_properties(
            "AWS::Lambda::EventSourceMapping",
            {"ScalingConfig": {"MaximumConcurrency": 7}, "BatchSize": 50, "MaximumBatchingWindowInSeconds": 5},
        )

    def test_needs_no_reserved_concurrency(self, synth: Synth) -> None:
        functions = resources(synth(), "AWS::Lambda::Function")
        assert all("ReservedConcurrentExecutions" not in function for function in functions.values())


class TestTheQueues:
    def test_hide_a_message_for_six_timeouts_and_the_window(self, synth: Synth) -> None:
        synth(timeout=Duration.seconds(20), max_batching_window=Duration.seconds(7)).has_resource_properties(
            "AWS::SQS::Queue", {"VisibilityTimeout": 127}
        )

    def test_hide_a_message_for_as_long_as_an_existing_consumer_needs(self, stack: Stack, synth: Synth) -> None:
        synth(consumer=own_function(stack)).has_resource_properties("AWS::SQS::Queue", {"VisibilityTimeout": 18})

    def test_move_a_message_to_the_dead_letter_queue_after_five_receives_and_keep_it_longer(self, synth: Synth) -> None:
        template = synth()
        template.has_resource_properties("AWS::SQS::Queue", {"RedrivePolicy": {"maxReceiveCount": 5}})
        template.has_resource_properties("AWS::SQS::Queue", {"MessageRetentionPeriod": 14 * 24 * 3600})

    def test_are_encrypted_and_require_tls(self, synth: Synth) -> None:
        template = synth()
        queues = resources(template, "AWS::SQS::Queue")
        assert [queue["SqsManagedSseEnabled"] for queue in queues.values()] == [True, True]
        assert [queue["MaximumMessageSize"] for queue in queues.values()] == [1_048_576] * 2
        policies = resources(template, "AWS::SQS::QueuePolicy")
        for policy in policies.values():
            (statement,) = policy["PolicyDocument"]["Statement"]
            assert (statement["Effect"], statement["Action"]) == ("Deny", "sqs:*")
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert {policy["Queues"][0]["Ref"] for policy in policies.values()} == set(queues)

    def test_have_the_given_settings(self, synth: Synth) -> None:
        synth(
            retention_period=Duration.days(2),
            visibility_timeout=Duration.minutes(10),
            max_receive_count=9,
        ).has_resource_properties(
            "AWS::SQS::Queue",
            {
                "MessageRetentionPeriod": 172_800,
                "VisibilityTimeout": 600,
                "RedrivePolicy": {"maxReceiveCount": 9},
            },
        )

    def test_use_an_existing_dead_letter_queue_instead_of_a_created_one(self, stack: Stack, synth: Synth) -> None:
        own = sqs.Queue(stack, "Own", retention_period=Duration.days(14))
        template = synth(dead_letter_queue=own)
        template.resource_count_is("AWS::SQS::Queue", 2)
        template.has_resource_properties(
            "AWS::SQS::Queue",
            {"RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": [logical_id(own), "Arn"]}}},
        )


class TestAnExistingQueue:
    def test_is_used_with_its_dead_letter_queue(self, stack: Stack) -> None:
        dead_letters = sqs.Queue(stack, "DeadLetters")
        own = sqs.Queue(
            stack,
            "Own",
            visibility_timeout=Duration.minutes(3),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=5),
        )
        webhook = ScalableWebhook(stack, "Webhook", queue=own)
        assert webhook.queue.node.path == own.node.path
        assert webhook.dead_letter_queue is not None
        assert webhook.dead_letter_queue.node.path == dead_letters.node.path
        Template.from_stack(stack).resource_count_is("AWS::SQS::Queue", 2)

    def test_gets_a_group_and_a_deduplication_id_from_a_direct_integration_if_it_is_fifo(self, stack: Stack) -> None:
        own = sqs.Queue.from_queue_arn(stack, "Own", "arn:aws:sqs:us-east-1:111122223333:orders.fifo")
        ScalableWebhook(stack, "Webhook", queue=own, ingress=Ingress.direct_integration())
        template = request_template(Template.from_stack(stack))
        assert "&MessageGroupId=webhook&MessageDeduplicationId=$util.urlEncode($context.extendedRequestId)" in template

    def test_without_a_known_dead_letter_queue_gives_a_warning_and_no_metric(self, stack: Stack) -> None:
        own = sqs.Queue.from_queue_arn(stack, "Own", "arn:aws:sqs:us-east-1:111122223333:orders")
        webhook = ScalableWebhook(stack, "Webhook", queue=own)
        Annotations.from_stack(stack).has_warning(
            "/Stack/Webhook/Default", Match.string_like_regexp("dead-letter queue")
        )
        with pytest.raises(ValueError, match="metric_dead_letters needs a dead-letter queue"):
            webhook.metric_dead_letters()


def request_template(template: Template, content_type: str = "$default") -> str:
    methods = resources(template, "AWS::ApiGateway::Method").values()
    templates = {method["Integration"]["RequestTemplates"][content_type] for method in methods}
    (only,) = templates
    return str(only)


class TestTheEndpoint:
    @pytest.mark.parametrize(
        "ingress", [Ingress.lambda_integration(), Ingress.direct_integration()], ids=["lambda", "direct"]
    )
    def test_accepts_any_method_at_the_root_and_every_path(self, synth: Synth, ingress: Ingress) -> None:
        template = synth(ingress=ingress)
        methods = resources(template, "AWS::ApiGateway::Method").values()
        assert [method["HttpMethod"] for method in methods] == ["ANY", "ANY"]
        template.has_resource_properties("AWS::ApiGateway::Resource", {"PathPart": "{proxy+}"})

    @pytest.mark.parametrize("path", ["/hooks/github", "/hooks/github/"])
    def test_is_at_its_path(self, path: str, stack: Stack) -> None:
        webhook = ScalableWebhook(stack, "Webhook", path=path)
        assert stack.resolve(webhook.url)["Fn::Join"][1][-1].endswith("/hooks/github")
        parts = [r["PathPart"] for r in resources(Template.from_stack(stack), "AWS::ApiGateway::Resource").values()]
        assert sorted(parts) == ["github", "hooks", "{proxy+}"]

    def test_logs_every_request_without_payload_headers_or_query(self, synth: Synth) -> None:
        template = synth(log_retention=logs.RetentionDays.ONE_WEEK)
        (stage,) = resources(template, "AWS::ApiGateway::Stage").values()
        line = json.loads(stage["AccessLogSetting"]["Format"])
        assert line["request_id"] == "$context.extendedRequestId"
        # The message of an error may quote a header.
        assert line["error"] == "$context.error.responseType"
        assert not any(word in str(line) for word in ("$input", "header", "querystring", "body"))
        groups = resources(template, "AWS::Logs::LogGroup").values()
        assert [group["RetentionInDays"] for group in groups] == [7, 7, 7]

    def test_logs_with_one_role_of_the_account_for_all_endpoints_of_a_stack(self, stack: Stack) -> None:
        for name in ("One", "Two", "Three"):
            ScalableWebhook(stack, name)
        template = Template.from_stack(stack)
        ((account, found),) = template.find_resources("AWS::ApiGateway::Account").items()
        (role,) = template.find_resources("AWS::IAM::Role", {"DeletionPolicy": "Retain"})
        assert found["Properties"] == {"CloudWatchRoleArn": {"Fn::GetAtt": [role, "Arn"]}}
        assert found["DeletionPolicy"] == "Retain"
        assert [id[:6] for id in found["DependsOn"]] == ["OneApi"]
        stages = template.find_resources("AWS::ApiGateway::Stage").values()
        assert [stage["DependsOn"] for stage in stages] == [[account]] * 3

    @pytest.mark.parametrize(
        ("said", "rate", "burst"),
        [
            ({}, 1000, 2000),
            ({"throttling_rate_limit": 50}, 50, 2000),
            ({"throttling_burst_limit": 20}, 1000, 20),
            ({"throttling_rate_limit": 5000, "throttling_burst_limit": 5000}, 5000, 5000),
        ],
    )
    @pytest.mark.parametrize("ingress", [Ingress.lambda_integration(), Ingress.direct_integration()])
    def test_has_a_rate_limit_below_that_of_the_account_unless_limits_are_given(
        self, synth: Synth, ingress: Ingress, said: dict[str, Any], rate: int, burst: int
    ) -> None:
        synth(ingress=ingress, **said).has_resource_properties("AWS::ApiGateway::Stage", throttled(rate, burst))

    def test_has_the_rate_limit_of_a_fifo_queue(self, stack: Stack) -> None:
        for name, burst in (("One", None), ("Two", 100)):
            dead_letters = sqs.DeadLetterQueue(
                queue=sqs.Queue(stack, f"{name}DeadLetters", fifo=True), max_receive_count=5
            )
            queue = sqs.Queue(
                stack, f"{name}Queue", fifo=True, visibility_timeout=Duration.minutes(5), dead_letter_queue=dead_letters
            )
            ScalableWebhook(stack, name, queue=queue, api=ApiOptions(throttling_burst_limit=burst))
        template = Template.from_stack(stack)
        template.has_resource_properties("AWS::ApiGateway::Stage", throttled(300, 300))
        template.has_resource_properties("AWS::ApiGateway::Stage", throttled(300, 100))

    def test_with_a_lambda_integration_carries_any_bytes(self, synth: Synth) -> None:
        synth().has_resource_properties("AWS::ApiGateway::RestApi", {"BinaryMediaTypes": ["*/*"]})

    def test_with_a_lambda_integration_may_only_send(self, synth: Synth) -> None:
        allowed = actions(synth(), "WebhookPublisher")
        assert allowed == {"sqs:SendMessage", "logs:CreateLogStream", "logs:PutLogEvents"}

    def test_with_a_direct_integration_has_no_function_and_may_only_send(self, synth: Synth) -> None:
        template = synth(ingress=Ingress.direct_integration())
        template.resource_count_is("AWS::Lambda::Function", 1)
        assert actions(template, "WebhookIngressRole") == {"sqs:SendMessage"}

    def test_with_a_direct_integration_is_created_after_its_permission_to_send(self, synth: Synth) -> None:
        template = synth(ingress=Ingress.direct_integration())
        (policy,) = [id for id in template.find_resources("AWS::IAM::Policy") if id.startswith("WebhookIngressRole")]
        opened = template.find_resources("AWS::ApiGateway::Method").values()
        assert [policy in method["DependsOn"] for method in opened] == [True, True]

    def test_with_a_direct_integration_maps_every_content_type_and_passes_nothing_through(self, synth: Synth) -> None:
        template = synth(ingress=Ingress.direct_integration())
        assert request_template(template, "application/json") == request_template(template, "$default")
        template.all_resources_properties(
            "AWS::ApiGateway::Method", {"Integration": {"PassthroughBehavior": "NEVER", "Type": "AWS"}}
        )

    def test_with_a_direct_integration_accepts_only_if_sqs_answers_200(self, synth: Synth) -> None:
        methods = resources(synth(ingress=Ingress.direct_integration()), "AWS::ApiGateway::Method").values()
        for method in methods:
            answers = method["Integration"]["IntegrationResponses"]
            assert [(a.get("SelectionPattern"), a["StatusCode"]) for a in answers] == [
                (None, "503"),
                ("200", "202"),
                ("4\\d{2}", "400"),
            ]

    def test_with_a_direct_integration_carries_text_unless_it_is_binary(self, stack: Stack) -> None:
        ScalableWebhook(stack, "Text", ingress=Ingress.direct_integration())
        ScalableWebhook(stack, "Binary", ingress=Ingress.direct_integration(binary=True))
        template = Template.from_stack(stack)
        apis = resources(template, "AWS::ApiGateway::RestApi")
        assert sorted(str(api.get("BinaryMediaTypes")) for api in apis.values()) == ["None", "['*/*']"]
        handling = [
            m["Integration"].get("ContentHandling") for m in resources(template, "AWS::ApiGateway::Method").values()
        ]
        assert sorted(map(str, handling)) == ["CONVERT_TO_TEXT"] * 2 + ["None"] * 2

    def test_with_a_direct_integration_converts_every_reply_for_a_template_to_text(self, stack: Stack) -> None:
        ScalableWebhook(stack, "Webhook", ingress=Ingress.direct_integration(binary=True)).add_source(
            "/okta", Source.okta(secretsmanager.Secret(stack, "Secret"))
        )
        answers = [
            answer
            for method in resources(Template.from_stack(stack), "AWS::ApiGateway::Method").values()
            for answer in method["Integration"]["IntegrationResponses"]
        ]
        assert len(answers) == 2 * 3 + 2 * 3 + 2
        assert {answer.get("ContentHandling") for answer in answers} == {"CONVERT_TO_TEXT"}

    @pytest.mark.parametrize(
        "ingress", [Ingress.lambda_integration(), Ingress.direct_integration()], ids=["lambda", "direct"]
    )
    def test_knows_the_delivery_id_header_in_lower_case(self, synth: Synth, ingress: Ingress) -> None:
        template = json.dumps(synth(ingress=ingress, delivery_id_header="Idempotency-Key").to_json())
        assert "idempotency-key" in template
        assert "Idempotency-Key" not in template
        assert "@" not in template.replace("@aws-cdk", "")


class TestAnExistingApi:
    def api(self, stack: Stack, **properties: Any) -> apigateway.RestApi:
        api = apigateway.RestApi(stack, "Own", **properties)
        api.root.add_resource("health").add_method("GET", apigateway.MockIntegration())
        return api

    def test_gets_the_endpoint_next_to_its_own_methods(self, stack: Stack) -> None:
        webhook = ScalableWebhook(stack, "Webhook", api=self.api(stack, binary_media_types=["*/*"]), path="/hooks")
        template = Template.from_stack(stack)
        template.resource_count_is("AWS::ApiGateway::RestApi", 1)
        template.resource_count_is("AWS::ApiGateway::Method", 3)
        assert "/hooks" in json.dumps(stack.resolve(webhook.url))
        Annotations.from_stack(stack).has_no_warning("/Stack/Own", Match.any_value())

    def test_without_a_stage_gets_no_url_output(self, stack: Stack) -> None:
        ScalableWebhook(stack, "Webhook", api=self.api(stack, deploy=False), path="/hooks")
        assert (
            Template.from_stack(stack).find_outputs("*", {"Description": Match.string_like_regexp("Webhook URL")}) == {}
        )

    def test_without_binary_media_types_gives_a_warning(self, stack: Stack) -> None:
        ScalableWebhook(stack, "Webhook", api=self.api(stack), path="/hooks")
        Annotations.from_stack(stack).has_warning("/Stack/Own", Match.string_like_regexp("binary_media_types"))

    def test_may_have_several_endpoints(self, stack: Stack) -> None:
        api = self.api(stack)
        for name in ("one", "two"):
            ScalableWebhook(stack, name, api=api, path=f"/{name}", ingress=Ingress.direct_integration())
        Template.from_stack(stack).resource_count_is("AWS::ApiGateway::Method", 5)


class TestTheConsumer:
    def test_runs_current_python_on_arm_and_logs_json(self, synth: Synth) -> None:
        for function in resources(synth(), "AWS::Lambda::Function").values():
            assert function["Runtime"] == "python3.14"
            assert function["Architectures"] == ["arm64"]
            assert function["LoggingConfig"]["LogFormat"] == "JSON"

    def test_has_the_given_settings(self, synth: Synth) -> None:
        synth(
            timeout=Duration.seconds(5), memory_size=512, reserved_concurrent_executions=3, max_concurrency=3
        ).has_resource_properties(
            "AWS::Lambda::Function", {"Timeout": 5, "MemorySize": 512, "ReservedConcurrentExecutions": 3}
        )

    def test_may_only_receive_messages_insert_items_and_send_to_the_dead_letter_queue(self, synth: Synth) -> None:
        assert actions(synth(), "WebhookConsumer") == {
            "dynamodb:PartiQLInsert",
            "sqs:SendMessage",
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
            "logs:CreateLogStream",
            "logs:PutLogEvents",
        }

    def test_that_exists_gets_the_queue_and_no_table_is_created(self, stack: Stack) -> None:
        own = own_function(stack)
        webhook = ScalableWebhook(stack, "Webhook", consumer=own)
        assert webhook.consumer.node.path == own.node.path
        assert webhook.sink is None
        template = Template.from_stack(stack)
        template.resource_count_is("AWS::DynamoDB::Table", 0)
        assert {"sqs:ReceiveMessage", "sqs:DeleteMessage"} <= actions(template, "Own")

    def test_gets_the_permissions_that_are_granted_to_the_webhook(self, stack: Stack) -> None:
        table = dynamodb.Table(
            stack, "Other", partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING)
        )
        table.grant(ScalableWebhook(stack, "Webhook"), "dynamodb:GetItem")
        assert "dynamodb:GetItem" in actions(Template.from_stack(stack), "WebhookConsumer")


class TestTheDynamoDBSink:
    def test_is_a_table_with_the_webhooks_id_as_key(self, synth: Synth) -> None:
        synth().has_resource_properties(
            "AWS::DynamoDB::Table",
            {
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            },
        )

    def test_may_be_an_existing_table(self, stack: Stack) -> None:
        own = dynamodb.Table(
            stack, "Own", partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
        )
        ScalableWebhook(stack, "Webhook", sink=Sink.dynamodb(own))
        Template.from_stack(stack).resource_count_is("AWS::DynamoDB::Table", 1)

    def test_may_be_a_table_of_another_stack(self, stack: Stack) -> None:
        own = dynamodb.Table.from_table_name(stack, "Own", "webhooks")
        ScalableWebhook(stack, "Webhook", sink=Sink.dynamodb(own))
        Template.from_stack(stack).has_resource_properties(
            "AWS::Lambda::Function",
            {"Environment": {"Variables": Match.object_like({"WEBHOOK_TABLE_NAME": "webhooks"})}},
        )

    def test_shows_the_table_that_it_created(self, stack: Stack) -> None:
        sink = Sink.dynamodb()
        with pytest.raises(ValueError, match="has no table yet"):
            _ = sink.table
        ScalableWebhook(stack, "Webhook", sink=sink)
        assert sink.table.node.path == "Stack/Webhook/Default/Table"

    def test_serves_one_webhook(self, stack: Stack) -> None:
        sink = Sink.dynamodb()
        ScalableWebhook(stack, "One", sink=sink)
        with pytest.raises(ValueError, match="sink must serve one ScalableWebhook"):
            ScalableWebhook(stack, "Two", sink=sink)


def test_an_encryption_key_encrypts_queue_dead_letter_queue_and_table(stack: Stack) -> None:
    key = kms.Key(stack, "Key")
    ScalableWebhook(stack, "Webhook", encryption_key=key, ingress=Ingress.direct_integration())
    template = Template.from_stack(stack)
    arn = {"Fn::GetAtt": [logical_id(key), "Arn"]}
    assert [q["KmsMasterKeyId"] for q in resources(template, "AWS::SQS::Queue").values()] == [arn, arn]
    template.has_resource_properties("AWS::DynamoDB::Table", {"SSESpecification": {"KMSMasterKeyId": arn}})
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= actions(template, "WebhookIngressRole")
    of_table = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"}
    assert of_table <= actions(template, "WebhookConsumer")


def test_a_removal_policy_applies_to_table_queues_and_log_groups(synth: Synth) -> None:
    template = synth(removal_policy=RemovalPolicy.DESTROY).to_json()["Resources"].values()
    kinds = ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::Logs::LogGroup")
    assert {resource["DeletionPolicy"] for resource in template if resource["Type"] in kinds} == {"Delete"}


def test_a_table_outlives_its_stack_by_default(synth: Synth) -> None:
    (table,) = synth().find_resources("AWS::DynamoDB::Table").values()
    assert table["DeletionPolicy"] == "Retain"


def test_tracing_reaches_functions_and_stage(synth: Synth) -> None:
    template = synth(tracing=lambda_.Tracing.ACTIVE)
    template.all_resources_properties("AWS::Lambda::Function", {"TracingConfig": {"Mode": "Active"}})
    template.has_resource_properties("AWS::ApiGateway::Stage", {"TracingEnabled": True})


def test_tracing_leaves_the_trace_of_a_direct_integration_to_api_gateway() -> None:
    """Its call to SQS has the trace already. An attribute from the template would replace it, and SQS rejects a message
    whose attribute is no trace, such as the header of a client may be."""
    traced, plain = (
        Template.from_stack(_direct(tracing)).find_resources("AWS::ApiGateway::Method")
        for tracing in (lambda_.Tracing.ACTIVE, None)
    )
    assert traced == plain
    assert "AWSTraceHeader" not in str(traced)
    assert "X-Amzn-Trace-Id" not in str(traced)


def _direct(tracing: lambda_.Tracing | None) -> Stack:
    stack = Stack(App(), "Stack")
    ScalableWebhook(stack, "Webhook", ingress=Ingress.direct_integration(), tracing=tracing)
    return stack


def test_the_metrics_are_the_age_of_the_backlog_and_the_number_of_dead_letters(stack: Stack) -> None:
    webhook = ScalableWebhook(stack, "Webhook")
    age = webhook.metric_backlog_age(period=Duration.minutes(1))
    dead = webhook.metric_dead_letters()
    assert (age.metric_name, age.statistic) == ("ApproximateAgeOfOldestMessage", "Maximum")
    assert (dead.metric_name, dead.statistic) == ("ApproximateNumberOfMessagesVisible", "Maximum")
    assert age.dimensions != dead.dimensions


def test_a_small_max_receive_count_gives_a_warning(stack: Stack) -> None:
    ScalableWebhook(stack, "Webhook", queue=QueueOptions(max_receive_count=3))
    Annotations.from_stack(stack).has_warning("/Stack/Webhook/Default", Match.string_like_regexp("at least 5, got 3"))


def test_the_shortest_program_has_one_warning(stack: Stack) -> None:
    ScalableWebhook(stack, "Webhook")
    told = (entry for construct in stack.node.find_all() for entry in construct.node.metadata)
    (warning,) = (entry.data for entry in told if entry.type == "aws:cdk:warning")
    assert "anyone who knows the URL may send" in warning


@pytest.mark.parametrize(("holds", "warns"), [(262_144, True), (1_048_575, True), (1_048_576, False), (None, False)])
def test_a_queue_of_smaller_messages_gives_a_warning(stack: Stack, holds: int | None, warns: bool) -> None:
    dead_letters = sqs.DeadLetterQueue(queue=sqs.Queue(stack, "DeadLetters"), max_receive_count=5)
    queue = sqs.Queue(
        stack,
        "Queue",
        dead_letter_queue=dead_letters,
        max_message_size_bytes=holds,
        visibility_timeout=Duration.minutes(3),
        enforce_ssl=True,
    )
    ScalableWebhook(stack, "Webhook", queue=queue)
    annotations = Annotations.from_stack(stack)
    check = annotations.has_warning if warns else annotations.has_no_warning
    check("/Stack/Webhook/Default", Match.string_like_regexp("answered 413"))


def test_modules_of_the_cdk_that_slow_each_synth_are_imported_only_if_they_are_used() -> None:
    slow = {f"aws_cdk.aws_{name}" for name in ("cloudwatch", "dynamodb", "events", "rds", "s3", "wafv2")}
    code = f"import sys; from cdk_scalable_webhook import ScalableWebhook; print({slow} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
