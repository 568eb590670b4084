"""The exceptions that end a block, and are no errors of the code in it."""


class TimeIsUp(BaseException):
    """Raised in a block whose time is up. Not an ``Exception``, or code that handles those would go on."""


# Never treat these as errors of the user's code.
INTERRUPTS: tuple[type[BaseException], ...] = (KeyboardInterrupt, TimeIsUp)
