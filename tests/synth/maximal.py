"""The app with everything. Checkers also report its existing resources, whose findings have a reason here."""

import runpy
from pathlib import Path

from aws_cdk import Annotations
from constructs import IConstruct

from cdk_scalable_webhook.findings import Finding, acknowledge

# This is run and not imported, so that each run creates another app.
every = runpy.run_path(str(Path(__file__).with_name("everything.py")))
app, api, consumer, postgres, aurora = (every[name] for name in ("app", "api", "consumer", "postgres", "aurora"))
secrets = [every["secret"], *(database.node.find_child("Secret") for database in (postgres, aurora))]
existing: dict[IConstruct, tuple[str, ...]] = {
    api: ("AwsSolutions-APIG2",),
    api.deployment_stage: (
        *("AwsSolutions-APIG1", "AwsSolutions-APIG3", "AwsSolutions-APIG6"),
        *("CKV_AWS_73", "CKV_AWS_76", "CKV_AWS_120"),
    ),
    api.node.find_child("CloudWatchRole"): (
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]",
    ),
    consumer: ("CKV_AWS_115", "CKV_AWS_116", "CKV_AWS_117", "W3005"),
    consumer.node.find_child("ServiceRole"): (
        "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]",
    ),
    every["dead_letter_queue"]: ("CKV_AWS_27",),
    every["existing"].node.find_child("Queue"): ("CKV_AWS_27",),
    every["created"].node.find_child("Letters"): ("CKV_AWS_27",),
    every["signed"].node.find_child("Unverified"): ("AwsSolutions-SQS3", "CKV_AWS_27"),
    every["table"]: ("CKV_AWS_119",),
    every["bucket"]: ("AwsSolutions-S1", "CKV_AWS_18", "CKV_AWS_21"),
    every["truststore"]: ("AwsSolutions-S1", "CKV_AWS_18"),
    every["vpc"]: ("AwsSolutions-VPC7",),
    postgres: ("AwsSolutions-RDS3", "AwsSolutions-RDS10", "AwsSolutions-RDS11", "CKV_AWS_118", "CKV_AWS_157"),
    aurora: (
        *("AwsSolutions-RDS6", "AwsSolutions-RDS10", "AwsSolutions-RDS11", "AwsSolutions-RDS14"),
        "CKV_AWS_162",
    ),
    aurora.node.find_child("Writer"): ("CKV_AWS_118",),
    **dict.fromkeys(secrets, ("AwsSolutions-SMG4", "CKV_AWS_149")),
    every["secret_of_provider"]: ("AwsSolutions-SMG4",),
    every["secret_of_each"]: ("AwsSolutions-SMG4",),
}
for construct, rules in existing.items():
    acknowledge(construct, Finding(rules, "It stands for any existing resource, and its owner is responsible for it."))
# Most of the webhooks have no source.
Annotations.of(app).acknowledge_warning("cdk-scalable-webhook:missingSource")
app.synth()
