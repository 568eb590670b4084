"""A cold start: the milliseconds from before the import of a function's module until the answer to its first event,
which comes on standard input. This module imports what Lambda's own runtime has imported by then, and no more, so that
the function's imports count.

https://github.com/aws/aws-lambda-python-runtime-interface-client/blob/main/awslambdaric/bootstrap.py

    python first_call.py MODULE
"""

import concurrent.futures  # noqa: F401
import decimal  # noqa: F401
import importlib
import json
import logging  # noqa: F401
import os
import sys
import time
import traceback  # noqa: F401

event = json.load(sys.stdin)
answer = os.dup(1)
# The output of the function does not count, as in Lambda.
nowhere = os.open(os.devnull, os.O_WRONLY)
for descriptor in (1, 2):
    os.dup2(nowhere, descriptor)


class Context:
    """The used part of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Return enough time."""
        return 30_000


began = time.perf_counter()
module, _, name = sys.argv[1].rpartition(".")
getattr(importlib.import_module(module), name)(event, Context())
os.write(answer, str((time.perf_counter() - began) * 1000).encode())
