"""`make faults`: webhooks, while everything around the queue fails, and what became of each.

Half of them come by a publisher Lambda and go into Postgres. The others go from API Gateway straight into SQS, and
through PgBouncer into the same table. Consumers and publishers are killed; Postgres is killed, its connections are
terminated, its disk is slow and hangs; PgBouncer is killed and paused, and its pool exhausted; the queue delivers
early; SQS is slow and refuses; senders are cut off before they are told; 1 % of the webhooks are poison, and 5 % are
sent twice. In the end every accepted webhook is in the table once, or in the dead-letter queue with its reason; and
each fault is counted, as is what it did. One seed decides everything that is chosen: `make faults SEED=42` repeats a
run, as far as processes ever do the same twice.
"""

import argparse
import secrets
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "examples"))  # where the Postgres is

from run import run, show, write

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.signals import interrupt_on_termination
from scalable_webhook_cli.terminal import say

FIGURES = Path(__file__).parents[1] / "build" / "faults.json"


def main() -> int:
    """Returns the exit status: 0 where nothing was lost or stored twice, and every fault had an effect."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="default: another each time")
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
