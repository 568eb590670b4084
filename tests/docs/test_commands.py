"""The checks of commands find each mistake."""

import pytest

from .commands import Wrong, check, shown


@pytest.mark.parametrize(
    "command",
    [
        'pip install "cdk-scalable-webhook[postgres,local]"',
        "make faults SEED=42",
        "scalable-webhook burst URL --count 500 --duplicates 10",
        'eval "$(scalable-webhook local env)"',
        "python examples/postgres_server.py",
        "cdk deploy --require-approval never",
        "aws sqs start-message-move-task --source-arn $(aws sqs list-queues --query X) --region eu-central-1 | jq .",
        "aws lambda update-event-source-mapping --uuid X --no-enabled",
    ],
)
def test_an_existing_command_passes(command: str) -> None:
    check(command)


@pytest.mark.parametrize(
    "command",
    [
        'pip install "cdk-scalable-webhook[oracle]"',
        "pip install left-pad",
        "make coffee",
        "make faults SEEDS=42",
        "scalable-webhook local fly",
        "scalable-webhook local deploy",
        "scalable-webhook burst URL --counts 500",
        'eval "$(scalable-webhook local envy)"',
        "python examples/oracle_server.py",
        "cdk fly",
        "cdk deploy --require-approvals never",
        "aws sqs start-message-move-tasks",
        "aws sqs start-message-move-task",
        "aws sqs start-message-move-task --source-arns X",
        "aws sqsx list-queues",
        "aws sqs list-queues | aws sqs fly",
        "fly",
        "curl 'unfinished",
    ],
)
def test_a_wrong_command_is_found(command: str) -> None:
    with pytest.raises(Wrong):
        check(command)


def test_a_command_may_have_several_lines() -> None:
    assert list(shown("make \\\n    demo\n\nmake test\n")) == ["make      demo", "make test"]
