"""The cause of a failure comes first, from what the CDK CLI printed."""

import pytest

from scalable_webhook_cli.causes import cause

OF_THE_APP = """
Traceback (most recent call last):
  File "app.py", line 9, in <module>
    ScalableWebhook(stack, "Webhook", max_concurrency=0)
  File "webhook.py", line 100, in __init__
    raise ValueError(
ValueError: max_concurrency must be 1 to 1,000, got 0; raise it
python3 app.py: Subprocess exited with error 1
"""
OF_THE_APP_IN_LINES = OF_THE_APP.replace("got 0; raise it", "got 0\n\n  of this:\nraise it")
OF_JSII = """
Traceback (most recent call last):
  File "x.py", line 1, in <module>
jsii.errors.JavaScriptError:
  @jsii/kernel.RuntimeError: Error: There is already a Construct with name 'Q' in Stack [Hello]
      at Kernel._Kernel_ensureSync (program.js:1:2)

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "app.py", line 5, in <module>
RuntimeError: Error: There is already a Construct with name 'Q' in Stack [Hello]
python3 app.py: Subprocess exited with error 1
"""
OF_A_RESOURCE = """
Hello: deploying... [1/1]
Hello |   0/114 | 4:58:04 AM | CREATE_IN_PROGRESS | AWS::SQS::Queue | Hello/Queue (Queue1)
Hello | 4:58:04 AM | CREATE_FAILED        | AWS::SQS::Queue | Hello/Queue (Queue1) it exists already
Hello | 4:58:04 AM | CREATE_FAILED        | AWS::SQS::Queue | Hello/Other (Queue2) Resource creation cancelled

 ❌  Hello failed: ToolkitError: The stack named Hello failed creation: ROLLBACK_COMPLETE
"""
OF_A_STACK = " ❌  Hello failed: ToolkitError: the template is too large\n\n ❌ Deployment failed: again\n"
OF_NO_KIND = "\nnode: bad option: --oops\n"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (OF_THE_APP, ["ValueError: max_concurrency must be 1 to 1,000, got 0; raise it"]),
        (
            OF_THE_APP_IN_LINES,
            ["ValueError: max_concurrency must be 1 to 1,000, got 0", "", "  of this:", "raise it"],
        ),
        (OF_JSII, ["RuntimeError: Error: There is already a Construct with name 'Q' in Stack [Hello]"]),
        (
            OF_A_RESOURCE,
            ["Hello | 4:58:04 AM | CREATE_FAILED        | AWS::SQS::Queue | Hello/Queue (Queue1) it exists already"],
        ),
        (
            OF_A_STACK,
            ["Hello failed: ToolkitError: the template is too large", "Deployment failed: again"],
        ),
        (OF_NO_KIND, ["node: bad option: --oops"]),
        ("", []),
    ],
)
def test_the_cause_is_the_error_and_no_more(said: str, why: list[str]) -> None:
    assert cause(said.splitlines(keepends=True)) == why
