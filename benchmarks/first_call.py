"""A cold start: from before the import of a function's module until the answer to its first event, which comes on
standard input. It prints the milliseconds, those of processor time, the peak of memory in MiB, and whether it failed.

This module imports what Lambda's own runtime has imported by then, and no more, so that the function's imports count.

https://github.com/aws/aws-lambda-python-runtime-interface-client/blob/main/awslambdaric/bootstrap.py

    python first_call.py HANDLER [MODULE]    # MODULE is imported first
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


def peak() -> float:
    """Return the highest resident set of this program. ``ru_maxrss`` would count that of its parent too."""
    with open("/proc/self/status") as status:  # noqa: PTH123 (pathlib would be imported)
        (kib,) = (line.split()[1] for line in status if line.startswith("VmHWM:"))
    return int(kib) / 1024


began, used = time.perf_counter(), time.process_time()
for first in sys.argv[2:]:
    importlib.import_module(first)
module, _, name = sys.argv[1].rpartition(".")
answered = getattr(importlib.import_module(module), name)(event, Context())
took = [(time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000, peak()]
took.append(bool(answered and answered.get("batchItemFailures")))
os.write(answer, json.dumps(took).encode())
