"""A cold start: how many milliseconds pass from before a function's module is imported until its first event, which
comes on standard input, is answered. It imports as little as it can itself, so that the function pays for its own.

    python first_call.py MODULE
"""

import json
import os
import sys
import time

event = json.load(sys.stdin)
answer = os.dup(1)
# Lambda takes the function's output off its hands.
nowhere = os.open(os.devnull, os.O_WRONLY)
for descriptor in (1, 2):
    os.dup2(nowhere, descriptor)


class Context:
    """Lambda's context object, as far as anybody looks at it."""

    def get_remaining_time_in_millis(self) -> int:
        """There is time."""
        return 30_000


began = time.perf_counter()
module, _, name = sys.argv[1].rpartition(".")
getattr(__import__(module, fromlist=[name]), name)(event, Context())
os.write(answer, str((time.perf_counter() - began) * 1000).encode())
