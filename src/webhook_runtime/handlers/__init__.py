"""Lambda's entry points. What can be made before the first event, is made while the module loads."""
