"""``scalable-webhook``: deploy to a local AWS and send bursts, without an account and without Docker."""

import gc
import sys

_MISSING = 'scalable-webhook needs an extra: pip install "cdk-scalable-webhook[local]"'


def main() -> None:
    """Run the command."""
    # No module is garbage. Unless it looks for some among them, a command starts in four fifths of the time.
    gc.disable()
    try:
        from scalable_webhook_cli.commands import app
        from scalable_webhook_cli.signals import interrupt_on_termination
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith(("scalable_webhook_cli", "webhook_runtime")):
            raise
        sys.exit(f"{_MISSING} ({missing.name} is not installed)")
    gc.freeze()
    gc.enable()
    interrupt_on_termination()
    app()


if __name__ == "__main__":
    main()
