"""``scalable-webhook conformance``."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from scalable_webhook_cli.commands import options
from scalable_webhook_cli.commands.options import Json, Profile, Region, Yes
from scalable_webhook_cli.conformance import report, run
from scalable_webhook_cli.conformance.places import Account, Local, Place, described
from scalable_webhook_cli.conformance.world import STACK, World
from scalable_webhook_cli.local import emulator as emulators
from scalable_webhook_cli.target import Target
from scalable_webhook_cli.terminal import errors, in_one_sentence, say, say_json

_ABOUT = """\
This deploys the stack {stack} by {cdk}:
6 REST APIs, 16 webhooks with their queues, functions and tables, a bucket, a
key of KMS and a secret. It sends about 10,000 requests, compares what becomes
of them, and destroys the stack, also if it fails or is interrupted{kept}.
An estimate: less than 0.25 USD, and 15 to 20 minutes. No run in an account is
known yet, so take an account for experiments.
{role}
What stays: {stays}the files in the bucket of `cdk bootstrap`, and the
key of KMS for 7 days, at no cost."""
_ROLE_STAYS = "API Gateway has a role for its logs in this region, which is kept."
_ROLE_COMES = """\
API Gateway has no role for its logs in this region: AWS::ApiGateway::Account
sets one, for all APIs of the region."""


@in_one_sentence
def conformance(
    profile: Profile = None,
    region: Region = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the app there, for another run or a look.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Only cases whose ids begin with this.", metavar="CASE-PREFIX"),
    ] = None,
    yes: Yes = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the output of the CDK CLI.")] = False,
    as_json: Json = False,
) -> None:
    """Find out whether an AWS does what this library relies on.

    It deploys an app, sends requests, compares what becomes of them with what
    AWS documents or was recorded to do, and destroys the app. Without a profile
    it tries the local AWS. No run in an account is known yet.

    Exits with 1 unless all is as expected. Nothing in --json is secret: send it
    as an issue.
    """
    cases = run.chosen(only or [])
    with _place(profile, region, keep=keep, verbose=verbose) as place:
        if isinstance(place, Account):
            place.require_bootstrapped()
            _ask(place, yes=yes, keep=keep)
        outcome = run.run(place, cases, keep=keep, tell=lambda step: say(step, errors))
        world = World(place.target)
        if as_json:
            say_json(report.told(outcome, local=world.is_local, region=world.region))
        else:
            for line in report.lines(outcome):
                say(line)
        if keep:
            say(f"the app is still there; destroy it by: {place.by_hand}", errors)
    if outcome.left:
        say(outcome.left, errors)
    if outcome.left or not report.is_as_expected(outcome):
        raise typer.Exit(1)


@contextmanager
def _place(profile: str | None, region: str | None, *, keep: bool, verbose: bool) -> Iterator[Place]:
    """Yield an account if one is named; else the local AWS that runs, or one for this run."""
    if profile is not None or region is not None:
        yield Account(Target(profile=profile, region=region), verbose)
    elif keep or emulators.find() is not None:
        with emulators.found_or_started() as emulator:
            yield Local(emulator, verbose)
    else:
        with emulators.running() as emulator:
            yield Local(emulator, verbose)


def _ask(account: Account, *, yes: bool, keep: bool) -> None:
    """Tell what will happen in an account, and ask."""
    role = account.log_role
    about = _ABOUT.format(
        stack=STACK,
        cdk=account.program,
        kept=", but for --keep" if keep else "",
        role=_ROLE_STAYS if role else _ROLE_COMES,
        stays="" if role else "this role, ",
    )
    for line in about.splitlines():
        say(line, errors)
    if described(account.target) is not None:
        say(f"{STACK} is there already, of an earlier run: it is used, and destroyed as well.", errors)
    options.confirm("Deploy it, send, and destroy it", account.target, yes=yes)
