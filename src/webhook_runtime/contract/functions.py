"""The modules of each function: synth time packs them with all that they import, and run time starts them."""


def modules_of(handler: str) -> list[str]:
    """Return the module of the function with this handler, and that of its sink if it has one."""
    if handler in ("publisher", "breaker"):
        return [f"webhook_runtime.{handler}"]
    return ["webhook_runtime.consumer", f"webhook_runtime.sinks.{handler}"]
