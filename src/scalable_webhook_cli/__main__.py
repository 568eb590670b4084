"""``scalable-webhook``: deploy to a local AWS and send bursts, without an account and without Docker."""

import gc
import sys

_MISSING = 'scalable-webhook needs an extra: pip install "cdk-scalable-webhook[local]"'


def main() -> None:
    """Run the command."""
    # A command makes little garbage, and its modules are none. That Python rarely looks for some saves a quarter of the
    # time.
    gc.set_threshold(100_000)
    try:
        from scalable_webhook_cli.commands import app
        from scalable_webhook_cli.signals import interrupt_on_termination
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith(("scalable_webhook_cli", "webhook_runtime")):
            raise
        sys.exit(f"{_MISSING} ({missing.name} is not installed)")
    gc.freeze()
    interrupt_on_termination()
    app()


if __name__ == "__main__":
    main()
