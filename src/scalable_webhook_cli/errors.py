"""The one error that a command tells in a sentence."""


class CliError(Exception):
    """Something that you can fix; the message is for you."""
