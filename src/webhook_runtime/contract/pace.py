"""The pace of a rate: synth time and a plan need to know what run time does."""

import math

# The part of the maximum at which an adaptive rate starts.
START = 0.1


def most_a_call(seconds_each: float) -> int:
    """Return the webhooks of one call to the sink: those of a second."""
    return max(1, math.ceil(1 / seconds_each - 1e-9))
