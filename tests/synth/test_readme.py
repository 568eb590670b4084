"""What the README says, run."""

import inspect
import re
import runpy
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_scalable_webhook import ScalableWebhook, Sink
from webhook_runtime import Permanent
from webhook_runtime.testing import webhook

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(1, len(PROGRAMS) + 1))
def test_a_program_of_the_readme_synthesises(program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "app.py"
    file.write_text(program)
    assembly = runpy.run_path(str(file))["app"].synth()
    (stack,) = assembly.stacks
    assert "AWS::Lambda::EventSourceMapping" in str(stack.template)
    # What the program prints is what stands beside it.
    said = re.findall(r"^print\(.*\)  # ([\w ]+ seconds)", program, re.MULTILINE)
    assert all(capsys.readouterr().out.startswith(line) for line in said)


def test_the_handler_of_the_readme_passes_its_own_test(tmp_path: Path) -> None:
    (handler,) = re.findall(r"```py\n(.*?)```", README, re.DOTALL)
    file = tmp_path / "test_orders.py"
    file.write_text(handler)
    names = runpy.run_path(str(file))
    names["test_an_order_is_taken"]()
    with pytest.raises(Permanent, match="no order in it"):
        names["handle"](webhook(json={}))


def test_the_table_of_the_readme_is_the_one_that_the_sink_expects() -> None:
    (statement,) = re.findall(r"```sql\n(.*?)```", README, re.DOTALL)
    secret = secretsmanager.Secret(Stack(App(), "Stack"), "Secret")
    assert statement == Sink.postgres(host="h", database_name="d", secret=secret).create_table_statement


def test_the_table_has_every_argument_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", README, re.MULTILINE))
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(ScalableWebhook.__init__).parameters.items()
        if name not in ("self", "scope", "id")
    }
    assert set(rows) == set(parameters)
    for name in ("max_concurrency", "batch_size"):
        assert rows[name] == str(parameters[name].default)


def test_every_link_within_the_repository_leads_somewhere() -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
