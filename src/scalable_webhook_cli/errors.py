"""The error that a command prints as one sentence."""


class CliError(Exception):
    """A problem that you can fix. The message is for you."""
