"""``scalable-webhook size``."""

from typing import Annotated

import typer

from scalable_webhook_cli import size as sizes
from scalable_webhook_cli.commands.options import Json
from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.target import Target
from scalable_webhook_cli.terminal import in_one_sentence, say, say_json
from webhook_runtime.contract.connections import Engine


@in_one_sentence
def size(
    engine: Annotated[Engine, typer.Option(help="Engine of the database.")],
    instance_class: Annotated[
        str | None, typer.Option("--class", help="Class of its instance, such as db.t4g.micro.")
    ] = None,
    max_acu: Annotated[float | None, typer.Option(min=1, max=256, help="Maximum ACU of Aurora Serverless v2.")] = None,
    min_acu: Annotated[float, typer.Option(min=0, max=256, help="Minimum ACU of Aurora Serverless v2.")] = 0.5,
    max_connections: Annotated[int | None, typer.Option(min=1, help="Value of a parameter group.")] = None,
    others: Annotated[int, typer.Option(min=0, help="Connections that other applications need.")] = 0,
    webhooks_per_second: Annotated[
        float | None, typer.Option(min=0.001, max=1e6, help="Webhooks a second at a peak.")
    ] = None,
    batch_milliseconds: Annotated[
        float, typer.Option(min=0.1, max=900_000, help="Time that the sink takes for a batch.")
    ] = 40,
    batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="Webhooks of a batch.")] = 10,
    account: Annotated[bool, typer.Option("--account", help="Read the limits of your AWS account.")] = False,
    region: Annotated[str | None, typer.Option(help="Region of the account.")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the account.")] = None,
    as_json: Json = False,
) -> None:
    """Find the max_concurrency for a database of RDS or Aurora.

    It only reads: with --account the limits of API Gateway and Lambda that are in force.
    """
    units = None if max_acu is None else (min_acu, max_acu)
    if instance_class and units:
        raise CliError("pass --class or --max-acu, and not both: an instance has either")
    if not (instance_class or units or max_connections):
        raise CliError("pass --class, --max-acu or --max-connections, so that the connections are known")
    if units and min_acu > units[1]:
        raise CliError(f"--min-acu must be at most --max-acu, got {min_acu:g} and {max_acu:g}; lower it")
    sizing = sizes.of(
        engine, instance_class=instance_class, units=units, max_connections=max_connections, others=others
    )
    load = None
    if webhooks_per_second is not None:
        load = sizes.Load(
            webhooks_per_second=webhooks_per_second, batch_milliseconds=batch_milliseconds, batch_size=batch_size
        )
    bounds = []
    if account:
        bounds = sizes.bounds(sizes.Account.of(Target(region=region, profile=profile)), sizing, load)
    if as_json:
        say_json(sizing.told() | {"webhooks_per_second": {bound.name: bound.webhooks_per_second for bound in bounds}})
        return
    lines = [*sizes.table(sizing), "", *sizes.advice(sizing, load)]
    if account:
        lines += ["", "Webhooks a second, by the limits of the account:"]
        lines += sizes.met_first(bounds, load)
    for line in lines:
        say(line)
