"""`make faults`: send webhooks while everything around the queue fails, and report the outcome of each.

Half of them pass a publisher function and go into Postgres. The others go from API Gateway directly into SQS, and
through PgBouncer into the same table. Consumers and publishers are killed. Postgres is killed, its connections are
terminated, and its disk is slow or hangs. PgBouncer is killed and paused, and its pool exhausted. The queue delivers
early. SQS is slow and rejects calls. Providers lose their connection before the response. 1 % of the webhooks are
poison, and 5 % are sent twice.

In the end, every accepted webhook is in the table once, or in the dead-letter queue with its reason. Each fault is
counted with its effect. One seed makes all choices: `make faults SEED=42` repeats a run, as far as processes ever
repeat.
"""

import argparse
import secrets
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "examples"))  # the Postgres is there

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.signals import interrupt_on_termination
from scalable_webhook_cli.terminal import say

from .run import run, show, write

FIGURES = Path(__file__).parents[2] / "build" / "faults.json"


def main() -> int:
    """Return the exit status: 0 if nothing was lost or stored twice, and every fault had an effect."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="default: random")
    parser.add_argument("--webhooks", type=int, default=10_000)
    arguments = parser.parse_args()
    interrupt_on_termination()
    outcome = run(arguments.seed, arguments.webhooks)
    show(outcome)
    write(outcome, FIGURES)
    total = outcome.verdict.total
    say(
        f"faults: {'ok' if outcome.ok else 'FAILED'} seed={outcome.plan.seed} accepted={total.accepted}"
        f" stored={total.stored} dead_lettered={total.dead_lettered} lost={total.lost}"
        f" stored_twice={total.stored_twice}"
    )
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CliError as error:
        sys.exit(f"faults: FAILED {error}")
