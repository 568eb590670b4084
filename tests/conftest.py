"""What holds for every test."""

import signal

# A shell ignores Ctrl-C for what it starts in the background, and so would all that is started from here: the tests of
# what an interrupt ends could not end anything.
signal.signal(signal.SIGINT, signal.default_int_handler)
