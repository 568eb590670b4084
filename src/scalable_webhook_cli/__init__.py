"""The command line ``scalable-webhook``, and the local AWS that it starts (extra ``[local]``).

It imports neither the CDK nor the construct: an app runs in a process of its own.
"""

import sys

# httpx has a command line of its own, which it imports with every parser of pygments, if they are there: a tenth of the
# time in which a command starts.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
