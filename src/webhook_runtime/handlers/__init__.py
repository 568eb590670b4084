"""Lambda's entry points. Each creates its objects while the module loads, before the first event."""
